//! Whether an alert is known, and taking up one that is not.

use super::super::create_work_item::marker_of;
use super::Stopped;
use super::journaled::Journaled;
use super::list::{LookThrough, Message};
use crate::domain::alert::Condition;
use crate::domain::connection::Grouping;
use crate::domain::grouping;
use crate::domain::identity::SlotId;
use crate::inbound::alerts_management::KeptAlert;
use crate::stores::slots::SlotLog;

impl LookThrough<'_> {
    /// True if the journal has it, and with it either a slot that knows it or a marker that makes the drain look.
    pub(super) async fn is_known(&self, message: &Message) -> Result<bool, Stopped> {
        let (core, name) = (self.core, &self.connection.name);
        if core.looked.knows(&message.event.id) {
            return Ok(true);
        }
        if core.journal.read(name, &message.event.id).await?.is_none() {
            return Ok(false);
        }
        // A delivery that was answered 503 may have left its journal entry and no marker. Who was never given a work item is
        // marked once more, which costs the drain a look.
        let slots = self.slots_of(message);
        let has_slot = match slots.as_slice() {
            [only] => {
                let log = SlotLog::new(&core.objects, name, message.delivery.action(), only);
                log.head().await?.is_some()
            }
            _ => false,
        };
        if !has_slot {
            let marker = marker_of(&message.alert, &message.event.id);
            core.pending
                .set(name, &marker, message.event.received_at)
                .await?;
        }
        core.looked.remember(message.event.id.clone());
        Ok(true)
    }

    /// The slots of an alert that has one of its own; none where a slot being there says nothing about this alert.
    fn slots_of(&self, message: &Message) -> Vec<SlotId> {
        let Some(action) = self.connection.actions.get(message.delivery.action()) else {
            return Vec::new();
        };
        if action.grouping != Grouping::Alert || message.alert.series.is_some() {
            return Vec::new();
        }
        if message.event.condition == Condition::Resolved {
            return Vec::new();
        }
        grouping::targets(
            &self.connection.name,
            message.delivery.action(),
            action,
            &message.alert,
            &message.event.episode,
        )
        .into_iter()
        .map(|target| target.slot)
        .collect()
    }

    /// Into the journal. The marker goes first: a marker without its alert is swept, an alert without a marker would be
    /// taken for known by the next look.
    pub(super) async fn take_up(&mut self, message: Message) -> Result<(), Stopped> {
        let (core, name) = (self.core, &self.connection.name);
        let Message {
            delivery,
            alert,
            event,
        } = message;
        let marker = marker_of(&alert, &event.id);
        core.pending.set(name, &marker, event.received_at).await?;
        core.journal
            .keep(name, delivery.action(), &event.id, delivery.body())
            .await?;
        core.looked.remember(event.id.clone());
        self.found += 1;
        tracing::info!(connection = %name, action = %delivery.action(), event = %event.id, condition = event.condition.as_str(), "an alert that did not come by the webhook was taken up");
        Ok(())
    }

    /// What the journal has of late, by alert.
    pub(super) async fn known_by_id(
        &mut self,
        kept: &KeptAlert,
    ) -> Result<&mut Journaled, Stopped> {
        let mut journaled = self.journaled.take().unwrap_or_default();
        journaled
            .reach_back_to(self.core, &self.connection.name, kept.fired_at)
            .await?;
        Ok(self.journaled.insert(journaled))
    }
}
