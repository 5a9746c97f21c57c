//! What was used of the products' limits, for the drain that goes on in another process.

use super::numbered_log::{Append, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::allowance::Allowance;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// Snapshots that are kept: the head, and the one before it for whoever is reading it now.
const KEEP: usize = 2;

/// The allowances.
#[derive(Debug, Clone)]
pub struct Allowances {
    objects: Objects,
}

impl Allowances {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn log(&self, connection: &ConnectionName) -> NumberedLog {
        NumberedLog::new(self.objects.clone(), format!("allowances/{connection}"))
    }

    /// What was written down last.
    pub async fn read(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Allowance>, StoreFailure> {
        let head = self.log(connection).head::<Allowance>().await?;
        Ok(head.map(|head| head.state))
    }

    /// Writes down what was used. If somebody else does at the same moment, theirs stands: it is as good as ours.
    pub async fn note(
        &self,
        connection: &ConnectionName,
        allowance: Allowance,
        writer: &str,
        now: Timestamp,
    ) -> Result<(), StoreFailure> {
        let log = self.log(connection);
        let head = log.head::<Allowance>().await?.map(|head| head.number);
        let (Append::Won(head) | Append::Lost(head)) =
            log.append(head, writer, now, &allowance).await?;
        if head.number >= KEEP as u64 {
            log.prune(KEEP).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    #[tokio::test]
    async fn what_was_written_down_last_is_read_and_little_is_kept() {
        let objects = Objects::new(Arc::new(InMemory::new()));
        let allowances = Allowances::new(objects.clone());
        let connection = ConnectionName::parse("contoso").unwrap();
        assert_eq!(allowances.read(&connection).await.unwrap(), None);
        let now = Timestamp::UNIX_EPOCH;
        for used in 1..=9 {
            let allowance = Allowance {
                limit: 100,
                resets_at: now,
                used,
            };
            let writer = format!("w{used}");
            let noted = allowances.note(&connection, allowance, &writer, now);
            noted.await.unwrap();
        }
        let read = allowances.read(&connection).await.unwrap().unwrap();
        assert_eq!(read.used, 9);
        assert_eq!(objects.list("allowances").await.unwrap().len(), KEEP);
    }
}
