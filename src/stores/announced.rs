//! What of the announcements has become a row: a numbered log per connection. The log lines of the refresher keep count for
//! themselves, because where a row goes may be away while they are written.

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::name::ConnectionName;
use crate::domain::renewal::announcement::Announced;
use crate::domain::timestamp::Timestamp;

/// After how many entries those that were succeeded are removed.
const PRUNE_EVERY: u64 = 8;

/// Entries that are removed at once at most.
const PRUNED_MAX: usize = 50;

/// What was announced.
#[derive(Debug, Clone)]
pub struct AnnouncedRows {
    objects: Objects,
}

impl AnnouncedRows {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn log(&self, connection: &ConnectionName) -> NumberedLog {
        NumberedLog::new(self.objects.clone(), format!("announced/{connection}"))
    }

    /// What was; `None`: nothing ever.
    pub async fn read(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Head<Announced>>, StoreFailure> {
        self.log(connection).head().await
    }

    /// Writes down what was, and removes what was succeeded before `cutoff`. If somebody else was faster, it is theirs.
    pub async fn write(
        &self,
        connection: &ConnectionName,
        after: Option<&Head<Announced>>,
        writer: &str,
        now: Timestamp,
        cutoff: Timestamp,
        announced: &Announced,
    ) -> Result<(), StoreFailure> {
        let log = self.log(connection);
        if let Append::Won(head) = log.append(after, writer, now, announced).await?
            && head.number % PRUNE_EVERY == 0
        {
            log.prune(cutoff, PRUNED_MAX).await?;
        }
        Ok(())
    }
}
