//! An alert that waits and is over already: its Resolved is remembered first, so that its work item is made and closed by
//! one call, or not at all, as the action wants it.

use std::sync::Arc;

use super::Pass;
use crate::domain::alert::Condition;
use crate::domain::connection::Grouping;
use crate::domain::identity::{EventId, SlotId};
use crate::domain::slot::Phase;
use crate::flows::create_work_item::{case_of, event_of};
use crate::flows::settle::{self, Case, SeenHead};
use crate::inbound::common_alert_schema;
use crate::inbound::webhook::Delivery;
use crate::stores::journal::Entry;
use crate::stores::objects::StoreFailure;
use crate::stores::slots::SlotLog;

impl Pass<'_> {
    /// Reads the slot of an alert, and if nothing was made yet, whether the alert's end is in the journal: if it is, the end
    /// is settled first. Its own marker is cleared when its turn comes. It calls no product: a slot without
    /// an item remembers a Resolved. Where several alerts share a slot nothing is done; the order does not matter there.
    pub(super) async fn remember_its_end(
        &self,
        fired: &Case<'_>,
    ) -> Result<SeenHead, StoreFailure> {
        let is_alone = fired.action.grouping == Grouping::Alert && fired.alert.series.is_none();
        if fired.event.condition != Condition::Fired || !is_alone {
            return Ok(SeenHead::NotRead);
        }
        let (core, name, episode) = (self.core, &self.connection.name, &fired.event.episode);
        let slot = SlotId::of_episode(name, &fired.action_name, episode);
        let log = SlotLog::new(&core.objects, name, &fired.action_name, &slot);
        let end = EventId::new(episode, Condition::Resolved.as_str());
        let head = log.head().await?;
        let is_unmade = head
            .as_ref()
            .is_none_or(|head| head.state.phase == Phase::Vacant);
        let seen = SeenHead::Read(head.map(Box::new));
        if !is_unmade {
            return Ok(seen);
        }
        match core.journal.read(name, &end).await? {
            Some(entry) => {
                self.settle_end(fired, entry, seen).await?;
                Ok(SeenHead::NotRead)
            }
            None => Ok(seen),
        }
    }

    async fn settle_end(
        &self,
        fired: &Case<'_>,
        entry: Entry,
        seen: SeenHead,
    ) -> Result<(), StoreFailure> {
        let name = self.connection.name.clone();
        let delivery = Delivery::from_journal(name, entry.action, entry.body);
        // What cannot be read is for its own turn to say.
        let Ok(alert) = common_alert_schema::parse(&delivery) else {
            return Ok(());
        };
        let event = event_of(self.core, &delivery, &alert);
        let Some(case) = case_of(Arc::clone(&fired.connection), &delivery, &alert, event) else {
            return Ok(());
        };
        Box::pin(settle::settle(
            self.core,
            &case,
            seen,
            self.budget,
            self.call_max,
            Some(&self.gatekeeper),
        ))
        .await?;
        Ok(())
    }
}
