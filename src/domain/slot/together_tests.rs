//! Events that are settled together: the alerts of a storm, and an alert that is over before its item was made.

use super::*;
use crate::domain::identity::Firing;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::work_item::{Standing, Uniqueness, WorkItemType};

fn event(firing: u8, condition: Condition) -> Event {
    let connection = ConnectionName::parse("contoso").unwrap();
    let episode = EpisodeId::new(&connection, &ActionName::default(), Firing::Body(&[firing]));
    Event {
        id: EventId::new(&episode, condition.as_str()),
        episode,
        condition,
        at: None,
        received_at: at(0),
        also: Vec::new(),
    }
}

/// The first of some firings, with the others beside it.
fn batch(firings: &[u8], condition: Condition) -> Event {
    let mut events = firings.iter().map(|&firing| event(firing, condition));
    let mut first = events.next().unwrap();
    first.also = events
        .map(|event| Companion {
            event: event.id,
            episode: event.episode,
        })
        .collect();
    first
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn rules() -> Rules {
    Rules {
        uniqueness: Uniqueness::Enforced,
        longest_transaction: Duration::from_secs(60),
        call_timeout: Duration::from_secs(10),
        changes_on_resolve: true,
        notes_repeats: true,
        is_named_later: false,
        is_shared: true,
        is_of_one_series: false,
        lists_all: false,
        leaves_out_what_is_over: false,
        reopen_within: None,
        dice: 0,
    }
}

fn item() -> WorkItemRef {
    WorkItemRef {
        work_item_type: WorkItemType::Incident,
        number: "INC1".to_owned(),
        id: "1".to_owned(),
        url: String::new(),
    }
}

fn refused() -> CallFailure {
    CallFailure::new(
        "ServiceNow",
        "create incident",
        super::super::failure::Effect::Refused,
        super::super::failure::Kind::Invalid,
        "made up",
    )
}

fn failed(effect: super::super::failure::Effect) -> CallFailure {
    let kind = super::super::failure::Kind::Unavailable;
    CallFailure::new("ServiceNow", "create incident", effect, kind, "made up")
}

/// Somebody tried and was not told what came of it; the next try did not leave the house.
fn vacant_with_an_unknown_outcome() -> Slot {
    use super::super::failure::Effect::{NotSent, Unknown};
    let fired = event(1, Condition::Fired);
    let (claimed, _) = step(&Slot::default(), Input::Event(&fired));
    let (again, effect) = step(&claimed, Input::Created(&fired, Err(failed(Unknown))));
    assert_eq!(effect, Effect::Create);
    let (vacant, _) = step(&again, Input::Created(&fired, Err(failed(NotSent))));
    assert_eq!(vacant.phase, Phase::Vacant);
    vacant
}

fn step(slot: &Slot, input: Input<'_>) -> (Slot, Effect) {
    next(slot, at(1), &rules(), input)
}

fn made(fired: &Event) -> Slot {
    let (claimed, effect) = step(&Slot::default(), Input::Event(fired));
    assert_eq!(effect, Effect::Create);
    let (made, _) = step(&claimed, Input::Created(fired, Ok(item())));
    made
}

/// A read that shows it open, then a write that works.
fn read_and_write(slot: &Slot, event: &Event) -> (Slot, Effect) {
    let (slot, effect) = step(slot, Input::Seen(event, Ok(Look::Ours(Standing::Open))));
    assert!(matches!(effect, Effect::Write(_)), "{effect:?}");
    step(&slot, Input::Written(event, Ok(())))
}

fn settled(slot: &Slot, firings: &[u8], condition: Condition) -> bool {
    firings
        .iter()
        .all(|&firing| slot.has_settled(&event(firing, condition).id))
}

#[test]
fn alerts_that_are_made_together_are_all_settled_and_all_hold_the_item() {
    let slot = made(&batch(&[1, 2, 3], Condition::Fired));
    assert!(settled(&slot, &[1, 2, 3], Condition::Fired));
    assert_eq!(slot.firing.len(), 3);
}

#[test]
fn more_of_them_are_told_by_one_note() {
    let slot = made(&batch(&[1, 2], Condition::Fired));
    let more = batch(&[3, 4, 5], Condition::Fired);
    let (slot, effect) = step(&slot, Input::Event(&more));
    assert_eq!(effect, Effect::Read);
    let (slot, effect) = read_and_write(&slot, &more);
    assert_eq!(effect, Effect::Rest(Rest::Updated));
    assert!(settled(&slot, &[1, 2, 3, 4, 5], Condition::Fired));
    assert_eq!(slot.firing.len(), 5);
}

#[test]
fn the_last_of_them_to_end_resolves_the_item() {
    let slot = made(&batch(&[1, 2, 3, 4], Condition::Fired));
    let (slot, effect) = step(&slot, Input::Event(&batch(&[1, 3], Condition::Resolved)));
    assert_eq!(effect, Effect::Rest(Rest::Ignored));
    assert!(settled(&slot, &[1, 3], Condition::Resolved));
    let last = batch(&[4, 2], Condition::Resolved);
    let (slot, effect) = step(&slot, Input::Event(&last));
    assert_eq!(effect, Effect::Read);
    let (slot, effect) = read_and_write(&slot, &last);
    assert_eq!(effect, Effect::Rest(Rest::Resolved));
    assert!(settled(&slot, &[1, 2, 3, 4], Condition::Resolved));
    assert!(matches!(slot.phase, Phase::Done { .. }));
}

#[test]
fn whoever_takes_a_lost_resolve_over_settles_those_beside_it_too() {
    let slot = made(&batch(&[1, 2], Condition::Fired));
    let both = batch(&[1, 2], Condition::Resolved);
    let (slot, _) = step(&slot, Input::Event(&both));
    // Its owner is gone. The other comes alone, later.
    let second = event(2, Condition::Resolved);
    let (slot, effect) = next(&slot, at(500), &rules(), Input::Event(&second));
    assert_eq!(effect, Effect::Read);
    let (slot, _) = read_and_write(&slot, &second);
    assert!(settled(&slot, &[1, 2], Condition::Resolved));
}

#[test]
fn an_end_that_is_known_already_holds_nothing_open() {
    let early = event(2, Condition::Resolved);
    let (slot, effect) = step(&Slot::default(), Input::Event(&early));
    assert_eq!(effect, Effect::Rest(Rest::Remembered));
    let fired = batch(&[1, 2, 3], Condition::Fired);
    let (claimed, _) = step(&slot, Input::Event(&fired));
    let (slot, _) = step(&claimed, Input::Created(&fired, Ok(item())));
    assert_eq!(slot.firing.len(), 2);
    assert!(settled(&slot, &[1, 2, 3], Condition::Fired));
    assert!(settled(&slot, &[2], Condition::Resolved));
}

#[test]
fn the_first_ones_early_end_does_not_resolve_what_others_hold() {
    let early = event(1, Condition::Resolved);
    let (slot, _) = step(&Slot::default(), Input::Event(&early));
    let fired = batch(&[1, 2], Condition::Fired);
    let (claimed, _) = step(&slot, Input::Event(&fired));
    let (slot, effect) = step(&claimed, Input::Created(&fired, Ok(item())));
    assert_eq!(effect, Effect::Rest(Rest::Created));
    assert!(matches!(slot.phase, Phase::Open { .. }));
    assert!(settled(&slot, &[1], Condition::Resolved));
    assert_eq!(slot.firing.len(), 1);
}

#[test]
fn what_is_refused_for_good_is_given_up_together() {
    let fired = batch(&[1, 2], Condition::Fired);
    let (claimed, _) = step(&Slot::default(), Input::Event(&fired));
    let (slot, effect) = step(&claimed, Input::Created(&fired, Err(refused())));
    assert!(matches!(effect, Effect::Rest(Rest::Dead(_))));
    assert!(settled(&slot, &[1, 2], Condition::Fired));
}

#[test]
fn an_alert_that_was_over_when_its_item_was_made_needs_no_second_call() {
    let (slot, _) = step(
        &Slot::default(),
        Input::Event(&event(1, Condition::Resolved)),
    );
    let fired = event(1, Condition::Fired);
    let (claimed, effect) = step(&slot, Input::Event(&fired));
    assert_eq!(effect, Effect::Create);
    let (slot, effect) = step(&claimed, Input::CreatedOver(&fired, item()));
    assert_eq!(effect, Effect::Rest(Rest::Created));
    assert!(matches!(slot.phase, Phase::Done { .. }));
    assert!(settled(&slot, &[1], Condition::Fired) && settled(&slot, &[1], Condition::Resolved));
}

#[test]
fn an_item_that_came_back_resolved_while_its_alert_goes_on_stays_the_one_that_counts() {
    let fired = event(1, Condition::Fired);
    let (claimed, _) = step(&Slot::default(), Input::Event(&fired));
    let (slot, effect) = step(&claimed, Input::CreatedOver(&fired, item()));
    assert_eq!(effect, Effect::Rest(Rest::Created));
    assert!(matches!(slot.phase, Phase::Open { .. }));
}

#[test]
fn an_alert_that_is_over_gets_nothing_where_the_action_wants_it_so() {
    let rules = Rules {
        leaves_out_what_is_over: true,
        ..rules()
    };
    let resolved = event(1, Condition::Resolved);
    let (slot, _) = next(&Slot::default(), at(0), &rules, Input::Event(&resolved));
    let fired = event(1, Condition::Fired);
    let (slot, effect) = next(&slot, at(1), &rules, Input::Event(&fired));
    assert_eq!(effect, Effect::Rest(Rest::Ignored));
    assert!(settled(&slot, &[1], Condition::Fired) && settled(&slot, &[1], Condition::Resolved));
    assert_eq!(slot.phase, Phase::Vacant);
}

#[test]
fn what_may_have_an_item_is_neither_left_out_nor_joins_a_storm() {
    let storm = SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap();
    let vacant = vacant_with_an_unknown_outcome();
    assert_eq!(vacant.joined(&storm), None);
    let rules = Rules {
        leaves_out_what_is_over: true,
        ..rules()
    };
    let resolved = event(1, Condition::Resolved);
    let (slot, _) = next(&vacant, at(90), &rules, Input::Event(&resolved));
    let fired = event(1, Condition::Fired);
    let (claimed, effect) = next(&slot, at(900), &rules, Input::Event(&fired));
    assert_eq!(effect, Effect::Create);
    let (found, _) = next(
        &claimed,
        at(900),
        &rules,
        Input::Created(&fired, Ok(item())),
    );
    assert!(matches!(
        found.phase,
        Phase::Writing {
            write: Write::Resolve,
            ..
        }
    ));
    assert!(!found.may_exist);
}

#[test]
fn a_storm_that_adopts_an_earlier_tries_item_tells_it_of_all_its_alerts() {
    use super::super::failure::Effect::Unknown;
    let rules = Rules {
        lists_all: true,
        ..rules()
    };
    let first = batch(&[1], Condition::Fired);
    let (claimed, _) = next(&Slot::default(), at(0), &rules, Input::Event(&first));
    let lost = Input::Created(&first, Err(failed(Unknown)));
    let (waiting, _) = next(&claimed, at(1), &rules, lost);
    // The next turn has one more alert; the product says that the item is there.
    let both = batch(&[1, 2], Condition::Fired);
    let (again, effect) = next(&waiting, at(900), &rules, Input::Event(&both));
    assert_eq!(effect, Effect::Create);
    let (slot, effect) = next(&again, at(900), &rules, Input::Created(&both, Ok(item())));
    assert_eq!(effect, Effect::Read);
    assert!(!settled(&slot, &[1], Condition::Fired) && !settled(&slot, &[2], Condition::Fired));
    let (slot, _) = read_and_write(&slot, &both);
    assert!(settled(&slot, &[1, 2], Condition::Fired));
    assert_eq!(slot.firing.len(), 2);
}

#[test]
fn an_adopted_item_that_is_nobodys_yet_is_audited_before_its_storm_goes_on() {
    let rules = Rules {
        uniqueness: Uniqueness::BestEffort,
        lists_all: true,
        ..rules()
    };
    let slot = Slot {
        phase: Phase::Open { item: item() },
        audit_at: Some(at(900)),
        ..Slot::default()
    };
    let fired = event(1, Condition::Fired);
    let (_, effect) = next(&slot, at(899), &rules, Input::Event(&fired));
    assert_eq!(effect, Effect::Read);
    let (_, effect) = next(&slot, at(900), &rules, Input::Event(&fired));
    assert_eq!(effect, Effect::Audit);
}

#[test]
fn an_adopted_item_of_a_storm_whose_alerts_are_all_over_is_ended() {
    let rules = Rules {
        lists_all: true,
        ..rules()
    };
    let fired = event(1, Condition::Fired);
    let slot = Slot {
        may_exist: true,
        ..Slot::default()
    };
    let (slot, _) = next(
        &slot,
        at(0),
        &rules,
        Input::Event(&event(1, Condition::Resolved)),
    );
    let (claimed, _) = next(&slot, at(1), &rules, Input::Event(&fired));
    let (adopted, effect) = next(&claimed, at(1), &rules, Input::Created(&fired, Ok(item())));
    assert_eq!(effect, Effect::Read);
    let (noted, _) = read_and_write(&adopted, &fired);
    assert!(!noted.has_settled(&fired.id) && !noted.goes_on_holding(&fired.episode));
    let (ending, effect) = next(&noted, at(2), &rules, Input::Event(&fired));
    assert_eq!(effect, Effect::Read);
    let (ended, _) = read_and_write(&ending, &fired);
    assert!(matches!(ended.phase, Phase::Done { .. }));
    assert!(settled(&ended, &[1], Condition::Fired) && settled(&ended, &[1], Condition::Resolved));
}

#[test]
fn an_alert_joins_a_storm_only_while_nothing_was_done_for_it() {
    let storm = SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap();
    let joined = Slot::default().joined(&storm).unwrap();
    let fired = event(1, Condition::Fired);
    let (_, effect) = step(&joined, Input::Event(&fired));
    assert_eq!(effect, Effect::Rest(Rest::Joined(storm.clone())));
    let there = joined.settled_in_its_storm(&fired.id);
    assert!(there.has_settled(&fired.id));

    assert_eq!(made(&fired).joined(&storm), None);
    let (claimed, _) = step(&Slot::default(), Input::Event(&fired));
    assert_eq!(claimed.joined(&storm), None);
    let (remembered, _) = step(
        &Slot::default(),
        Input::Event(&event(1, Condition::Resolved)),
    );
    assert_eq!(remembered.joined(&storm), None);
}

#[test]
fn an_item_that_may_not_begin_resolved_begins_open() {
    let resolved = event(1, Condition::Resolved);
    let (slot, _) = step(&Slot::default(), Input::Event(&resolved));
    let fired = event(1, Condition::Fired);
    let (claimed, _) = step(&slot, Input::Event(&fired));
    let (again, effect) = step(&claimed, Input::Created(&fired, Err(refused())));
    assert_eq!(effect, Effect::Create);
    assert!(again.begins_open);
    let (_, effect) = step(&again, Input::Created(&fired, Err(refused())));
    assert!(
        matches!(effect, Effect::Rest(Rest::Dead(_))),
        "once is enough"
    );
}
