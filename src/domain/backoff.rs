//! How long to wait before the next try.

use std::time::Duration;

/// First step of the backoff (rule R21).
pub const BASE: Duration = Duration::from_secs(2);

/// Longest wait between two tries (rule R21).
pub const CAP: Duration = Duration::from_secs(15 * 60);

/// Full jitter: anything between nothing and the capped exponential, so that many waiting alerts do not come back at once.
///
/// `tries` is how many have failed (at least 1); `dice` is any number, evenly spread.
pub fn full_jitter(tries: u32, dice: u64) -> Duration {
    let ceiling_ms = u64::try_from(ceiling(tries).as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(dice % ceiling_ms.saturating_add(1))
}

/// Half of the capped exponential, and anything up to its other half: a wait that does grow with each time.
///
/// `times` is which time it is, from 1; the first is the base.
pub fn half_jitter(times: u32, dice: u64) -> Duration {
    let half = ceiling(times) / 2;
    if times <= 1 {
        return BASE;
    }
    let half_ms = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half.saturating_add(Duration::from_millis(dice % half_ms.saturating_add(1)))
}

fn ceiling(tries: u32) -> Duration {
    BASE.saturating_mul(2u32.saturating_pow(tries.saturating_sub(1).min(16)))
        .min(CAP)
}

/// Bounds for what a server asks us to wait: less than a second would be a busy loop, more than two hours is a mistake
/// (rule R22; ServiceNow counts by the hour).
pub const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// See [`RETRY_AFTER_MIN`].
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// A server's wish, clamped to what is sane.
pub fn clamp_retry_after(asked: Duration) -> Duration {
    asked.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_between_nothing_and_the_cap() {
        for tries in 0..200 {
            for dice in [0, 1, u64::MAX / 3, u64::MAX] {
                assert!(full_jitter(tries, dice) <= CAP);
            }
        }
        assert!(full_jitter(1, u64::MAX - 1) <= BASE);
        assert_eq!(full_jitter(30, 15 * 60 * 1000), CAP);
    }
}
