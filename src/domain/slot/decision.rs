//! What goes into a decision about a slot, and what comes out of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CLOCK_SKEW, UNKNOWN_MARGIN, Write};
use crate::domain::alert::Condition;
use crate::domain::failure::CallFailure;
use crate::domain::identity::{EpisodeId, EventId, SlotId};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{Standing, Uniqueness, WorkItemRef, WorkItemSeen};

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
    /// Events of the same kind that are settled with it by the same calls: the rest of a storm. Empty as a rule.
    pub also: Vec<Companion>,
}

impl Event {
    /// True if it is one message of several about the same thing (see [`crate::domain::alert::Series`]): its key is its own.
    pub fn is_of_a_series(&self) -> bool {
        self.id != EventId::new(&self.episode, self.condition.as_str())
    }

    /// Its key, and the keys of those beside it.
    pub fn keys(&self) -> impl Iterator<Item = &EventId> {
        let companions = self.also.iter().map(|companion| &companion.event);
        std::iter::once(&self.id).chain(companions)
    }
}

/// An event that is settled together with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companion {
    /// Its key.
    pub event: EventId,
    /// The firing that it belongs to.
    pub episode: EpisodeId,
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
    /// True if a further alert of the group is noted on its item.
    pub notes_repeats: bool,
    /// True if other alerts may join the item while this one writes to it.
    pub is_shared: bool,
    /// True if all events of the slot are messages about one thing: what is told of late is no new one.
    pub is_of_one_series: bool,
    /// True if the item tells of each of its alerts, as that of a storm does.
    pub lists_all: bool,
    /// True if an alert that is over before its item was made gets none.
    pub leaves_out_what_is_over: bool,
    /// True if the product gives the item its number later.
    pub is_named_later: bool,
    /// How long after it was done an item is reopened rather than followed by another.
    pub reopen_within: Option<Duration>,
    /// Any number, evenly spread: for the backoff.
    pub dice: u64,
}

impl Rules {
    /// How long a claim to create is exclusive. Where the product keeps our key unique a takeover is safe as soon as the
    /// owner must have stopped; where it does not, only when the product can no longer execute what the owner sent.
    pub(super) fn creating_for(&self) -> Duration {
        match self.uniqueness {
            Uniqueness::Enforced => self.call_timeout + CLOCK_SKEW,
            Uniqueness::BestEffort => self.unknown_for() + 2 * CLOCK_SKEW,
        }
    }

    /// How long after it was sent a request may still take effect.
    pub(super) fn unknown_for(&self) -> Duration {
        self.call_timeout + self.longest_transaction + UNKNOWN_MARGIN
    }

    /// How long a claim to write is exclusive: a read and a write, and the clocks.
    pub(super) fn writing_for(&self) -> Duration {
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
    /// The other answer to [`Effect::Create`]: it was made, and is resolved already, as its alert is over.
    CreatedOver(&'a Event, WorkItemRef),
    /// The answer to an [`Effect::Create`] for an earlier generation: the slot has gone on meanwhile.
    CreatedLate(&'a Event, WorkItemRef),
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

impl Input<'_> {
    /// The event that is being settled.
    pub(super) fn event(&self) -> &Event {
        match self {
            Self::Event(event)
            | Self::Created(event, _)
            | Self::CreatedOver(event, _)
            | Self::CreatedLate(event, _)
            | Self::Found(event, _)
            | Self::Seen(event, _)
            | Self::Written(event, _)
            | Self::Audited(event, _)
            | Self::ExtraClosed(event, _) => event,
        }
    }
}

/// What a read before a write showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is ours, and stands so.
    Ours(Standing),
    /// It carries another correlation id than ours.
    Foreign,
    /// It is not there, and our correlation id is on another record: the key that we were told was wrong.
    Elsewhere(WorkItemSeen),
    /// It is not there, nor anything else with our correlation id.
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
    /// Change the item.
    Write(Write),
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
    /// The item was resolved, or needed it no more.
    Resolved,
    /// The item was told of a further alert.
    Updated,
    /// It is counted, and the action wants nothing done for it.
    Ignored,
    /// The effect was there already.
    Known,
    /// It goes on at this moment.
    Later(Timestamp),
    /// It is part of a storm: it is settled in that slot.
    Joined(SlotId),
    /// It goes on when its other half comes: a Resolved without a Fired.
    Remembered,
    /// It is given up, for this reason.
    Dead(CallFailure),
}
