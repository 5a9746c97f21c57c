//! The slots: each a numbered log of full snapshots (DESIGN §6.6).

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::identity::SlotId;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::slot::Slot;
use crate::domain::timestamp::Timestamp;

/// The number of the snapshot that is usually the newest when a slot is looked at again: claimed (0), made (1).
const USUAL_HEAD: u64 = 1;

/// One slot.
#[derive(Debug, Clone)]
pub struct SlotLog(NumberedLog);

impl SlotLog {
    /// The slot of an action.
    pub fn new(
        objects: &Objects,
        connection: &ConnectionName,
        action: &ActionName,
        slot: &SlotId,
    ) -> Self {
        Self(NumberedLog::new(
            objects.clone(),
            format!("slots/{connection}/{action}/{slot}"),
        ))
    }

    /// Its newest snapshot.
    pub async fn head(&self) -> Result<Option<Head<Slot>>, StoreFailure> {
        self.0.head_guessing(USUAL_HEAD).await
    }

    /// Its newest snapshot, and the numbers of all, newest first.
    pub async fn head_and_numbers(&self) -> Result<Option<(Head<Slot>, Vec<u64>)>, StoreFailure> {
        self.0.head_and_numbers().await
    }

    /// Removes all of these snapshots, the newest last: what is cut short here leaves the slot as it is, with less history.
    /// Whatever was appended meanwhile stays.
    pub async fn remove(&self, numbers: &[u64]) -> Result<usize, StoreFailure> {
        self.0.remove(numbers).await
    }

    /// Removes what is below the head and was succeeded before `cutoff`; `numbers` as they were just listed.
    pub async fn prune_of(
        &self,
        numbers: &[u64],
        cutoff: Timestamp,
        most: usize,
    ) -> Result<usize, StoreFailure> {
        self.0.prune_of(numbers, cutoff, most).await
    }

    /// All of its snapshots, oldest first.
    pub async fn history(&self) -> Result<Vec<Head<Slot>>, StoreFailure> {
        self.0.history().await
    }

    /// Appends a snapshot after the one that was seen.
    pub async fn append(
        &self,
        seen: Option<&Head<Slot>>,
        writer: &str,
        at: Timestamp,
        state: &Slot,
    ) -> Result<Append<Slot>, StoreFailure> {
        self.0.append(seen, writer, at, state).await
    }
}
