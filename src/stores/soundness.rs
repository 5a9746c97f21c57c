//! Whether the store of the state honours create-only writes: real S3, Azure Blob and a folder do; of any other server
//! somebody has to see it, and writes it down there for the webhook, which has no time for a probe.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::numbered_log::{Head, NumberedLog};
use super::objects::{Objects, StoreFailure, StoreTrouble};
use super::probe::{self, Probed};
use crate::domain::identity;
use crate::domain::timestamp::Timestamp;

/// After which a timer probes again: a server may have been exchanged for another of the same name.
const PROBED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long a process goes by what it has read: so soon a finding of others is obeyed, and so seldom an alert costs the
/// look. A store that was not yet proven is looked at again each time.
const READ_FOR: Duration = Duration::from_secs(10 * 60);

/// What is to be known of the store itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backend {
    /// Its server, bucket and prefix, if it has to be seen that it honours create-only writes; else it is trusted.
    pub to_be_proven: Option<String>,
    /// True if it lists names in order.
    pub lists_in_order: bool,
}

/// What somebody has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Finding {
    /// Of which store: a copy of the state elsewhere has its own.
    store: String,
    /// Whether it honours create-only writes.
    is_sound: bool,
}

/// What is known of the store.
#[derive(Debug, Clone)]
pub struct Soundness {
    objects: Objects,
    /// `None` if it is trusted.
    store: Option<String>,
    /// When this process has last seen that it is sound, on the monotonic clock.
    seen_at: Arc<Mutex<Option<Duration>>>,
}

impl Soundness {
    /// Of the store below `objects`; `to_be_proven` as in [`Backend`].
    pub fn new(objects: Objects, to_be_proven: Option<String>) -> Self {
        Self {
            objects,
            store: to_be_proven,
            seen_at: Arc::default(),
        }
    }

    /// The store's name, if it is not trusted for what it is.
    pub fn to_be_proven(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// An error unless the store is trusted, or somebody has seen that it is sound. Nothing is asked of a trusted one, and
    /// of others nothing for ten minutes after the last look.
    pub async fn relied_on(&self) -> Result<(), StoreFailure> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        if self.was_seen_lately() {
            return Ok(());
        }
        match self.finding(store).await?.1 {
            Some(head) if head.state.is_sound => {
                self.saw(true);
                Ok(())
            }
            Some(_) => Err(refused(store, StoreTrouble::IgnoresConditions)),
            None => Err(refused(store, StoreTrouble::NotProven)),
        }
    }

    /// For timers: the same, and if nobody has looked for a day, they do.
    pub async fn prove_when_due(&self, id: &str, now: Timestamp) -> Result<(), StoreFailure> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        if self.was_seen_lately() {
            return Ok(());
        }
        let found = self.finding(store).await?.1;
        let is_fresh = |head: &Head<Finding>| now.since(head.at) < PROBED_FOR;
        match found {
            Some(head) if head.state.is_sound && is_fresh(&head) => {
                self.saw(true);
                Ok(())
            }
            _ => match self.prove(id, now).await {
                Probed::Sound => Ok(()),
                Probed::IgnoresConditions => Err(refused(store, StoreTrouble::IgnoresConditions)),
                Probed::Failed(failure) => Err(failure),
            },
        }
    }

    /// Probes the store, and writes down what was seen, where it is not trusted for what it is. `id` must be new.
    pub async fn prove(&self, id: &str, now: Timestamp) -> Probed {
        let probed = probe::probe(&self.objects, id).await;
        let Some(store) = &self.store else {
            return probed;
        };
        let is_sound = match &probed {
            Probed::Sound => true,
            Probed::IgnoresConditions => false,
            Probed::Failed(_) => return probed,
        };
        self.saw(is_sound);
        match self.write_down(store, is_sound, id, now).await {
            // What a store that ignores conditions does with the finding is its own; this process knows.
            Err(failure) if is_sound => Probed::Failed(failure),
            _ => probed,
        }
    }

    async fn write_down(
        &self,
        store: &str,
        is_sound: bool,
        id: &str,
        now: Timestamp,
    ) -> Result<(), StoreFailure> {
        let (log, head) = self.finding(store).await?;
        let finding = Finding {
            store: store.to_owned(),
            is_sound,
        };
        // Whoever else looked at the same time has seen the same.
        log.append(head.as_ref(), id, now, &finding).await?;
        log.prune(now.minus(PROBED_FOR), 10).await?;
        Ok(())
    }

    async fn finding(
        &self,
        store: &str,
    ) -> Result<(NumberedLog, Option<Head<Finding>>), StoreFailure> {
        let folder = format!("soundness/{}", identity::store_key(store));
        let log = NumberedLog::new(self.objects.clone(), folder);
        let head = log.head::<Finding>().await?;
        Ok((log, head.filter(|head| head.state.store == store)))
    }

    fn was_seen_lately(&self) -> bool {
        let seen_at = *self.seen_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.objects.clock().monotonic();
        seen_at.is_some_and(|at| now.saturating_sub(at) < READ_FOR)
    }

    fn saw(&self, is_sound: bool) {
        let now = self.objects.clock().monotonic();
        *self.seen_at.lock().unwrap_or_else(PoisonError::into_inner) = is_sound.then_some(now);
    }
}

fn refused(store: &str, trouble: StoreTrouble) -> StoreFailure {
    StoreFailure {
        operation: "rely on",
        path: store.to_owned(),
        trouble,
    }
}
