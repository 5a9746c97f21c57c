//! The gates of the connections, shared by all instances of all functions.

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::gate::Gate;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// A gate as it was read, with what a change of it must count from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenGate {
    /// The gate.
    pub gate: Gate,
    head: Option<Head<Gate>>,
}

impl From<Head<Gate>> for SeenGate {
    fn from(head: Head<Gate>) -> Self {
        Self {
            gate: head.state.clone(),
            head: Some(head),
        }
    }
}

/// The gates.
#[derive(Debug, Clone)]
pub struct Gates {
    objects: Objects,
}

impl Gates {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn log(&self, connection: &ConnectionName) -> NumberedLog {
        NumberedLog::new(self.objects.clone(), format!("gates/{connection}"))
    }

    /// The gate of a connection. A connection that never had trouble has none, and is open.
    pub async fn read(&self, connection: &ConnectionName) -> Result<SeenGate, StoreFailure> {
        let head = self.log(connection).head::<Gate>().await?;
        Ok(head.map_or_else(SeenGate::default, SeenGate::from))
    }

    /// Changes a gate; true if it was changed. If somebody else was faster, theirs stands: it is as fresh as ours.
    pub async fn change(
        &self,
        connection: &ConnectionName,
        seen: &SeenGate,
        gate: Gate,
        writer: &str,
        now: Timestamp,
    ) -> Result<(bool, SeenGate), StoreFailure> {
        let log = self.log(connection);
        Ok(
            match log.append(seen.head.as_ref(), writer, now, &gate).await? {
                Append::Won(head) => (true, head.into()),
                Append::Lost(head) => (false, head.into()),
            },
        )
    }
}
