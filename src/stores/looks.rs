//! How far the look for missed alerts has come, per connection: a numbered log, which is also what lets only one process
//! look at a time.

use serde::{Deserialize, Serialize};

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::timestamp::Timestamp;

/// How far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// When the next is due. Until then nobody looks.
    pub next_at: Timestamp,
    /// Every alert that fired before then was looked at.
    pub looked_until: Timestamp,
    /// When the last day was gone over as a whole.
    pub whole_day_at: Timestamp,
    /// Alerts that were found and are not over: their end is looked for until it has come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<OpenAlert>,
}

/// An alert that was found, and whose end may be missed as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAlert {
    /// Its resource id.
    pub alert_id: String,
    /// The action that it went to.
    pub action: ActionName,
    /// When it fired, as it was kept.
    pub fired_at: Timestamp,
}

/// The looks.
#[derive(Debug, Clone)]
pub struct Looks {
    objects: Objects,
}

impl Looks {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// The folder of a connection's log.
    pub fn folder(connection: &ConnectionName) -> String {
        format!("looks/{connection}")
    }

    fn log(&self, connection: &ConnectionName) -> NumberedLog {
        NumberedLog::new(self.objects.clone(), Self::folder(connection))
    }

    /// How far it has come; `None` if it never began.
    pub async fn read(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Head<Look>>, StoreFailure> {
        self.log(connection).head().await
    }

    /// Writes down how far it has come, or that somebody takes it up; `None` if somebody else was faster.
    pub async fn write(
        &self,
        connection: &ConnectionName,
        after: Option<&Head<Look>>,
        writer: &str,
        now: Timestamp,
        look: &Look,
    ) -> Result<Option<Head<Look>>, StoreFailure> {
        let log = self.log(connection);
        Ok(match log.append(after, writer, now, look).await? {
            Append::Won(head) => Some(head),
            Append::Lost(_) => None,
        })
    }
}
