//! Log alerts that bring the rows of their query's result with them (azure-platform §1.5): their bodies, and the slots that
//! the rows have.

use std::collections::BTreeMap;

use itsm_connector::domain::identity::{EpisodeId, RowKey, SlotId};
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::row::ROWS_MAX;
use serde_json::{Value, json};

/// How the rows are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table with columns. Such an alert is never resolved.
    LogV1,
    /// Names and values, row by row. Its end brings no rows.
    SimpleLogAlert,
}

/// The rows of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// How they are sent.
    pub kind: Kind,
    /// What they say; one that is there twice is one row.
    pub numbers: Vec<u64>,
}

impl Rows {
    /// True if such an alert is resolved by Azure.
    pub fn has_an_end(&self) -> bool {
        self.kind == Kind::SimpleLogAlert
    }

    /// What Azure calls the service.
    pub(super) fn service(&self) -> &'static str {
        match self.kind {
            Kind::LogV1 => "Log Analytics",
            Kind::SimpleLogAlert => "Simple Log Alert",
        }
    }

    /// The alert's context. Its end has none of the rows.
    pub(super) fn context(&self, is_resolved: bool) -> Value {
        let sent: &[u64] = if is_resolved { &[] } else { &self.numbers };
        match self.kind {
            Kind::LogV1 => {
                let rows: Vec<Value> = sent.iter().map(|n| json!([computer(*n), n])).collect();
                json!({
                    "SearchQuery": "Heartbeat | summarize count() by Computer",
                    "ResultCount": sent.len(),
                    "SearchResults": { "tables": [{
                        "name": "PrimaryResult",
                        "columns": [
                            { "name": "Computer", "type": "string" },
                            { "name": "Missed", "type": "long" }
                        ],
                        "rows": rows
                    }] },
                    "IncludedSearchResults": "True",
                    "AlertType": "Number of results"
                })
            }
            Kind::SimpleLogAlert => {
                let cell = |name: &str, value: Value| json!({ "name": name, "value": value });
                let row = |n: &u64| {
                    json!([
                        cell("Computer", computer(*n).into()),
                        cell("Missed", (*n).into())
                    ])
                };
                let event: Vec<Value> = sent.iter().map(row).collect();
                json!({
                    "conditionType": "LogQueryCriteria",
                    "condition": { "allOf": [{ "searchQuery": "Heartbeat", "event": event }] }
                })
            }
        }
    }

    /// The slots of the rows: one for each that says something else, and no more than there may be.
    pub(super) fn slots(
        &self,
        connection: &ConnectionName,
        action: &ActionName,
        episode: &EpisodeId,
    ) -> Vec<SlotId> {
        let key_of = |n: &u64| {
            RowKey::new(&[
                ("Computer".to_owned(), computer(*n)),
                ("Missed".to_owned(), n.to_string()),
            ])
        };
        let keys: BTreeMap<RowKey, u64> = self.numbers.iter().map(|n| (key_of(n), *n)).collect();
        keys.keys()
            .take(ROWS_MAX)
            .map(|key| SlotId::of_row(connection, action, episode, key))
            .collect()
    }

    /// True if there are more than get a work item each.
    pub fn are_too_many(&self) -> bool {
        self.numbers.len() > ROWS_MAX
    }
}

fn computer(n: u64) -> String {
    format!("web{n:03}")
}
