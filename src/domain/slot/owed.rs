//! What is still to be done in a slot although the effect of its events is there.

use super::{AUDIT_AFTER, EarlyResolve, Phase, Rules, Slot, Write};
use crate::domain::timestamp::Timestamp;

impl Slot {
    /// True if something is still to be done for an event whose effect is there.
    pub fn owes_anything(&self) -> bool {
        self.owes_an_audit() || self.owed_resolve().is_some()
    }

    /// True if the product may have an item of a slot that knows of none: then what is left out, or joins a storm, would
    /// leave one behind that nobody ends (seed 1153 of the simulation).
    pub(super) fn may_have_an_item(&self) -> bool {
        self.may_exist || self.owes_an_audit()
    }

    /// True if it must be looked whether the item was made twice, or one too many must be closed.
    pub(super) fn owes_an_audit(&self) -> bool {
        self.audit_at.is_some() || !self.extras.is_empty()
    }

    /// True if it is time to look.
    pub(super) fn has_a_due_audit(&self, now: Timestamp) -> bool {
        self.owes_an_audit() && self.audit_at.is_none_or(|at| at <= now)
    }

    /// The Resolved that came early, whose Fired is there by now.
    pub(super) fn owed_resolve(&self) -> Option<&EarlyResolve> {
        self.early
            .iter()
            .find(|early| self.firing.contains(&early.episode))
    }

    /// Notes that a claim to change the item's state is taken over: its owner may be gone, or may stand still right before its
    /// send and send when it goes on. The product has no write that would be refused then, so nobody turns the item the
    /// other way until no platform can still be running that owner (seeds 17056 and 19865 of the simulation).
    pub(super) fn note_takeover(&mut self, now: Timestamp, rules: &Rules) {
        let changes_state = matches!(
            self.phase,
            Phase::Writing {
                write: Write::Resolve | Write::Reopen,
                ..
            }
        );
        if changes_state && rules.is_shared {
            self.unsure_until = Some(now.plus(AUDIT_AFTER));
        }
    }

    /// Until when the item must not be turned the other way; nothing if it may be.
    pub(super) fn is_unsure(&self, now: Timestamp) -> Option<Timestamp> {
        self.unsure_until.filter(|until| now < *until)
    }
}
