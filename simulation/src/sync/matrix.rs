//! A first run, with its backfill, live windows and reconciliation, that dies before and after each of its calls to the product,
//! the store and the sink; and then the same of the run after it. Nothing else goes wrong: what is lost or sent twice is
//! this death's.

use std::panic::catch_unwind;
use std::sync::Arc;

use super::report::{Ran, Sum};
use super::world::World;
use super::{RUN, TICK, check, spread, table, tick};
use crate::clock::pause;

/// Seeds of which one has hidden records and one has not; both reconcile often.
const SEEDS: [u64; 2] = [1, 3];

/// Runs after those that die until all must be there: the lease of the dead one runs out, and a reconciliation comes.
const RUNS_AFTER: u32 = 12;

/// Deaths of the first run, and of the second.
type Deaths = (Option<u64>, Option<u64>);

/// What came of all of it.
pub fn run_all() -> Sum {
    let mut sum = Sum::default();
    for seed in SEEDS {
        let (_, [first, second]) = run_case(seed, (None, None));
        let mut cases: Vec<Deaths> = (1..=first).map(|at| (Some(at), None)).collect();
        cases.extend((1..=second).map(|at| (None, Some(at))));
        sum.merge(spread(&cases, &|| false, |case| guarded(seed, *case)));
    }
    sum
}

fn guarded(seed: u64, deaths: Deaths) -> Ran {
    let ran = catch_unwind(|| run_case(seed, deaths).0);
    let mut ran = ran.unwrap_or_else(|_| Ran::failed(seed, "the run panicked"));
    for violation in &mut ran.violations {
        violation.push_str(&format!(" (deaths at {deaths:?})"));
    }
    ran
}

fn run_case(seed: u64, deaths: Deaths) -> (Ran, [u64; 2]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(seed, deaths)),
        Err(_) => (Ran::failed(seed, "the runtime could not be built"), [0, 0]),
    }
}

async fn run(seed: u64, deaths: Deaths) -> (Ran, [u64; 2]) {
    let world = Arc::new(World::calm(seed));
    table::furnish_for_the_matrix(&world);
    let first = tick(&world, 0, deaths.0).await;
    table::stir(&world);
    // By then the lease of a process that died has run out, and what was stirred has settled.
    pause(RUN + TICK * 3).await;
    let second = tick(&world, 1, deaths.1).await;
    for n in 0..RUNS_AFTER {
        pause(TICK * 2).await;
        tick(&world, n % 2, None).await;
    }
    check::at_the_end(&world);
    (Ran::of(seed, &world, &[]), [first, second])
}
