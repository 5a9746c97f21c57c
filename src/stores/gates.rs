//! The gates of the connections, shared by all instances of all functions.

use super::numbered_log::{Append, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::gate::Gate;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// Snapshots that are kept: the head, and the one before it for whoever is reading it now.
const KEEP: usize = 2;

/// A gate as it was read, with what a change of it must count from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenGate {
    /// The gate.
    pub gate: Gate,
    number: Option<u64>,
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
        Ok(head.map_or_else(SeenGate::default, |head| SeenGate {
            gate: head.state,
            number: Some(head.number),
        }))
    }

    /// Changes a gate. If somebody else has changed it meanwhile, theirs stands: it is as fresh as ours.
    pub async fn change(
        &self,
        connection: &ConnectionName,
        seen: &SeenGate,
        gate: Gate,
        writer: &str,
        now: Timestamp,
    ) -> Result<SeenGate, StoreFailure> {
        let log = self.log(connection);
        let (Append::Won(head) | Append::Lost(head)) =
            log.append(seen.number, writer, now, &gate).await?;
        if head.number >= KEEP as u64 {
            log.prune(KEEP).await?;
        }
        Ok(SeenGate {
            gate: head.state,
            number: Some(head.number),
        })
    }
}
