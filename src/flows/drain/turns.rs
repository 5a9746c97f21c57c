//! Whose turn it is: which connections have something pending, in what order they are drained, and how long each may take.
//! One whose product is sick costs the others nothing: it has its own turn, and its own end of it.

use std::time::Duration;

use futures_util::StreamExt as _;

use crate::domain::name::ConnectionName;
use crate::flows::{Budget, Core};
use crate::stores::objects::StoreFailure;

/// Connections that are drained at once. Nearly all of a drain is waiting, so this bounds memory and sockets (each may
/// have four calls under way) rather than the processor.
pub(super) const CONNECTIONS_AT_ONCE: usize = 8;

/// The least that a turn lasts, whatever there is to share: two of the shortest calls. In a run of a minute 64 connections
/// have a turn, even if every product hangs.
const TURN_MIN: Duration = Duration::from_secs(6);

/// The turns of one run.
#[derive(Debug)]
pub(super) struct Turns {
    /// In this order.
    pub(super) names: Vec<ConnectionName>,
    /// So long each.
    pub(super) share: Duration,
}

/// The turns of a run that begins now.
pub(super) async fn of(core: &Core, budget: Budget) -> Result<Turns, StoreFailure> {
    let known = core.pending.connections().await?;
    let mut names: Vec<ConnectionName> = futures_util::stream::iter(known)
        .map(|name| async move {
            match core.pending.has_any(&name).await {
                Ok(has_any) => has_any.then_some(name),
                Err(failure) => {
                    tracing::error!(connection = %name, %failure, hint = failure.hint(), "it cannot be seen what is pending");
                    None
                }
            }
        })
        .buffer_unordered(CONNECTIONS_AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    names.sort_unstable();
    shuffle(&mut names, || core.entropy.dice());
    let share = share(budget.left(&*core.clock), names.len());
    Ok(Turns { names, share })
}

/// Any order is as good as any other; but those at the end of a run that had no time for all must not be the same ones
/// each time, and ticks come as they like, so that nothing that counts minutes would do.
fn shuffle<T>(names: &mut [T], mut dice: impl FnMut() -> u64) {
    for last in (1..names.len()).rev() {
        let one = dice() % (last as u64 + 1);
        names.swap(usize::try_from(one).unwrap_or(0), last);
    }
}

/// How long a turn lasts: all of the time if all can be drained at once, else an equal share of it.
fn share(left: Duration, count: usize) -> Duration {
    if count <= CONNECTIONS_AT_ONCE {
        return left;
    }
    let rounds = u32::try_from(count.div_ceil(CONNECTIONS_AT_ONCE)).unwrap_or(u32::MAX);
    (left / rounds).max(TURN_MIN).min(left)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn few_connections_have_all_of_the_time_each_and_many_an_equal_share() {
        let left = Duration::from_secs(52);
        assert_eq!(share(left, 1), left);
        assert_eq!(share(left, 8), left);
        assert_eq!(share(left, 9), left / 2);
        assert_eq!(share(left, 64), Duration::from_millis(6500));
        assert_eq!(share(left, 1000), TURN_MIN);
        assert_eq!(share(Duration::from_secs(4), 1000), Duration::from_secs(4));
    }

    #[test]
    fn a_run_that_has_time_for_eight_only_serves_each_of_a_hundred_before_long() {
        let mut n = 0u64;
        let mut dice = || {
            n += 1;
            n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
        };
        let mut served = BTreeSet::new();
        for _ in 0..180 {
            let mut names: Vec<u32> = (0..100).collect();
            shuffle(&mut names, &mut dice);
            served.extend(names.into_iter().take(CONNECTIONS_AT_ONCE));
        }
        assert_eq!(served.len(), 100);
    }
}
