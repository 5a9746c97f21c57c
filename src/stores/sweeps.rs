//! How far the removal of what is old has come, per connection, and when it goes on: a numbered log, which is also what
//! lets only one process do it.

use serde::{Deserialize, Serialize};

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::identity::EventId;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// What is gone over, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The slots.
    #[default]
    Slots,
    /// The alerts as they came.
    Journal,
    /// What was not understood.
    Quarantine,
    /// What was given up.
    Dead,
    /// Nothing more in this rotation.
    Finished,
}

/// How far it has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// When it goes on. Until then nobody looks.
    pub next_at: Timestamp,
    /// When this rotation over everything began.
    pub rotation_at: Timestamp,
    /// What it is at.
    pub stage: Stage,
    /// The last name there that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Alerts that may go at the next sweep, if nothing waits for them then either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doomed: Vec<EventId>,
}

/// The sweeps.
#[derive(Debug, Clone)]
pub struct Sweeps {
    objects: Objects,
}

impl Sweeps {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn log(&self, connection: &ConnectionName) -> NumberedLog {
        NumberedLog::new(self.objects.clone(), format!("sweeps/{connection}"))
    }

    /// How far it has come; `None` if it never began.
    pub async fn read(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Head<Sweep>>, StoreFailure> {
        self.log(connection).head().await
    }

    /// Writes down how far it has come, or that somebody takes it up; `None` if somebody else was faster.
    pub async fn write(
        &self,
        connection: &ConnectionName,
        after: Option<&Head<Sweep>>,
        writer: &str,
        now: Timestamp,
        sweep: &Sweep,
    ) -> Result<Option<Head<Sweep>>, StoreFailure> {
        let log = self.log(connection);
        Ok(match log.append(after, writer, now, sweep).await? {
            Append::Won(head) => Some(head),
            Append::Lost(_) => None,
        })
    }
}
