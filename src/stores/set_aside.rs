//! Rows that could not be read or sent, set aside so that the others go on: which, where and why, never their content.

use serde::{Deserialize, Serialize};

use super::objects::{Objects, StoreFailure};
use super::stored::{self, WithVersion};
use crate::domain::identity::RowKey;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// A row that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// What it was read for: `incident`, `change_request`, `deletions`.
    pub stream: String,
    /// The product's own key of the record, where it could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which part of it: `result[17].sys_updated_on`.
    pub path: String,
    /// Why, in our words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// By which run.
    pub run: String,
}

/// The rows that were set aside.
#[derive(Debug, Clone)]
pub struct SetAsides {
    objects: Objects,
}

impl SetAsides {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// Keeps one, under a name that follows from what it is about: the same row is kept once, with the first reason.
    pub async fn keep(
        &self,
        connection: &ConnectionName,
        row: &SetAside,
    ) -> Result<(), StoreFailure> {
        let about = row.id.as_deref().unwrap_or(&row.path);
        let named = [
            ("stream", row.stream.as_str()),
            ("about", about),
            ("reason", row.reason.as_str()),
        ];
        let key = RowKey::new(&named.map(|(name, text)| (name.to_owned(), text.to_owned())));
        let path = format!("set-aside/{connection}/{key}");
        let content = stored::content(&path, &WithVersion::new(row))?;
        self.objects.keep(&path, content).await?;
        Ok(())
    }

    /// All of a connection.
    pub async fn list(&self, connection: &ConnectionName) -> Result<Vec<SetAside>, StoreFailure> {
        let folder = format!("set-aside/{connection}");
        let mut rows = Vec::new();
        for name in self.objects.list(&folder).await? {
            let path = format!("{folder}/{name}");
            if let Some(content) = self.objects.get(&path).await? {
                let read: WithVersion<SetAside> = stored::read(&path, &content)?;
                rows.push(read.content);
            }
        }
        Ok(rows)
    }

    /// How many a connection has.
    pub async fn count(&self, connection: &ConnectionName) -> Result<usize, StoreFailure> {
        let names = self
            .objects
            .list(&format!("set-aside/{connection}"))
            .await?;
        Ok(names.len())
    }

    /// Forgets all of a connection, after a person has looked; how many there were.
    pub async fn clear(&self, connection: &ConnectionName) -> Result<usize, StoreFailure> {
        let folder = format!("set-aside/{connection}");
        let names = self.objects.list(&folder).await?;
        for name in &names {
            self.objects.delete(&format!("{folder}/{name}")).await?;
        }
        Ok(names.len())
    }
}
