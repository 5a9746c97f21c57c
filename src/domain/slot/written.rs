//! The answers to a read, a write and an audit of an item that exists.

use super::{Effect, Event, Look, Phase, Rest, Rules, Slot, bury, is_given_up};
use crate::domain::failure::{self, CallFailure, Kind};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{Standing, WorkItemSeen};

pub(super) fn on_seen(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    result: Result<Look, CallFailure>,
) -> (Slot, Effect) {
    let Phase::Writing { .. } = &slot.phase else {
        return (slot.clone(), Effect::Rest(Rest::Later(now)));
    };
    match result {
        Ok(Look::Ours(Standing::Open)) => (slot.clone(), Effect::Write),
        // A person was faster, or our own lost write took effect; or a person removed it. There is nothing to write to.
        Ok(Look::Ours(Standing::Resolved | Standing::Closed) | Look::Gone) => done(slot),
        Ok(Look::Foreign) => {
            let failure = CallFailure::new(
                "the ITSM product",
                "read work item",
                failure::Effect::Refused,
                Kind::Foreign,
                "the record under our key carries another correlation id; it was left alone",
            );
            bury(slot.clone(), failure)
        }
        Err(failure) => back_to_open(slot, now, rules, event, failure),
    }
}

pub(super) fn on_written(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    result: Result<(), CallFailure>,
) -> (Slot, Effect) {
    let Phase::Writing { .. } = &slot.phase else {
        return (slot.clone(), Effect::Rest(Rest::Later(now)));
    };
    match result {
        Ok(()) => done(slot),
        // Unknown or not, the read before the next write shows what came of it.
        Err(failure) => back_to_open(slot, now, rules, event, failure),
    }
}

fn done(slot: &Slot) -> (Slot, Effect) {
    let Phase::Writing { item, event, .. } = &slot.phase else {
        return (slot.clone(), Effect::Rest(Rest::Known));
    };
    let mut next = slot.clone();
    next.apply(event);
    next.resolved_early = next.resolved_early.filter(|early| early.event != *event);
    next.succeed();
    next.phase = Phase::Done { item: item.clone() };
    (next, Effect::Rest(Rest::Resolved))
}

fn back_to_open(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    failure: CallFailure,
) -> (Slot, Effect) {
    let Phase::Writing { item, .. } = &slot.phase else {
        return (slot.clone(), Effect::Rest(Rest::Later(now)));
    };
    if is_given_up(slot, event, &failure, now) {
        return bury(slot.clone(), failure);
    }
    let mut next = slot.clone();
    next.phase = Phase::Open { item: item.clone() };
    let again = next.wait_after(&failure, now, rules.dice);
    (next, Effect::Rest(Rest::Later(again)))
}

pub(super) fn on_audited(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    result: Result<Vec<WorkItemSeen>, CallFailure>,
) -> (Slot, Effect) {
    match result {
        Ok(found) => {
            let mut next = slot.clone();
            next.audit_at = None;
            next.succeed();
            let kept = slot.item().map(|item| item.id.clone());
            for seen in found {
                let is_open = seen.standing == Standing::Open;
                if is_open
                    && Some(&seen.item.id) != kept.as_ref()
                    && !next.extras.iter().any(|extra| extra.id == seen.item.id)
                {
                    next.extras.push(seen.item);
                }
            }
            let effect = next
                .extras
                .first()
                .cloned()
                .map_or(Effect::Rest(Rest::Known), Effect::CloseExtra);
            (next, effect)
        }
        Err(failure) => audit_later(slot, now, rules, event, &failure),
    }
}

pub(super) fn on_extra_closed(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    result: Result<(), CallFailure>,
) -> (Slot, Effect) {
    match result {
        Ok(()) => {
            let mut next = slot.clone();
            next.succeed();
            if !next.extras.is_empty() {
                next.extras.remove(0);
            }
            let effect = next
                .extras
                .first()
                .cloned()
                .map_or(Effect::Rest(Rest::Known), Effect::CloseExtra);
            (next, effect)
        }
        Err(failure) => audit_later(slot, now, rules, event, &failure),
    }
}

fn audit_later(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    failure: &CallFailure,
) -> (Slot, Effect) {
    let mut next = slot.clone();
    if is_given_up(slot, event, failure, now) {
        // The item that counts is there and the event is settled; what is left is told in the log and in `explain`.
        next.audit_at = None;
        next.extras.clear();
        next.last_failure = Some(failure.clone());
        return (next, Effect::Rest(Rest::Known));
    }
    let again = next.wait_after(failure, now, rules.dice);
    if next.extras.is_empty() {
        next.audit_at = Some(again);
    }
    (next, Effect::Rest(Rest::Later(again)))
}
