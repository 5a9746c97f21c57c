//! Every death in one renewal of tokens: the real flow and OAuth client over an issuer, a product, a vault and a store, with
//! two refreshers at once.
//!
//! What must hold: no token is revoked that is still ours, and none before the new one is proven (I18); the issuer is never
//! asked twice at once with the same refresh token (I18); a person is needed if and only if the refresh token that the vault
//! has is dead, which it never is where its use does not replace it (I17); a login mends that; otherwise the renewal comes to its
//! end, with everything that was superseded out of use.

pub mod bugs;
pub mod matrix;
pub mod outside;
pub mod world;

use simulators::issuer::Rotation;

/// The kinds of issuers that store something.
pub const STORING: [Rotation; 2] = [Rotation::Kept, Rotation::Replaced];

/// What a part of the simulation found.
#[derive(Debug, Default)]
pub struct Found {
    /// What was done, for the report.
    pub told: String,
    /// What is wrong.
    pub violations: Vec<String>,
}

/// The matrix, with pairs where asked for, and the planted bugs. Each part is told when it is done; what is wrong.
pub fn run_all(pairs: bool, mut tell: impl FnMut(&str)) -> Vec<String> {
    let mut violations = Vec::new();
    let mut done = |found: Found| {
        tell(found.told.trim_end());
        for violation in found.violations.iter().take(20) {
            tell(&format!("VIOLATION {violation}"));
        }
        violations.extend(found.violations);
    };
    done(bugs::run());
    done(matrix::run(pairs, None));
    violations
}
