//! How fast one process calls one product: a budget for tries that are not the first, and a share of calls that it holds
//! back by itself while the product turns calls away (rule R21).
//!
//! Being held back is no try: nothing is counted, nothing is written down, the alert waits for the next run. Both limits
//! look at the last two minutes only and count calls that were made, never those that were held back. So neither holds
//! anything back for good: after two minutes without a call there is nothing left to count.
//!
//! Each process has its own, and a cold one starts with the whole burst and without a memory of calls that were turned
//! away. What all processes share is the gate, which is what stops them when it must.

use std::collections::VecDeque;
use std::time::Duration;

/// How far back is looked.
pub const WINDOW: Duration = Duration::from_secs(120);

/// Tries in the window that are not the first and need no success to allow them.
pub const RETRIES_BURST: u64 = 10;

/// So many successes in the window allow one more of them: a tenth.
const SUCCESSES_PER_RETRY: u64 = 10;

/// K of the formula: calls are held back once more than half of them are turned away (Google, Site Reliability
/// Engineering, "Handling Overload").
const CALLS_PER_ACCEPTED: u64 = 2;

/// What is counted together: the window has 24 of them.
const GRAIN: Duration = Duration::from_secs(5);

/// What an answer says of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It did what was asked.
    Success,
    /// It looked at the call and refused it: it works.
    Refusal,
    /// It could not, would not, or did not say.
    TurnedAway,
}

/// Why a call must wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBack {
    /// Too many tries that are not the first.
    RetryBudget,
    /// Too many calls were turned away of late.
    TurnedAway,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    from: Duration,
    calls: u64,
    accepted: u64,
    successes: u64,
    retries: u64,
}

/// The pace of one process towards one product. Moments are of the monotonic clock.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    counts: VecDeque<Counts>,
}

impl Pace {
    /// Whether a call may be made. `is_retry`: the alert was tried before; `dice` is any number, evenly spread.
    pub fn ask(&mut self, now: Duration, is_retry: bool, dice: u64) -> Result<(), HeldBack> {
        let sum = self.sum(now);
        if is_retry && sum.retries >= RETRIES_BURST + sum.successes / SUCCESSES_PER_RETRY {
            return Err(HeldBack::RetryBudget);
        }
        // max(0, (calls − K · accepted) / (calls + 1)), compared with the dice as a fraction of all its values.
        let surplus = sum
            .calls
            .saturating_sub(CALLS_PER_ACCEPTED.saturating_mul(sum.accepted));
        let rolled = (u128::from(dice) * u128::from(sum.calls + 1)) >> u64::BITS;
        if rolled < u128::from(surplus) {
            return Err(HeldBack::TurnedAway);
        }
        Ok(())
    }

    /// A try that is not the first begins.
    pub fn retries(&mut self, now: Duration) {
        self.at(now).retries += 1;
    }

    /// A call was made, and this came of it.
    pub fn told(&mut self, now: Duration, told: Told) {
        let counts = self.at(now);
        counts.calls += 1;
        counts.accepted += u64::from(told != Told::TurnedAway);
        counts.successes += u64::from(told == Told::Success);
    }

    fn at(&mut self, now: Duration) -> &mut Counts {
        self.forget(now);
        let is_new = self
            .counts
            .back()
            .is_none_or(|counts| now.saturating_sub(counts.from) >= GRAIN);
        if is_new {
            self.counts.push_back(Counts {
                from: now,
                ..Counts::default()
            });
        }
        let last = self.counts.len() - 1;
        &mut self.counts[last]
    }

    fn forget(&mut self, now: Duration) {
        while self
            .counts
            .front()
            .is_some_and(|counts| now.saturating_sub(counts.from) >= WINDOW)
        {
            self.counts.pop_front();
        }
    }

    fn sum(&mut self, now: Duration) -> Counts {
        self.forget(now);
        let mut sum = Counts::default();
        for counts in &self.counts {
            sum.calls += counts.calls;
            sum.accepted += counts.accepted;
            sum.successes += counts.successes;
            sum.retries += counts.retries;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: u64 = 0;
    const MOST: u64 = u64::MAX;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn spread(n: u64) -> u64 {
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Makes as many retries as are allowed at a moment.
    fn retries_allowed(pace: &mut Pace, now: Duration) -> u64 {
        let mut allowed = 0;
        while pace.ask(now, true, MOST).is_ok() && allowed < 1000 {
            pace.retries(now);
            allowed += 1;
        }
        allowed
    }

    #[test]
    fn a_cold_process_has_the_burst_and_holds_nothing_back() {
        assert_eq!(Pace::default().ask(at(0), false, LEAST), Ok(()));
        assert_eq!(retries_allowed(&mut Pace::default(), at(0)), RETRIES_BURST);
    }

    #[test]
    fn a_tenth_of_the_successes_of_two_minutes_may_be_tried_again() {
        let mut pace = Pace::default();
        for n in 0..100 {
            pace.told(at(n), Told::Success);
        }
        assert_eq!(retries_allowed(&mut pace, at(100)), RETRIES_BURST + 10);
        assert_eq!(pace.ask(at(100), true, MOST), Err(HeldBack::RetryBudget));
        assert_eq!(
            pace.ask(at(100), false, LEAST),
            Ok(()),
            "a first try is never meant"
        );
    }

    #[test]
    fn retries_of_any_two_minutes_stay_within_the_burst_and_a_tenth() {
        let mut pace = Pace::default();
        let mut made = Vec::new();
        for second in 0..3600 {
            for _ in 0..3 {
                if pace.ask(at(second), true, MOST).is_ok() {
                    pace.retries(at(second));
                    made.push(second);
                }
            }
            if second % 4 == 0 {
                pace.told(at(second), Told::Success);
            }
        }
        // The grain may let a success count for five seconds longer, and never less long.
        let in_window = |from: u64| {
            made.iter()
                .filter(|at| (from..from + 115).contains(at))
                .count()
        };
        let most = (0..3600).map(in_window).max().unwrap();
        assert!(most <= 10 + 3 + 1, "{most}");
        assert!(made.len() > 300, "{}", made.len());
    }

    #[test]
    fn the_budget_starves_nobody_for_good() {
        let mut pace = Pace::default();
        retries_allowed(&mut pace, at(0));
        assert!(pace.ask(at(110), true, MOST).is_err());
        assert_eq!(
            pace.ask(at(121), true, MOST),
            Ok(()),
            "without a single success"
        );
    }

    #[test]
    fn calls_are_held_back_by_the_formula_once_most_are_turned_away() {
        let mut pace = Pace::default();
        for n in 0..100u64 {
            let told = if n < 20 {
                Told::Success
            } else {
                Told::TurnedAway
            };
            pace.told(at(1), told);
        }
        let held = (0..10_000)
            .filter(|n| pace.ask(at(2), false, spread(*n)).is_err())
            .count();
        // (100 − 2 · 20) / 101 = 59.4 %
        assert!((5800..6100).contains(&held), "{held}");
        assert_eq!(pace.ask(at(2), false, LEAST), Err(HeldBack::TurnedAway));
        assert_eq!(pace.ask(at(2), false, MOST), Ok(()));
    }

    #[test]
    fn refusals_are_answers_and_hold_nothing_back() {
        let mut pace = Pace::default();
        for _ in 0..1000 {
            pace.told(at(1), Told::Refusal);
        }
        assert_eq!(pace.ask(at(2), false, LEAST), Ok(()));
    }

    #[test]
    fn turned_away_or_not_a_call_goes_through_after_two_minutes() {
        let mut pace = Pace::default();
        for _ in 0..100_000 {
            pace.told(at(1), Told::TurnedAway);
        }
        // Whatever the dice say, and however often it was asked meanwhile.
        for second in 2..120 {
            assert!(pace.ask(at(second), false, LEAST).is_err());
        }
        assert_eq!(pace.ask(at(122), false, LEAST), Ok(()));
    }

    #[test]
    fn it_remembers_two_minutes_and_no_more() {
        let mut pace = Pace::default();
        for second in 0..10_000 {
            pace.told(at(second), Told::Success);
        }
        assert!(pace.counts.len() <= 25, "{}", pace.counts.len());
    }
}
