//! What is kept for how long (DESIGN §6.11). Ages come from what an object says, never from the store's clock: a copy, a
//! restore or a cloud's own rule would change that.

use std::time::Duration;

use super::slot::{Phase, Slot};
use super::timestamp::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a slot's snapshots are kept after they were succeeded, for whoever asks how a work item came about.
pub const HISTORY_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long an alert and the slot of one firing are kept after all is done.
pub const DONE_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long what waits for a person is kept: quarantine and dead letters, and the slots of the latter.
pub const FOR_PEOPLE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long snapshots of gates, leases, allowances and facts are kept after they were succeeded: nobody asks for them.
pub const SMALL_LOGS_FOR: Duration = Duration::from_secs(60 * 60);

/// How long a row that the sync has set aside is kept: as long as all that waits for a person. It is set aside again if it is
/// met again.
pub const SET_ASIDE_FOR: Duration = FOR_PEOPLE;

/// How long the cursor of a slice that a person asked for is kept after it moved last: who repeats the command in the same week
/// goes on where it was broken off, later it begins anew.
pub const SLICES_FOR: Duration = HISTORY_FOR;

/// How often it is looked for what may go: of snapshots of small logs, and of everything.
pub const SWEEP_EVERY: Duration = SMALL_LOGS_FOR;
/// See [`SWEEP_EVERY`].
pub const ROTATION_EVERY: Duration = DAY;

/// The ages by which a process removes what is old. Every one of ours has those of [`Ages::default`]; the simulation,
/// which has no month, makes them short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ages {
    /// See [`HISTORY_FOR`].
    pub history_for: Duration,
    /// See [`DONE_FOR`].
    pub done_for: Duration,
    /// See [`FOR_PEOPLE`].
    pub for_people: Duration,
    /// See [`SMALL_LOGS_FOR`].
    pub small_logs_for: Duration,
    /// See [`SWEEP_EVERY`].
    pub sweep_every: Duration,
    /// See [`ROTATION_EVERY`].
    pub rotation_every: Duration,
}

impl Default for Ages {
    fn default() -> Self {
        Self {
            history_for: HISTORY_FOR,
            done_for: DONE_FOR,
            for_people: FOR_PEOPLE,
            small_logs_for: SMALL_LOGS_FOR,
            sweep_every: SWEEP_EVERY,
            rotation_every: ROTATION_EVERY,
        }
    }
}

impl Ages {
    /// True if nothing of a slot is needed any more. `at` is when its newest snapshot was written.
    ///
    /// Only the slot of one firing ever goes. That of a group counts its work items: if it began anew, the key of a work
    /// item would be used again. And it must have ended: of an open item the Resolved may still come.
    pub fn slot_may_go(&self, slot: &Slot, at: Timestamp, now: Timestamp) -> bool {
        if !slot.is_of_one_firing || !slot.firing.is_empty() || slot.owes_anything() {
            return false;
        }
        match &slot.phase {
            Phase::Done { at: done_at, .. } => is_older(at.max(*done_at), self.done_for, now),
            // A Resolved whose Fired never came.
            Phase::Vacant if slot.applied.is_empty() && !slot.early.is_empty() => {
                is_older(at, self.done_for, now)
            }
            // An alert that came and went before anything was made for it.
            Phase::Vacant if slot.applied.len() >= 2 => is_older(at, self.done_for, now),
            // One of a storm, of which both messages have come: there are no more than two of a firing.
            Phase::Joined { .. } if slot.applied.len() >= 2 => is_older(at, self.done_for, now),
            Phase::Dead { .. } => is_older(at, self.for_people, now),
            _ => false,
        }
    }
}

/// True if something of this moment has been kept for its time.
pub fn is_older(at: Timestamp, than: Duration, now: Timestamp) -> bool {
    now.since(at) > than
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::{EpisodeId, EventId, Firing, SlotId};
    use crate::domain::name::{ActionName, ConnectionName};
    use crate::domain::slot::EarlyResolve;
    use crate::domain::work_item::{WorkItemRef, WorkItemType};

    fn days(n: u32) -> Timestamp {
        Timestamp::from_millis(1_772_359_200_000).plus(n * DAY)
    }

    fn item() -> WorkItemRef {
        WorkItemRef {
            work_item_type: WorkItemType::Incident,
            number: "INC1".to_owned(),
            id: "1".to_owned(),
            url: String::new(),
        }
    }

    fn episode() -> EpisodeId {
        let connection = ConnectionName::parse("contoso").unwrap();
        EpisodeId::new(&connection, &ActionName::default(), Firing::Body(b"x"))
    }

    fn slot(phase: Phase) -> Slot {
        Slot {
            phase,
            is_of_one_firing: true,
            ..Slot::default()
        }
    }

    /// The first day on which it may go; written on day 0.
    fn goes_on_day(slot: &Slot) -> Option<u32> {
        (0..400).find(|day| Ages::default().slot_may_go(slot, days(0), days(*day)))
    }

    #[test]
    fn what_has_ended_goes_after_its_time_and_nothing_else_does() {
        let done = slot(Phase::Done {
            item: item(),
            at: days(0),
        });
        let early = EarlyResolve {
            event: EventId::new(&episode(), "resolved"),
            episode: episode(),
            at: None,
        };
        let mut lonely = slot(Phase::Vacant);
        lonely.early.push(early);
        let of_a_group = Slot {
            is_of_one_firing: false,
            ..done.clone()
        };
        let to_be_audited = Slot {
            audit_at: Some(days(1)),
            ..done.clone()
        };
        let with_extra = Slot {
            extras: vec![item()],
            ..done.clone()
        };
        let storm = SlotId::of_storm(
            &ConnectionName::parse("contoso").unwrap(),
            &ActionName::default(),
            &episode(),
        );
        let joined = slot(Phase::Joined { storm });
        let mut joined_and_over = joined.clone();
        joined_and_over.applied = ["fired", "resolved"]
            .map(|condition| EventId::new(&episode(), condition))
            .into();
        let mut came_and_went = slot(Phase::Vacant);
        came_and_went.applied = joined_and_over.applied.clone();
        let rows = [
            (done, Some(31)),
            (lonely, Some(31)),
            (came_and_went, Some(31)),
            (slot(Phase::Dead { item: None }), Some(91)),
            (joined_and_over, Some(31)),
            (joined, None),
            (of_a_group, None),
            (to_be_audited, None),
            (with_extra, None),
            (slot(Phase::Open { item: item() }), None),
            (slot(Phase::Vacant), None),
            (
                slot(Phase::Creating {
                    attempt: 1,
                    since: days(0),
                    until: days(0),
                }),
                None,
            ),
        ];
        for (slot, day) in rows {
            assert_eq!(goes_on_day(&slot), day, "{slot:?}");
        }
    }

    #[test]
    fn a_slot_that_was_written_to_after_it_was_done_counts_from_then() {
        let done = slot(Phase::Done {
            item: item(),
            at: days(0),
        });
        let ages = Ages::default();
        assert!(!ages.slot_may_go(&done, days(20), days(40)));
        assert!(ages.slot_may_go(&done, days(20), days(51)));
    }
}
