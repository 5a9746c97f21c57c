//! What a sync says of itself: while it runs, and at its end.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::name::ConnectionName;
use crate::domain::sync_window::{Stream, Window};
use crate::domain::timestamp::Timestamp;

/// What a run did for one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Rows that the sink has accepted, by stream.
    pub rows: BTreeMap<Stream, u64>,
    /// Rows that could not be read or sent.
    pub set_aside: u64,
    /// Calls to the product.
    pub product_calls: u64,
    /// Batches that the sink was given.
    pub sink_calls: u64,
    /// Windows that were read to their end.
    pub windows: u64,
    /// Up to which moment all is there, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_until: Option<Timestamp>,
    /// True if the past days that the connection asks for are there too.
    pub is_backfilled: bool,
    /// Why it stopped before the end, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_because: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
    /// True if what stopped it needs somebody.
    pub has_failed: bool,
}

impl Synced {
    pub(super) fn not_begun(why: &str) -> Self {
        Self {
            stopped_because: Some(why.to_owned()),
            has_failed: true,
            ..Self::default()
        }
    }

    /// All rows.
    pub fn rows_total(&self) -> u64 {
        self.rows.values().sum()
    }
}

/// How far a run is, told after each batch and each page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Of which connection.
    pub connection: ConnectionName,
    /// What is read.
    pub stream: Stream,
    /// Which window.
    pub window: Window,
    /// How far in it.
    pub at: Timestamp,
    /// Rows that the sink has accepted in this run.
    pub rows: u64,
    /// Where the backfill ends, while it is at that.
    pub oldest: Option<Timestamp>,
    /// Where this run of it began.
    pub began: Timestamp,
}

/// Who is told how a sync goes on.
pub trait Watch: Send + Sync {
    /// It has come so far.
    fn told(&self, progress: &Progress);
}
