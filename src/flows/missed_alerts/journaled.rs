//! What the journal has of late, by alert instance. It is read only if something seems to be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;

use super::super::Core;
use crate::domain::alert::Condition;
use crate::domain::alert_key::AlertKey;
use crate::domain::identity::EventId;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::timestamp::Timestamp;
use crate::inbound::common_alert_schema;
use crate::inbound::webhook::Delivery;
use crate::stores::objects::StoreFailure;

/// How much earlier than it fired an alert may seem to have been kept: the clocks of Azure, of the store and ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(10 * 60);

/// Entries that are read at once.
const AT_ONCE: usize = 8;

/// The messages of the journal's alerts.
#[derive(Debug, Default)]
pub(super) struct Journaled {
    /// What was kept since then is in here.
    since: Option<Timestamp>,
    read: BTreeSet<EventId>,
    fired: BTreeMap<AlertKey, (ActionName, Timestamp)>,
    ended: BTreeSet<AlertKey>,
}

impl Journaled {
    /// The action that has the alert's beginning, and when that says it fired.
    pub(super) fn fired(&self, key: &AlertKey) -> Option<(ActionName, Timestamp)> {
        self.fired.get(key).cloned()
    }

    /// True if the alert's end is there.
    pub(super) fn ended(&self, key: &AlertKey) -> bool {
        self.ended.contains(key)
    }

    /// Reads what was kept since shortly before `fired_at`, unless it was read already.
    pub(super) async fn reach_back_to(
        &mut self,
        core: &Core,
        name: &ConnectionName,
        fired_at: Timestamp,
    ) -> Result<(), StoreFailure> {
        let since = fired_at.minus(CLOCKS_DIFFER);
        if self.since.is_some_and(|known| known <= since) {
            return Ok(());
        }
        let mut events = core.journal.kept_since(name, since).await?;
        events.retain(|event| !self.read.contains(event));
        let mut entries = futures_util::stream::iter(&events)
            .map(|event| async move { (event, core.journal.read(name, event).await) })
            .buffered(AT_ONCE);
        while let Some((event, entry)) = entries.next().await {
            self.read.insert(event.clone());
            let entry = match entry {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                // One that cannot be read says nothing about the others.
                Err(failure) if failure.is_about_content() => continue,
                Err(failure) => return Err(failure),
            };
            let delivery = Delivery::from_journal(name.clone(), entry.action, entry.body);
            let Ok(alert) = common_alert_schema::parse(&delivery) else {
                continue;
            };
            let Some(key) = AlertKey::of(&alert.alert_id) else {
                continue;
            };
            match (alert.condition, alert.fired_at) {
                (Condition::Resolved, _) => {
                    self.ended.insert(key);
                }
                (Condition::Fired, fired_at) => {
                    let fired_at = fired_at.unwrap_or(since);
                    self.fired
                        .insert(key, (delivery.action().clone(), fired_at));
                }
            }
        }
        self.since = Some(since);
        Ok(())
    }
}
