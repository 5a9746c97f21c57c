//! What was used of the products' limits, for the drain that goes on in another process.

use super::numbered_log::{Append, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::allowance::Allowance;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

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
        let head = log.head::<Allowance>().await?;
        let (Append::Won(_) | Append::Lost(_)) =
            log.append(head.as_ref(), writer, now, &allowance).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_written_down_last_is_read() {
        let allowances = Allowances::new(crate::stores::test_clock::in_memory());
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
    }
}
