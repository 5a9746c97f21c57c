//! Rows in one body: a JSON array as the Logs Ingestion API takes it, cut on exact bytes.
//!
//! A row is serialised once, into the body that is sent. Rows are pushed, full batches come out; a batch is halved without a
//! copy.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::table::{Table, TableRow};

pub use shorten::shorten;

mod shorten;

/// Longest body before it is compressed, with brackets and commas: the API takes 1 MB, compressed and not (azure-platform
/// §4.2), and the smaller of the two meanings of that is sure.
pub const BODY_BYTES_MAX: usize = 1_000_000;

/// Most rows of a body. No limit of the API: it bounds what is repeated when an answer is lost.
pub const ROWS_MAX: usize = 10_000;

/// The brackets around the rows.
const BRACKETS: usize = 2;

/// Some rows, at least one. Cheap to clone: the bytes are shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    /// The rows of the batch that this one was cut from, with commas between.
    bytes: Bytes,
    /// Where each of them ends.
    ends: Arc<[usize]>,
    /// Which of them are ours.
    range: Range<usize>,
}

impl Batch {
    fn new(rows: Vec<u8>, ends: Vec<usize>) -> Option<Self> {
        let range = 0..ends.len();
        (!range.is_empty()).then(|| Self {
            bytes: Bytes::from(rows),
            ends: ends.into(),
            range,
        })
    }

    /// Of a single row, which is one JSON object.
    pub fn of_one(row: Vec<u8>) -> Self {
        let ends = Arc::from([row.len()]);
        Self {
            bytes: Bytes::from(row),
            ends,
            range: 0..1,
        }
    }

    /// How many rows it has; never 0.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// The length of its body, uncompressed.
    pub fn body_bytes(&self) -> usize {
        self.joined().len() + BRACKETS
    }

    /// Its rows with commas between and no brackets around: what a body is made of without a copy.
    pub fn joined(&self) -> &[u8] {
        let end = self.ends[self.range.end - 1];
        &self.bytes[self.start(self.range.start)..end]
    }

    /// Its body: `[{…},{…}]`.
    pub fn body(&self) -> Bytes {
        let mut body = Vec::with_capacity(self.body_bytes());
        body.push(b'[');
        body.extend_from_slice(self.joined());
        body.push(b']');
        body.into()
    }

    /// Its rows, each a JSON object.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.range
            .clone()
            .map(|at| &self.bytes[self.start(at)..self.ends[at]])
    }

    /// Both halves, the first the smaller; `None` of a single row.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let middle = self.range.start + self.len() / 2;
        let part = |range: Range<usize>| Self {
            range,
            ..self.clone()
        };
        (self.len() > 1).then(|| (part(self.range.start..middle), part(middle..self.range.end)))
    }

    /// Where a row begins: behind the comma after the one before.
    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before] + 1)
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows, {} bytes", self.len(), self.body_bytes())
    }
}

/// Makes batches of the rows of one table.
#[derive(Debug)]
pub struct BatchCutter {
    table: Table,
    bytes_max: usize,
    rows_max: usize,
    rows: Vec<u8>,
    ends: Vec<usize>,
}

/// A row that could not be written as JSON. No row of ours is such.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a row of `{}` cannot be written as JSON", .table.name())]
pub struct NoRow {
    table: Table,
}

impl BatchCutter {
    /// For a table, within what the API takes.
    pub fn new(table: Table) -> Self {
        Self::within(table, BODY_BYTES_MAX, ROWS_MAX)
    }

    /// The same within other limits.
    pub fn within(table: Table, bytes_max: usize, rows_max: usize) -> Self {
        Self {
            table,
            bytes_max,
            rows_max,
            rows: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// For which table.
    pub fn table(&self) -> Table {
        self.table
    }

    /// How many rows wait for the next batch.
    pub fn waiting(&self) -> usize {
        self.ends.len()
    }

    /// Takes a row; gives the batch that has no room for it, if that is so. A row that is too long for any body has its
    /// longest texts shortened.
    pub fn push<R: TableRow>(&mut self, row: &R) -> Result<Option<Batch>, NoRow> {
        debug_assert_eq!(R::TABLE, self.table, "a row of another table");
        if self.rows.capacity() == 0 {
            // As long as it becomes: grown by doubling, it would be copied over and over.
            self.rows.reserve_exact(self.bytes_max.min(BODY_BYTES_MAX));
        }
        let before = self.rows.len();
        if !self.ends.is_empty() {
            self.rows.push(b',');
        }
        let start = self.rows.len();
        if serde_json::to_writer(&mut self.rows, row).is_err() {
            self.rows.truncate(before);
            return Err(NoRow { table: self.table });
        }
        let room = self.bytes_max - BRACKETS;
        if self.rows.len() - start > room {
            let short = shorten(&self.rows[start..], room).ok_or(NoRow { table: self.table });
            let short = short.inspect_err(|_| self.rows.truncate(before))?;
            self.rows.truncate(start);
            self.rows.extend_from_slice(&short);
        }
        if self.rows.len() <= room && self.ends.len() < self.rows_max {
            self.ends.push(self.rows.len());
            return Ok(None);
        }
        let mut next = Vec::with_capacity(self.rows.capacity());
        next.extend_from_slice(&self.rows[start..]);
        self.rows.truncate(before);
        let full = self.finish();
        self.ends.push(next.len());
        self.rows = next;
        Ok(full)
    }

    /// What waits, as a batch of its own; `None` if nothing does.
    pub fn finish(&mut self) -> Option<Batch> {
        Batch::new(
            std::mem::take(&mut self.rows),
            std::mem::take(&mut self.ends),
        )
    }
}

#[cfg(test)]
mod tests;
