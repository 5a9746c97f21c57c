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
mod event;
mod written;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::Condition;
use super::failure::CallFailure;
use super::identity::{EpisodeId, EventId};
use super::timestamp::Timestamp;
use super::work_item::{Standing, Uniqueness, WorkItemRef, WorkItemSeen};

/// Tries after which an event is given up as a dead letter (rule R25).
pub const TRIES_MAX: u32 = 50;

/// Age after which an event is given up as a dead letter (rule R25).
pub const AGE_MAX: Duration = Duration::from_secs(72 * 60 * 60);

/// How far two clocks of ours may differ (rule R20).
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// How long after its claim a create may still be sent: whoever was frozen for longer must claim anew (rule R10).
pub const SEND_WITHIN: Duration = CLOCK_SKEW;

/// Margin beyond the product's longest transaction before "not found" is believed (rule R8).
pub const UNKNOWN_MARGIN: Duration = Duration::from_secs(30);

/// How long after a takeover the slot is audited. Whoever stood still right before its send may still send: until its
/// platform ends it, which AWS Lambda does after fifteen minutes at the latest, Azure's consumption plan after ten.
pub const AUDIT_AFTER: Duration = Duration::from_secs(15 * 60);

/// The version of the stored form.
const STORED_VERSION: u32 = 1;

/// A slot's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The version of this form.
    pub version: u32,
    /// How many work items the slot has had before the current one.
    pub generation: u32,
    /// Where it stands.
    pub phase: Phase,
    /// The events whose effect is in the state, each once.
    #[serde(default)]
    pub applied: Vec<EventId>,
    /// A Resolved that came before its Fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_early: Option<EarlyResolve>,
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
    /// Items of this slot beside the one that counts, to be closed as duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<WorkItemRef>,
}

/// A Resolved that came before its Fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyResolve {
    /// The event.
    pub event: EventId,
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
        /// On behalf of which event.
        event: EventId,
        /// Until when nobody else acts.
        until: Timestamp,
    },
    /// The alert is over and the item was told.
    Done {
        /// Which.
        item: WorkItemRef,
    },
    /// It was given up; a dead letter says why.
    Dead {
        /// The item, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<WorkItemRef>,
    },
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            version: STORED_VERSION,
            generation: 0,
            phase: Phase::Vacant,
            applied: Vec::new(),
            resolved_early: None,
            tries: 0,
            not_before: None,
            last_failure: None,
            audit_at: None,
            extras: Vec::new(),
        }
    }
}

impl Slot {
    /// The work item that counts.
    pub fn item(&self) -> Option<&WorkItemRef> {
        match &self.phase {
            Phase::Open { item } | Phase::Writing { item, .. } | Phase::Done { item } => Some(item),
            Phase::Dead { item } => item.as_ref(),
            Phase::Vacant | Phase::Creating { .. } => None,
        }
    }

    /// True if nothing is left to do for this event, so that its pending marker may go: its effect is there, and no
    /// audit, no extra item and no early Resolved waits for it. An early Resolved itself waits in the state; the marker
    /// of its Fired is what brings it about.
    pub fn has_settled(&self, event: &EventId) -> bool {
        let remembered = self
            .resolved_early
            .as_ref()
            .is_some_and(|early| early.event == *event);
        let owes =
            self.audit_at.is_some() || !self.extras.is_empty() || self.resolved_early.is_some();
        remembered
            || matches!(self.phase, Phase::Dead { .. })
            || (self.applied.contains(event) && !owes)
    }

    /// Until when the owner of this claim may still send its create.
    pub fn may_send_until(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Creating { since, .. } => Some(since.plus(SEND_WITHIN)),
            _ => None,
        }
    }

    fn apply(&mut self, event: &EventId) {
        if !self.applied.contains(event) {
            self.applied.push(event.clone());
        }
    }

    /// The state after a try that failed: free for the next one, after a wait.
    fn wait_after(&mut self, failure: &CallFailure, now: Timestamp, dice: u64) -> Timestamp {
        self.tries = self.tries.saturating_add(1);
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

/// The event that is being settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its key.
    pub id: EventId,
    /// The firing that it belongs to.
    pub episode: EpisodeId,
    /// Began or ended.
    pub condition: Condition,
    /// When the alert says so.
    pub at: Option<Timestamp>,
    /// When we were told.
    pub received_at: Timestamp,
}

/// What the decision depends on beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Whether the product refuses a second item with our key.
    pub uniqueness: Uniqueness,
    /// The longest that the product may go on executing a request whose answer we no longer wait for.
    pub longest_transaction: Duration,
    /// The longest that we wait for an answer.
    pub call_timeout: Duration,
    /// True if the action wants the item changed when the alert resolves.
    pub changes_on_resolve: bool,
    /// Any number, evenly spread: for the backoff.
    pub dice: u64,
}

impl Rules {
    /// How long a claim to create is exclusive. Where the product keeps our key unique a takeover is safe as soon as the
    /// owner must have stopped; where it does not, only when the product can no longer execute what the owner sent.
    fn creating_for(&self) -> Duration {
        match self.uniqueness {
            Uniqueness::Enforced => self.call_timeout + CLOCK_SKEW,
            Uniqueness::BestEffort => self.unknown_for() + 2 * CLOCK_SKEW,
        }
    }

    /// How long after it was sent a request may still take effect.
    fn unknown_for(&self) -> Duration {
        self.call_timeout + self.longest_transaction + UNKNOWN_MARGIN
    }

    /// How long a claim to write is exclusive: a read and a write, and the clocks.
    fn writing_for(&self) -> Duration {
        2 * self.call_timeout + CLOCK_SKEW
    }
}

/// What has just happened.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// An event asks to be settled.
    Event(&'a Event),
    /// The answer to [`Effect::Create`].
    Created(&'a Event, Result<WorkItemRef, CallFailure>),
    /// The answer to [`Effect::Find`]: items with our correlation id, oldest first.
    Found(&'a Event, Result<Vec<WorkItemSeen>, CallFailure>),
    /// The answer to [`Effect::Read`].
    Seen(&'a Event, Result<Look, CallFailure>),
    /// The answer to [`Effect::Write`].
    Written(&'a Event, Result<(), CallFailure>),
    /// The answer to [`Effect::Audit`].
    Audited(&'a Event, Result<Vec<WorkItemSeen>, CallFailure>),
    /// The answer to [`Effect::CloseExtra`].
    ExtraClosed(&'a Event, Result<(), CallFailure>),
}

/// What a read before a write showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It is ours, and stands so.
    Ours(Standing),
    /// It carries another correlation id than ours.
    Foreign,
    /// It is not there.
    Gone,
}

/// The one thing to do next, after the state is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make the item, with the correlation id and key of this generation.
    Create,
    /// Look for an item with our correlation id.
    Find,
    /// Read the item, to see that it is ours and how it stands.
    Read,
    /// Change the item as the action wants it on resolve.
    Write,
    /// Look whether there is more than one item.
    Audit,
    /// Close this one as a duplicate of the one that counts.
    CloseExtra(WorkItemRef),
    /// Nothing more for now.
    Rest(Rest),
}

/// How a run over an event ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// The item was made.
    Created,
    /// The item was changed, or needed no change.
    Resolved,
    /// The effect was there already.
    Known,
    /// It goes on at this moment.
    Later(Timestamp),
    /// It goes on when its other half comes: a Resolved without a Fired.
    Remembered,
    /// It is given up, for this reason.
    Dead(CallFailure),
}

/// Decides: the new state, and the one thing to do once it is written down. A state that is equal to the old one need
/// not be written.
pub fn next(slot: &Slot, now: Timestamp, rules: &Rules, input: Input<'_>) -> (Slot, Effect) {
    match input {
        Input::Event(event) => event::on_event(slot, now, rules, event),
        Input::Created(event, result) => created::on_created(slot, now, rules, event, result),
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
fn bury(mut slot: Slot, failure: CallFailure) -> (Slot, Effect) {
    let item = slot.item().cloned();
    slot.phase = Phase::Dead { item };
    slot.last_failure = Some(failure.clone());
    (slot, Effect::Rest(Rest::Dead(failure)))
}

/// A failure that is to be given up: refused for good, too many tries, or too old.
fn is_given_up(slot: &Slot, event: &Event, failure: &CallFailure, now: Timestamp) -> bool {
    failure.is_permanent()
        || slot.tries.saturating_add(1) >= TRIES_MAX
        || now.since(event.received_at) >= AGE_MAX
}

#[cfg(test)]
mod tests;
