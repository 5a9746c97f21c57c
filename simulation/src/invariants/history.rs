//! A slot's history: it moves only as its machine allows, and what has become of it says what has happened (I10).

use itsm_connector::domain::identity::SlotId;
use itsm_connector::domain::slot::{EarlyResolve, Phase, Slot, Write};

use super::Snapshot;
use crate::counters;
use crate::scene::Scene;

/// Checks each step.
pub(super) fn check(scene: &Scene, slot: &SlotId, history: &[Snapshot]) {
    let empty = Slot::default();
    let mut before = &empty;
    for snapshot in history {
        let after = &snapshot.state;
        if let Some(wrong) = wrong_step(before, after) {
            scene.ledger.accuse(
                "I10",
                format!(
                    "slot {slot}: {wrong}: {:?} to {:?}",
                    before.phase, after.phase
                ),
            );
        }
        count(scene, before, snapshot);
        before = after;
    }
}

fn wrong_step(before: &Slot, after: &Slot) -> Option<&'static str> {
    if after.generation < before.generation {
        return Some("the generation went back");
    }
    if !before
        .applied
        .iter()
        .all(|event| after.applied.contains(event))
    {
        return Some("an effect was forgotten");
    }
    let is_kept =
        |early: &EarlyResolve| after.early.contains(early) || after.applied.contains(&early.event);
    if !before.early.iter().all(is_kept) {
        return Some("an early Resolved was forgotten");
    }
    if after.generation > before.generation {
        return wrong_next(before, after);
    }
    if before.item().is_some() && after.item().is_none() {
        return Some("the item that counts was forgotten");
    }
    let may_follow = match before.phase {
        Phase::Vacant | Phase::Creating { .. } => true,
        Phase::Open { .. } | Phase::Writing { .. } | Phase::Done { .. } => {
            !matches!(after.phase, Phase::Vacant | Phase::Creating { .. })
        }
        Phase::Joined { .. } => before.phase == after.phase,
        Phase::Dead { .. } => matches!(after.phase, Phase::Dead { .. }),
    };
    (!may_follow).then_some("this phase must not follow")
}

/// The next item of a slot begins with a claim, and only when the last one is over.
fn wrong_next(before: &Slot, after: &Slot) -> Option<&'static str> {
    if after.generation != before.generation + 1 {
        return Some("a generation was left out");
    }
    if !matches!(before.phase, Phase::Writing { .. } | Phase::Dead { .. }) {
        return Some("the next item began before the last one was looked at");
    }
    (!matches!(after.phase, Phase::Creating { .. }))
        .then_some("the next item began without a claim")
}

fn count(scene: &Scene, before: &Slot, snapshot: &Snapshot) {
    let after = &snapshot.state;
    if let (
        Phase::Creating {
            until,
            attempt: old,
            ..
        },
        Phase::Creating {
            since,
            attempt: new,
            ..
        },
    ) = (&before.phase, &after.phase)
        && since >= until
        && new > old
        && before.tries == after.tries
    {
        scene.ledger.count(counters::TAKEOVER);
    }
    if !before.extras.is_empty() && after.extras.is_empty() {
        scene.ledger.count(counters::EXTRA_CLOSED);
    }
    if after.generation > before.generation {
        scene.ledger.count(counters::NEXT_ITEM);
    }
    if let (Phase::Writing { write, .. }, Phase::Open { .. }) = (&before.phase, &after.phase)
        && after.applied != before.applied
    {
        scene.ledger.count(match write {
            Write::Reopen => counters::REOPENED,
            _ => counters::NOTED,
        });
    }
    if before.early.is_empty() && !after.early.is_empty() {
        scene.ledger.count(counters::RESOLVED_FIRST);
    }
}
