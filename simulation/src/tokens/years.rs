//! Many runs of four hundred days, on as many threads as there are cores.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use simulators::issuer::Rotation;

use super::bugs::Bug;
use super::check::Sum;
use super::life::{Plan, run};
use super::{Found, Request};

/// The kinds of issuers: a seed has one of them, in turn.
pub const KINDS: [Rotation; 3] = [Rotation::Kept, Rotation::Replaced, Rotation::None];

/// A kind of issuer, for people.
pub fn named(rotation: Rotation) -> &'static str {
    match rotation {
        Rotation::Kept => "kept",
        Rotation::Replaced => "replaced",
        Rotation::None => "none",
    }
}

/// A run that went wrong.
#[derive(Debug)]
pub struct Failure {
    /// Which.
    pub plan: Plan,
    /// What is wrong.
    pub violations: Vec<String>,
}

/// What came of many runs.
#[derive(Debug, Default)]
pub struct Years {
    /// How long each went on, days.
    pub days: i64,
    /// Seeds that were run.
    pub seeds: u64,
    /// Counts of each kind of issuer.
    pub sums: [Sum; 3],
    /// What went wrong.
    pub failures: Vec<Failure>,
}

impl Years {
    /// For people.
    pub fn as_text(&self) -> String {
        let mut text = String::new();
        for (rotation, sum) in KINDS.iter().zip(&self.sums) {
            let _ = writeln!(
                text,
                "tokens {:<8} {} x {} days: {} calls ({} of them made), {} without a token while none could be had, {} waited; {} tokens given, {} logins ({} in time); {} deaths, {} other faults; {} ends to announce, {} announced, {} calls for a login",
                named(*rotation),
                sum.runs,
                self.days,
                sum.calls,
                sum.made,
                sum.unserved,
                sum.waited,
                sum.given,
                sum.logins,
                sum.inside,
                sum.died,
                sum.strikes,
                sum.owed,
                sum.told,
                sum.called
            );
        }
        for failure in self.failures.iter().take(20) {
            let _ = writeln!(
                text,
                "FAILED seed {} {}: again with --tokens --seed {} --trace",
                failure.plan.seed,
                named(failure.plan.rotation),
                failure.plan.seed
            );
            for violation in failure.violations.iter().take(5) {
                let _ = writeln!(text, "  {violation}");
            }
        }
        text
    }
}

/// How long a run at full rate goes on, days.
const CONTROL_DAYS: i64 = 30;

/// How many there are.
const CONTROLS: u64 = 6;

/// Runs in which nothing is left out do the same as those that jump over quiet time, and each repeats itself.
pub fn control() -> Found {
    let mut found = Found::default();
    for seed in 0..CONTROLS {
        let mut plan = Plan::new(seed, None);
        plan.days = CONTROL_DAYS;
        let (jumps, again) = (run(plan), run(plan));
        plan.full_rate = true;
        let full = run(plan);
        let kind = named(plan.rotation);
        if jumps.print != again.print {
            found
                .violations
                .push(format!("seed {seed} {kind} does not repeat itself"));
        }
        if jumps.print != full.print {
            found.violations.push(format!(
                "seed {seed} {kind} differs at full rate:\n  {}\n  {}",
                jumps.print, full.print
            ));
        }
    }
    let _ = writeln!(
        found.told,
        "tokens: {CONTROLS} x {CONTROL_DAYS} days at full rate"
    );
    found
}

/// The runs of these seeds.
pub fn run_all(request: &Request, bug: Option<Bug>, is_over: &(dyn Fn() -> bool + Sync)) -> Years {
    let seeds = &request.seeds;
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Years {
        days: request.days,
        ..Years::default()
    });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(seeds.len()) {
            scope.spawn(|| {
                while !is_over() {
                    let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        break;
                    };
                    let mut plan = Plan::new(*seed, bug);
                    plan.days = request.days;
                    let year = run(plan);
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    let kind = KINDS.iter().position(|kind| *kind == plan.rotation);
                    if let Some(sum) = kind.and_then(|n| all.sums.get_mut(n)) {
                        sum.merge(&year.sum);
                    }
                    if !year.violations.is_empty() {
                        let violations = year.violations;
                        all.failures.push(Failure { plan, violations });
                    }
                    all.seeds += 1;
                }
            });
        }
    });
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.failures.sort_by_key(|failure| failure.plan.seed);
    all
}
