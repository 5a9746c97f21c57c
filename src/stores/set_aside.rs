//! Rows that could not be read or sent, set aside so that the others go on: which, where and why, never their content.

use serde::{Deserialize, Serialize};

use super::objects::{Creation, Objects, StoreFailure};
use super::stored::{self, WithVersion};
use crate::domain::identity::RowKey;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// Rows that are looked at once a day for whether they may go: with more of them a person is needed, not a broom.
const LOOKED_AT_MAX: usize = 1000;

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
    /// True if it was not there.
    pub async fn keep(
        &self,
        connection: &ConnectionName,
        row: &SetAside,
    ) -> Result<bool, StoreFailure> {
        let about = row.id.as_deref().unwrap_or(&row.path);
        let named = [
            ("stream", row.stream.as_str()),
            ("about", about),
            ("reason", row.reason.as_str()),
        ];
        let key = RowKey::new(&named.map(|(name, text)| (name.to_owned(), text.to_owned())));
        let path = format!("set-aside/{connection}/{key}");
        let content = stored::content(&path, &WithVersion::new(row))?;
        Ok(self.objects.keep(&path, content).await? == Creation::Made)
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

    /// Forgets those of before a moment; how many there were. What cannot be read stays.
    pub async fn forget_before(
        &self,
        connection: &ConnectionName,
        moment: Timestamp,
    ) -> Result<usize, StoreFailure> {
        let folder = format!("set-aside/{connection}");
        let mut removed = 0;
        let names = self.objects.list_first(&folder, None, LOOKED_AT_MAX);
        for name in names.await? {
            let path = format!("{folder}/{name}");
            let Some(content) = self.objects.get(&path).await? else {
                continue;
            };
            let read = stored::read::<WithVersion<SetAside>>(&path, &content);
            if read.is_ok_and(|read| read.content.at < moment) {
                self.objects.delete(&path).await?;
                removed += 1;
            }
        }
        Ok(removed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::test_clock::in_memory;

    #[tokio::test]
    async fn what_is_old_goes_and_what_cannot_be_read_stays() {
        let objects = in_memory();
        let set_aside = SetAsides::new(objects.clone());
        let name = ConnectionName::parse("contoso").unwrap();
        for n in 0..3 {
            let row = SetAside {
                stream: "incident".to_owned(),
                id: Some(n.to_string()),
                path: "result[0].number".to_owned(),
                reason: "none".to_owned(),
                at: Timestamp::from_millis(n * 1000),
                run: "r".to_owned(),
            };
            set_aside.keep(&name, &row).await.unwrap();
        }
        let damaged = objects.keep("set-aside/contoso/damaged", "{".into());
        damaged.await.unwrap();
        let before = Timestamp::from_millis(2000);
        assert_eq!(set_aside.forget_before(&name, before).await.unwrap(), 2);
        assert_eq!(set_aside.count(&name).await.unwrap(), 2);
    }
}
