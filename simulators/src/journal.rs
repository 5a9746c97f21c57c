//! What was asked of a simulator, in order: what tests count and compare.

use serde::{Deserialize, Serialize};

/// What a request is for. Faults are aimed by it and journals counted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A token is asked for, by whatever grant.
    Token,
    /// A token is revoked.
    Revoke,
    /// A record is made.
    Create,
    /// One record is read by its key.
    Read,
    /// Records are searched or listed.
    Query,
    /// Records are counted or summed.
    Count,
    /// A record is changed.
    Update,
    /// A record is deleted.
    Delete,
    /// Anything that has no name here.
    Other,
    /// Matches every kind; no request is recorded as this.
    Any,
}

impl Kind {
    /// Whether a request of kind `other` is meant when `self` is written.
    pub fn covers(self, other: Kind) -> bool {
        self == Kind::Any || self == other
    }
}

/// Whether a request had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// It had its effect, whatever the client was told.
    Executed,
    /// It had none.
    Not,
    /// It had none yet when its connection was dropped; it is executed later, without a reply.
    Late,
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it came, Unix milliseconds.
    pub at_ms: i64,
    /// What it was for.
    pub kind: Kind,
    /// Its method, after any override header.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its query as sent, empty if there was none.
    pub query: String,
    /// The status of the reply, also of one that was lost on the way.
    pub status: u16,
    /// The name of the fault that was put in, if one was.
    pub fault: Option<String>,
    /// Whether it had its effect.
    pub execution: Execution,
    /// The key of the one record that it touched.
    pub sys_id: Option<String>,
    /// The correlation id of that record.
    pub correlation_id: Option<String>,
    /// Who was logged in.
    pub user: Option<String>,
}

/// All requests since the start or the last [`Journal::clear`].
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: Vec<Entry>,
    forgotten: usize,
}

impl Journal {
    /// Every entry, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many requests there were of a kind; [`Kind::Any`] counts all.
    pub fn count(&self, kind: Kind) -> usize {
        self.of(kind).count()
    }

    /// How many requests of a kind had their effect, also those that had it late.
    pub fn executed(&self, kind: Kind) -> usize {
        self.of(kind)
            .filter(|entry| entry.execution != Execution::Not)
            .count()
    }

    /// The entries of a kind, oldest first.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| kind.covers(entry.kind))
    }

    /// The newest entry.
    pub fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.forgotten += self.entries.len();
        self.entries.clear();
    }

    /// Writes one down, and returns its place for [`Journal::amend`].
    pub fn push(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.forgotten + self.entries.len() - 1
    }

    /// The entry at a place, to add what became of it later. None: it was cleared away.
    pub fn amend(&mut self, place: usize) -> Option<&mut Entry> {
        self.entries.get_mut(place.checked_sub(self.forgotten)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, execution: Execution) -> Entry {
        Entry {
            at_ms: 0,
            kind,
            method: "GET".into(),
            path: "/".into(),
            query: String::new(),
            status: 200,
            fault: None,
            execution,
            sys_id: None,
            correlation_id: None,
            user: None,
        }
    }

    #[test]
    fn counts_by_kind_and_by_effect() {
        let mut journal = Journal::default();
        journal.push(entry(Kind::Create, Execution::Executed));
        journal.push(entry(Kind::Create, Execution::Not));
        journal.push(entry(Kind::Create, Execution::Late));
        journal.push(entry(Kind::Query, Execution::Executed));
        assert_eq!(
            (journal.count(Kind::Create), journal.executed(Kind::Create)),
            (3, 2)
        );
        assert_eq!(
            (journal.count(Kind::Any), journal.count(Kind::Token)),
            (4, 0)
        );
        journal.clear();
        assert_eq!(journal.count(Kind::Any), 0);
        let place = journal.push(entry(Kind::Create, Execution::Late));
        assert!(journal.amend(place).is_some() && journal.amend(place - 1).is_none());
    }
}
