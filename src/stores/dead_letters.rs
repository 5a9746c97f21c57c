//! Dead letters: events that were given up, with the reason, until a person has looked. The alert itself stays in the
//! journal.

use serde::{Deserialize, Serialize};

use super::objects::{Objects, StoreFailure};
use super::stored::{self, WithVersion};
use crate::domain::failure::CallFailure;
use crate::domain::identity::{EventId, SlotId};
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::timestamp::Timestamp;

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The action that it was for.
    pub action: ActionName,
    /// Its slot, where that could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<SlotId>,
    /// Why.
    pub reason: CallFailure,
    /// What to do.
    pub hint: String,
    /// When it was given up.
    pub at: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
}

/// The dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    objects: Objects,
}

impl DeadLetters {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// Keeps one; the first reason stands.
    pub async fn keep(
        &self,
        connection: &ConnectionName,
        event: &EventId,
        letter: &DeadLetter,
    ) -> Result<(), StoreFailure> {
        let path = format!("dead/{connection}/{event}");
        let content = stored::content(&path, &WithVersion::new(letter))?;
        self.objects.keep(&path, content).await?;
        Ok(())
    }

    /// Takes one back; without an error if there is none.
    pub async fn remove(
        &self,
        connection: &ConnectionName,
        event: &EventId,
    ) -> Result<(), StoreFailure> {
        self.objects
            .delete(&format!("dead/{connection}/{event}"))
            .await
    }

    /// All of a connection, by event.
    pub async fn list(&self, connection: &ConnectionName) -> Result<Vec<EventId>, StoreFailure> {
        let names = self.objects.list(&format!("dead/{connection}")).await?;
        Ok(names
            .iter()
            .filter_map(|name| EventId::parse(name))
            .collect())
    }

    /// Reads one.
    pub async fn read(
        &self,
        connection: &ConnectionName,
        event: &EventId,
    ) -> Result<Option<DeadLetter>, StoreFailure> {
        let path = format!("dead/{connection}/{event}");
        let Some(content) = self.objects.get(&path).await? else {
            return Ok(None);
        };
        let read: WithVersion<DeadLetter> = stored::read(&path, &content)?;
        Ok(Some(read.content))
    }
}
