//! How many calls a product still allows, where it says so in its answers: what is not asked for is not refused.
//!
//! ServiceNow tells its limit per clock hour and when the next one begins, and not how much of it is left
//! (servicenow-api §7): that has to be counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// Of the limit, what is kept back for alerts that are made at once while others wait, and for calls that were not
/// counted because their counter died: a tenth.
const KEPT_BACK: u64 = 10;

/// Calls that an event takes when all goes well: a resolve reads and writes. What takes more lives on what is kept back.
pub const CALLS_PER_EVENT: u64 = 2;

/// A window that ends later than this is not believed: ServiceNow counts by the hour, and clocks differ.
const WINDOW_MAX: Duration = Duration::from_secs(2 * 60 * 60);

/// A limit that a product announced, and what was used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Calls in a window.
    pub limit: u64,
    /// When the window ends.
    pub resets_at: Timestamp,
    /// Calls that were made in it, as far as they were counted.
    pub used: u64,
}

impl Allowance {
    /// Calls that may still be made in the window by somebody who is in no hurry.
    pub fn left(&self) -> u64 {
        self.limit
            .saturating_sub(self.kept_back())
            .saturating_sub(self.used)
    }

    /// True if an alert that comes now may still be made at once.
    pub fn has_room(&self) -> bool {
        self.limit.saturating_sub(self.used) >= CALLS_PER_EVENT.min(self.limit)
    }

    /// What is kept back of the limit.
    pub fn kept_back(&self) -> u64 {
        self.limit / KEPT_BACK
    }

    /// True if its window is not over yet.
    pub fn is_current(&self, now: Timestamp) -> bool {
        now < self.resets_at
    }
}

/// Counts the calls of this process to one product. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Option<Allowance>>>);

impl Meter {
    fn lock(&self) -> MutexGuard<'_, Option<Allowance>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call was executed, and its answer announced a limit.
    pub fn announced(&self, limit: u64, resets_at: Timestamp, now: Timestamp) {
        if resets_at.since(now) > WINDOW_MAX {
            return;
        }
        let mut metered = self.lock();
        let used = match *metered {
            // Of a call in the window before, which was answered late.
            Some(known) if resets_at < known.resets_at => return,
            Some(known) if resets_at == known.resets_at => known.used.saturating_add(1),
            _ => 1,
        };
        *metered = Some(Allowance {
            limit,
            resets_at,
            used,
        });
    }

    /// A call was not answered; it may have been counted.
    pub fn unanswered(&self) {
        if let Some(known) = self.lock().as_mut() {
            known.used = known.used.saturating_add(1);
        }
    }

    /// Others have counted too, or this process has in an earlier life.
    pub fn learns(&self, told: Allowance) {
        let mut metered = self.lock();
        *metered = match *metered {
            Some(known) if known.resets_at > told.resets_at => return,
            Some(known) if known.resets_at == told.resets_at => Some(Allowance {
                used: known.used.max(told.used),
                ..known
            }),
            _ => Some(told),
        };
    }

    /// What is known of the window now; `None` if no limit was announced for it.
    pub fn read(&self, now: Timestamp) -> Option<Allowance> {
        self.lock().filter(|known| known.is_current(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * 60_000)
    }

    #[test]
    fn what_was_used_is_counted_by_window() {
        let meter = Meter::default();
        meter.unanswered();
        assert_eq!(meter.read(at(0)), None, "nobody announced a limit");
        meter.announced(100, at(60), at(1));
        meter.announced(100, at(60), at(2));
        meter.unanswered();
        let allowance = meter.read(at(3)).unwrap();
        assert_eq!((allowance.used, allowance.left()), (3, 87));
        assert_eq!(meter.read(at(60)), None, "its window is over");
        meter.announced(100, at(120), at(61));
        meter.announced(100, at(60), at(61));
        assert_eq!(meter.read(at(61)).unwrap().used, 1);
    }

    #[test]
    fn a_tenth_is_kept_back_and_of_very_few_nothing() {
        let allowance = |limit, used| Allowance {
            limit,
            resets_at: at(60),
            used,
        };
        assert_eq!(allowance(1000, 0).left(), 900);
        assert_eq!(allowance(1000, 899).left(), 1);
        assert_eq!(allowance(1000, 2000).left(), 0);
        assert_eq!(allowance(9, 0).left(), 9);
        assert!(allowance(1000, 998).has_room() && !allowance(1000, 999).has_room());
        assert!(allowance(1, 0).has_room() && !allowance(1, 1).has_room());
    }

    #[test]
    fn what_others_counted_is_added_and_an_older_window_is_forgotten() {
        let (meter, told) = (
            Meter::default(),
            Allowance {
                limit: 100,
                resets_at: at(60),
                used: 40,
            },
        );
        meter.learns(told);
        meter.announced(100, at(60), at(1));
        meter.learns(told);
        assert_eq!(meter.read(at(1)).unwrap().used, 41);
        meter.announced(100, at(120), at(61));
        meter.learns(told);
        assert_eq!(meter.read(at(61)).unwrap().used, 1);
    }

    #[test]
    fn a_window_of_years_is_not_believed() {
        let meter = Meter::default();
        meter.announced(100, at(60 * 24 * 365), at(0));
        assert_eq!(meter.read(at(0)), None);
    }
}
