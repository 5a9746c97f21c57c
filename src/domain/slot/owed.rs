//! What is still to be done in a slot although the effect of its events is there.

use super::{EarlyResolve, Slot};

impl Slot {
    /// True if something is still to be done for an event whose effect is there.
    pub fn owes_anything(&self) -> bool {
        self.owes_an_audit() || self.owed_resolve().is_some()
    }

    /// True if it must be looked whether the item was made twice, or one too many must be closed.
    pub(super) fn owes_an_audit(&self) -> bool {
        self.audit_at.is_some() || !self.extras.is_empty()
    }

    /// The Resolved that came early, whose Fired is there by now.
    pub(super) fn owed_resolve(&self) -> Option<&EarlyResolve> {
        self.early
            .iter()
            .find(|early| self.firing.contains(&early.episode))
    }
}
