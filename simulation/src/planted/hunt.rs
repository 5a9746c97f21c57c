//! How many seeds it takes to find each planted bug, and that it takes no more.

use std::sync::Mutex;
use std::sync::PoisonError;

use super::Planted;
use crate::pool::spread;
use crate::report::Tally;
use crate::seeds::run_seed;
use crate::swarm::Variant;

/// How sure it is that a bug of rate p is found: one that is there is missed once in a thousand hunts (e^-6.9).
const SURE: f64 = 6.9;

/// Seeds that are run before it is looked whether one of them has found it.
const AT_ONCE: u64 = 32;

/// What a bug must break, and in what share of the seeds at least.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// The bug.
    pub bug: Planted,
    /// The product with which it shows most.
    pub variant: Variant,
    /// The invariants that it breaks: one of them must be seen broken.
    pub breaks: &'static [&'static str],
    /// A lower bound of the share of seeds that find it: half of what was measured.
    pub p: f64,
}

macro_rules! expected {
    ($($bug:ident $variant:ident [$($breaks:literal),*] $p:literal,)*) => {
        /// All bugs. `simulation --measure 4000` says what the shares are.
        pub const EXPECTED: &[Expected] = &[$(Expected {
            bug: Planted::$bug,
            variant: Variant::$variant,
            breaks: &[$($breaks),*],
            p: $p,
        },)*];
    };
}

expected! {
    SearchThenCreate BestEffort ["I4", "I6", "P2"] 0.035,
    ClaimRemovedOnError BestEffort ["I4", "I6", "P2"] 0.12,
    RerunWithoutReconciliation BestEffort ["I4", "I6", "P2"] 0.14,
    NoAudit BestEffort ["I4"] 0.002,
    BlindAudit BestEffort ["I4"] 0.001,
    EarlyResolvedDropped Enforced ["I7"] 0.12,
    AcknowledgedBeforeJournaled Enforced ["I1", "I2"] 0.5,
    AnswersUndurable Enforced ["I1", "I2"] 0.09,
    LosesMarkers Enforced ["I1", "I2"] 0.45,
    ServerErrorInsteadOf503 Enforced ["P4"] 0.15,
    CorrelationPerSlot Enforced ["I2", "I4", "I7", "P2"] 0.023,
    ConflictsSucceed BestEffort ["I4", "I6", "I8"] 0.13,
    ConflictIsLoss Enforced ["R12"] 0.009,
    DrainWithoutLease Enforced ["R33"] 0.4,
    RetryAfterIgnored Enforced ["I15"] 0.005,
    WriteWithoutRead Enforced ["only ours"] 0.34,
    UnknownIsRefused BestEffort ["I4", "I6", "P2"] 0.11,
    NotesTwice Enforced ["storm"] 0.001,
    FirstSnapshotRemoved Enforced ["I10"] 0.05,
}

impl Expected {
    /// What is expected of a bug.
    pub fn of(bug: Planted) -> Option<&'static Self> {
        EXPECTED.iter().find(|expected| expected.bug == bug)
    }

    /// Seeds within which it must be found.
    pub fn seeds(&self) -> u64 {
        (SURE / self.p).ceil() as u64
    }

    fn breaks(&self, seed: u64) -> Option<&'static str> {
        let ran = run_seed(seed, self.variant, Some(self.bug), false);
        let broken = ran.violations.iter().map(|violation| violation.invariant);
        broken.into_iter().find(|one| self.breaks.contains(one))
    }
}

/// A hunt's end.
#[derive(Debug, Clone, Copy)]
pub struct Hunted {
    /// For what.
    pub expected: &'static Expected,
    /// The seeds that were run.
    pub seeds: u64,
    /// How many of them found it.
    pub found: u64,
    /// The first that found it, and the invariant that it broke.
    pub first: Option<(u64, &'static str)>,
}

impl Hunted {
    /// As a row of the table.
    pub fn as_text(&self) -> String {
        let Expected {
            bug, variant, p, ..
        } = self.expected;
        let first = self.first.map_or_else(
            || "NOT FOUND".to_owned(),
            |(seed, invariant)| format!("seed {seed} by {invariant}"),
        );
        format!(
            "  {:<30} {:<12} p at least {:<7} {:<7} seeds at most, {first}",
            bug.as_str(),
            variant.as_str(),
            p,
            self.expected.seeds(),
        )
    }

    /// As a row of the table of what was measured.
    pub fn as_measured(&self) -> String {
        let p = self.found as f64 / self.seeds.max(1) as f64;
        format!(
            "{}  measured p {p:.5} ({} of {})",
            self.as_text(),
            self.found,
            self.seeds
        )
    }
}

/// Runs seeds until one finds the bug, or enough have not.
pub fn hunt(expected: &'static Expected, from: u64) -> Hunted {
    let last = from + expected.seeds();
    let mut next = from;
    while next < last {
        let until = (next + AT_ONCE).min(last);
        let part = look(expected, next, until);
        if part.first.is_some() {
            return Hunted {
                seeds: until - from,
                ..part
            };
        }
        next = until;
    }
    Hunted {
        expected,
        seeds: last - from,
        found: 0,
        first: None,
    }
}

/// Runs these seeds, all of them.
pub fn look(expected: &'static Expected, from: u64, until: u64) -> Hunted {
    let seeds: Vec<u64> = (from..until).collect();
    let found: Mutex<Vec<(u64, &'static str)>> = Mutex::default();
    let work = |_: &mut Tally, seed: &u64| {
        if let Some(invariant) = expected.breaks(*seed) {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.push((*seed, invariant));
        }
    };
    spread(&seeds, work, &|_| true);
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    Hunted {
        expected,
        seeds: until - from,
        found: found.len() as u64,
        first: found.into_iter().min(),
    }
}
