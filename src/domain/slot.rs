//! The life of a slot: what may have at most one open work item at a time (DESIGN §6.6).
//!
//! A slot's state is a full snapshot; its history is a log of them. [`next`] decides, purely: given the state, the
//! moment and what has just happened, it gives the new state and the one thing to do. The shell that runs it
//! (`flows/settle.rs`) writes the state down before it does the thing, so that a crash anywhere leaves a state from
//! which the next run goes on.
//!
//! Two promises are kept here. An outcome that is not proven is never taken for failure: the claim stays until the
//! product can no longer execute the lost request, then the item is looked for, then made again. And whoever took a
//! claim over has the slot audited later: of two items, the younger is closed as a duplicate.

mod created;
mod decision;
mod event;
mod owed;
mod together;
mod written;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::Condition;
use super::failure::CallFailure;
use super::identity::{EpisodeId, EventId, SlotId};
use super::timestamp::Timestamp;
use super::work_item::WorkItemRef;
pub use decision::{Companion, Effect, Event, Input, Look, Rest, Rules};

/// Tries after which an event is given up as a dead letter (rule R25).
pub const TRIES_MAX: u32 = 50;

/// Age after which an event is given up as a dead letter (rule R25).
pub const AGE_MAX: Duration = Duration::from_secs(72 * 60 * 60);

/// Events that a state remembers. A duplicate of an older one would count as new; Azure's come within two minutes.
pub const APPLIED_MAX: usize = 512;

/// How far two clocks of ours may differ (rule R20).
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// How long after its claim a create may still be sent: whoever was frozen for longer must claim anew (rule R10).
pub const SEND_WITHIN: Duration = CLOCK_SKEW;

/// Margin beyond the product's longest transaction before "not found" is believed (rule R8).
pub const UNKNOWN_MARGIN: Duration = Duration::from_secs(30);

/// How long after a takeover the slot is audited. Whoever stood still right before its send may still send: until its
/// platform ends it, which AWS Lambda does after fifteen minutes at the latest, Azure's consumption plan after ten.
pub const AUDIT_AFTER: Duration = Duration::from_secs(15 * 60);

/// How long after it was told of an item the product is asked what it has made of it: ServiceNow processes events every five
/// seconds (servicenow-api §13).
pub const NAMED_AFTER: Duration = Duration::from_secs(10);

/// The version of the stored form.
const STORED_VERSION: u32 = 1;

/// A slot's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The version of this form.
    pub version: u32,
    /// How many work items the slot has had before the current one.
    pub generation: u32,
    /// True if it is the slot of one firing and no group's: only such a slot is ever removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_of_one_firing: bool,
    /// Where it stands.
    pub phase: Phase,
    /// The events whose effect is in the state, each once, the oldest first; at most [`APPLIED_MAX`].
    #[serde(default)]
    pub applied: Vec<EventId>,
    /// The episodes that hold the item open: fired, and not resolved yet.
    #[serde(default)]
    pub firing: Vec<EpisodeId>,
    /// Resolved messages that came before their Fired; at most [`APPLIED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub early: Vec<EarlyResolve>,
    /// Tries that failed since the last success.
    #[serde(default)]
    pub tries: u32,
    /// No try before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The last failure, for `itsmc explain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<CallFailure>,
    /// When to look whether the item was made twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_at: Option<Timestamp>,
    /// True once the product has refused an item that begins resolved: it must begin open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begins_open: bool,
    /// True once an item was asked for that begins resolved, because its alert was over: what is found under our key may be
    /// that one, and is no open item for another alert.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_begin_resolved: bool,
    /// Until then whoever lost the item's claim may still send what it was about to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsure_until: Option<Timestamp>,
    /// True once a create of the current item has an outcome that nobody knows: there may be one, and be it that a later try
    /// was not sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_exist: bool,
    /// Items of this slot beside the one that counts, to be closed as duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<WorkItemRef>,
}

/// A Resolved that came before its Fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyResolve {
    /// The event.
    pub event: EventId,
    /// The firing that it ends.
    pub episode: EpisodeId,
    /// When the alert ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Where a slot stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    /// No work item, and nobody is making one.
    Vacant,
    /// Somebody is making one, and has the slot to themselves until then.
    Creating {
        /// Which try this is, from 1.
        attempt: u32,
        /// Since when.
        since: Timestamp,
        /// Until when nobody else acts.
        until: Timestamp,
    },
    /// There is one, and it is open as far as we know.
    Open {
        /// Which.
        item: WorkItemRef,
    },
    /// Somebody is writing to it, and has the slot to themselves until then.
    Writing {
        /// To which.
        item: WorkItemRef,
        /// What.
        write: Write,
        /// On behalf of which event.
        event: EventId,
        /// And which firing.
        episode: EpisodeId,
        /// Those that are settled with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<Companion>,
        /// Until when nobody else acts.
        until: Timestamp,
        /// Since when it was done, if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        done_at: Option<Timestamp>,
    },
    /// The alerts are over and the item was told.
    Done {
        /// Which.
        item: WorkItemRef,
        /// Since when.
        at: Timestamp,
    },
    /// Its alert is one of a storm: the storm's slot has the item.
    Joined {
        /// The storm's slot.
        storm: SlotId,
    },
    /// It was given up; a dead letter says why.
    Dead {
        /// The item, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<WorkItemRef>,
    },
}

/// What is written to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// The last alert is over.
    Resolve,
    /// A further alert of the group fired while it is open.
    Repeat,
    /// A further alert of the group fired soon after it was done.
    Reopen,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            version: STORED_VERSION,
            generation: 0,
            is_of_one_firing: false,
            phase: Phase::Vacant,
            applied: Vec::new(),
            firing: Vec::new(),
            early: Vec::new(),
            tries: 0,
            not_before: None,
            last_failure: None,
            audit_at: None,
            begins_open: false,
            may_begin_resolved: false,
            unsure_until: None,
            may_exist: false,
            extras: Vec::new(),
        }
    }
}

impl Slot {
    /// The work item that counts.
    pub fn item(&self) -> Option<&WorkItemRef> {
        match &self.phase {
            Phase::Open { item } | Phase::Writing { item, .. } | Phase::Done { item, .. } => {
                Some(item)
            }
            Phase::Dead { item } => item.as_ref(),
            Phase::Vacant | Phase::Creating { .. } | Phase::Joined { .. } => None,
        }
    }

    /// The same slot with another item in place of the one that counts.
    fn replace_item(&mut self, by: &WorkItemRef) {
        match &mut self.phase {
            Phase::Open { item }
            | Phase::Writing { item, .. }
            | Phase::Done { item, .. }
            | Phase::Dead { item: Some(item) } => *item = by.clone(),
            Phase::Vacant | Phase::Creating { .. } | Phase::Joined { .. } | Phase::Dead { .. } => {}
        }
    }

    /// True if nothing is left to do for this event, so that its pending marker may go: its effect is there, and no
    /// audit, no extra item and no early Resolved waits for it. An early Resolved itself waits in the state; the marker
    /// of its Fired is what brings it about.
    pub fn has_settled(&self, event: &EventId) -> bool {
        let remembered = self.early.iter().any(|early| early.event == *event);
        remembered
            || (self.applied.contains(event)
                && !self.owes_an_audit()
                && self.owed_resolve().is_none())
    }

    /// The Resolved of this firing, if it came before its Fired.
    pub fn ended_early(&self, episode: &EpisodeId) -> Option<&EarlyResolve> {
        self.early.iter().find(|early| early.episode == *episode)
    }

    /// The state after a person decided that a given-up event is to be tried again.
    #[must_use]
    pub fn revived(&self, event: &Event) -> Self {
        let mut next = self.clone();
        next.applied.retain(|applied| *applied != event.id);
        if let Phase::Dead { item } = &self.phase {
            next.phase = match item {
                Some(item) => Phase::Open { item: item.clone() },
                None => Phase::Vacant,
            };
        }
        let fired = EventId::new(&event.episode, Condition::Fired.as_str());
        if event.condition == Condition::Resolved && next.applied.contains(&fired) {
            next.fire(&event.episode);
        }
        next.succeed();
        next
    }

    /// Until when the owner of this claim may still send its create.
    pub fn may_send_until(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Creating { since, .. } => Some(since.plus(SEND_WITHIN)),
            _ => None,
        }
    }

    fn apply(&mut self, event: &EventId) {
        self.early.retain(|early| early.event != *event);
        if !self.applied.contains(event) {
            self.applied.push(event.clone());
        }
        if self.applied.len() > APPLIED_MAX {
            self.applied.remove(0);
        }
    }

    /// It holds the item open, unless it is over already: whoever stood still may say so late (seed 59639 of the simulation).
    fn fire(&mut self, episode: &EpisodeId) {
        let over = EventId::new(episode, Condition::Resolved.as_str());
        if !self.firing.contains(episode) && !self.applied.contains(&over) {
            self.firing.push(episode.clone());
        }
    }

    fn end(&mut self, episode: &EpisodeId) {
        self.firing.retain(|firing| firing != episode);
    }

    /// True if nothing else than this episode and these holds the item open.
    fn is_held_by_only(&self, episode: &EpisodeId, also: &[Companion]) -> bool {
        self.firing.iter().all(|firing| {
            firing == episode || also.iter().any(|companion| companion.episode == *firing)
        })
    }

    /// The state after a try that failed: free for the next one, after a wait.
    fn wait_after(&mut self, failure: &CallFailure, now: Timestamp, dice: u64) -> Timestamp {
        let counts = !failure.is_an_outage();
        self.tries = self.tries.saturating_add(u32::from(counts));
        let wait = failure
            .retry_after()
            .unwrap_or_else(|| super::backoff::full_jitter(self.tries, dice));
        let until = now.plus(wait);
        self.not_before = Some(until);
        self.last_failure = Some(failure.clone());
        until
    }

    fn succeed(&mut self) {
        self.tries = 0;
        self.not_before = None;
        self.last_failure = None;
    }
}

/// Decides: the new state, and the one thing to do once it is written down. A state that is equal to the old one need
/// not be written.
pub fn next(slot: &Slot, now: Timestamp, rules: &Rules, input: Input<'_>) -> (Slot, Effect) {
    let episode = input.event().episode.clone();
    let (mut after, effect) = decide(slot, now, rules, input);
    if effect == Effect::Create && after.ended_early(&episode).is_some() && !after.begins_open {
        after.may_begin_resolved = true;
    }
    (after, effect)
}

fn decide(slot: &Slot, now: Timestamp, rules: &Rules, input: Input<'_>) -> (Slot, Effect) {
    match input {
        Input::Event(event) => event::on_event(slot, now, rules, event),
        Input::Created(event, result) => created::on_created(slot, now, rules, event, result),
        Input::CreatedOver(event, item) => created::on_created_over(slot, now, rules, event, item),
        Input::CreatedLate(event, item) => created::on_created_late(slot, now, rules, event, item),
        Input::Found(event, result) => created::on_found(slot, now, rules, event, result),
        Input::Seen(event, result) => written::on_seen(slot, now, rules, event, result),
        Input::Written(event, result) => written::on_written(slot, now, rules, event, result),
        Input::Audited(event, result) => written::on_audited(slot, now, rules, event, result),
        Input::ExtraClosed(event, result) => {
            written::on_extra_closed(slot, now, rules, event, result)
        }
    }
}

/// The state and the dead letter's reason.
fn bury(mut slot: Slot, event: &Event, failure: CallFailure) -> (Slot, Effect) {
    let item = slot.item().cloned();
    slot.apply(&event.id);
    slot.end(&event.episode);
    slot.let_go(&event.also);
    slot.phase = Phase::Dead { item };
    slot.last_failure = Some(failure.clone());
    (slot, Effect::Rest(Rest::Dead(failure)))
}

/// A failure that is to be given up: refused for good, too many tries, or too old.
fn is_given_up(slot: &Slot, event: &Event, failure: &CallFailure, now: Timestamp) -> bool {
    failure.is_permanent() || is_worn_out(slot, event, now)
}

/// Tried often enough, or for long enough.
fn is_worn_out(slot: &Slot, event: &Event, now: Timestamp) -> bool {
    slot.tries.saturating_add(1) >= TRIES_MAX || now.since(event.received_at) >= AGE_MAX
}

#[cfg(test)]
mod group_fault_tests;
#[cfg(test)]
mod group_tests;
#[cfg(test)]
mod series_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod together_tests;
