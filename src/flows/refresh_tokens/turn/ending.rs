//! The end of a turn: what is to be told, and what is to be forgotten.

use super::super::told;
use super::{Turn, lease_of};
use crate::domain::renewal::{Renewal, announcement};
use crate::stores::numbered_log::NumberedLog;

/// Every so many states those that were succeeded long ago are removed.
const PRUNE_EVERY: u64 = 16;

/// States and leases that are removed at once at most.
const PRUNED_MAX: usize = 500;

impl Turn<'_> {
    /// Tells what is to be told, then writes down that it was, and removes what is old. The state as it is then.
    pub(in crate::flows) async fn end(mut self) -> Renewal {
        if self.is_overtaken {
            return self.state;
        }
        let (news, announced) = announcement::due(&self.state, self.core.clock.now());
        for one in &news {
            told::announcement(&self.connection.name, one);
        }
        if announced != self.state.announced {
            let state = Renewal {
                announced,
                ..self.state.clone()
            };
            if let Err(failure) = self.write(state).await {
                tracing::warn!(connection = %self.connection.name, %failure, "what was announced was not written down, and is announced again");
            }
        }
        self.prune().await;
        self.state
    }

    /// Nobody asks for what was succeeded long ago.
    async fn prune(&self) {
        let is_due = self
            .head
            .as_ref()
            .is_some_and(|head| head.number % PRUNE_EVERY == 0);
        if !is_due {
            return;
        }
        let (core, name) = (self.core, &self.connection.name);
        let cutoff = core.clock.now().minus(core.ages.small_logs_for);
        for folder in [
            format!("renewals/{name}"),
            format!("leases/{}", lease_of(name)),
        ] {
            let log = NumberedLog::new(core.objects.clone(), folder);
            // It is tried again some states later.
            let _ = log.prune(cutoff, PRUNED_MAX).await;
        }
    }
}
