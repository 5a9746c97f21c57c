//! How far a sync has come: what is written down after the rows before it were accepted, and never earlier (I13).

use serde::{Deserialize, Serialize};

use super::{Position, Rules, Seen, Window};
use crate::domain::timestamp::Timestamp;

/// A window that is being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The window.
    pub window: Window,
    /// All up to here was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Position>,
}

impl Open {
    /// A window of which nothing is read yet.
    pub fn new(window: Window) -> Self {
        Self {
            window,
            after: None,
        }
    }
}

/// A cursor, as the walk through its open window sees it.
pub trait Walk: Clone + Serialize + serde::de::DeserializeOwned + Send + Sync {
    /// The window that is being read.
    fn open(&self) -> Option<&Open>;

    /// True if this version was sent with an earlier window.
    fn was_sent(&self, position: &Position, revision: i64) -> bool;

    /// All of the open window up to `after` was accepted; `sent` of it since the last time, by this run.
    fn accepted(&mut self, rules: &Rules, after: Position, sent: &[(Position, i64)], run: &str);

    /// The open window was read to its end.
    fn finished(&mut self, rules: &Rules);
}

/// How far the live windows have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Where it began. What was changed before is the backfill's.
    pub began_at: Timestamp,
    /// All that was visible before this moment was accepted.
    pub complete_until: Timestamp,
    /// The window that is being read, if the last run did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// What was sent of the overlap.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub seen: Seen,
    /// Rows sent since it began.
    #[serde(default)]
    pub rows: u64,
    /// Until then it is not asked for: the product refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_until: Option<Timestamp>,
    /// When the last reconciliation began that came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled_at: Option<Timestamp>,
    /// The run that has written this.
    pub run: String,
}

impl Live {
    /// At the first run, at `now`: an overlap before what is settled. The backfill ends there, so that nothing is read twice.
    pub fn begin(rules: &Rules, now: Timestamp, run: &str) -> Self {
        let settled = super::whole_second(now.minus(rules.settle_lag));
        let began_at = settled.minus(rules.overlap);
        Self {
            began_at,
            complete_until: began_at,
            open: None,
            seen: Seen::default(),
            rows: 0,
            refused_until: None,
            reconciled_at: None,
            run: run.to_owned(),
        }
    }

    /// Opens the next window, unless one is open. False: there is nothing to read yet.
    pub fn open_next(&mut self, rules: &Rules, now: Timestamp) -> bool {
        if self.open.is_none() {
            let next = rules.live_window(self.complete_until, now);
            self.open = next.map(|window| {
                Open::new(Window {
                    from: window.from.max(self.began_at),
                    ..window
                })
            });
        }
        self.open.is_some()
    }
}

impl Walk for Live {
    fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    fn was_sent(&self, position: &Position, revision: i64) -> bool {
        self.seen.contains(&position.id, position.at, revision)
    }

    /// What was sent is remembered as far as the next window reaches.
    fn accepted(&mut self, rules: &Rules, after: Position, sent: &[(Position, i64)], run: &str) {
        let Some(open) = &mut self.open else {
            return;
        };
        let next_from = open.window.until.minus(rules.overlap);
        for (position, revision) in sent {
            if position.at >= next_from {
                self.seen.insert(&position.id, position.at, *revision);
            }
        }
        // What this window has passed is forgotten, but for what the next one meets again.
        self.seen.forget_before(next_from.min(after.at));
        self.rows += sent.len() as u64;
        open.after = Some(after);
        run.clone_into(&mut self.run);
    }

    fn finished(&mut self, rules: &Rules) {
        if let Some(open) = self.open.take() {
            self.complete_until = open.window.until;
            self.seen
                .forget_before(open.window.until.minus(rules.overlap));
        }
    }
}

/// How far back the backfill has come, a slice at a time, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// All from here on was accepted.
    pub edge: Timestamp,
    /// Where it ends.
    pub oldest: Timestamp,
    /// When it began, by our clock: how fast it goes is told by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// The slice that is being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// Rows sent since it began.
    #[serde(default)]
    pub rows: u64,
    /// The run that has written this.
    pub run: String,
}

impl Backfill {
    /// From where the live windows began back to `oldest`, at `now`.
    pub fn begin(began_at: Timestamp, oldest: Timestamp, now: Timestamp, run: &str) -> Self {
        Self {
            edge: began_at,
            oldest: super::whole_second(oldest).min(began_at),
            started: Some(now),
            open: None,
            rows: 0,
            run: run.to_owned(),
        }
    }

    /// Opens the next slice, unless one is open. False: all of it is there.
    pub fn open_next(&mut self, rules: &Rules) -> bool {
        if self.open.is_none() {
            let next = rules.next_slice(self.edge, self.oldest);
            self.open = next.map(Open::new);
        }
        self.open.is_some()
    }
}

impl Walk for Backfill {
    fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    fn was_sent(&self, _: &Position, _: i64) -> bool {
        false
    }

    fn accepted(&mut self, _: &Rules, after: Position, sent: &[(Position, i64)], run: &str) {
        if let Some(open) = &mut self.open {
            open.after = Some(after);
            self.rows += sent.len() as u64;
            run.clone_into(&mut self.run);
        }
    }

    fn finished(&mut self, _: &Rules) {
        if let Some(open) = self.open.take() {
            self.edge = open.window.from;
        }
    }
}

/// A slice that a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// What of it is still to be read; nothing once it is there.
    pub open: Option<Open>,
    /// Rows sent.
    #[serde(default)]
    pub rows: u64,
    /// The run that has written this.
    pub run: String,
}

impl Walk for Slice {
    fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    fn was_sent(&self, _: &Position, _: i64) -> bool {
        false
    }

    fn accepted(&mut self, _: &Rules, after: Position, sent: &[(Position, i64)], run: &str) {
        if let Some(open) = &mut self.open {
            open.after = Some(after);
            self.rows += sent.len() as u64;
            run.clone_into(&mut self.run);
        }
    }

    fn finished(&mut self, _: &Rules) {
        self.open = None;
    }
}
