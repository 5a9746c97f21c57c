//! An event asks to be settled: claim, wait, take over, or answer what is known.

use super::{AGE_MAX, AUDIT_AFTER, EarlyResolve, Effect, Event, Phase, Rest, Rules, Slot, TRIES_MAX, bury};
use crate::domain::alert::Condition;
use crate::domain::failure::{self, CallFailure, Kind};
use crate::domain::identity::EventId;
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::Uniqueness;

pub(super) fn on_event(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
) -> (Slot, Effect) {
    if slot.has_settled(&event.id) {
        return (slot.clone(), Effect::Rest(Rest::Known));
    }
    if slot.applied.contains(&event.id) {
        return owed(slot, now, rules);
    }
    match &slot.phase {
        Phase::Vacant => match event.condition {
            Condition::Fired => wait_or(slot, now, |slot| claim(slot, now, rules)),
            Condition::Resolved => remember(slot, event),
        },
        Phase::Creating { until, .. } if now < *until => rest(slot, Rest::Later(*until)),
        Phase::Creating { attempt, .. } => match event.condition {
            Condition::Fired => take_over(slot, *attempt, now, rules, event),
            // The Fired is still pending: it goes on by itself, and this one after it.
            Condition::Resolved => rest(slot, Rest::Later(now.plus(rules.call_timeout))),
        },
        Phase::Open { item } => match event.condition {
            Condition::Fired => {
                let mut slot = slot.clone();
                slot.apply(&event.id);
                (slot, Effect::Rest(Rest::Known))
            }
            Condition::Resolved if !rules.changes_on_resolve => {
                let mut next = slot.clone();
                next.apply(&event.id);
                next.phase = Phase::Done { item: item.clone() };
                (next, Effect::Rest(Rest::Resolved))
            }
            Condition::Resolved => wait_or(slot, now, |slot| write(slot, now, rules, &event.id)),
        },
        Phase::Writing { until, .. } if now < *until => rest(slot, Rest::Later(*until)),
        // The read before each write shows whether the lost one took effect.
        Phase::Writing {
            event: written_for, ..
        } => write(slot, now, rules, written_for),
        Phase::Done { .. } => {
            let mut slot = slot.clone();
            slot.apply(&event.id);
            (slot, Effect::Rest(Rest::Known))
        }
        Phase::Dead { .. } => rest(slot, Rest::Known),
    }
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

fn claim(slot: &Slot, now: Timestamp, rules: &Rules) -> (Slot, Effect) {
    let mut next = slot.clone();
    next.phase = Phase::Creating {
        attempt: slot.tries.saturating_add(1),
        since: now,
        until: now.plus(rules.creating_for()),
    };
    (next, Effect::Create)
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
        return bury(slot.clone(), failure);
    }
    let mut next = slot.clone();
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
    next.resolved_early = Some(EarlyResolve {
        event: event.id.clone(),
        at: event.at,
    });
    (next, Effect::Rest(Rest::Remembered))
}

fn write(slot: &Slot, now: Timestamp, rules: &Rules, event: &EventId) -> (Slot, Effect) {
    let Some(item) = slot.item().cloned() else {
        return rest(slot, Rest::Known);
    };
    let mut next = slot.clone();
    next.phase = Phase::Writing {
        item,
        event: event.clone(),
        until: now.plus(rules.writing_for()),
    };
    (next, Effect::Read)
}

/// The event's effect is there; what is left is an early Resolved, an item made twice, or the look for one.
fn owed(slot: &Slot, now: Timestamp, rules: &Rules) -> (Slot, Effect) {
    if let Some(early) = &slot.resolved_early {
        match &slot.phase {
            Phase::Writing { until, .. } if now < *until => return rest(slot, Rest::Later(*until)),
            Phase::Open { .. } | Phase::Writing { .. } => {
                return wait_or(slot, now, |slot| write(slot, now, rules, &early.event));
            }
            _ => {}
        }
    }
    if let Some(extra) = slot.extras.first() {
        return wait_or(slot, now, |slot| {
            (slot.clone(), Effect::CloseExtra(extra.clone()))
        });
    }
    match slot.audit_at {
        Some(at) if now < at => rest(slot, Rest::Later(at)),
        Some(_) => (slot.clone(), Effect::Audit),
        None => rest(slot, Rest::Known),
    }
}
