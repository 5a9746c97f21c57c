//! Days in UTC, by which a ledger is kept.

use serde::{Deserialize, Serialize};

use crate::domain::sync_window::Window;
use crate::domain::timestamp::Timestamp;

pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A day in UTC, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub(super) i64);

impl Day {
    /// The day of a moment.
    pub fn of(moment: Timestamp) -> Self {
        Self(moment.as_millis().div_euclid(DAY_MS))
    }

    /// The day after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// When it begins.
    pub fn start(self) -> Timestamp {
        Timestamp::from_millis(self.0 * DAY_MS)
    }

    /// A part of a name, which sorts as the days do.
    pub fn as_key(self) -> String {
        format!("{:08}", self.0)
    }

    /// The day of such a name.
    pub fn from_key(key: &str) -> Option<Self> {
        key.parse().ok().map(Self)
    }
}

/// Days one after the other; the last is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    /// The first.
    pub from: Day,
    /// The first after them.
    pub until: Day,
}

impl Days {
    /// One day.
    pub fn of(day: Day) -> Self {
        Self {
            from: day,
            until: day.next(),
        }
    }

    /// The only day, if it is one.
    pub fn single(self) -> Option<Day> {
        (self.from.next() == self.until).then_some(self.from)
    }

    /// The older and the newer half.
    pub(super) fn halves(self) -> [Self; 2] {
        let middle = Day(i64::midpoint(self.from.0, self.until.0));
        [
            Self {
                until: middle,
                ..self
            },
            Self {
                from: middle,
                ..self
            },
        ]
    }

    /// When records of these days were made, as far as all before `settled` is there.
    pub fn window(self, settled: Timestamp) -> Window {
        let from = self.from.start();
        Window {
            from,
            until: self.until.start().min(settled).max(from),
        }
    }
}
