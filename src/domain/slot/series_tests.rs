//! One thing that is told of in several messages: one item, a note for each further message, and nothing for what comes late.

use super::group_tests::{Product, at, settle};
use super::*;
use crate::domain::identity::Firing;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::work_item::Standing;

fn message(incident: &str, n: u8, condition: Condition, sent: i64) -> Event {
    let connection = ConnectionName::parse("contoso").unwrap();
    let firing = Firing::Series(incident);
    let episode = EpisodeId::new(&connection, &ActionName::default(), firing);
    Event {
        id: EventId::of_message(&episode, condition.as_str(), &n.to_string()),
        episode,
        condition,
        at: Some(at(sent)),
        received_at: at(sent),
        also: Vec::new(),
    }
}

fn rules() -> Rules {
    Rules {
        is_of_one_series: true,
        ..super::group_tests::rules(false)
    }
}

fn settled(messages: &[(&Event, i64)], rules: &Rules, product: &mut Product) -> Slot {
    let mut slot = Slot::default();
    for (message, now) in messages {
        slot = settle(&slot, product, *now, rules, message);
        assert!(slot.has_settled(&message.id), "{message:?}");
    }
    slot
}

fn standings(product: &Product) -> Vec<Standing> {
    product.items.values().copied().collect()
}

#[test]
fn further_messages_are_notes_and_the_last_one_resolves() {
    let (first, second) = (
        message("a", 1, Condition::Fired, 10),
        message("a", 2, Condition::Fired, 20),
    );
    let end = message("a", 3, Condition::Resolved, 30);
    let mut product = Product::default();
    let slot = settled(
        &[(&first, 11), (&second, 21), (&second, 22)],
        &rules(),
        &mut product,
    );
    let noted = next(&slot, at(23), &rules(), Input::Event(&second)).1;
    assert_eq!(noted, Effect::Rest(Rest::Known), "told once");
    let slot = settle(&slot, &mut product, 31, &rules(), &end);
    assert!(matches!(slot.phase, Phase::Done { .. }));
    assert_eq!(standings(&product), [Standing::Resolved]);
}

#[test]
fn a_further_message_asks_for_a_note() {
    let mut product = Product::default();
    let first = message("a", 1, Condition::Fired, 10);
    let slot = settled(&[(&first, 11)], &rules(), &mut product);
    let second = message("a", 2, Condition::Fired, 20);
    let (slot, effect) = next(&slot, at(21), &rules(), Input::Event(&second));
    assert_eq!(effect, Effect::Read);
    let seen = Input::Seen(&second, Ok(Look::Ours(Standing::Open)));
    assert_eq!(
        next(&slot, at(22), &rules(), seen).1,
        Effect::Write(Write::Repeat)
    );
    let quiet = Rules {
        notes_repeats: false,
        ..rules()
    };
    let mut product = Product::default();
    let slot = settled(&[(&first, 11)], &quiet, &mut product);
    let effect = next(&slot, at(21), &quiet, Input::Event(&second)).1;
    assert_eq!(effect, Effect::Rest(Rest::Known));
}

#[test]
fn what_was_sent_before_the_end_and_comes_after_it_is_nothing_new() {
    let first = message("a", 1, Condition::Fired, 10);
    let late = message("a", 2, Condition::Fired, 20);
    let end = message("a", 3, Condition::Resolved, 30);
    let report = message("a", 4, Condition::Resolved, 900);
    let mut product = Product::default();
    let slot = settled(
        &[(&first, 11), (&end, 31), (&late, 40), (&report, 901)],
        &rules(),
        &mut product,
    );
    assert_eq!(standings(&product), [Standing::Resolved]);
    // Not even a report after the end keeps what comes back from being told.
    let back = message("a", 5, Condition::Fired, 1_000);
    let slot = settle(&slot, &mut product, 1_001, &rules(), &back);
    assert_eq!(slot.generation, 1);
    assert_eq!(standings(&product), [Standing::Resolved, Standing::Open]);
}

#[test]
fn a_person_who_is_done_with_it_is_not_bothered_by_a_further_message() {
    let first = message("a", 1, Condition::Fired, 10);
    let mut product = Product::default();
    let slot = settled(&[(&first, 11)], &rules(), &mut product);
    for standing in [Standing::Resolved, Standing::Closed] {
        let mut product = product.clone();
        product.items.insert("0".to_owned(), standing);
        let second = message("a", 2, Condition::Fired, 20);
        let after = settle(&slot, &mut product, 21, &rules(), &second);
        assert_eq!(after.generation, 0);
        assert_eq!(standings(&product), [standing]);
    }
}

#[test]
fn in_a_group_of_many_a_message_about_something_else_is_never_late() {
    let rules = Rules {
        is_of_one_series: false,
        ..rules()
    };
    let (first, end) = (
        message("a", 1, Condition::Fired, 10),
        message("a", 2, Condition::Resolved, 30),
    );
    let other = message("b", 1, Condition::Fired, 20);
    let mut product = Product::default();
    settled(
        &[(&first, 11), (&end, 31), (&other, 40)],
        &rules,
        &mut product,
    );
    assert_eq!(standings(&product), [Standing::Resolved, Standing::Open]);
}

#[test]
fn the_order_of_the_first_two_messages_does_not_matter() {
    let (first, end) = (
        message("a", 1, Condition::Fired, 10),
        message("a", 2, Condition::Resolved, 30),
    );
    let mut product = Product::default();
    let slot = settled(&[(&end, 31), (&first, 40)], &rules(), &mut product);
    assert!(matches!(slot.phase, Phase::Done { .. }));
    assert_eq!(standings(&product), [Standing::Resolved]);
}
