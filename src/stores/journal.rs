//! The journal: every alert that was answered with 2xx, as it came, before anything is done with it (DESIGN §6.5).
//!
//! The name is the event's key, so that the same event delivered again finds itself; the content holds no time and no
//! chance, so that every host writes the same bytes for the same alert.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::objects::{Creation, Objects, StoreFailure, corrupt};
use super::stored::{self, VERSION, Versioned};
use crate::domain::identity::EventId;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::timestamp::Timestamp;

/// An alert as it came.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The action that it is for.
    pub action: ActionName,
    /// The verified body.
    pub body: Bytes,
}

#[derive(Serialize)]
struct Writing<'a> {
    version: u32,
    connection: &'a ConnectionName,
    action: &'a ActionName,
    body: &'a RawValue,
}

#[derive(Deserialize)]
struct Reading {
    #[serde(default = "stored::first")]
    version: u32,
    action: ActionName,
    body: Box<RawValue>,
}

impl Versioned for Reading {
    fn version(&self) -> u32 {
        self.version
    }
}

/// The journal.
#[derive(Debug, Clone)]
pub struct Journal {
    objects: Objects,
}

impl Journal {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn path(connection: &ConnectionName, event: &EventId) -> String {
        format!("journal/{connection}/{event}")
    }

    /// Keeps an alert. `body` must have been parsed: it goes in as the JSON that it is.
    pub async fn keep(
        &self,
        connection: &ConnectionName,
        action: &ActionName,
        event: &EventId,
        body: &[u8],
    ) -> Result<Creation, StoreFailure> {
        let path = Self::path(connection, event);
        let raw: &RawValue = serde_json::from_slice(body).map_err(|_| corrupt(&path))?;
        let writing = Writing {
            version: VERSION,
            connection,
            action,
            body: raw,
        };
        let content = stored::content(&path, &writing)?;
        self.objects.keep(&path, content).await
    }

    /// Removes an alert; without an error if it is not there.
    pub async fn remove(
        &self,
        connection: &ConnectionName,
        event: &EventId,
    ) -> Result<(), StoreFailure> {
        self.objects.delete(&Self::path(connection, event)).await
    }

    /// The alerts that were kept since `since`, by the store's clock.
    pub async fn kept_since(
        &self,
        connection: &ConnectionName,
        since: Timestamp,
    ) -> Result<Vec<EventId>, StoreFailure> {
        let folder = format!("journal/{connection}");
        let names = self.objects.written_since(&folder, since).await?;
        Ok(names
            .iter()
            .filter_map(|name| EventId::parse(name))
            .collect())
    }

    /// Reads an alert back.
    pub async fn read(
        &self,
        connection: &ConnectionName,
        event: &EventId,
    ) -> Result<Option<Entry>, StoreFailure> {
        let path = Self::path(connection, event);
        let Some(content) = self.objects.get(&path).await? else {
            return Ok(None);
        };
        let read: Reading = stored::read(&path, &content)?;
        let body: Box<str> = read.body.into();
        Ok(Some(Entry {
            action: read.action,
            body: Bytes::from(String::from(body)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::{EpisodeId, Firing};

    #[tokio::test]
    async fn the_same_alert_finds_itself_and_reads_back_as_it_came() {
        let journal = Journal::new(crate::stores::test_clock::in_memory());
        let (connection, action) = (
            ConnectionName::parse("contoso").unwrap(),
            ActionName::default(),
        );
        let event = EventId::new(
            &EpisodeId::new(&connection, &action, Firing::Body(b"x")),
            "fired",
        );
        let body = br#"{"a": 1.50, "b":"\u00e4"}"#;
        assert_eq!(
            journal.keep(&connection, &action, &event, body).await,
            Ok(Creation::Made)
        );
        assert_eq!(
            journal.keep(&connection, &action, &event, body).await,
            Ok(Creation::Existed)
        );
        let entry = journal.read(&connection, &event).await.unwrap().unwrap();
        assert_eq!(&entry.body[..], body);
    }
}
