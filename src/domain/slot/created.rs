//! The answers to a create and to the search that goes before a second one.

use super::event::{begin, claim, on_event};
use super::{
    Effect, Event, NAMED_AFTER, Phase, Rest, Rules, SEND_WITHIN, Slot, Write, bury, is_given_up,
};
use crate::domain::failure::{self, CallFailure};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{Standing, Uniqueness, WorkItemRef, WorkItemSeen};

pub(super) fn on_created(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    result: Result<WorkItemRef, CallFailure>,
) -> (Slot, Effect) {
    match (result, &slot.phase) {
        (Ok(item), Phase::Vacant | Phase::Creating { .. }) => adopt(slot, now, rules, event, item),
        (Ok(item), _) => count_extra(slot, now, rules, event, item),
        // Somebody else has the slot by now: what came of our try is theirs to find out.
        (Err(_), phase) if !matches!(phase, Phase::Creating { .. }) => {
            (slot.clone(), Effect::Rest(Rest::Later(now)))
        }
        (Err(failure), _) => on_failure(slot, now, rules, event, failure),
    }
}

/// It was made resolved, or a person was faster than we: nothing is left to write if its alert is over.
pub(super) fn on_created_over(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    item: WorkItemRef,
) -> (Slot, Effect) {
    let is_ours_to_finish = matches!(slot.phase, Phase::Vacant | Phase::Creating { .. });
    let Some(early) = slot
        .ended_early(&event.episode)
        .filter(|_| is_ours_to_finish)
    else {
        if is_ours_to_finish && slot.may_begin_resolved && rules.is_shared {
            // Made resolved for another alert, whose answer was lost: this one asks anew, as after any item that is done.
            let mut next = slot.clone();
            next.succeed();
            next.may_begin_resolved = false;
            next.may_exist = false;
            next.phase = Phase::Done { item, at: now };
            return on_event(&next, now, rules, event);
        }
        return on_created(slot, now, rules, event, Ok(item));
    };
    let mut next = slot.clone();
    next.succeed();
    next.may_begin_resolved = false;
    next.may_exist = false;
    next.apply(&event.id);
    next.apply(&early.event);
    next.take_in(&event.also);
    next.phase = if next.firing.is_empty() {
        Phase::Done { item, at: now }
    } else {
        Phase::Open { item }
    };
    (next, Effect::Rest(Rest::Created))
}

/// Ours belongs to a generation that is over (seed 59974 of the simulation). Where the product keeps our key unique it is
/// that generation's own item, which somebody else has adopted; else it may be one too many, and is looked at.
pub(super) fn on_created_late(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    item: WorkItemRef,
) -> (Slot, Effect) {
    if rules.uniqueness == Uniqueness::Enforced {
        return on_event(slot, now, rules, event);
    }
    let mut next = slot.clone();
    let is_known = next.item().is_some_and(|kept| kept.id == item.id)
        || next.extras.iter().any(|extra| extra.id == item.id);
    if !is_known {
        next.extras.push(item);
    }
    (next, Effect::Rest(Rest::Later(now)))
}

/// The item exists and is the one that counts.
fn adopt(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    item: WorkItemRef,
) -> (Slot, Effect) {
    let mut next = slot.clone();
    next.succeed();
    next.may_begin_resolved = false;
    next.may_exist = false;
    if rules.lists_all && slot.may_exist {
        // It may be the item of an earlier try, which tells of those that there were then (seed 523 of the simulation).
        next.phase = Phase::Open { item };
        return on_event(&next, now, rules, event);
    }
    next.apply(&event.id);
    next.fire(&event.episode);
    next.take_in(&event.also);
    if rules.is_named_later && !item.has_a_number() && next.audit_at.is_none() {
        next.audit_at = Some(now.plus(NAMED_AFTER));
    }
    next.phase = Phase::Open { item: item.clone() };
    let Some(early) = slot.ended_early(&event.episode).cloned() else {
        return (next, Effect::Rest(Rest::Created));
    };
    if !next.is_held_by_only(&event.episode, &[]) {
        next.apply(&early.event);
        next.end(&event.episode);
        return (next, Effect::Rest(Rest::Created));
    }
    if !rules.changes_on_resolve {
        next.apply(&early.event);
        next.end(&event.episode);
        next.phase = Phase::Done { item, at: now };
        return (next, Effect::Rest(Rest::Created));
    }
    // Its Resolved came first: the item is changed in the same run.
    begin(
        &next,
        now,
        rules,
        Write::Resolve,
        &early.event,
        &early.episode,
        &[],
    )
}

/// Ours came too late: the slot has another item, and this one is a duplicate of it.
fn count_extra(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    item: WorkItemRef,
) -> (Slot, Effect) {
    let mut next = slot.clone();
    let is_the_same = slot.item().is_some_and(|kept| kept.id == item.id);
    if let Phase::Dead { item: kept @ None } = &mut next.phase {
        // Given up too early: it is the only one, and no duplicate of nothing.
        *kept = Some(item);
    } else if !is_the_same && !next.extras.iter().any(|extra| extra.id == item.id) {
        next.extras.push(item);
    }
    if rules.lists_all && !matches!(next.phase, Phase::Dead { .. }) {
        // The one that counts does not tell of it yet.
        return (next, Effect::Rest(Rest::Later(now)));
    }
    next.apply(&event.id);
    if let Phase::Open { .. } = &next.phase {
        next.fire(&event.episode);
        next.take_in(&event.also);
    }
    (next, Effect::Rest(Rest::Created))
}

fn on_failure(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    failure: CallFailure,
) -> (Slot, Effect) {
    let Phase::Creating { until, .. } = &slot.phase else {
        return (slot.clone(), Effect::Rest(Rest::Later(now)));
    };
    match failure.effect {
        failure::Effect::NotSent | failure::Effect::Refused => {
            // It may be that it began resolved, which some instances refuse. The refusal proves that nothing was made.
            if failure.is_permanent()
                && slot.ended_early(&event.episode).is_some()
                && !slot.begins_open
            {
                let mut next = slot.clone();
                next.begins_open = true;
                return claim(&next, now, rules);
            }
            if is_given_up(slot, event, &failure, now) {
                return bury(slot.clone(), event, failure);
            }
            let mut next = slot.clone();
            next.phase = Phase::Vacant;
            let until = next.wait_after(&failure, now, rules.dice);
            (next, Effect::Rest(Rest::Later(until)))
        }
        failure::Effect::Unknown => {
            let mut next = slot.clone();
            next.may_exist = true;
            let claimed_until = *until;
            let first = next.tries == 0;
            let again = next.wait_after(&failure, now, rules.dice);
            next.not_before = None;
            match rules.uniqueness {
                // It cannot be made twice: the same key once more, at once.
                Uniqueness::Enforced if first => (next, Effect::Create),
                Uniqueness::Enforced => {
                    let attempt = next.tries;
                    next.phase = Phase::Creating {
                        attempt,
                        since: now,
                        until: again,
                    };
                    (next, Effect::Rest(Rest::Later(again)))
                }
                // The claim stays as it is until the product can no longer execute what was sent.
                Uniqueness::BestEffort => (next, Effect::Rest(Rest::Later(claimed_until))),
            }
        }
    }
}

pub(super) fn on_found(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    result: Result<Vec<WorkItemSeen>, CallFailure>,
) -> (Slot, Effect) {
    let Phase::Creating { since, .. } = &slot.phase else {
        return (slot.clone(), Effect::Rest(Rest::Later(now)));
    };
    match result {
        Ok(found) => match found.into_iter().next() {
            // As when the product tells it in place of making it: it may have begun resolved, for an alert that was over.
            Some(oldest) if oldest.standing != Standing::Open => {
                on_created_over(slot, now, rules, event, oldest.item)
            }
            Some(oldest) => adopt(slot, now, rules, event, oldest.item),
            // Only within the claim: whoever was held up longer than it lasts must not send.
            None if now.since(*since) < SEND_WITHIN => (slot.clone(), Effect::Create),
            None => (slot.clone(), Effect::Rest(Rest::Later(now))),
        },
        Err(failure) => {
            // Nothing was sent, but the slot cannot go back to vacant: an earlier create has an outcome to be found out.
            let mut next = slot.clone();
            let again = next.wait_after(&failure, now, rules.dice);
            if let Phase::Creating { until, .. } = &mut next.phase {
                *until = again;
            }
            if is_given_up(slot, event, &failure, now) {
                return bury(next, event, failure);
            }
            (next, Effect::Rest(Rest::Later(again)))
        }
    }
}
