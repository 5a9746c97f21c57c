//! A work item: what we ask a product to make, and what we see of it afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::identity::{CorrelationId, RecordKey};
use super::timestamp::Timestamp;

/// The kind of work item that an action makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WorkItemType {
    /// An incident.
    #[default]
    Incident,
    /// An event, of which the product makes what it likes.
    Event,
    /// An event, and the alert that the product makes of it.
    Alert,
}

impl WorkItemType {
    /// The word in answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Event => "event",
            Self::Alert => "alert",
        }
    }

    /// True if the product is only ever told of it, by events under one key: it keeps one alert per key however often it is
    /// told, and nothing is read or written (servicenow-api §13).
    pub fn is_told_by_events(self) -> bool {
        matches!(self, Self::Event | Self::Alert)
    }
}

/// How bad an event is, by the count of event management; 0, which clears it, is no severity that an alert can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventSeverity {
    /// 1.
    Critical,
    /// 2.
    Major,
    /// 3.
    Minor,
    /// 4.
    Warning,
    /// 5.
    Info,
}

impl EventSeverity {
    /// 1 to 5.
    pub fn as_number(self) -> u8 {
        match self {
            Self::Critical => 1,
            Self::Major => 2,
            Self::Minor => 3,
            Self::Warning => 4,
            Self::Info => 5,
        }
    }
}

/// What an event says beside its texts. Empty texts are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFacts {
    /// How bad.
    pub severity: EventSeverity,
    /// Which of Azure's services saw it.
    pub class: String,
    /// The machine or service concerned, as configuration items are named.
    pub node: String,
    /// The part of it.
    pub resource: String,
    /// What was measured.
    pub metric: String,
    /// The kind of event: the rule.
    pub kind: String,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// What else is known, the most important first.
    pub more: Vec<(String, String)>,
}

/// High, medium or low: what ITSM products compute a priority from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// 1.
    High,
    /// 2.
    Medium,
    /// 3.
    Low,
}

impl Level {
    /// 1, 2 or 3, as the products count.
    pub fn as_number(self) -> u8 {
        match self {
            Self::High => 1,
            Self::Medium => 2,
            Self::Low => 3,
        }
    }
}

/// A work item to be made. Products cut the texts to their own limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorkItem {
    /// The kind.
    pub work_item_type: WorkItemType,
    /// What finds it again.
    pub correlation: CorrelationId,
    /// The key that the product may keep unique.
    pub key: RecordKey,
    /// One line.
    pub title: String,
    /// Several lines, plain text.
    pub description: String,
    /// How much is affected.
    pub impact: Level,
    /// How soon something must be done.
    pub urgency: Level,
    /// Further fields of the product, by their names there. One that says what title or description say goes before them.
    pub fields: BTreeMap<String, String>,
    /// What its reader must know beside the description: which of its values could not be made as configured.
    pub notes: Vec<String>,
    /// What an event says; `None` for what is no event.
    pub event: Option<Box<EventFacts>>,
    /// What is done to it in the same call: its alert is over already. `None` for one that somebody should work on.
    pub over: Option<Change>,
}

/// A work item that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkItemRef {
    /// The kind.
    #[serde(rename = "type")]
    pub work_item_type: WorkItemType,
    /// The number that people use: `INC0010001`.
    pub number: String,
    /// The product's own key.
    pub id: String,
    /// Where a person opens it.
    pub url: String,
}

impl WorkItemRef {
    /// False if the product has not said what it calls it: then its key stands in its number's place.
    pub fn has_a_number(&self) -> bool {
        self.number != self.id
    }
}

/// Where a work item stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Somebody should be working on it.
    Open,
    /// Resolved: it can still be reopened.
    Resolved,
    /// Closed or cancelled for good.
    Closed,
}

/// A work item as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItemSeen {
    /// Which.
    pub item: WorkItemRef,
    /// Its correlation id, if it has one.
    pub correlation: Option<String>,
    /// Where it stands.
    pub standing: Standing,
    /// When it was made, as far as the product says.
    pub created_at: Option<Timestamp>,
}

impl WorkItemSeen {
    /// True if it carries this correlation id, and so is ours to write to.
    pub fn is_ours(&self, correlation: &CorrelationId) -> bool {
        self.correlation.as_deref() == Some(correlation.as_str())
    }
}

/// A change to a work item that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A note for those who work on it.
    Comment {
        /// The note.
        note: String,
    },
    /// It goes on: open again, with a note.
    Reopen {
        /// The note.
        note: String,
    },
    /// It is done: resolved, with a note.
    Resolve {
        /// The note.
        note: String,
        /// The product's own code for how it was solved, if the action names one.
        code: Option<String>,
    },
    /// It is done: closed for good, with a note.
    Close {
        /// The note.
        note: String,
        /// The product's own code for how it was solved, if the action names one.
        code: Option<String>,
    },
    /// The product is told of it once more: of a further alert, or of its end. For work items that are told by events.
    Tell {
        /// The work item, as it would be made now.
        item: Box<NewWorkItem>,
        /// What is new.
        note: String,
        /// True if it is over.
        is_over: bool,
    },
    /// It was made twice: closed in favour of another.
    CloseAsDuplicate {
        /// The number of the one that stays.
        of: String,
    },
}

/// Whether the product's own database refuses a second work item with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Uniqueness {
    /// It does; `itsmc connection test --write` has seen it.
    Enforced,
    /// It does not, or nobody has looked.
    #[default]
    BestEffort,
}
