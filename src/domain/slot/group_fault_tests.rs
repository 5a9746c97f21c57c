//! Groups under faults: what the simulation found, each as the few steps that it takes.

use super::group_tests::{Product, at, event, open, rules, settle};
use super::*;
use crate::domain::failure;
use crate::domain::work_item::{Standing, Uniqueness, WorkItemSeen, WorkItemType};

/// Seed 32469 of the simulation: the audit of one generation closed the only item of the next.
#[test]
fn the_next_item_waits_for_the_audit_of_the_last_one() {
    let (mut slot, mut product) = (Slot::default(), Product::default());
    let rules = rules(false);
    slot = settle(&slot, &mut product, 0, &rules, &event(1, Condition::Fired));
    slot.audit_at = Some(at(900));
    let second = event(2, Condition::Fired);
    let (claimed, _) = next(&slot, at(10), &rules, Input::Event(&second));
    let (waits, effect) = next(
        &claimed,
        at(10),
        &rules,
        Input::Seen(&second, Ok(Look::Ours(Standing::Closed))),
    );
    assert_eq!(effect, Effect::Rest(Rest::Later(at(900))));
    assert_eq!((waits.generation, &waits.phase), (0, &slot.phase));

    // And while one is being made nothing is taken for one too many.
    let creating = Slot {
        phase: Phase::Creating {
            attempt: 1,
            since: at(10),
            until: at(50),
        },
        ..slot
    };
    let seen = WorkItemSeen {
        item: WorkItemRef {
            work_item_type: WorkItemType::Incident,
            number: "x".to_owned(),
            id: "x".to_owned(),
            url: String::new(),
        },
        correlation: None,
        standing: Standing::Open,
        created_at: None,
    };
    let first = event(1, Condition::Fired);
    let found = Input::Audited(&first, Ok(vec![seen]));
    let (after, _) = next(&creating, at(901), &rules, found);
    assert!(after.extras.is_empty());
    let (_, effect) = next(&creating, at(901), &rules, Input::Event(&first));
    assert!(matches!(effect, Effect::Rest(Rest::Later(_))));
}

/// Seed 31953 of the simulation: an alert that goes on took an item for its own that was made resolved for another.
#[test]
fn an_item_that_was_made_resolved_for_another_alert_is_not_taken_for_an_open_one() {
    let rules = rules(false);
    let (slot, _) = next(
        &Slot::default(),
        at(0),
        &rules,
        Input::Event(&event(1, Condition::Resolved)),
    );
    // Asked for, and the answer never came.
    let first = event(1, Condition::Fired);
    let (asked, effect) = next(&slot, at(1), &rules, Input::Event(&first));
    assert_eq!(effect, Effect::Create);
    let mut product = Product::default();
    product.items.insert("0".to_owned(), Standing::Resolved);
    let second = event(2, Condition::Fired);
    let (again, effect) = next(&asked, at(600), &rules, Input::Event(&second));
    assert_eq!(effect, Effect::Create);
    let refused_as_duplicate = WorkItemRef {
        work_item_type: WorkItemType::Incident,
        number: "0".to_owned(),
        id: "0".to_owned(),
        url: String::new(),
    };
    let over = Input::CreatedOver(&second, refused_as_duplicate);
    let (slot, effect) = next(&again, at(601), &rules, over);
    assert_eq!(effect, Effect::Read, "as after any item that is done");
    let resolved = Ok(Look::Ours(Standing::Resolved));
    let (slot, effect) = next(&slot, at(601), &rules, Input::Seen(&second, resolved));
    assert_eq!((slot.generation, effect), (1, Effect::Create));
}

/// Seed 1932 of the simulation: the lost resolve came true after another alert had joined the item.
#[test]
fn nobody_joins_an_item_while_a_lost_resolve_may_still_come_true() {
    let (mut slot, mut product) = (Slot::default(), Product::default());
    let rules = rules(false);
    slot = settle(&slot, &mut product, 0, &rules, &event(1, Condition::Fired));
    let resolved = event(1, Condition::Resolved);
    let (claimed, _) = next(&slot, at(10), &rules, Input::Event(&resolved));
    let standing = Ok(Look::Ours(Standing::Open));
    let (writing, _) = next(&claimed, at(10), &rules, Input::Seen(&resolved, standing));
    let lost = CallFailure::new(
        "ServiceNow",
        "resolve incident",
        crate::domain::failure::Effect::Unknown,
        crate::domain::failure::Kind::TimedOut,
        "made up",
    );
    let (held, _) = next(
        &writing,
        at(20),
        &rules,
        Input::Written(&resolved, Err(lost)),
    );
    let second = event(2, Condition::Fired);
    let (_, effect) = next(&held, at(30), &rules, Input::Event(&second));
    assert_eq!(effect, Effect::Rest(Rest::Later(at(120))), "10 + 60 + 30 s");

    // It comes true; then the second alert finds it done and gets the next item.
    product
        .items
        .insert(slot.item().unwrap().id.clone(), Standing::Resolved);
    let mut slot = held;
    for _ in 0..2 {
        slot = settle(&slot, &mut product, 121, &rules, &second);
    }
    assert_eq!((open(&product), slot.generation), (1, 1));
    assert!(slot.has_settled(&resolved.id) && slot.has_settled(&second.id));
}

/// One alert, whose item's claim to write is lost by an owner that stands still.
fn taken_over(first: &Slot, began: &Event, now: i64, rules: &Rules) -> Slot {
    let (claimed, effect) = next(first, at(now), rules, Input::Event(began));
    assert_eq!(effect, Effect::Read);
    let (again, effect) = next(&claimed, at(now + 60), rules, Input::Event(began));
    assert_eq!(effect, Effect::Read);
    again
}

/// Seeds 17056 and 19865 of the simulation: a resolve was sent by whoever had lost its claim, when the item was open again
/// for another alert.
#[test]
fn an_item_whose_resolve_may_still_be_sent_by_its_first_owner_is_not_reopened() {
    let (mut slot, mut product) = (Slot::default(), Product::default());
    let rules = rules(true);
    slot = settle(&slot, &mut product, 0, &rules, &event(1, Condition::Fired));
    let resolved = event(1, Condition::Resolved);
    let again = taken_over(&slot, &resolved, 10, &rules);
    let seen = Input::Seen(&resolved, Ok(Look::Ours(Standing::Open)));
    let (writing, _) = next(&again, at(71), &rules, seen);

    // Turned away: nobody joins the item that may be resolved at any moment.
    let busy = CallFailure::new(
        "ServiceNow",
        "resolve",
        failure::Effect::Refused,
        failure::Kind::Busy,
        "made up",
    );
    let turned_away = Input::Written(&resolved, Err(busy));
    let (held, _) = next(&writing, at(72), &rules, turned_away);
    assert!(matches!(held.phase, Phase::Writing { .. }));

    let (done, _) = next(&writing, at(72), &rules, Input::Written(&resolved, Ok(())));
    product.items.insert("0".to_owned(), Standing::Resolved);
    let second = event(2, Condition::Fired);
    let follows = settle(&done, &mut product.clone(), 100, &rules, &second);
    assert_eq!(follows.generation, 1, "the next item, at once");
    let reopened = settle(&done, &mut product, 1000, &rules, &second);
    assert_eq!((reopened.generation, open(&product)), (0, 1));
}

#[test]
fn an_item_whose_reopening_may_still_be_sent_by_its_first_owner_is_resolved_later() {
    let (mut slot, mut product) = (Slot::default(), Product::default());
    let rules = rules(true);
    for condition in [Condition::Fired, Condition::Resolved] {
        slot = settle(&slot, &mut product, 0, &rules, &event(1, condition));
    }
    let second = event(2, Condition::Fired);
    let again = taken_over(&slot, &second, 10, &rules);
    let seen = Input::Seen(&second, Ok(Look::Ours(Standing::Open)));
    let (writing, _) = next(&again, at(71), &rules, seen);
    let (opened, _) = next(&writing, at(72), &rules, Input::Written(&second, Ok(())));
    product.items.insert("0".to_owned(), Standing::Open);
    let resolved = event(2, Condition::Resolved);
    let (waits, effect) = next(&opened, at(100), &rules, Input::Event(&resolved));
    assert_eq!(
        (&waits, effect),
        (&opened, Effect::Rest(Rest::Later(at(970))))
    );
    settle(&opened, &mut product, 1000, &rules, &resolved);
    assert_eq!(open(&product), 0);
}

/// Seed 108876 of the simulation: whoever could not read that the product keeps our key unique searched, and took the item
/// that was made resolved for another alert for an open one.
#[test]
fn an_item_that_is_found_resolved_is_not_taken_for_an_open_one_either() {
    let rules = rules(false);
    let early = event(1, Condition::Resolved);
    let (slot, _) = next(&Slot::default(), at(0), &rules, Input::Event(&early));
    let first = event(1, Condition::Fired);
    let (asked, _) = next(&slot, at(1), &rules, Input::Event(&first));
    let unsure = Rules {
        uniqueness: Uniqueness::BestEffort,
        ..rules
    };
    let second = event(2, Condition::Fired);
    let (searching, effect) = next(&asked, at(600), &unsure, Input::Event(&second));
    assert_eq!(effect, Effect::Find);
    let found = WorkItemSeen {
        item: WorkItemRef {
            work_item_type: WorkItemType::Incident,
            number: "0".to_owned(),
            id: "0".to_owned(),
            url: String::new(),
        },
        correlation: None,
        standing: Standing::Resolved,
        created_at: None,
    };
    let result = Input::Found(&second, Ok(vec![found]));
    let (after, effect) = next(&searching, at(601), &unsure, result);
    assert_eq!(effect, Effect::Rest(Rest::Later(at(1500))), "{after:?}");
    assert!(matches!(after.phase, Phase::Done { .. }));
}

/// Seed 110654 of the simulation: an alert whose own effect was there already took over another's note, found the item gone,
/// and made the next one, which then nobody held open and nobody resolved.
#[test]
fn a_note_is_not_taken_over_by_an_alert_that_only_owes_its_resolve() {
    let (mut slot, mut product) = (Slot::default(), Product::default());
    let rules = rules(false);
    let first = event(1, Condition::Fired);
    slot = settle(&slot, &mut product, 0, &rules, &first);
    let resolved = event(1, Condition::Resolved);
    slot.early.push(EarlyResolve {
        event: resolved.id,
        episode: resolved.episode,
        at: None,
    });
    let second = event(2, Condition::Fired);
    let (noting, _) = next(&slot, at(10), &rules, Input::Event(&second));
    let (after, effect) = next(&noting, at(600), &rules, Input::Event(&first));
    assert_eq!(after, noting);
    assert_eq!(effect, Effect::Rest(Rest::Later(at(610))));
}
