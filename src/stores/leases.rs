//! Leases: who does what only one should do at a time. Correctness never depends on one; frugality does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::slot::CLOCK_SKEW;
use crate::domain::timestamp::Timestamp;

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
    head: Head<Lease>,
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
        match log.append(head.as_ref(), holder, now, &lease).await? {
            Append::Won(head) => Ok(Some(Held {
                log,
                holder: holder.to_owned(),
                head,
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
            .append(Some(&self.head), &writer, now, &lease)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_holds_it_at_a_time() {
        let leases = Leases::new(crate::stores::test_clock::in_memory());
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
