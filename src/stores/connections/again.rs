//! When the vault is asked again: not each alert asks it, and not all processes at once (rule R40).

use std::time::Duration;

use crate::domain::failure::CallFailure;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// Age after which a definition is read again at the earliest.
pub const FRESH_FOR: Duration = Duration::from_secs(10 * 60);

/// Age by which it was: each place of each process adds up to a fifth of its own, so that functions which started together
/// do not go on asking together.
pub const FRESH_MAX: Duration = Duration::from_secs(12 * 60);

/// How long "there is no such connection" is believed.
pub const ABSENT_FOR: Duration = Duration::from_secs(30);

/// How long a vault that failed is left alone where nothing is in memory: an alert that comes meanwhile is kept, and waits for
/// nobody's time-out.
pub const FAILED_FOR: Duration = Duration::from_secs(5);

/// How long a definition is fresh in a process that started then. The dice are the name and the start, and not those of the
/// process: how often a vault is read must not decide what else is drawn.
pub(super) fn fresh_for(name: &ConnectionName, started: Timestamp) -> Duration {
    let mut z = started.as_millis().unsigned_abs();
    for byte in name.as_str().bytes() {
        z = scattered(z ^ u64::from(byte));
    }
    let span = FRESH_MAX.saturating_sub(FRESH_FOR).as_millis();
    let more = u128::from(scattered(z)) * span / u128::from(u64::MAX);
    FRESH_FOR + Duration::from_millis(u64::try_from(more).unwrap_or(0))
}

/// The finaliser of `SplitMix64`: numbers beside each other come out far apart.
fn scattered(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How long a vault is left alone after it failed: as it asks, within reason.
pub(super) fn left_alone(failure: &CallFailure, serves_on: bool) -> Duration {
    let at_least = if serves_on { ABSENT_FOR } else { FAILED_FOR };
    let asked_for = failure.retry_after().unwrap_or_default();
    asked_for.clamp(at_least, FRESH_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::{Effect, Kind};

    #[test]
    fn processes_and_places_do_not_ask_in_step() {
        let contoso = ConnectionName::parse("contoso").unwrap();
        let fabrikam = ConnectionName::parse("fabrikam").unwrap();
        let at = Timestamp::from_millis;
        // A thousand processes that were started by one tick of a timer, a millisecond apart.
        let mut spans: Vec<Duration> = (0..1000)
            .map(|n| fresh_for(&contoso, at(1_772_359_200_000 + n)))
            .collect();
        assert!(
            spans
                .iter()
                .all(|span| *span >= FRESH_FOR && *span <= FRESH_MAX)
        );
        spans.sort_unstable();
        // Evenly: no tenth of the added time has more than twice its share.
        for tenth in 0..10 {
            let from = FRESH_FOR + Duration::from_secs(12 * tenth);
            let until = from + Duration::from_secs(12);
            let within = spans.iter().filter(|span| **span >= from && **span < until);
            let count = within.count();
            assert!((50..200).contains(&count), "{tenth}: {count}");
        }
        let start = at(1_772_359_200_000);
        assert_ne!(fresh_for(&contoso, start), fresh_for(&fabrikam, start));
        assert_eq!(fresh_for(&contoso, start), fresh_for(&contoso, start));
    }

    #[test]
    fn a_vault_that_failed_is_left_alone_for_as_long_as_it_asks_and_not_for_ever() {
        let failure = |seconds: u64| {
            CallFailure::new("v", "o", Effect::NotSent, Kind::RateLimited, "d")
                .with_retry_after(Duration::from_secs(seconds))
        };
        let seconds = |seconds| Duration::from_secs(seconds);
        assert_eq!(left_alone(&failure(1), false), FAILED_FOR);
        assert_eq!(left_alone(&failure(1), true), ABSENT_FOR);
        assert_eq!(left_alone(&failure(90), false), seconds(90));
        assert_eq!(left_alone(&failure(90), true), seconds(90));
        assert_eq!(left_alone(&failure(86_400), true), FRESH_FOR);
    }
}
