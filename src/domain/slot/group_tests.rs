//! Groups: several alerts share an item, in whatever order their messages come.

use std::collections::BTreeMap;

use super::*;
use crate::domain::identity::Firing;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::work_item::WorkItemType;
use crate::domain::work_item::{Standing, Uniqueness};

pub(super) fn event(firing: u8, condition: Condition) -> Event {
    let connection = ConnectionName::parse("contoso").unwrap();
    let episode = EpisodeId::new(&connection, &ActionName::default(), Firing::Body(&[firing]));
    let id = EventId::new(&episode, condition.as_str());
    Event {
        id,
        episode,
        condition,
        at: None,
        received_at: at(0),
        also: Vec::new(),
    }
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

pub(super) fn rules(reopen: bool) -> Rules {
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
        reopen_within: reopen.then(|| Duration::from_secs(3600)),
        dice: 0,
    }
}

/// A product that does what it is asked, and what its people do.
#[derive(Clone, Default)]
pub(super) struct Product {
    pub(super) items: BTreeMap<String, Standing>,
    notes: usize,
}

/// Settles one event, without faults.
pub(super) fn settle(
    slot: &Slot,
    product: &mut Product,
    now: i64,
    rules: &Rules,
    event: &Event,
) -> Slot {
    let (mut slot, mut effect) = next(slot, at(now), rules, Input::Event(event));
    loop {
        let input = match effect.clone() {
            Effect::Create => {
                let id = format!("{}", slot.generation);
                let before = product.items.insert(id.clone(), Standing::Open);
                assert_eq!(before, None, "the same item twice");
                let item = WorkItemRef {
                    work_item_type: WorkItemType::Incident,
                    number: id.clone(),
                    id,
                    url: String::new(),
                };
                Input::Created(event, Ok(item))
            }
            Effect::Read => Input::Seen(
                event,
                Ok(Look::Ours(product.items[&slot.item().unwrap().id])),
            ),
            Effect::Write(write) => {
                let standing = product.items.get_mut(&slot.item().unwrap().id).unwrap();
                match write {
                    Write::Resolve => *standing = Standing::Resolved,
                    Write::Reopen => *standing = Standing::Open,
                    Write::Repeat => product.notes += 1,
                }
                Input::Written(event, Ok(()))
            }
            Effect::Rest(_) => return slot,
            other => unreachable!("{other:?}"),
        };
        (slot, effect) = next(&slot, at(now), rules, input);
    }
}

pub(super) fn open(product: &Product) -> usize {
    product
        .items
        .values()
        .filter(|standing| **standing == Standing::Open)
        .count()
}

#[test]
fn a_further_alert_is_noted_and_the_last_resolve_resolves() {
    let (mut slot, mut product) = (Slot::default(), Product::default());
    let steps = [
        (1, Condition::Fired, 1, 0),
        (2, Condition::Fired, 1, 1),
        (1, Condition::Fired, 1, 1),
        (1, Condition::Resolved, 1, 1),
        (2, Condition::Resolved, 0, 1),
    ];
    for (firing, condition, opened, notes) in steps {
        slot = settle(
            &slot,
            &mut product,
            10,
            &rules(false),
            &event(firing, condition),
        );
        assert_eq!(
            (open(&product), product.notes),
            (opened, notes),
            "after {firing} {condition:?}"
        );
    }
    slot = settle(
        &slot,
        &mut product,
        20,
        &rules(false),
        &event(3, Condition::Fired),
    );
    assert_eq!(
        (product.items.len(), slot.generation),
        (2, 1),
        "once it is closed, the next one"
    );
}

#[test]
fn an_item_that_was_done_a_moment_ago_is_reopened() {
    let (mut slot, mut product) = (Slot::default(), Product::default());
    for (firing, condition) in [
        (1, Condition::Fired),
        (1, Condition::Resolved),
        (2, Condition::Fired),
    ] {
        slot = settle(
            &slot,
            &mut product,
            10,
            &rules(true),
            &event(firing, condition),
        );
    }
    assert_eq!((product.items.len(), open(&product)), (1, 1));
    slot = settle(
        &slot,
        &mut product,
        20,
        &rules(true),
        &event(2, Condition::Resolved),
    );
    slot = settle(
        &slot,
        &mut product,
        20 + 3601,
        &rules(true),
        &event(3, Condition::Fired),
    );
    assert_eq!(
        (product.items.len(), slot.generation),
        (2, 1),
        "too long ago"
    );
    // A person closed it for good: it is followed by the next one, however soon.
    product.items.insert("1".to_owned(), Standing::Closed);
    slot = settle(
        &slot,
        &mut product,
        20 + 3602,
        &rules(true),
        &event(4, Condition::Fired),
    );
    assert_eq!(
        (product.items.len(), slot.generation, open(&product)),
        (3, 2, 1)
    );
}

/// What can happen to a group, besides the messages of its alerts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Happens {
    Told(u8, Condition),
    ClosedByAPerson,
    ReopenedByAPerson,
}

/// Every order of six: two alerts that fire and resolve, one of them told twice, and a person in between. In the end
/// nothing is open if all alerts are over, unless the person reopened it last; and never are two items open.
#[test]
fn every_order_of_six_ends_as_the_order_of_time_does() {
    use Happens::{ClosedByAPerson, ReopenedByAPerson, Told};
    let fired = |firing| Told(firing, Condition::Fired);
    let resolved = |firing| Told(firing, Condition::Resolved);
    let casts = [
        (
            [
                fired(1),
                fired(1),
                resolved(1),
                fired(2),
                ClosedByAPerson,
                ReopenedByAPerson,
            ],
            true,
        ),
        (
            [
                fired(1),
                fired(1),
                resolved(1),
                fired(2),
                resolved(2),
                resolved(1),
            ],
            false,
        ),
        (
            [
                fired(1),
                resolved(1),
                fired(2),
                resolved(2),
                ClosedByAPerson,
                ReopenedByAPerson,
            ],
            false,
        ),
        (
            [
                fired(1),
                fired(2),
                fired(3),
                resolved(1),
                resolved(2),
                ClosedByAPerson,
            ],
            true,
        ),
    ];
    let mut orders = 0;
    for (cast, ends_firing) in casts {
        for reopen in [false, true] {
            permute(&mut cast.to_vec(), 0, &mut |order| {
                orders += 1;
                let (mut slot, mut product) = (Slot::default(), Product::default());
                for (now, happens) in order.iter().enumerate() {
                    match happens {
                        Told(firing, condition) => {
                            slot = settle(
                                &slot,
                                &mut product,
                                now as i64,
                                &rules(reopen),
                                &event(*firing, *condition),
                            );
                        }
                        ClosedByAPerson | ReopenedByAPerson => {
                            let standing = if *happens == ClosedByAPerson {
                                Standing::Closed
                            } else {
                                Standing::Open
                            };
                            if let Some(item) = slot.item() {
                                // Closed is final: only what was resolved is reopened.
                                let now = product.items[&item.id];
                                if !(standing == Standing::Open && now == Standing::Closed) {
                                    product.items.insert(item.id.clone(), standing);
                                }
                            }
                        }
                    }
                    assert!(open(&product) <= 1, "{order:?}");
                }
                // Once more, as the drain would: whatever was early has its effect now.
                for happens in order {
                    if let Told(firing, condition) = happens {
                        slot = settle(
                            &slot,
                            &mut product,
                            100,
                            &rules(reopen),
                            &event(*firing, *condition),
                        );
                        assert!(
                            slot.has_settled(&event(*firing, *condition).id),
                            "{order:?}: {slot:?}"
                        );
                    }
                }
                // Whoever closes an item has dealt with the alerts that it had; without that, only the alerts count.
                if order.iter().all(|happens| matches!(happens, Told(..))) {
                    assert_eq!(!slot.firing.is_empty(), ends_firing, "{order:?}: {slot:?}");
                    assert_eq!(
                        open(&product),
                        usize::from(ends_firing),
                        "{order:?}: {slot:?}"
                    );
                }
            });
        }
    }
    assert_eq!(orders, 4 * 2 * 720);
}

fn permute(list: &mut Vec<Happens>, from: usize, each: &mut impl FnMut(&[Happens])) {
    if from == list.len() {
        return each(list);
    }
    for at in from..list.len() {
        list.swap(from, at);
        permute(list, from + 1, each);
        list.swap(from, at);
    }
}
