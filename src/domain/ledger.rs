//! What was sent, by the day on which the record was made: what a reconciliation holds against the product's own counts. Pure.
//!
//! A day stays a record's own whatever becomes of it, so that what a day has can be counted. Of each record the ledger
//! has the last version that the sink accepted. What the product counts beyond that is missing, or is what the
//! integration user may not see (counts know no access controls: servicenow-api §4), or has changed a moment ago.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::sync_window::{Position, RecordCount};
use super::timestamp::Timestamp;

pub use days::{Day, Days};

mod days;

/// Records of one day that a ledger holds: some three megabytes of state and of memory, and fifty pages to look through. Of a
/// day with more, such as that of a mass import, only this is said.
pub const DAY_RECORDS_MAX: usize = 50_000;

/// Deletes that are remembered until their day is looked at.
const GONE_MAX: usize = 10_000;

/// How many records, and the sum of their revisions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Records.
    pub records: i64,
    /// The sum of their revisions.
    pub revisions: i64,
}

impl Figures {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            revisions: self.revisions + other.revisions,
        }
    }

    /// One record more.
    pub fn add(&mut self, revision: i64) {
        *self = self.and(Self {
            records: 1,
            revisions: revision,
        });
    }

    /// What the product counts beyond these.
    #[must_use]
    pub fn beyond(self, counted: RecordCount) -> Self {
        let records = i64::try_from(counted.records).unwrap_or(i64::MAX);
        Self {
            records: records - self.records,
            revisions: counted.revisions.map_or(0, |sum| sum - self.revisions),
        }
    }

    /// True if the product counts the same.
    pub fn agree(self, counted: RecordCount) -> bool {
        self.beyond(counted) == Self::default()
    }
}

/// A version that the sink has accepted: the record's key, the day on which it was made, when it was changed (Unix
/// milliseconds), its revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent(pub String, pub Day, pub i64, pub i64);

/// What was sent between two moves of a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sent: Vec<Sent>,
    /// Keys of records that were sent as deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
}

impl News {
    /// True if there is nothing.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.gone.is_empty()
    }
}

/// The records that were made on one day, as the sink has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayLedger {
    /// By key: when it was changed, and its revision.
    records: BTreeMap<String, (i64, i64)>,
    /// What the product counts beside them and does not show.
    #[serde(default)]
    pub unseen: Figures,
}

impl DayLedger {
    /// Notes a version. Of two the later stays, in whatever order they come.
    pub fn note(&mut self, id: &str, changed_ms: i64, revision: i64) {
        if let Some(known) = self.records.get_mut(id) {
            *known = (*known).max((changed_ms, revision));
        } else if self.records.len() < DAY_RECORDS_MAX {
            self.records.insert(id.to_owned(), (changed_ms, revision));
        }
    }

    /// Forgets a record.
    pub fn forget(&mut self, id: &str) {
        self.records.remove(id);
    }

    /// True if this version was sent, or a later one.
    pub fn has(&self, id: &str, changed_ms: i64, revision: i64) -> bool {
        self.records
            .get(id)
            .is_some_and(|known| *known >= (changed_ms, revision))
    }

    /// The records that are not among `seen`, but for what changed from a moment on.
    pub fn absent(&self, seen: &BTreeSet<String>, judged_before: Timestamp) -> Vec<String> {
        let is_absent = |(id, (changed_ms, _)): &(&String, &(i64, i64))| {
            *changed_ms < judged_before.as_millis() && !seen.contains(*id)
        };
        let absent = self.records.iter().filter(is_absent);
        absent.map(|(id, _)| id.clone()).collect()
    }

    /// What the product should count: what was sent, and what it does not show.
    pub fn figures(&self) -> Figures {
        let mut figures = self.unseen;
        for (_, revision) in self.records.values() {
            figures.add(*revision);
        }
        figures
    }
}

/// What a reconciliation has to do, and what came of it so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// When it began.
    pub began: Timestamp,
    /// Days that are still to be counted, the next last.
    pub left: Vec<Days>,
    /// Days that it is about.
    pub days: u64,
    /// Counts that were asked for.
    pub counts: u64,
    /// Days that were looked through, record by record.
    pub looked_through: u64,
    /// Records that were missing, and were sent.
    pub missing: u64,
    /// Records of which nobody had said that they were deleted.
    pub deleted: u64,
    /// Days that are too large to be looked through.
    pub too_large: u64,
    /// The day in which it is looked next for records that were sent as deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sweeps: Option<Day>,
    /// How far it is looked through the day that is next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<HalfSeen>,
}

/// A day of which a run has seen a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfSeen {
    /// What was counted before the first part was seen. A later count would have records in it that came into that part since,
    /// and they would be taken for what is not shown.
    pub counted: RecordCount,
    /// Up to where all was there when the first part was seen. What came into that part since was not seen, and is not absent.
    pub settled: Timestamp,
    /// Up to where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Position>,
    /// Records that the product has shown.
    pub seen: BTreeSet<String>,
    /// How many of them can be read, and their revisions.
    pub shown: Figures,
}

impl HalfSeen {
    /// Nothing is seen yet.
    pub fn nothing(counted: RecordCount, settled: Timestamp) -> Self {
        Self {
            counted,
            settled,
            after: None,
            seen: BTreeSet::new(),
            shown: Figures::default(),
        }
    }
}

/// The days of a stream in short, and the reconciliation that is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    days: BTreeMap<Day, Figures>,
    /// Days that changed while they were looked through, or may have: what they have beyond what they show is not known.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    unsure: BTreeSet<Day>,
    /// Records that were sent as deleted since their day was looked at, and when that was heard.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    gone: BTreeMap<String, Timestamp>,
    /// What is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
}

impl Ledger {
    /// Begins a reconciliation of these days. Older ones are forgotten.
    pub fn begin(&mut self, days: Days, now: Timestamp) {
        self.days = self.days.split_off(&days.from);
        self.unsure = self.unsure.split_off(&days.from);
        self.check = Some(Check {
            began: now,
            left: vec![days],
            days: u64::try_from(days.until.0 - days.from.0).unwrap_or(0),
            counts: 0,
            looked_through: 0,
            missing: 0,
            deleted: 0,
            too_large: 0,
            sweeps: Some(days.until),
            open: None,
        });
    }

    /// What a day's ledger says now.
    pub fn sums_up(&mut self, day: Day, ledger: &DayLedger) {
        self.days.insert(day, ledger.figures());
    }

    /// Records were sent as deleted. Of too many the oldest are forgotten: their day is looked through then.
    pub fn hears_of(&mut self, gone: impl IntoIterator<Item = String>, now: Timestamp) {
        self.gone.extend(gone.into_iter().map(|id| (id, now)));
        while self.gone.len() > GONE_MAX {
            let oldest = self.gone.iter().min_by_key(|(_, at)| **at);
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            self.gone.remove(&oldest);
        }
    }

    /// Takes out of a day's ledger what was sent as deleted.
    pub fn takes_out_the_gone(&mut self, ledger: &mut DayLedger) {
        let records = &mut ledger.records;
        self.gone.retain(|id, _| records.remove(id).is_none());
    }

    /// The days that are to be counted next.
    pub fn next(&self) -> Option<Days> {
        self.check.as_ref()?.left.last().copied()
    }

    /// What the product should count for these days.
    pub fn figures(&self, days: Days) -> Figures {
        let range = self.days.range(days.from..days.until);
        range.fold(Figures::default(), |sum, (_, figures)| sum.and(*figures))
    }

    /// The next days were counted. `Some` if it is one day that does not agree: it must be looked through.
    pub fn counted(&mut self, counted: RecordCount) -> Option<Day> {
        let days = self.next()?;
        let is_sure = self.unsure.range(days.from..days.until).next().is_none();
        let agrees = is_sure && self.figures(days).agree(counted);
        let check = self.check.as_mut()?;
        check.counts += 1;
        if let Some(day) = days.single()
            && !agrees
        {
            return Some(day);
        }
        // A day that was half seen and agrees by now leaves nothing behind for the next one.
        check.open = None;
        check.left.pop();
        if !agrees {
            // The newest first: what is missing there is missed most.
            check.left.extend(days.halves());
        }
        None
    }

    /// The reconciliation is over. What was heard of before it began is accounted for.
    pub fn end(&mut self) -> Option<Check> {
        let check = self.check.take()?;
        self.gone.retain(|_, heard| *heard >= check.began);
        Some(check)
    }

    /// The next day in which to look for records that were sent as deleted, the newest first: before anything is counted,
    /// or one that is new would make up for one that is gone. `None` if all of them are found.
    pub fn sweep(&mut self) -> Option<Day> {
        let check = self.check.as_mut()?;
        let before = check.sweeps.take()?;
        let (next, _) = self.days.range(..before).next_back()?;
        check.sweeps = (!self.gone.is_empty()).then_some(*next);
        check.sweeps
    }

    /// A day was looked through. Of one that changed meanwhile, or may have, nobody can say what it does not show: a record that
    /// came would make up for one that is gone later. It is looked through again the next time.
    pub fn looked_through(&mut self, day: Day, is_sure: bool) {
        if is_sure {
            self.unsure.remove(&day);
        } else {
            self.unsure.insert(day);
        }
        self.done();
    }

    /// The next days are done.
    pub fn done(&mut self) {
        if let Some(check) = &mut self.check {
            check.left.pop();
            check.open = None;
        }
    }
}

#[cfg(test)]
mod tests;
