//! As many threads as there are cores, each with a part of the work.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::report::Tally;

/// Does all jobs in order and adds up what came of them. `go_on` is told how many are done, and says whether there are to
/// be more.
pub fn spread<J: Sync>(
    jobs: &[J],
    work: impl Fn(&mut Tally, &J) + Sync,
    go_on: &(dyn Fn(u64) -> bool + Sync),
) -> Tally {
    let next = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let total = Mutex::new(Tally::default());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(jobs.len()) {
            scope.spawn(|| {
                let mut tally = Tally::default();
                while !is_over.load(Ordering::Relaxed) {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(place) else { break };
                    work(&mut tally, job);
                    if !go_on(place as u64 + 1) {
                        is_over.store(true, Ordering::Relaxed);
                    }
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
