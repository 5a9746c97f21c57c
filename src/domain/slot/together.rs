//! What a slot remembers of events that are settled together: the alerts of a storm.

use super::{Companion, Phase, Rules, Slot};
use crate::domain::identity::{EpisodeId, EventId, SlotId};

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

    /// True if the slot holds this firing, and its end has not come yet: one that has is still to be told to the item, and
    /// the Fired's marker is what brings that about (seed 35272 of the simulation).
    pub fn goes_on_holding(&self, episode: &EpisodeId) -> bool {
        self.firing.contains(episode) && self.ended_early(episode).is_none()
    }

    /// True of a storm's item that was adopted and not told of anybody: somebody must hold it, be it to end it at once
    /// (seeds 13167, 16002, 35303 of the simulation).
    pub(super) fn is_nobodys_yet(&self, rules: &Rules) -> bool {
        rules.lists_all && self.firing.is_empty() && matches!(self.phase, Phase::Open { .. })
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
