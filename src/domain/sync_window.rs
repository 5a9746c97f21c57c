//! Which records a sync reads next: closed windows of time, pages within them, and what was sent of the overlap. Pure.
//!
//! A window is closed: it ends a while before now, so that what is written while it is read falls into the next one.
//! Within it the walk goes by (changed at, id), never by counting rows, which move under it. It begins a while before
//! where the last one ended: a record that was committed late, with the time at which its change began, is there then
//! (reliability-security R29, servicenow-api §16).

mod cursor;
mod page;
mod seen;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::RecordType;
use super::timestamp::Timestamp;
pub use cursor::{Backfill, Live, Open, Slice, Walk};
pub use page::{RecordCount, RecordPage, RecordRead, Unreadable};
pub use seen::Seen;

/// How long before now a window ends: what was changed later may not be visible yet (R29).
pub const SETTLE_LAG: Duration = Duration::from_secs(60);

/// How long before the end of the last window the next one begins (R29). Also what our clock may be ahead of the product's.
pub const OVERLAP: Duration = Duration::from_secs(5 * 60);

/// How much of the past one slice of the backfill holds (R32).
pub const SLICE: Duration = Duration::from_secs(24 * 60 * 60);

/// Records of one page: what others that export from ServiceNow ask for (servicenow-api §17).
pub const PAGE: u32 = 1000;

/// How often what was sent is held against the product's own counts.
pub const RECONCILE_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// How a sync reads. One set in production; the simulation has smaller ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long before now a window ends.
    pub settle_lag: Duration,
    /// How long before the end of the last window the next one begins.
    pub overlap: Duration,
    /// How much of the past one slice of the backfill holds.
    pub slice: Duration,
    /// Records of one page.
    pub page: u32,
    /// How often what was sent is held against the product's own counts.
    pub reconcile_every: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            settle_lag: SETTLE_LAG,
            overlap: OVERLAP,
            slice: SLICE,
            page: PAGE,
            reconcile_every: RECONCILE_EVERY,
        }
    }
}

impl Rules {
    /// The limit of a page where those of the usual limit hold nothing that we may see.
    pub fn wide(&self) -> u32 {
        self.page.saturating_mul(4)
    }

    /// How many rows to ask for in place of a page whose answer was too long to be read; `None` of a single row, and of the
    /// wide pages over what we may not see: what was left out of such a one would be passed over.
    pub fn shorter(&self, asked: &Ask) -> Option<u32> {
        let is_wide = asked.skip > 0 || asked.limit > self.page;
        (!is_wide && asked.limit > 1).then_some(asked.limit / 2)
    }

    /// How far such a page is from the one before. Less than its limit: records that leave the window meanwhile move those
    /// behind them forward, and none of these may be passed over unseen.
    fn stride(&self) -> u32 {
        self.page.saturating_mul(3)
    }

    /// The next live window; `None` if there is nothing to read yet, or our clock went back.
    pub fn live_window(&self, complete_until: Timestamp, now: Timestamp) -> Option<Window> {
        let until = whole_second(now.minus(self.settle_lag));
        (until > complete_until).then(|| Window {
            from: complete_until.minus(self.overlap),
            until,
        })
    }

    /// The next slice of a backfill that has come down to `edge` and goes down to `oldest`, the newest first.
    pub fn next_slice(&self, edge: Timestamp, oldest: Timestamp) -> Option<Window> {
        (edge > oldest).then(|| Window {
            from: edge.minus(self.slice).max(oldest),
            until: edge,
        })
    }

    /// The first page of a window, or the next one after a place in it.
    pub fn first(&self, window: Window, after: Option<Position>) -> Ask {
        Ask {
            order: Order::Changed,
            window,
            after,
            skip: 0,
            limit: self.page,
        }
    }

    /// What to ask for after a page; `None` at the window's end.
    ///
    /// A short page proves nothing: records that we may not see count for the limit and are left out after it
    /// (servicenow-api §0, KB0727636). Nor does an empty one while the product says that more is behind it.
    pub fn onward(&self, asked: &Ask, found: Found) -> Option<Ask> {
        match (found.behind, found.last) {
            (Behind::Nothing, _) => None,
            (Behind::NotTold, None) if found.rows == 0 => None,
            (_, Some(last)) => Some(Ask {
                order: asked.order,
                ..self.first(asked.window, Some(last))
            }),
            // Nothing here to go on from: the same place with more rows, then counting on with room for what moves.
            (_, None) if asked.limit < self.wide() => Some(Ask {
                limit: self.wide(),
                ..asked.clone()
            }),
            (_, None) => Some(Ask {
                skip: asked.skip.saturating_add(self.stride()),
                ..asked.clone()
            }),
        }
    }
}

/// The second that a moment is in: products keep whole seconds.
pub fn whole_second(moment: Timestamp) -> Timestamp {
    Timestamp::from_millis(moment.as_millis().div_euclid(1000) * 1000)
}

/// What is read one after the other, each with a cursor of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Incidents.
    Incident,
    /// Change requests.
    ChangeRequest,
    /// Records of all types that were deleted.
    Deletions,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Incident, Self::ChangeRequest, Self::Deletions];

    /// The word in names of objects and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::ChangeRequest => "change_request",
            Self::Deletions => "deletions",
        }
    }

    /// The type of its records, where they are of one.
    pub fn record_type(self) -> Option<RecordType> {
        match self {
            Self::Incident => Some(RecordType::Incident),
            Self::ChangeRequest => Some(RecordType::ChangeRequest),
            Self::Deletions => None,
        }
    }
}

impl From<RecordType> for Stream {
    fn from(record_type: RecordType) -> Self {
        match record_type {
            RecordType::Incident => Self::Incident,
            RecordType::ChangeRequest => Self::ChangeRequest,
        }
    }
}

/// From a moment on until before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment of it.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Window {
    /// True if it holds the moment.
    pub fn holds(&self, moment: Timestamp) -> bool {
        self.from <= moment && moment < self.until
    }
}

/// A place in the order of a walk: when a record was changed, then its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// When it was changed.
    pub at: Timestamp,
    /// The product's own key.
    pub id: String,
}

/// By which time a walk goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// When a record was last changed.
    #[default]
    Changed,
    /// When it was made: for a look at what a day has, which no change moves to another day.
    Created,
}

/// One page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// By which time.
    pub order: Order,
    /// Records of it.
    pub window: Window,
    /// Only what comes after this place.
    pub after: Option<Position>,
    /// Rows to pass over from there.
    pub skip: u32,
    /// The most rows, those included that we may not see.
    pub limit: u32,
}

/// What the product says of the rows behind a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// There are none: all that it counts have been given.
    Nothing,
    /// There may be more, though some of them we may not see.
    Something,
    /// It does not say.
    NotTold,
}

/// What a page held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its rows, those included that cannot be read.
    pub rows: usize,
    /// The place of its last row that can be read.
    pub last: Option<Position>,
    /// What is behind it.
    pub behind: Behind,
}

#[cfg(test)]
mod tests;
