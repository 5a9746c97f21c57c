//! Where the renewal of each connection's tokens stands: a numbered log, so that whoever comes next goes on from there.

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::name::ConnectionName;
use crate::domain::renewal::Renewal;
use crate::domain::timestamp::Timestamp;

/// The renewals.
#[derive(Debug, Clone)]
pub struct Renewals {
    objects: Objects,
}

impl Renewals {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn log(&self, connection: &ConnectionName) -> NumberedLog {
        NumberedLog::new(self.objects.clone(), format!("renewals/{connection}"))
    }

    /// Where it stands; `None` if it never began.
    pub async fn read(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Head<Renewal>>, StoreFailure> {
        self.log(connection).head().await
    }

    /// Writes down where it stands; `None` if somebody else was faster.
    pub async fn write(
        &self,
        connection: &ConnectionName,
        after: Option<&Head<Renewal>>,
        writer: &str,
        now: Timestamp,
        renewal: &Renewal,
    ) -> Result<Option<Head<Renewal>>, StoreFailure> {
        let log = self.log(connection);
        Ok(match log.append(after, writer, now, renewal).await? {
            Append::Won(head) => Some(head),
            Append::Lost(_) => None,
        })
    }
}
