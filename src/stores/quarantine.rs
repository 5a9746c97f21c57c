//! The quarantine: verified bodies that were not understood, kept raw until a person has looked (rule R6).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::objects::{Objects, StoreFailure};
use super::stored::{self, WithVersion};
use crate::domain::identity::BodyId;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::timestamp::Timestamp;

/// A body in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The action that it was for.
    pub action: ActionName,
    /// A word for why: `too_deep`, `schema`.
    pub reason: String,
    /// What was expected, and where.
    pub detail: String,
    /// When it came.
    pub at: Timestamp,
    /// The body, in base64: it need not be text.
    pub body_base64: String,
}

impl Quarantined {
    /// The body's bytes; `None` if they cannot be read back.
    pub fn body(&self) -> Option<Bytes> {
        data_encoding::BASE64
            .decode(self.body_base64.as_bytes())
            .ok()
            .map(Bytes::from)
    }
}

/// The quarantine.
#[derive(Debug, Clone)]
pub struct Quarantine {
    objects: Objects,
}

impl Quarantine {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// Keeps a body; the same body again is kept once.
    pub async fn keep(
        &self,
        connection: &ConnectionName,
        action: &ActionName,
        reason: &str,
        detail: &str,
        at: Timestamp,
        body: &[u8],
    ) -> Result<BodyId, StoreFailure> {
        let id = BodyId::new(body);
        let path = format!("quarantine/{connection}/{id}");
        let kept = Quarantined {
            action: action.clone(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            at,
            body_base64: data_encoding::BASE64.encode(body),
        };
        let content = stored::content(&path, &WithVersion::new(kept))?;
        self.objects.keep(&path, content).await?;
        Ok(id)
    }

    /// How many bodies of a connection are kept.
    pub async fn count(&self, connection: &ConnectionName) -> Result<usize, StoreFailure> {
        Ok(self
            .objects
            .list(&format!("quarantine/{connection}"))
            .await?
            .len())
    }

    /// All of a connection.
    pub async fn list(&self, connection: &ConnectionName) -> Result<Vec<BodyId>, StoreFailure> {
        let names = self
            .objects
            .list(&format!("quarantine/{connection}"))
            .await?;
        Ok(names
            .iter()
            .filter_map(|name| BodyId::parse(name))
            .collect())
    }

    /// Removes a body; without an error if it is not there.
    pub async fn remove(
        &self,
        connection: &ConnectionName,
        id: &BodyId,
    ) -> Result<(), StoreFailure> {
        self.objects
            .delete(&format!("quarantine/{connection}/{id}"))
            .await
    }

    /// Reads a body back.
    pub async fn read(
        &self,
        connection: &ConnectionName,
        id: &BodyId,
    ) -> Result<Option<Quarantined>, StoreFailure> {
        let path = format!("quarantine/{connection}/{id}");
        let Some(content) = self.objects.get(&path).await? else {
            return Ok(None);
        };
        let read: WithVersion<Quarantined> = stored::read(&path, &content)?;
        Ok(Some(read.content))
    }
}
