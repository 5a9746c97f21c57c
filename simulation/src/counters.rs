//! What happened in a run, counted.

use std::collections::BTreeMap;

/// Named counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    /// One more.
    pub fn add(&mut self, name: &'static str) {
        self.add_many(name, 1);
    }

    /// Some more.
    pub fn add_many(&mut self, name: &'static str, count: u64) {
        *self.0.entry(name).or_insert(0) += count;
    }

    /// How many.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All of another's.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            self.add_many(name, *count);
        }
    }

    /// Names and counts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().map(|(name, count)| (*name, *count))
    }
}

/// What must happen at least once over the seeds: a simulation in which it never does has lost its teeth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sometimes {
    /// Its name in reports.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

macro_rules! sometimes {
    ($($name:ident = $text:literal: $meaning:literal,)*) => {
        $(#[doc = $meaning] pub const $name: &str = $text;)*

        /// All of them.
        pub const SOMETIMES: &[Sometimes] = &[$(Sometimes { name: $text, meaning: $meaning },)*];
    };
}

sometimes! {
    TAKEOVER = "takeover of an expired claim": "A claim ran out and somebody else went on.",
    ADOPTED_BY_SEARCH = "adoption by search after a lost reply": "Executed, the reply lost, found again by its correlation id.",
    ADOPTED_LATE = "adoption after a late apply": "Executed after its caller had given up, and adopted.",
    ADOPTED_REFUSED = "refused duplicate adopted": "The product refused the same key again, and what it had was adopted.",
    EXTRA_CLOSED = "extra item closed by audit": "Two items of one slot; the younger was closed as a duplicate.",
    OWN_WRITE = "own write recognised after a lost store answer": "A writer found its own id in the store.",
    RESOLVED_FIRST = "resolved before fired": "A Resolved was remembered until its Fired came.",
    DUPLICATE = "duplicate after completion": "An alert that was settled came again.",
    NEXT_ITEM = "next item of a group": "A group's item was over, and the next alert got another one.",
    NOTED = "further alert noted on a group's item": "An alert of a group was told to the item that it has.",
    REOPENED = "group's item reopened": "An item that was done was reopened for a further alert.",
    FOREIGN_LEFT = "record of another system left alone": "A person gave our item away, and it was not written to any more.",
    MUTED = "muted for a quarter of an hour": "A series of deliveries failed, and Azure sent nothing for fifteen minutes.",
    GATE_REOPENED = "gate closed and reopened": "A connection's gate was closed and opened again.",
    RETRIED_503 = "503 answered and retried": "An alert could not be made durable, and came again.",
    CRASH_IN_RECEIVE = "crash inside receive": "A process died while it took an alert.",
    CRASH_IN_DRAIN = "crash inside drain": "A process died while it drained.",
    LONG_FREEZE = "freeze longer than a claim": "A process stood still right before it sent, for longer than its claim.",
    STORM_MEMBER = "alert joined a storm": "An alert is told in the work item that a storm's alerts share.",
    STORM_NOTED = "storm's item told of more alerts": "Alerts that came later were noted on a storm's item.",
    STORM_OVER = "storm's item resolved": "All alerts of a storm were over, and its item was resolved.",
    LEFT_OUT = "came and went without an item": "An alert was over before its item was made, and none was.",
    ROWS = "alert with several rows": "Each row of an alert got a work item.",
    TOO_MANY_ROWS = "alert with more rows than the limit": "Of too many rows as many as the limit got a work item.",
    ROWS_END_FIRST = "end before its rows": "A Resolved was taken before the Fired that brings the rows.",
    SNAPSHOT_REMOVED = "old snapshot removed": "What was succeeded long ago was removed below a slot's head.",
    SLOT_REMOVED = "old slot removed": "All of a slot was removed, long after its alert was over.",
    ALERT_REMOVED = "old alert removed": "An alert was removed from the journal, long after all was done.",
    ENDED_LATE = "ended after its history was removed": "An alert ended when the beginning of its slot was long removed.",
    LATE_SEND = "frozen request sent after its caller gave up": "A frozen process thawed in the middle of its send.",
}
