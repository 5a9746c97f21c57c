//! Many seeds, on as many threads as there are cores, each run on a runtime of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::hosts::WEBHOOK_KEY;
use crate::ledger::Violation;
use crate::logs;
use crate::planted::Planted;
use crate::pool::spread;
use crate::product::{CLIENT_SECRET, holds};
use crate::report::{Failure, Tally, replay_seed};
use crate::run::{Order, Ran, run};
use crate::swarm::Variant;

/// Seeds that are run twice, to see that the seed decides everything.
const REPEATED: usize = 20;

/// Beyond those, each so many'th seed is.
const REPEATED_EACH: u64 = 200;

/// Failures of which everything is kept; of more, only what is wrong.
const DETAILED: usize = 3;

/// Which runs.
#[derive(Debug, Clone)]
pub struct Request {
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The products.
    pub variants: Vec<Variant>,
    /// A defence that is taken away.
    pub planted: Option<Planted>,
    /// Whether all calls are kept and not only the newest.
    pub trace: bool,
}

/// Runs one seed; a panic is a violation like any other.
pub fn run_seed(seed: u64, variant: Variant, planted: Option<Planted>, trace: bool) -> Ran {
    let order = Order {
        planted,
        trace,
        ..Order::of_seed(seed, variant)
    };
    guarded(order)
}

/// Runs an order; a panic is a violation like any other.
pub fn guarded(order: Order) -> Ran {
    catch_unwind(AssertUnwindSafe(|| run(order)))
        .unwrap_or_else(|_| Ran::failed("panic", "the run panicked"))
}

/// Runs all seeds, in order. `go_on` is told how many runs are done, and says whether there are to be more.
pub fn run_all(request: &Request, go_on: &(dyn Fn(u64) -> bool + Sync)) -> Tally {
    let jobs: Vec<(usize, u64, Variant)> = request
        .seeds
        .iter()
        .enumerate()
        .flat_map(|(place, seed)| {
            request
                .variants
                .iter()
                .map(move |variant| (place, *seed, *variant))
        })
        .collect();
    let work = |tally: &mut Tally, &(place, seed, variant): &(usize, u64, Variant)| {
        one(tally, request, place, seed, variant);
    };
    spread(&jobs, work, go_on)
}

/// Runs a seed again, with its log read: it must be the same run to the last random number (I24), and no line of the log
/// may hold a secret (I23).
fn repeat(ran: &mut Ran, seed: u64, variant: Variant, planted: Option<Planted>) {
    let (again, log) = logs::of(|| run_seed(seed, variant, planted, false));
    let one = (ran.hash, ran.calls, ran.next, ran.took);
    let other = (again.hash, again.calls, again.next, again.took);
    if one != other {
        ran.violations.push(Violation {
            invariant: "I24",
            seen: format!(
                "two runs of this seed differ in hash, port calls, next random number or time: {one:?} and {other:?}"
            ),
        });
    }
    let secrets = again.tokens.iter().map(String::as_str);
    let told = |secret: &&str| holds(log.as_bytes(), secret.as_bytes());
    if secrets
        .chain([CLIENT_SECRET, WEBHOOK_KEY])
        .any(|one| told(&one))
    {
        ran.violations.push(Violation {
            invariant: "I23",
            seen: "the log holds a secret".to_owned(),
        });
    }
}

fn one(tally: &mut Tally, request: &Request, place: usize, seed: u64, variant: Variant) {
    let mut ran = run_seed(seed, variant, request.planted, request.trace);
    tally.seeded += 1;
    if place < REPEATED || seed.is_multiple_of(REPEATED_EACH) {
        tally.repeated += 1;
        repeat(&mut ran, seed, variant, request.planted);
    }
    tally.add(&ran);
    if request.trace && ran.violations.is_empty() {
        tally
            .traces
            .push(format!("seed {seed} {}", variant.as_str()));
        tally
            .traces
            .extend(ran.lines.iter().map(ToString::to_string));
    }
    if !ran.violations.is_empty() {
        let is_detailed = tally.failures.len() < DETAILED;
        tally.failures.push(Failure {
            name: format!("seed {seed}"),
            variant,
            violations: ran.violations,
            settings: Order::of_seed(seed, variant).swarm.to_string(),
            lines: if is_detailed { ran.lines } else { Vec::new() },
            replay: replay_seed(seed, variant, request.planted),
        });
    }
}
