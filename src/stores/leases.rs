//! Leases: who does what only one should do at a time. Correctness never depends on one; frugality does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::numbered_log::{Append, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::slot::CLOCK_SKEW;
use crate::domain::timestamp::Timestamp;

/// Snapshots that are kept.
const KEEP: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    holder: String,
    until: Timestamp,
}

/// A lease that we hold.
#[derive(Debug, Clone)]
pub struct Held {
    log: NumberedLog,
    holder: String,
    number: u64,
    /// Until when.
    pub until: Timestamp,
}

/// The leases.
#[derive(Debug, Clone)]
pub struct Leases {
    objects: Objects,
}

impl Leases {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// Takes the lease `name` for `span`, if nobody has it; `None` if somebody does.
    pub async fn take(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        span: Duration,
    ) -> Result<Option<Held>, StoreFailure> {
        let log = NumberedLog::new(self.objects.clone(), format!("leases/{name}"));
        let head = log.head::<Lease>().await?;
        if head.as_ref().is_some_and(|head| {
            now < head.state.until.plus(CLOCK_SKEW) && head.state.until > head.at
        }) {
            return Ok(None);
        }
        let lease = Lease {
            holder: holder.to_owned(),
            until: now.plus(span),
        };
        match log
            .append(head.map(|head| head.number), holder, now, &lease)
            .await?
        {
            Append::Won(head) => Ok(Some(Held {
                log,
                holder: holder.to_owned(),
                number: head.number,
                until: lease.until,
            })),
            Append::Lost(_) => Ok(None),
        }
    }
}

impl Held {
    /// Gives the lease back, so that the next one need not wait for its end.
    pub async fn release(self, now: Timestamp) -> Result<(), StoreFailure> {
        // Ended at the moment it was written: that is how a lease given back is told from one that ran out.
        let lease = Lease {
            holder: self.holder.clone(),
            until: now,
        };
        let writer = format!("{}-released", self.holder);
        self.log
            .append(Some(self.number), &writer, now, &lease)
            .await?;
        if self.number >= KEEP as u64 {
            self.log.prune(KEEP).await?;
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
    async fn one_holds_it_at_a_time() {
        let leases = Leases::new(Objects::new(Arc::new(InMemory::new())));
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let span = Duration::from_secs(60);
        let held = leases
            .take("drain", "a", at(0), span)
            .await
            .unwrap()
            .expect("nobody has it");
        assert!(
            leases
                .take("drain", "b", at(59), span)
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            leases
                .take("drain", "b", at(80), span)
                .await
                .unwrap()
                .is_none(),
            "clocks differ"
        );
        held.release(at(81)).await.unwrap();
        assert!(
            leases
                .take("drain", "b", at(81), span)
                .await
                .unwrap()
                .is_some(),
            "it was given back"
        );
        assert!(
            leases
                .take("drain", "c", at(81 + 60 + 31), span)
                .await
                .unwrap()
                .is_some(),
            "it ran out"
        );
    }
}
