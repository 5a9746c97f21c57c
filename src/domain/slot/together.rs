//! What a slot remembers of events that are settled together: the alerts of a storm.

use super::{Companion, Phase, Slot};
use crate::domain::identity::{EventId, SlotId};

impl Slot {
    /// The state once its alert is one of a storm; `None` if something was done for it already, so that it goes its own
    /// way to the end.
    pub fn joined(&self, storm: &SlotId) -> Option<Self> {
        let is_untouched = self.phase == Phase::Vacant
            && !self.may_have_an_item()
            && self.applied.is_empty()
            && self.early.is_empty();
        is_untouched.then(|| Self {
            phase: Phase::Joined {
                storm: storm.clone(),
            },
            is_of_one_firing: self.is_of_one_firing,
            ..Self::default()
        })
    }

    /// The state of a storm's member once the storm's slot holds the effect of its event. It remembers the event for
    /// longer than the storm's slot may, which has many.
    #[must_use]
    pub fn settled_in_its_storm(&self, event: &EventId) -> Self {
        let mut next = self.clone();
        next.apply(event);
        next
    }

    /// Companions that fired: they hold the item open, but for those whose end is known already.
    pub(super) fn take_in(&mut self, also: &[Companion]) {
        for companion in also {
            self.apply(&companion.event);
            match self.ended_early(&companion.episode).cloned() {
                Some(early) => self.apply(&early.event),
                None => self.fire(&companion.episode),
            }
        }
    }

    /// Companions that are over.
    pub(super) fn let_go(&mut self, also: &[Companion]) {
        for companion in also {
            self.apply(&companion.event);
            self.end(&companion.episode);
        }
    }
}
