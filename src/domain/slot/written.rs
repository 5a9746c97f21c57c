//! The answers to a read, a write and an audit of an item that exists.

use std::time::Duration;

use super::event::{begin, claim, next_generation};
use super::{Effect, Event, Look, Phase, Rest, Rules, Slot, Write, bury, is_given_up, is_worn_out};
use crate::domain::failure::{self, CallFailure, Kind};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{Standing, WorkItemSeen};

/// How often a search is repeated that does not show the item that is known, before it is believed to be gone.
const EMPTY_SEARCHES_MAX: u32 = 3;

/// How long a product's search may lag behind its records.
const SEARCH_LAG: Duration = Duration::from_secs(60);

pub(super) fn on_seen(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    result: Result<Look, CallFailure>,
) -> (Slot, Effect) {
    let Phase::Writing { write, done_at, .. } = &slot.phase else {
        return (slot.clone(), Effect::Rest(Rest::Later(now)));
    };
    match (result, write) {
        // Neither the key that we were told nor the search shows it; a search may lag (seed 51918).
        (Ok(Look::Gone), _) if slot.tries < EMPTY_SEARCHES_MAX => {
            let failure = saw_nothing().with_retry_after(SEARCH_LAG);
            back(slot, now, rules, event, failure)
        }
        (Ok(Look::Ours(Standing::Open)), Write::Resolve) => {
            (slot.clone(), Effect::Write(Write::Resolve))
        }
        // A person was faster, or our own lost write took effect; or a person removed it: nothing is left to write to.
        (Ok(Look::Ours(_) | Look::Gone), Write::Resolve) => done(slot, now),
        // Somebody reopened it, or our own lost write did: it needs the note only.
        (Ok(Look::Ours(Standing::Open)), Write::Repeat | Write::Reopen) => {
            (slot.clone(), Effect::Write(Write::Repeat))
        }
        (Ok(Look::Ours(Standing::Resolved)), Write::Reopen) => {
            (slot.clone(), Effect::Write(Write::Reopen))
        }
        // A person resolved it while its alerts go on.
        (Ok(Look::Ours(Standing::Resolved)), Write::Repeat)
            if rules.reopen_within.is_some() && done_at.is_none() =>
        {
            // Written down as what it is: its lost answer, and its takeover, are a reopening's.
            let mut next = slot.clone();
            if let Phase::Writing { write, .. } = &mut next.phase {
                *write = Write::Reopen;
            }
            (next, Effect::Write(Write::Reopen))
        }
        // A person is done with it, and this is only a further message about the same.
        (Ok(Look::Ours(_) | Look::Gone), Write::Repeat)
            if rules.is_of_one_series && is_a_further_message(slot) =>
        {
            done(slot, now)
        }
        // It is over for good: the alert gets the next one.
        (Ok(Look::Ours(_) | Look::Gone), Write::Repeat | Write::Reopen) => {
            match slot.audit_at.filter(|_| slot.owes_an_audit()) {
                // The search of an audit goes by the generation: it must be over before the next one begins.
                Some(at) => (
                    before_the_write(slot),
                    Effect::Rest(Rest::Later(at.max(now))),
                ),
                None => claim(&next_generation(slot), now, rules),
            }
        }
        (Ok(Look::Elsewhere(seen)), _) => {
            let mut found = slot.clone();
            if let Phase::Writing { item, .. } = &mut found.phase {
                *item = seen.item;
            }
            on_seen(&found, now, rules, event, Ok(Look::Ours(seen.standing)))
        }
        (Ok(Look::Foreign), _) => {
            let failure = CallFailure::new(
                "the ITSM product",
                "read work item",
                failure::Effect::Refused,
                Kind::Foreign,
                "the record under our key carries another correlation id; it was left alone",
            );
            bury(slot.clone(), event, failure)
        }
        // Whoever had the item before may have written to it: nobody joins it unread (seed 8687 of the simulation).
        (Err(failure), _) if rules.is_shared => hold(slot, now, rules, event, failure, None),
        (Err(failure), _) => back(slot, now, rules, event, failure),
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
        Ok(()) => done(slot, now),
        Err(failure) if may_yet_take_effect(slot, rules, &failure) => {
            let unknown_for = rules.unknown_for();
            hold(slot, now, rules, event, failure, Some(unknown_for))
        }
        // Ours was turned away, and that of whoever had the item before may still come: nobody joins meanwhile.
        Err(failure) if slot.is_unsure(now).is_some() => {
            hold(slot, now, rules, event, failure, None)
        }
        // Unknown or not, the read before the next write shows what came of it.
        Err(failure) => back(slot, now, rules, event, failure),
    }
}

/// True if the write is about a firing that the item is open for already.
fn is_a_further_message(slot: &Slot) -> bool {
    matches!(&slot.phase, Phase::Writing { episode, .. } if slot.firing.contains(episode))
}

fn done(slot: &Slot, now: Timestamp) -> (Slot, Effect) {
    let Phase::Writing {
        item,
        write,
        event,
        episode,
        also,
        ..
    } = &slot.phase
    else {
        return (slot.clone(), Effect::Rest(Rest::Known));
    };
    let mut next = slot.clone();
    next.apply(event);
    next.succeed();
    match write {
        Write::Resolve => {
            next.end(episode);
            next.let_go(also);
            next.phase = Phase::Done {
                item: item.clone(),
                at: now,
            };
            (next, Effect::Rest(Rest::Resolved))
        }
        Write::Repeat | Write::Reopen => {
            next.fire(episode);
            next.take_in(also);
            next.phase = Phase::Open { item: item.clone() };
            (next, Effect::Rest(Rest::Updated))
        }
    }
}

/// A change of state whose answer is lost may come true after another alert has joined the item, and end or reopen it
/// under that alert's feet. A note does no harm whenever it comes.
fn may_yet_take_effect(slot: &Slot, rules: &Rules, failure: &CallFailure) -> bool {
    let changes_state = matches!(
        slot.phase,
        Phase::Writing {
            write: Write::Resolve | Write::Reopen,
            ..
        }
    );
    rules.is_shared && changes_state && failure.effect == failure::Effect::Unknown
}

/// Nobody joins until the product can no longer execute what was sent, or until the next try; then a read shows what came
/// of it.
fn hold(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    failure: CallFailure,
    unknown_for: Option<Duration>,
) -> (Slot, Effect) {
    if is_given_up(slot, event, &failure, now) {
        return bury(slot.clone(), event, failure);
    }
    let mut next = slot.clone();
    let next_try = next.wait_after(&failure, now, rules.dice);
    next.not_before = None;
    let again = unknown_for.map_or(next_try, |span| now.plus(span));
    if let Phase::Writing { until, .. } = &mut next.phase {
        *until = again;
    }
    (next, Effect::Rest(Rest::Later(again)))
}

/// The state in which the write began.
fn before_the_write(slot: &Slot) -> Slot {
    let mut next = slot.clone();
    if let Phase::Writing { item, done_at, .. } = &slot.phase {
        let item = item.clone();
        next.phase = match done_at {
            Some(at) => Phase::Done { item, at: *at },
            None => Phase::Open { item },
        };
    }
    next
}

/// The write did not take effect, as far as we know: back to where it began, until after a wait.
fn back(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    failure: CallFailure,
) -> (Slot, Effect) {
    if is_given_up(slot, event, &failure, now) {
        return bury(slot.clone(), event, failure);
    }
    let mut next = before_the_write(slot);
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
        // Whether what was found is one too many is not known while one is being made.
        Ok(_) if matches!(slot.phase, Phase::Vacant | Phase::Creating { .. }) => {
            (slot.clone(), Effect::Rest(Rest::Later(now)))
        }
        Ok(found) => {
            let mut next = slot.clone();
            next.audit_at = None;
            next.succeed();
            // Given up before it was known that there is one: the oldest is the one that counts, and stays.
            if let Phase::Dead { item: kept @ None } = &mut next.phase {
                *kept = found.first().map(|seen| seen.item.clone());
            }
            let kept = next.item().cloned();
            let is_ours =
                |seen: &&WorkItemSeen| kept.as_ref().is_some_and(|kept| kept.id == seen.item.id);
            let has_our_number = |seen: &&WorkItemSeen| {
                kept.as_ref()
                    .is_some_and(|kept| kept.number == seen.item.number)
            };
            if kept.is_some() && found.is_empty() && slot.tries < EMPTY_SEARCHES_MAX {
                // Ours is there, so this search saw nothing at all: an index that lags, or somebody has removed it.
                return audit_later(slot, now, rules, event, &saw_nothing());
            }
            if let Some(named) = found.iter().find(is_ours)
                && kept.as_ref().is_some_and(|kept| !kept.has_a_number())
            {
                next.replace_item(&named.item);
            }
            if kept.is_some() && !found.iter().any(|seen| is_ours(&seen)) {
                // The key that a spoilt answer told us is no item's: the one with our number is ours, or else the oldest.
                // Of one that is done it may be gone since; then what is open is one too many (seed 1753).
                let is_done = matches!(next.phase, Phase::Done { .. });
                let oldest = found.first().filter(|_| !is_done);
                if let Some(ours) = found.iter().find(has_our_number).or(oldest) {
                    next.replace_item(&ours.item);
                    if is_done && ours.standing == Standing::Open && rules.changes_on_resolve {
                        let resolve = Write::Resolve;
                        let (id, episode) = (&event.id, &event.episode);
                        return begin(&next, now, rules, resolve, id, episode, &[]);
                    }
                }
            }
            let kept = next.item().map(|item| item.id.clone());
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
        // All that it was to show is a number, and whoever may not read it does without.
        Err(failure) if rules.is_named_later && failure.is_permanent() => {
            let mut next = slot.clone();
            next.audit_at = None;
            next.last_failure = Some(failure);
            (next, Effect::Rest(Rest::Known))
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

fn saw_nothing() -> CallFailure {
    CallFailure::new(
        "the ITSM product",
        "find work items by correlation id",
        failure::Effect::Refused,
        Kind::Foreign,
        "the search does not show the work item that is there",
    )
}

fn audit_later(
    slot: &Slot,
    now: Timestamp,
    rules: &Rules,
    event: &Event,
    failure: &CallFailure,
) -> (Slot, Effect) {
    let mut next = slot.clone();
    // A refusal that holds for this call need not hold for the next: nobody waits, so a duplicate is not left open for one
    // answer (seed 68897 of the simulation).
    if is_worn_out(slot, event, now) {
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
