//! Runs the slot's machine over one event: writes each state down, then does the one thing that it asks for.
//!
//! The intake and the drain share this code, so that the way back from a fault is the way that every alert goes.

mod calls;
pub(super) mod storm;
pub(super) mod targets;

use std::sync::Arc;
use std::time::Duration;

use super::create_work_item::marker_of;
use super::gatekeeper::Gatekeeper;
use super::{Budget, Core, log_rows};
use crate::domain::alert::{Alert, Condition};
use crate::domain::connection::{
    Action, AlreadyOver, Connection, Grouping, OnRepeat, OnResolve, WriteBy,
};
use crate::domain::failure::CallFailure;
use crate::domain::gate::Passage;
use crate::domain::grouping::{self, Target};
use crate::domain::identity::SlotId;
use crate::domain::name::ActionName;
use crate::domain::slot::{self, Effect, Event, Input, Phase, Rest, Rules, Slot};
use crate::domain::work_item::{Uniqueness, WorkItemRef, WorkItemType};
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
    /// The alerts of the events that are settled with it, in their order.
    pub beside: Vec<&'a Alert>,
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

/// How a run over an event ended.
#[derive(Debug, Clone)]
pub struct Settled {
    /// How; of several slots what is most worth telling.
    pub rest: Rest,
    /// The work items of the event's slots.
    pub items: Vec<WorkItemRef>,
    /// True if nothing is left to do for the event.
    pub is_settled: bool,
}

impl Case<'_> {
    /// True if this slot is for one thing only that is told of in several messages.
    fn is_of_one_series(&self, target: &Target) -> bool {
        self.alert.series.is_some() && target.slot == self.slot_of_episode()
    }

    fn slot_of_episode(&self) -> SlotId {
        SlotId::of_episode(
            &self.connection.name,
            &self.action_name,
            &self.event.episode,
        )
    }

    /// The slots that follow from the event's own alert.
    pub fn own_targets(&self) -> Vec<Target> {
        self.targets_of(self.alert)
    }

    /// The slots that follow from an alert of the episode.
    fn targets_of(&self, alert: &Alert) -> Vec<Target> {
        grouping::targets(
            &self.connection.name,
            &self.action_name,
            &self.action,
            alert,
            &self.event.episode,
        )
    }
}

/// Settles an event as far as it can be now, in each of its slots. A head that was read is for an event with one slot.
pub async fn settle(
    core: &Core,
    case: &Case<'_>,
    seen: SeenHead,
    budget: Budget,
    call_max: Duration,
    gatekeeper: Option<&Gatekeeper<'_>>,
) -> Result<Settled, StoreFailure> {
    let mut all = Settled {
        rest: Rest::Known,
        items: Vec::new(),
        is_settled: true,
    };
    let Some(targets) = targets::of(core, case).await? else {
        all.rest = Rest::Remembered;
        return Ok(all);
    };
    let seen = match seen {
        SeenHead::Read(_) if targets.len() > 1 => SeenHead::NotRead,
        seen => seen,
    };
    let resolved = targets::event_of(case, Condition::Resolved);
    let mut is_over = true;
    for (at, target) in targets.iter().enumerate() {
        // A claim that is not followed by its call keeps everybody else waiting: better none.
        if at > 0 && !budget.can_start(&*core.clock, call_max / 2) {
            all.rest = Rest::Later(core.clock.now());
            all.is_settled = false;
            break;
        }
        let mut run = Run::new(core, case, target, budget, call_max).await;
        run.is_alone = targets.len() == 1;
        run.gatekeeper = gatekeeper;
        let (mut rest, mut slot) = run.to_the_end(seen.clone()).await?;
        if let Rest::Joined(storm) = &rest {
            let there = storm::settle(core, case, storm, budget, call_max, gatekeeper);
            (rest, slot) = Box::pin(there).await?;
            if slot.has_settled(&case.event.id) {
                let own = run.log.head().await?;
                storm::remember(core, &case.event.id, &run.log, own).await?;
            }
        }
        all.is_settled &= slot.has_settled(&case.event.id);
        is_over &= slot.has_settled(&resolved);
        all.items.extend(slot.item().cloned());
        let has_to_wait = matches!(rest, Rest::Later(_));
        if worth(&rest) > worth(&all.rest) {
            all.rest = rest;
        }
        // What made this one wait may hold for every call: the next slot's would be one too many.
        if has_to_wait && at + 1 < targets.len() {
            let seen = core.gates.read(&case.connection.name).await?;
            if let Passage::ClosedUntil(until) = seen.gate.passage(core.clock.now()) {
                all.rest = Rest::Later(until);
                all.is_settled = false;
                break;
            }
        }
    }
    if targets::may_be_waited_for(case) && !is_over {
        targets::wake_the_resolved(core, case).await?;
    }
    Ok(all)
}

/// Of the ends of several slots, which one is told.
fn worth(rest: &Rest) -> u8 {
    match rest {
        Rest::Known => 0,
        Rest::Ignored => 1,
        Rest::Remembered | Rest::Joined(_) => 2,
        Rest::Resolved => 3,
        Rest::Updated => 4,
        Rest::Created => 5,
        Rest::Dead(_) => 6,
        Rest::Later(_) => 7,
    }
}

struct Run<'a> {
    core: &'a Core,
    case: &'a Case<'a>,
    log: SlotLog,
    target: &'a Target,
    /// True if the event has this slot only.
    is_alone: bool,
    /// Whom to ask before the first call; nobody, if the gate was seen open a moment ago.
    gatekeeper: Option<&'a Gatekeeper<'a>>,
    /// True if the slot is a storm's.
    is_storm: bool,
    rules: Rules,
    budget: Budget,
    call_max: Duration,
}

impl<'a> Run<'a> {
    async fn new(
        core: &'a Core,
        case: &'a Case<'a>,
        target: &'a Target,
        budget: Budget,
        call_max: Duration,
    ) -> Self {
        let name = &case.connection.name;
        let rules = Rules {
            uniqueness: match &case.connection.transport {
                // One per key, whatever else is known of the product.
                _ if case.action.work_item_type.is_told_by_events() => Uniqueness::Enforced,
                // A staging table's rows have keys of their own, and a map that finds its record overwrites it.
                WriteBy::ImportSet { .. } => Uniqueness::BestEffort,
                WriteBy::Table => core.uniqueness(name).await,
            },
            is_named_later: case.action.work_item_type == WorkItemType::Alert,
            longest_transaction: case.connection.longest_transaction,
            call_timeout: call_max,
            changes_on_resolve: case.action.on_resolve != OnResolve::Ignore,
            is_shared: case.alert.series.is_some()
                || matches!(
                    case.action.grouping,
                    Grouping::Rule | Grouping::ConfigurationItem
                ),
            is_of_one_series: case.is_of_one_series(target),
            notes_repeats: case.action.on_repeat == OnRepeat::Update,
            lists_all: false,
            leaves_out_what_is_over: case.action.already_over == AlreadyOver::Nothing,
            reopen_within: case.action.reopen_within,
            dice: core.entropy.dice(),
        };
        let log = SlotLog::new(&core.objects, name, &case.action_name, &target.slot);
        Self {
            core,
            case,
            log,
            target,
            is_alone: true,
            gatekeeper: None,
            is_storm: false,
            rules,
            budget,
            call_max,
        }
    }

    async fn to_the_end(&self, seen: SeenHead) -> Result<(Rest, Slot), StoreFailure> {
        let mut head = match seen {
            SeenHead::NotRead => self.log.head().await?,
            SeenHead::AssumedEmpty => None,
            SeenHead::Read(head) => head.map(|head| *head),
        };
        let event = &self.case.event;
        let mut input = Input::Event(event);
        // Whoever tried and did not finish may have left a dead letter without burying the slot.
        let mut has_leave = false;
        let mut picked_up = head.as_ref().is_some_and(is_unfinished);
        for _ in 0..STEPS_MAX {
            let before = head
                .as_ref()
                .map_or_else(|| self.new_slot(), |head| head.state.clone());
            let (after, effect) =
                slot::next(&before, self.core.clock.now(), &self.rules, input.clone());
            if !has_leave && !matches!(effect, Effect::Rest(_)) {
                // Before anything is written down: who is held back has not tried.
                if !self.may_begin(&before).await? {
                    return Ok((Rest::Later(self.core.clock.now()), before));
                }
                has_leave = true;
            }
            if let Effect::Rest(Rest::Dead(reason)) = &effect {
                self.keep_dead_letter(reason).await?;
            }
            if after != before {
                let writer = self.core.writer_id();
                let now = self.core.clock.now();
                match self.log.append(head.as_ref(), &writer, now, &after).await? {
                    Append::Won(won) => {
                        head = Some(won);
                        if after.extras.len() > before.extras.len() {
                            // A drain may have cleared it since it was set before the append.
                            self.set_marker().await?;
                        }
                        // Only the winner: whoever loses may have lost against the one that buried it.
                        if picked_up && after.applied != before.applied && !is_buried(&after) {
                            self.take_dead_letter_back().await?;
                        }
                    }
                    Append::Lost(theirs) => {
                        if matches!(&effect, Effect::Rest(Rest::Dead(_)))
                            && !is_buried(&theirs.state)
                        {
                            self.take_dead_letter_back().await?;
                        }
                        picked_up |= is_unfinished(&theirs);
                        let is_late = before.generation != theirs.state.generation;
                        head = Some(theirs);
                        input = self.after_a_lost_race(input, is_late).await?;
                        continue;
                    }
                }
            }
            match effect {
                Effect::Rest(rest) => return Ok((rest, after)),
                effect => match self.perform(&after, effect).await {
                    Some(next) => input = next,
                    None => {
                        return Ok((Rest::Later(self.core.clock.now()), after));
                    }
                },
            }
        }
        tracing::error!(connection = %self.case.connection.name, event = %event.id, "the slot's machine went in circles");
        let slot = head.map(|head| head.state).unwrap_or_default();
        Ok((Rest::Later(self.core.clock.now()), slot))
    }

    fn new_slot(&self) -> Slot {
        // What is told of in several messages may be told of again.
        let is_of_one = self.case.slot_of_episode() == self.target.slot;
        Slot {
            is_of_one_firing: is_of_one && self.case.alert.series.is_none(),
            ..Slot::default()
        }
    }

    /// Somebody else wrote first. What we did in the outside still counts; everything else is decided anew.
    /// `is_late` says that the slot has had another item since.
    async fn after_a_lost_race(
        &self,
        input: Input<'a>,
        is_late: bool,
    ) -> Result<Input<'a>, StoreFailure> {
        let input = match input {
            Input::Created(event, Ok(item)) | Input::CreatedOver(event, item) if is_late => {
                Input::CreatedLate(event, item)
            }
            Input::Created(_, Ok(_)) | Input::CreatedOver(..) | Input::CreatedLate(..) => input,
            _ => return Ok(Input::Event(&self.case.event)),
        };
        // It may turn out to be one item too many; the marker sees to it that somebody closes it.
        self.set_marker().await?;
        Ok(input)
    }

    async fn set_marker(&self) -> Result<(), StoreFailure> {
        let (name, event) = (&self.case.connection.name, &self.case.event);
        let marker = marker_of(self.case.alert, &event.id);
        self.core
            .pending
            .set(name, &marker, event.received_at)
            .await
    }

    async fn keep_dead_letter(&self, reason: &CallFailure) -> Result<(), StoreFailure> {
        let letter = DeadLetter {
            action: self.case.action_name.clone(),
            slot: Some(self.target.slot.clone()),
            reason: reason.clone(),
            hint: reason.hint().to_owned(),
            at: self.core.clock.now(),
            received_at: self.case.event.received_at,
        };
        tracing::error!(connection = %self.case.connection.name, event = %self.case.event.id, failure = %reason, hint = reason.hint(), "given up; the alert is kept as a dead letter");
        for event in self.case.event.keys() {
            let name = &self.case.connection.name;
            self.core.dead.keep(name, event, &letter).await?;
        }
        log_rows::given_up(self.core, &self.case.connection, reason).await;
        Ok(())
    }

    /// Of an event with several slots, another may be buried: then the letter is that one's.
    async fn take_dead_letter_back(&self) -> Result<(), StoreFailure> {
        if !self.is_alone {
            return Ok(());
        }
        for event in self.case.event.keys() {
            let name = &self.case.connection.name;
            self.core.dead.remove(name, event).await?;
        }
        Ok(())
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
