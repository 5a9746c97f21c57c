//! As many threads as there are cores, each with a part of the work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::report::Tally;

/// Does all jobs and adds up what came of them. `progress` is told how many are done.
pub fn spread<J: Sync>(
    jobs: &[J],
    work: impl Fn(&mut Tally, &J) + Sync,
    progress: &(dyn Fn(u64) + Sync),
) -> Tally {
    let next = AtomicUsize::new(0);
    let total = Mutex::new(Tally::default());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(jobs.len()) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(place) else { break };
                    work(&mut tally, job);
                    progress(place as u64 + 1);
                }
                let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                total.merge(tally);
            });
        }
    });
    let mut total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    total
        .failures
        .sort_by_key(|failure| (failure.name.len(), failure.name.clone(), failure.variant));
    total
}
