//! Runs the slot's machine over one event: writes each state down, then does the one thing that it asks for.
//!
//! The intake and the drain share this code, so that the way back from a fault is the way that every alert goes.

use std::sync::Arc;
use std::time::Duration;

use super::create_work_item::marker_of;
use super::{Budget, Core};
use crate::domain::alert::Alert;
use crate::domain::alert_to_work_item;
use crate::domain::connection::{Action, Connection, Grouping, OnResolve};
use crate::domain::failure::CallFailure;
use crate::domain::identity::{EpisodeId, ItemId, SlotId};
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::slot::{self, Effect, Event, Input, Look, Phase, Rest, Rules, Slot};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{Change, WorkItemRef, WorkItemSeen};
use crate::ports::ItsmProduct;
use crate::stores::dead_letters::DeadLetter;
use crate::stores::numbered_log::{Append, Head};
use crate::stores::objects::StoreFailure;
use crate::stores::slots::SlotLog;

/// Steps of one run: a bound against a machine that goes in circles, far above what any way through it takes.
const STEPS_MAX: u32 = 40;

/// An event with what it means for its connection.
#[derive(Debug)]
pub struct Case<'a> {
    /// The connection.
    pub connection: Arc<Connection>,
    /// The action's name.
    pub action_name: ActionName,
    /// The action.
    pub action: Action,
    /// The alert.
    pub alert: &'a Alert,
    /// The event.
    pub event: Event,
}

/// What is known of the slot's head before the first step.
#[derive(Debug, Clone)]
pub enum SeenHead {
    /// Nothing yet: it must be read.
    NotRead,
    /// It is very likely empty; if it is not, the first append finds out.
    AssumedEmpty,
    /// It was read.
    Read(Option<Box<Head<Slot>>>),
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Settled {
    /// How.
    pub rest: Rest,
    /// The slot as it was written down last.
    pub slot: Slot,
}

/// The slot of an episode.
pub fn slot_of(connection: &ConnectionName, action: &ActionName, episode: &EpisodeId) -> SlotId {
    SlotId::of_episode(connection, action, episode)
}

/// Settles an event as far as it can be now.
pub async fn settle(
    core: &Core,
    case: &Case<'_>,
    seen: SeenHead,
    budget: Budget,
    call_max: Duration,
) -> Result<Settled, StoreFailure> {
    let run = Run::new(core, case, budget, call_max).await;
    run.to_the_end(seen).await
}

struct Run<'a> {
    core: &'a Core,
    case: &'a Case<'a>,
    log: SlotLog,
    slot_id: SlotId,
    rules: Rules,
    budget: Budget,
    call_max: Duration,
}

impl<'a> Run<'a> {
    async fn new(core: &'a Core, case: &'a Case<'a>, budget: Budget, call_max: Duration) -> Self {
        let name = &case.connection.name;
        let slot_id = match case.action.grouping {
            Grouping::Alert => slot_of(name, &case.action_name, &case.event.episode),
        };
        let rules = Rules {
            uniqueness: core.uniqueness(name).await,
            longest_transaction: case.connection.longest_transaction,
            call_timeout: call_max,
            changes_on_resolve: case.action.on_resolve != OnResolve::Ignore,
            dice: core.entropy.dice(),
        };
        let log = SlotLog::new(&core.objects, name, &case.action_name, &slot_id);
        Self {
            core,
            case,
            log,
            slot_id,
            rules,
            budget,
            call_max,
        }
    }

    async fn to_the_end(&self, seen: SeenHead) -> Result<Settled, StoreFailure> {
        let mut head = match seen {
            SeenHead::NotRead => self.log.head().await?,
            SeenHead::AssumedEmpty => None,
            SeenHead::Read(head) => head.map(|head| *head),
        };
        let event = &self.case.event;
        let mut input = Input::Event(event);
        // Whoever tried and did not finish may have left a dead letter without burying the slot.
        let mut picked_up = head.as_ref().is_some_and(is_unfinished);
        for _ in 0..STEPS_MAX {
            let before = head
                .as_ref()
                .map(|head| head.state.clone())
                .unwrap_or_default();
            let (after, effect) =
                slot::next(&before, self.core.clock.now(), &self.rules, input.clone());
            if let Effect::Rest(Rest::Dead(reason)) = &effect {
                self.keep_dead_letter(reason).await?;
            } else if picked_up && after.applied != before.applied && !is_buried(&after) {
                self.take_dead_letter_back().await?;
            }
            if after != before {
                let writer = self.core.writer_id();
                let now = self.core.clock.now();
                match self
                    .log
                    .append(head.as_ref().map(|head| head.number), &writer, now, &after)
                    .await?
                {
                    Append::Won(won) => head = Some(won),
                    Append::Lost(theirs) => {
                        if matches!(&effect, Effect::Rest(Rest::Dead(_)))
                            && !is_buried(&theirs.state)
                        {
                            self.take_dead_letter_back().await?;
                        }
                        picked_up |= is_unfinished(&theirs);
                        head = Some(theirs);
                        input = self.after_a_lost_race(input).await?;
                        continue;
                    }
                }
            }
            match effect {
                Effect::Rest(rest) => return Ok(Settled { rest, slot: after }),
                effect => match self.perform(&after, effect).await {
                    Some(next) => input = next,
                    None => {
                        return Ok(Settled {
                            rest: Rest::Later(self.core.clock.now()),
                            slot: after,
                        });
                    }
                },
            }
        }
        tracing::error!(connection = %self.case.connection.name, event = %event.id, "the slot's machine went in circles");
        let slot = head.map(|head| head.state).unwrap_or_default();
        Ok(Settled {
            rest: Rest::Later(self.core.clock.now()),
            slot,
        })
    }

    /// Somebody else wrote first. What we did in the outside still counts; everything else is decided anew.
    async fn after_a_lost_race(&self, input: Input<'a>) -> Result<Input<'a>, StoreFailure> {
        let Input::Created(event, Ok(item)) = input else {
            return Ok(Input::Event(&self.case.event));
        };
        // It may turn out to be one item too many; the marker sees to it that somebody closes it.
        let marker = marker_of(self.case.alert, &event.id);
        self.core
            .pending
            .set(&self.case.connection.name, &marker, event.received_at)
            .await?;
        Ok(Input::Created(event, Ok(item)))
    }

    async fn keep_dead_letter(&self, reason: &CallFailure) -> Result<(), StoreFailure> {
        let letter = DeadLetter {
            action: self.case.action_name.clone(),
            slot: Some(self.slot_id.clone()),
            reason: reason.clone(),
            hint: reason.hint().to_owned(),
            at: self.core.clock.now(),
            received_at: self.case.event.received_at,
        };
        tracing::error!(connection = %self.case.connection.name, event = %self.case.event.id, failure = %reason, hint = reason.hint(), "given up; the alert is kept as a dead letter");
        self.core
            .dead
            .keep(&self.case.connection.name, &self.case.event.id, &letter)
            .await
    }

    async fn take_dead_letter_back(&self) -> Result<(), StoreFailure> {
        let (name, event) = (&self.case.connection.name, &self.case.event.id);
        self.core.dead.remove(name, event).await
    }

    /// Does the one thing that the machine asks for; `None` if there is no time left to start it.
    async fn perform(&self, slot: &Slot, effect: Effect) -> Option<Input<'a>> {
        let event: &'a Event = &self.case.event;
        let within = self.time_for(slot, &effect)?;
        let product = match self.core.products.product(&self.case.connection).await {
            Ok(product) => product,
            Err(failure) => return Some(not_called(event, &effect, failure)),
        };
        let item_id = ItemId::new(&self.slot_id, slot.generation);
        let input = match effect {
            Effect::Create => {
                let new =
                    alert_to_work_item::new_work_item(self.case.alert, &self.case.action, &item_id);
                let created = product.create(&new, within).await;
                Input::Created(event, self.told_to_the_gate(created).await)
            }
            Effect::Find | Effect::Audit => {
                let found = product
                    .find(
                        self.case.action.work_item_type,
                        &item_id.correlation(),
                        within,
                    )
                    .await;
                let found = self.told_to_the_gate(found).await;
                if effect == Effect::Find {
                    Input::Found(event, found)
                } else {
                    Input::Audited(event, found)
                }
            }
            Effect::Read => {
                let seen = self
                    .told_to_the_gate(self.read(slot, &*product, within).await)
                    .await;
                let look = seen.map(|seen| match seen {
                    None => Look::Gone,
                    Some(seen) if seen.is_ours(&item_id.correlation()) => Look::Ours(seen.standing),
                    Some(_) => Look::Foreign,
                });
                Input::Seen(event, look)
            }
            Effect::Write => {
                let written = self.write(slot, &*product, within).await;
                Input::Written(event, self.told_to_the_gate(written).await)
            }
            Effect::CloseExtra(extra) => {
                let of = slot
                    .item()
                    .map(|item| item.number.clone())
                    .unwrap_or_default();
                let closed = product
                    .write(&extra, &Change::CloseAsDuplicate { of }, within)
                    .await;
                Input::ExtraClosed(event, self.told_to_the_gate(closed).await)
            }
            Effect::Rest(_) => return None,
        };
        Some(input)
    }

    /// The time for a call, checked right before it: whoever was frozen past the end of a claim must not send (R10).
    fn time_for(&self, slot: &Slot, effect: &Effect) -> Option<Duration> {
        let left = self.budget.left(&*self.core.clock);
        if left < self.call_max / 2 {
            return None;
        }
        let now = self.core.clock.now();
        let too_late = |until: Timestamp| now > until;
        match (effect, &slot.phase) {
            (Effect::Create, _) if slot.may_send_until().is_none_or(too_late) => None,
            (Effect::Write, Phase::Writing { until, .. }) if now.plus(self.call_max) > *until => {
                None
            }
            _ => Some(left.min(self.call_max)),
        }
    }

    async fn read(
        &self,
        slot: &Slot,
        product: &dyn ItsmProduct,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure> {
        match slot.item() {
            Some(item) => product.read(item, within).await,
            None => Ok(None),
        }
    }

    async fn write(
        &self,
        slot: &Slot,
        product: &dyn ItsmProduct,
        within: Duration,
    ) -> Result<(), CallFailure> {
        let early = slot.resolved_early.as_ref().and_then(|early| early.at);
        let change = alert_to_work_item::on_resolve(
            &self.case.action,
            early.or(self.case.alert.resolved_at),
        );
        let (Some(item), Some(change)) = (slot.item(), change) else {
            return Ok(());
        };
        let item: &WorkItemRef = item;
        product.write(item, &change, within).await
    }

    /// What a call showed of the product as a whole is shared with all other instances. A store that fails here costs
    /// a few calls more, no alert.
    async fn told_to_the_gate<T>(&self, result: Result<T, CallFailure>) -> Result<T, CallFailure> {
        let dependency = format!(
            "{} ({})",
            self.case.connection.partner_type.product(),
            self.case.connection.name
        );
        let Err(failure) = &result else {
            self.core.last_seen.works(&dependency);
            return result;
        };
        self.core.last_seen.fails(&dependency, failure.hint());
        tracing::warn!(connection = %self.case.connection.name, event = %self.case.event.id, %failure, hint = failure.hint(), "a call to the product did not succeed");
        if failure.concerns_every_call() {
            let name = &self.case.connection.name;
            let now = self.core.clock.now();
            if let Ok(seen) = self.core.gates.read(name).await
                && let Some(gate) = seen
                    .gate
                    .after_failure(failure, now, self.core.entropy.dice())
            {
                let _ = self
                    .core
                    .gates
                    .change(name, &seen, gate, &self.core.writer_id(), now)
                    .await;
            }
        }
        result
    }
}

/// True if somebody has tried: they have the slot to themselves, had and did not come back, or failed.
fn is_unfinished(head: &Head<Slot>) -> bool {
    let has_claim = matches!(
        head.state.phase,
        Phase::Creating { .. } | Phase::Writing { .. }
    );
    has_claim || head.state.last_failure.is_some()
}

fn is_buried(slot: &Slot) -> bool {
    matches!(slot.phase, Phase::Dead { .. })
}

/// The client could not even be built: the answer to whatever was asked for.
fn not_called<'a>(event: &'a Event, effect: &Effect, failure: CallFailure) -> Input<'a> {
    match effect {
        Effect::Create | Effect::Rest(_) => Input::Created(event, Err(failure)),
        Effect::Find => Input::Found(event, Err(failure)),
        Effect::Read => Input::Seen(event, Err(failure)),
        Effect::Write => Input::Written(event, Err(failure)),
        Effect::Audit => Input::Audited(event, Err(failure)),
        Effect::CloseExtra(_) => Input::ExtraClosed(event, Err(failure)),
    }
}
