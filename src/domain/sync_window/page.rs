//! A page as it was read.

use serde::{Deserialize, Serialize};

use super::{Behind, Found, Position};
use crate::domain::record::Record;
use crate::domain::timestamp::Timestamp;

/// A record, and where it stands in the order of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRead {
    /// Where.
    pub position: Position,
    /// When it was made, where the product says so: which never changes.
    pub made_at: Option<Timestamp>,
    /// The record.
    pub record: Record,
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The product's own key of it, where it can be told.
    pub id: Option<String>,
    /// Which part of the page: `result[17].sys_updated_on`.
    pub path: String,
    /// Why, in our words.
    pub reason: &'static str,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// Its records, in order.
    pub records: Vec<RecordRead>,
    /// Its rows that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// How many rows it had, those included that do not belong here: they have changed while they were read.
    pub rows: usize,
    /// What is behind it.
    pub behind: Behind,
}

impl RecordPage {
    /// What the walk needs to know of it.
    pub fn found(&self) -> Found {
        Found {
            rows: self.rows,
            last: self.records.last().map(|read| read.position.clone()),
            behind: self.behind,
        }
    }
}

/// How many records there are, and how often they were changed, all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCount {
    /// Records.
    pub records: u64,
    /// The sum of their revisions, where the product adds up.
    pub revisions: Option<i64>,
}
