//! Defences that are taken away, to see them missed.

use std::fmt::Write as _;

use super::{Found, matrix};

/// A bug that is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// What is superseded is revoked although nobody has seen the new token work.
    RevokeBeforeProof,
    /// What is written to the vault is not there.
    WritesAreLost,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::RevokeBeforeProof, Self::WritesAreLost];
}

/// Plants each, and sees it missed.
pub fn run() -> Found {
    let mut found = Found::default();
    for bug in Bug::ALL {
        let seen = matrix::run(false, Some(bug)).violations;
        match seen.first() {
            Some(first) => {
                let _ = writeln!(found.told, "planted {bug:?}: found: {first}");
            }
            None => found
                .violations
                .push(format!("{bug:?} was planted and not found")),
        }
    }
    found
}
