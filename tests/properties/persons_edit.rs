//! Whatever a person changes in our work item between two of our writes is still there after the second, but for the
//! fields that the write is for.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::Bed;

/// Every write that we make to a work item that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Resolve,
    Close,
    Comment,
    Repeat,
    Reopen,
    CloseAsDuplicate,
}

const WRITES: [Write; 6] = [
    Write::Resolve,
    Write::Close,
    Write::Comment,
    Write::Repeat,
    Write::Reopen,
    Write::CloseAsDuplicate,
];

/// What the instance stamps at each write.
const STAMPS: [&str; 3] = ["sys_updated_on", "sys_updated_by", "sys_mod_count"];

/// What a write is for, and what the instance itself derives of it.
fn is_for(write: Write) -> &'static [&'static str] {
    match write {
        Write::Comment | Write::Repeat => &[],
        Write::Resolve | Write::CloseAsDuplicate => &[
            "state",
            "incident_state",
            "close_code",
            "close_notes",
            "resolved_at",
            "resolved_by",
            "active",
        ],
        Write::Close => &[
            "state",
            "incident_state",
            "close_code",
            "close_notes",
            "resolved_at",
            "resolved_by",
            "active",
            "closed_at",
            "closed_by",
        ],
        Write::Reopen => &[
            "state",
            "incident_state",
            "active",
            "reopen_count",
            "resolved_at",
            "resolved_by",
            "closed_at",
            "closed_by",
        ],
    }
}

fn alert(resolved: bool, n: usize) -> Value {
    let text = if resolved {
        include_str!("../fixtures/common_alert_schema/metric_resolved.json")
    } else {
        include_str!("../fixtures/common_alert_schema/metric_fired.json")
    };
    let mut body: Value = serde_json::from_str(text).unwrap();
    body["data"]["essentials"]["alertId"] = format!("/subscriptions/1/alerts/{n}").into();
    body
}

fn action(write: Write) -> Value {
    match write {
        Write::Resolve | Write::CloseAsDuplicate => json!({}),
        Write::Close => json!({ "on_resolve": "close" }),
        Write::Comment => json!({ "on_resolve": "comment" }),
        Write::Repeat => json!({ "grouping": "rule" }),
        Write::Reopen => json!({ "grouping": "rule", "reopen_within": "1h" }),
    }
}

/// Up to the moment before the write.
async fn before(write: Write) -> Bed {
    let config = Config {
        accepts_chosen_sys_id: write != Write::CloseAsDuplicate,
        ..Config::default()
    };
    let bed = Bed::new(action(write), config, true);
    let minutes = |n: u64| Duration::from_secs(n * 60);
    if write == Write::CloseAsDuplicate {
        // The first create is executed when nobody believes in it any more.
        let late = FaultRule::once(Kind::Create, Fault::ExecuteLate { after: minutes(8) });
        bed.product().machine.faults_mut().add(late);
    }
    bed.deliver(&alert(false, 1)).await;
    if write == Write::CloseAsDuplicate {
        bed.pass(minutes(4));
        bed.drain().await;
        bed.pass(minutes(6));
        assert_eq!(bed.product().ours().len(), 2, "made twice");
    }
    if write == Write::Reopen {
        bed.deliver(&alert(true, 1)).await;
    }
    bed.pass(minutes(2));
    bed
}

/// The write.
async fn now(write: Write, bed: &Bed) {
    match write {
        Write::Resolve | Write::Close | Write::Comment => {
            bed.deliver(&alert(true, 1)).await;
        }
        Write::Repeat | Write::Reopen => {
            bed.deliver(&alert(false, 2)).await;
        }
        Write::CloseAsDuplicate => {}
    }
    bed.settle().await;
}

fn updates(bed: &Bed, key: &str) -> usize {
    let product = bed.product();
    let of_it = product.machine.journal().of(Kind::Update);
    of_it
        .filter(|entry| entry.sys_id.as_deref() == Some(key))
        .count()
}

/// A person sets a field; what is changed by the next write beside what that write is for. True if there was a write.
async fn edit(write: Write, field: &str, value: &str) -> (Vec<String>, bool) {
    let bed = before(write).await;
    let now_ms = bed.now_ms();
    let keys: Vec<String> = bed
        .product()
        .ours()
        .iter()
        .map(|record| record["sys_id"].as_str().unwrap().to_owned())
        .collect();
    let set = |key: &String| {
        let mut product = bed.product();
        assert!(
            product
                .machine
                .set_field("incident", key, field, value, now_ms)
        );
        product.machine.record(key).unwrap()
    };
    let edited: Vec<Value> = keys.iter().map(set).collect();
    let written_before: Vec<usize> = keys.iter().map(|key| updates(&bed, key)).collect();
    now(write, &bed).await;

    let (mut changed, mut wrote) = (Vec::new(), false);
    for ((key, before), updates_before) in keys.iter().zip(&edited).zip(written_before) {
        let after = bed.product().machine.record(key).unwrap();
        let has_new_updates = updates(&bed, key) > updates_before;
        wrote |= has_new_updates;
        // Of two, the one that stays is not written to at all.
        let (may_change, stamps): (&[&str], &[&str]) = if has_new_updates {
            (is_for(write), &STAMPS)
        } else {
            (&[], &[])
        };
        for (name, value) in before.as_object().unwrap() {
            let is_ours = may_change.contains(&name.as_str()) || stamps.contains(&name.as_str());
            if after[name] != *value && !is_ours {
                changed.push(format!("{name}: {value} became {}", after[name]));
            }
        }
    }
    assert_eq!(bed.product().touched_of_others(), [""; 0]);
    (changed, wrote)
}

/// Every field that a person can set.
fn fields() -> BTreeSet<String> {
    const ITS_OWN: [&str; 9] = [
        "sys_id",
        "number",
        "sys_created_on",
        "sys_created_by",
        "sys_updated_on",
        "sys_updated_by",
        "sys_mod_count",
        "sys_class_name",
        "sys_domain",
    ];
    let bed = Bed::new(json!({}), Config::default(), true);
    let record = bed.product().machine.incidents().remove(0);
    let names = record.as_object().unwrap().keys().cloned();
    names
        .filter(|name| !ITS_OWN.contains(&name.as_str()))
        .collect()
}

/// Something that a person may have put there.
fn values(field: &str) -> &'static [&'static str] {
    match field {
        "state" => &["2", "3"],
        "impact" | "urgency" | "severity" => &["1"],
        _ => &["a person's words", "", "2"],
    }
}

#[tokio::test]
async fn whatever_the_field_and_the_write_it_stays() {
    let fields = fields();
    assert!(fields.len() > 40, "{fields:?}");
    for write in WRITES {
        let mut writes = 0;
        for field in &fields {
            for value in values(field) {
                let (changed, wrote) = edit(write, field, value).await;
                assert_eq!(changed, [""; 0], "{write:?} after {field} = {value:?}");
                writes += usize::from(wrote);
            }
        }
        assert!(writes > fields.len(), "{write:?}: only {writes} writes");
    }
}

#[tokio::test]
async fn an_item_that_a_person_has_made_somebody_elses_is_left_alone() {
    for write in WRITES {
        let (changed, wrote) = edit(write, "correlation_id", "somebody else's").await;
        assert_eq!((changed, wrote), (Vec::new(), false), "{write:?}");
    }
}

#[tokio::test]
async fn what_a_person_noted_stays_beside_our_notes() {
    for write in [Write::Repeat, Write::Reopen, Write::Comment] {
        let bed = before(write).await;
        let key = bed.product().ours()[0]["sys_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let before = bed.product().machine.notes(&key, "work_notes");
        now(write, &bed).await;
        let after = bed.product().machine.notes(&key, "work_notes");
        assert_eq!(after[..before.len()], before, "{write:?}");
        assert!(after.len() > before.len(), "{write:?}");
    }
}
