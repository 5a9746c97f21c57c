//! An event asks to be settled: claim, wait, take over, write, or answer what is known.

use super::{
    AGE_MAX, APPLIED_MAX, AUDIT_AFTER, Companion, EarlyResolve, Effect, Event, Phase, Rest, Rules,
    Slot, TRIES_MAX, Write, bury,
};
use crate::domain::alert::Condition;
use crate::domain::failure::{self, CallFailure, Kind};
use crate::domain::identity::{EpisodeId, EventId};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::Uniqueness;

pub(super) fn on_event(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
) -> (Slot, Effect) {
    if slot.has_settled(&event.id) {
        return rest(slot, Rest::Known);
    }
    if slot.applied.contains(&event.id) {
        return owed(slot, now, rules);
    }
    match &slot.phase {
        Phase::Writing { until, .. } if now < *until => rest(slot, Rest::Later(*until)),
        // What it says is for the alert that began it to tell; that alert is still pending.
        Phase::Writing {
            write: Write::Repeat | Write::Reopen,
            event: of,
            ..
        } if *of != event.id => rest(slot, Rest::Later(now.plus(rules.call_timeout))),
        // The read before each write shows whether the lost one took effect.
        Phase::Writing {
            write,
            event: of,
            episode,
            also,
            ..
        } => {
            let also = if *of == event.id { &event.also } else { also };
            begin(slot, now, rules, *write, of, episode, also)
        }
        Phase::Joined { storm } => rest(slot, Rest::Joined(storm.clone())),
        _ => match event.condition {
            Condition::Fired => on_fired(slot, now, rules, event),
            Condition::Resolved => on_resolved(slot, now, rules, event),
        },
    }
}

fn on_fired(slot: &Slot, now: Timestamp, rules: &Rules, event: &Event) -> (Slot, Effect) {
    match &slot.phase {
        Phase::Vacant
            if rules.leaves_out_what_is_over
                && !slot.may_have_an_item()
                && slot.ended_early(&event.episode).is_some() =>
        {
            came_and_went(slot, event)
        }
        Phase::Vacant => wait_or(slot, now, |slot| claim(slot, now, rules)),
        Phase::Creating { until, .. } if now < *until => rest(slot, Rest::Later(*until)),
        Phase::Creating { attempt, .. } => take_over(slot, *attempt, now, rules, event),
        // Adopted, and nobody's yet: nobody else sees to the audit (seed 2564 of the simulation).
        Phase::Open { .. } if slot.is_nobodys_yet(rules) && slot.has_a_due_audit(now) => {
            match owed(slot, now, rules) {
                (next, Effect::Rest(Rest::Known)) => (next, Effect::Rest(Rest::Later(now))),
                other => other,
            }
        }
        // The next message about what the item is about already.
        Phase::Open { .. }
            if slot.firing.contains(&event.episode)
                && event.is_of_a_series()
                && rules.notes_repeats =>
        {
            wait_or(slot, now, |slot| {
                begin_for(slot, now, rules, Write::Repeat, event)
            })
        }
        Phase::Open { .. } if slot.firing.contains(&event.episode) => {
            counted(slot, event, Rest::Known)
        }
        // It was sent before the end that the item was told of.
        Phase::Done { at, .. }
            if rules.is_of_one_series && event.at.is_some_and(|sent| sent <= *at) =>
        {
            counted(slot, event, Rest::Known)
        }
        Phase::Open { .. } | Phase::Done { .. }
            if slot.ended_early(&event.episode).is_some() && !slot.is_nobodys_yet(rules) =>
        {
            // While the group had its item: there is nothing to tell any more.
            came_and_went(slot, event)
        }
        Phase::Open { .. } if !rules.notes_repeats => counted(slot, event, Rest::Ignored),
        Phase::Open { .. } => wait_or(slot, now, |slot| {
            begin_for(slot, now, rules, Write::Repeat, event)
        }),
        // The search of an audit goes by the generation: it must be over before the next one begins.
        Phase::Done { .. } | Phase::Dead { .. } if slot.owes_an_audit() => {
            match owed(slot, now, rules) {
                (next, Effect::Rest(Rest::Known)) => (next, Effect::Rest(Rest::Later(now))),
                other => other,
            }
        }
        // A person may have reopened it: the read says whether there is an open one.
        Phase::Done { at, .. } => {
            let soon = slot.is_unsure(now).is_none()
                && rules
                    .reopen_within
                    .is_some_and(|within| now.since(*at) <= within);
            let write = if soon { Write::Reopen } else { Write::Repeat };
            wait_or(slot, now, |slot| begin_for(slot, now, rules, write, event))
        }
        Phase::Dead { .. } => wait_or(slot, now, |slot| claim(&next_generation(slot), now, rules)),
        Phase::Writing { until, .. } => rest(slot, Rest::Later(*until)),
        Phase::Joined { storm } => rest(slot, Rest::Joined(storm.clone())),
    }
}

fn on_resolved(slot: &Slot, now: Timestamp, rules: &Rules, event: &Event) -> (Slot, Effect) {
    let fired = EventId::new(&event.episode, Condition::Fired.as_str());
    let has_fired = slot.applied.contains(&fired) || slot.firing.contains(&event.episode);
    match &slot.phase {
        // A report after the end, which is no second one.
        Phase::Done { .. } if rules.is_of_one_series => counted(slot, event, Rest::Known),
        _ if !has_fired => remember(slot, event),
        Phase::Open { .. } if !slot.is_held_by_only(&event.episode, &event.also) => {
            let (mut next, effect) = counted(slot, event, Rest::Ignored);
            next.end(&event.episode);
            next.let_go(&event.also);
            (next, effect)
        }
        Phase::Open { item } if !rules.changes_on_resolve => {
            let mut next = slot.clone();
            next.apply(&event.id);
            next.end(&event.episode);
            next.let_go(&event.also);
            next.phase = Phase::Done {
                item: item.clone(),
                at: now,
            };
            (next, Effect::Rest(Rest::Ignored))
        }
        Phase::Open { .. } => wait_until_sure(slot, now, |slot| {
            begin_for(slot, now, rules, Write::Resolve, event)
        }),
        _ => {
            let (mut next, effect) = counted(slot, event, Rest::Known);
            next.end(&event.episode);
            next.let_go(&event.also);
            (next, effect)
        }
    }
}

/// Its Resolved is here already, and it needs no item of its own any more.
fn came_and_went(slot: &Slot, event: &Event) -> (Slot, Effect) {
    let ended = slot
        .ended_early(&event.episode)
        .map(|early| early.event.clone());
    let (mut next, effect) = counted(slot, event, Rest::Ignored);
    next.end(&event.episode);
    ended.iter().for_each(|ended| next.apply(ended));
    (next, effect)
}

/// The event is in the state, and nothing is done for it.
fn counted(slot: &Slot, event: &Event, told: Rest) -> (Slot, Effect) {
    let mut next = slot.clone();
    next.apply(&event.id);
    if event.condition == Condition::Fired && matches!(slot.phase, Phase::Open { .. }) {
        next.fire(&event.episode);
    }
    (next, Effect::Rest(told))
}

fn rest(slot: &Slot, rest: Rest) -> (Slot, Effect) {
    (slot.clone(), Effect::Rest(rest))
}

fn wait_or(
    slot: &Slot,
    now: Timestamp,
    go: impl FnOnce(&Slot) -> (Slot, Effect),
) -> (Slot, Effect) {
    match slot.not_before {
        Some(not_before) if now < not_before => rest(slot, Rest::Later(not_before)),
        _ => go(slot),
    }
}

/// The same for a resolve, which a lost reopening must not follow.
fn wait_until_sure(
    slot: &Slot,
    now: Timestamp,
    go: impl FnOnce(&Slot) -> (Slot, Effect),
) -> (Slot, Effect) {
    match slot.is_unsure(now) {
        Some(until) => rest(slot, Rest::Later(until)),
        None => wait_or(slot, now, go),
    }
}

pub(super) fn claim(slot: &Slot, now: Timestamp, rules: &Rules) -> (Slot, Effect) {
    let mut next = slot.clone();
    next.phase = Phase::Creating {
        attempt: slot.tries.saturating_add(1),
        since: now,
        until: now.plus(rules.creating_for()),
    };
    (next, Effect::Create)
}

/// The slot before its next item: what held the last one open does not hold this one.
pub(super) fn next_generation(slot: &Slot) -> Slot {
    let mut next = slot.clone();
    next.generation = slot.generation.saturating_add(1);
    next.phase = Phase::Vacant;
    next.firing.clear();
    next.may_begin_resolved = false;
    next.unsure_until = None;
    next.may_exist = false;
    next.succeed();
    next
}

/// The owner of the claim is gone, and what it sent can no longer take effect unseen.
fn take_over(
    slot: &Slot,
    attempt: u32,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
) -> (Slot, Effect) {
    if attempt >= TRIES_MAX || now.since(event.received_at) >= AGE_MAX {
        let failure = slot.last_failure.clone().unwrap_or_else(|| {
            CallFailure::new(
                "the ITSM product",
                "create work item",
                failure::Effect::Unknown,
                Kind::TimedOut,
                "no try brought an answer",
            )
        });
        return bury(slot.clone(), event, failure);
    }
    let mut next = slot.clone();
    next.may_exist = true;
    next.phase = Phase::Creating {
        attempt: attempt.saturating_add(1),
        since: now,
        until: now.plus(rules.creating_for()),
    };
    match rules.uniqueness {
        // The same key again: if it is there already the product says so, and it is adopted.
        Uniqueness::Enforced => (next, Effect::Create),
        Uniqueness::BestEffort => {
            next.audit_at = Some(now.plus(AUDIT_AFTER));
            (next, Effect::Find)
        }
    }
}

fn remember(slot: &Slot, event: &Event) -> (Slot, Effect) {
    let mut next = slot.clone();
    next.early.push(EarlyResolve {
        event: event.id.clone(),
        episode: event.episode.clone(),
        at: event.at,
    });
    if next.early.len() > APPLIED_MAX {
        next.early.remove(0);
    }
    (next, Effect::Rest(Rest::Remembered))
}

fn begin_for(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    write: Write,
    event: &Event,
) -> (Slot, Effect) {
    let Event { id, episode, .. } = event;
    begin(slot, now, rules, write, id, episode, &event.also)
}

/// Claims the item for a write, which begins with a read.
pub(super) fn begin(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    write: Write,
    event: &EventId,
    episode: &EpisodeId,
    also: &[Companion],
) -> (Slot, Effect) {
    let Some(item) = slot.item().cloned() else {
        return rest(slot, Rest::Known);
    };
    let done_at = match &slot.phase {
        Phase::Done { at, .. } => Some(*at),
        Phase::Writing { done_at, .. } => *done_at,
        _ => None,
    };
    let mut next = slot.clone();
    next.note_takeover(now, rules);
    next.phase = Phase::Writing {
        item,
        write,
        event: event.clone(),
        episode: episode.clone(),
        also: also.to_vec(),
        until: now.plus(rules.writing_for()),
        done_at,
    };
    (next, Effect::Read)
}

/// The event's effect is there; what is left is an early Resolved, an item made twice, or the look for one.
fn owed(slot: &Slot, now: Timestamp, rules: &Rules) -> (Slot, Effect) {
    if let Some(EarlyResolve { event, episode, .. }) = slot.owed_resolve().cloned() {
        match &slot.phase {
            Phase::Writing { until, .. } if now < *until => return rest(slot, Rest::Later(*until)),
            // For the alert that began it to tell, as in `on_event`: what comes of it is counted for whoever goes on with it
            // (seed 110654 of the simulation).
            Phase::Writing {
                write: Write::Repeat | Write::Reopen,
                ..
            } => return rest(slot, Rest::Later(now.plus(rules.call_timeout))),
            Phase::Writing {
                write,
                event,
                episode,
                also,
                ..
            } => {
                return begin(slot, now, rules, *write, event, episode, also);
            }
            Phase::Open { .. }
                if slot.is_held_by_only(&episode, &[]) && rules.changes_on_resolve =>
            {
                return wait_until_sure(slot, now, |slot| {
                    begin(slot, now, rules, Write::Resolve, &event, &episode, &[])
                });
            }
            _ => {
                let mut next = slot.clone();
                next.apply(&event);
                next.end(&episode);
                return (next, Effect::Rest(Rest::Known));
            }
        }
    }
    if let Some(extra) = slot.extras.first() {
        return wait_or(slot, now, |slot| {
            (slot.clone(), Effect::CloseExtra(extra.clone()))
        });
    }
    match slot.audit_at {
        Some(at) if now < at => rest(slot, Rest::Later(at)),
        // Whether what is found is one too many is not known while one is being made.
        Some(_) if slot.item().is_none() && !matches!(slot.phase, Phase::Dead { .. }) => {
            rest(slot, Rest::Later(now.plus(rules.call_timeout)))
        }
        Some(_) => (slot.clone(), Effect::Audit),
        None => rest(slot, Rest::Known),
    }
}
