//! Every death in one renewal of tokens: the real flow and OAuth client over an issuer, a product, a vault and a store, with
//! two refreshers at once.
//!
//! What must hold: no token is revoked that is still ours, and none before the new one is proven (I18); the issuer is never
//! asked twice at once with the same refresh token (I18); a person is needed if and only if the refresh token that the vault
//! has is dead, which it never is where its use does not replace it (I17); a login mends that; otherwise the renewal comes to its
//! end, with everything that was superseded out of use.

pub mod book;
pub mod bugs;
pub mod check;
pub mod hear;
pub mod life;
pub mod matrix;
pub mod outside;
pub mod person;
pub mod reader;
pub mod weather;
pub mod world;
pub mod years;

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

/// What is to be run.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Seeds of four hundred days.
    pub seeds: Vec<u64>,
    /// Exactly these: nothing else is run.
    pub is_chosen: bool,
    /// Also each pair of deaths in one renewal.
    pub exhaustive: bool,
    /// The planted bugs, and nothing else.
    pub planted_bugs: bool,
    /// Print every port call.
    pub trace: bool,
    /// How long each goes on.
    pub days: i64,
    /// Red if the time was over before so many seeds were run.
    pub at_least: u64,
}

/// Runs it; false if something is wrong. Each part is told when it is done.
pub fn run(request: &Request, is_over: &(dyn Fn() -> bool + Sync), tell: impl Fn(&str)) -> bool {
    if request.trace {
        for seed in &request.seeds {
            let mut plan = life::Plan::new(*seed, None);
            (plan.trace, plan.days) = (true, request.days);
            let year = life::run(plan);
            tell(&format!("seed {seed} {}", years::named(plan.rotation)));
            for line in year.trace.iter().chain(&year.violations) {
                tell(line);
            }
        }
    }
    if request.planted_bugs {
        let (lines, is_well) = bugs::hunt(request.days);
        for line in lines {
            tell(&line);
        }
        return is_well;
    }
    let mut is_well = true;
    if !request.is_chosen {
        let mut parts = vec![matrix::run(request.exhaustive, None)];
        if request.exhaustive {
            parts.push(matrix::run_two(None));
        }
        parts.push(years::control());
        for found in parts {
            tell(found.told.trim_end());
            for violation in found.violations.iter().take(20) {
                tell(&format!("VIOLATION {violation}"));
            }
            is_well &= found.violations.is_empty();
        }
    }
    let all = years::run_all(request, None, is_over);
    tell(all.as_text().trim_end());
    is_well &= all.failures.is_empty();
    if all.seeds < request.at_least {
        tell(&format!(
            "TOO FEW SEEDS: {}, {} are asked for",
            all.seeds, request.at_least
        ));
        is_well = false;
    }
    is_well
}
