//! What is known after a round: what the sender was told, what the product has done, how everything stands.

use std::collections::{BTreeMap, BTreeSet};

use crate::alerts::Condition;
use crate::history::Verdict;

/// What was done to a record by a write that was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// It was made.
    Made,
    /// It was resolved.
    Resolved,
    /// It was opened again.
    Reopened,
    /// It was closed in favour of another.
    ClosedAsDuplicate,
    /// Anything else: the fields that were written.
    Other(String),
}

/// An executed write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Its place in the product's own journal.
    pub place: usize,
    /// The record.
    pub sys_id: String,
    /// What was done.
    pub deed: Deed,
}

/// A work item that was not there before, as it stands in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The record's key.
    pub sys_id: String,
    /// The number that people use.
    pub number: String,
    /// The alert that it says it is for.
    pub tag: Option<String>,
    /// The product's own state.
    pub state: String,
    /// True if it was closed in favour of another.
    pub is_duplicate: bool,
}

/// All that the checker looks at.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// What the sender may believe of each message.
    pub verdicts: BTreeMap<(String, Condition), Verdict>,
    /// Alerts that were sent so that they must be refused.
    pub bad: BTreeSet<String>,
    /// Writes that were executed, in the order of the product's journal.
    pub effects: Vec<Effect>,
    /// The work items.
    pub items: Vec<Item>,
    /// Records of others that differ from what they were, in words.
    pub foreign_changes: Vec<String>,
    /// Keys of the records of which a call was disturbed on its way.
    pub disturbed: BTreeSet<String>,
    /// Whether the product keeps our key unique, so that there must never be two.
    pub keys_are_unique: bool,
    /// What waits, when nothing should.
    pub pending: Vec<String>,
    /// What was given up, though nothing was refused for good.
    pub dead: Vec<String>,
    /// Whether each first try after the storm was answered 2xx.
    pub calm: Vec<bool>,
}

impl Evidence {
    /// The verdict on a message; `None` if it was never sent.
    pub fn verdict(&self, tag: &str, condition: Condition) -> Option<Verdict> {
        self.verdicts.get(&(tag.to_owned(), condition)).copied()
    }

    /// The work items of an alert.
    pub fn items_of<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = &'a Item> {
        let is_its = move |item: &&Item| item.tag.as_deref() == Some(tag);
        self.items.iter().filter(is_its)
    }

    /// What was done to a record.
    pub fn effects_on<'a>(&'a self, sys_id: &'a str) -> impl Iterator<Item = &'a Effect> {
        self.effects
            .iter()
            .filter(move |effect| effect.sys_id == sys_id)
    }
}
