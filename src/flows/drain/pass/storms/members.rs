//! What is done for the members of a storm: few calls for many of them.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{Members, READ_AT_ONCE, Waiting};
use crate::domain::alert::Condition;
use crate::domain::alert_to_work_item::storm::told_at_once;
use crate::domain::identity::{EventId, SlotId};
use crate::domain::name::ActionName;
use crate::domain::slot::{Companion, Event, Phase, Rest, Slot};
use crate::flows::drain::Drained;
use crate::flows::drain::pass::Pass;
use crate::flows::settle::{self, Case};
use crate::stores::objects::StoreFailure;
use crate::stores::slots::SlotLog;

impl Pass<'_> {
    pub(super) async fn settle_storm(
        &self,
        storm: &SlotId,
        members: Members,
        drained: &mut Drained,
    ) -> Result<(), StoreFailure> {
        let Members { fired, resolved } = members;
        for mut waiting in [fired, resolved] {
            while !waiting.is_empty() {
                let before = waiting.len();
                waiting = self.settle_some(storm, waiting, drained).await?;
                if waiting.len() == before {
                    break;
                }
            }
            drained.waiting += waiting.len() as u64;
        }
        Ok(())
    }

    /// Settles as many of a storm's events of one kind as one text can tell of; those that are left.
    async fn settle_some(
        &self,
        storm: &SlotId,
        waiting: Vec<Waiting>,
        drained: &mut Drained,
    ) -> Result<Vec<Waiting>, StoreFailure> {
        let Some(action_name) = waiting.first().map(|first| first.action_name.clone()) else {
            return Ok(waiting);
        };
        let log = SlotLog::new(
            &self.core.objects,
            &self.connection.name,
            &action_name,
            storm,
        );
        let slot = log.head().await?.map(|head| head.state).unwrap_or_default();
        let waiting = self.finish(&slot, waiting, drained).await?;
        let (mut batch, mut left) = batch(&slot, waiting);
        if batch.is_empty() || !self.may_go_on().await {
            left.append(&mut batch);
            return Ok(left);
        }
        let settled = self.settle_batch(storm, &action_name, &batch).await;
        self.allowed.end().await;
        let (rest, slot) = settled?;
        self.gatekeeper.after_round().await?;
        let is_dead = matches!(rest, Rest::Dead(_));
        let before = drained.settled;
        let mut unsettled = self.finish(&slot, batch, drained).await?;
        if is_dead {
            drained.dead += drained.settled - before;
            drained.settled = before;
        }
        unsettled.append(&mut left);
        Ok(unsettled)
    }

    async fn may_go_on(&self) -> bool {
        if self.at_once().await == 0 {
            return false;
        }
        if !self.budget.can_start(&*self.core.clock, self.call_max) {
            self.stopped.set(Some("the time is over"));
            return false;
        }
        if !self.allowed.begin() {
            self.stopped
                .set(Some("the calls that the product allows are used up"));
            return false;
        }
        true
    }

    async fn settle_batch(
        &self,
        storm: &SlotId,
        action_name: &ActionName,
        batch: &[Waiting],
    ) -> Result<(Rest, Slot), StoreFailure> {
        let (Some((first, others)), Some(action)) = (
            batch.split_first(),
            self.connection.actions.get(action_name),
        ) else {
            return Ok((Rest::Known, Slot::default()));
        };
        let companion = |waiting: &Waiting| Companion {
            event: waiting.event.id.clone(),
            episode: waiting.event.episode.clone(),
        };
        let case = Case {
            connection: Arc::clone(self.connection),
            action_name: action_name.clone(),
            action: action.clone(),
            alert: &first.alert,
            event: Event {
                also: others.iter().map(companion).collect(),
                ..first.event.clone()
            },
            beside: others.iter().map(|waiting| &waiting.alert).collect(),
        };
        let gatekeeper = Some(&self.gatekeeper);
        settle::storm::settle(
            self.core,
            &case,
            storm,
            self.budget,
            self.call_max,
            gatekeeper,
        )
        .await
    }

    /// Of these events, writes those down that are settled in the storm's slot, and clears their markers; the others.
    async fn finish(
        &self,
        storm: &Slot,
        waiting: Vec<Waiting>,
        drained: &mut Drained,
    ) -> Result<Vec<Waiting>, StoreFailure> {
        let (settled, others): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|waiting| waiting.is_settled_in(storm));
        let finished: Vec<()> = futures_util::stream::iter(settled)
            .map(|waiting| self.finish_one(waiting))
            .buffer_unordered(READ_AT_ONCE)
            .try_collect()
            .await?;
        drained.settled += finished.len() as u64;
        Ok(others)
    }

    async fn finish_one(&self, waiting: Waiting) -> Result<(), StoreFailure> {
        let Waiting {
            marker,
            event,
            log,
            head,
            ..
        } = waiting;
        settle::storm::remember(self.core, &event.id, &log, head).await?;
        self.core
            .pending
            .clear(&self.connection.name, &marker)
            .await
    }
}

/// Those that are settled by the next call, and those that must wait: whoever began a write goes first, so that it is
/// taken up again; a Resolved waits for its Fired; and no more go than one text can tell of.
fn batch(storm: &Slot, waiting: Vec<Waiting>) -> (Vec<Waiting>, Vec<Waiting>) {
    let (mut ready, mut left): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|waiting| {
        let fired = EventId::new(&waiting.event.episode, Condition::Fired.as_str());
        waiting.event.condition == Condition::Fired
            || storm.firing.contains(&waiting.event.episode)
            || storm.applied.contains(&fired)
    });
    if let Phase::Writing { event, .. } = &storm.phase
        && let Some(at) = ready.iter().position(|waiting| waiting.event.id == *event)
    {
        ready.swap(0, at);
    }
    let told = told_at_once(ready.iter().map(|waiting| &waiting.alert)).min(ready.len());
    left.extend(ready.drain(told..));
    (ready, left)
}
