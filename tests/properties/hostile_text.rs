//! Whatever an alert says in whatever field, no record of somebody else is read or written, and nothing of it reaches a
//! query. The instance ignores conditions on fields that it does not know, as instances do, and returns every row.

use std::collections::BTreeSet;
use std::time::Duration;

use itsm_connector::flows::create_work_item::Outcome;
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;
use serde_json::{Value, json};
use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::Bed;

/// What means something to a query, a script, a line, a URL, a database, a template, a page or a file system.
const HOSTILE: [&str; 30] = [
    "^",
    "^^",
    "^NQ",
    "^NQnumberSTARTSWITHINC",
    "^OR",
    "^ORsys_idISNOTEMPTY",
    "^EQ",
    "=x^ORDERBYnumber",
    "javascript:gs.getUserID()",
    "javascript:current.deleteRecord()",
    "\n",
    "a\r\nX-Header: b",
    "a\u{0}b",
    "a\u{2028}b\u{2029}c\u{85}",
    "&sysparm_query=active=true",
    "?sysparm_limit=10000#",
    "%5ENQ%00%0d%0a",
    "\"}],\"x\":[{\"y\":\"",
    "'; DROP TABLE incident; --",
    "*",
    "../../../sys_user",
    "/api/now/table/incident/x",
    "${7*7}{{7*7}}",
    "<script>alert(1)</script>",
    "[code]<img src=x onerror=alert(1)>[/code]",
    "=cmd|' /C calc'!A0",
    "\u{202e}desrever",
    "👩‍👩‍👧‍👦é",
    " ",
    "",
];

/// A long one, whose every cut may fall in the middle of something.
fn long() -> String {
    "^NQé\n".repeat(2_000)
}

fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    texts.push(long());
    texts
}

fn fixture(name: &str) -> Value {
    let text = match name {
        "metric_fired" => include_str!("../fixtures/common_alert_schema/metric_fired.json"),
        "metric_resolved" => include_str!("../fixtures/common_alert_schema/metric_resolved.json"),
        "log_v1_fired" => include_str!("../fixtures/common_alert_schema/log_v1_fired.json"),
        "log_v2_fired" => include_str!("../fixtures/common_alert_schema/log_v2_fired.json"),
        "log_v2_resolved" => include_str!("../fixtures/common_alert_schema/log_v2_resolved.json"),
        "simple_log_fired" => include_str!("../fixtures/common_alert_schema/simple_log_fired.json"),
        _ => include_str!("../fixtures/common_alert_schema/simple_log_resolved.json"),
    };
    serde_json::from_str(text).unwrap()
}

/// An alert with its end, as far as there is a captured one.
const ALERTS: [(&str, &str); 4] = [
    ("metric_fired", "metric_resolved"),
    ("log_v2_fired", "log_v2_resolved"),
    ("log_v1_fired", ""),
    ("simple_log_fired", "simple_log_resolved"),
];

/// Every place of a body where there is a value, as a JSON pointer.
fn leaves(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut to_look_at = vec![(String::new(), body)];
    while let Some((pointer, value)) = to_look_at.pop() {
        match value {
            Value::Object(members) => to_look_at.extend(members.iter().map(|(name, value)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                (format!("{pointer}/{name}"), value)
            })),
            Value::Array(items) => to_look_at.extend(
                items
                    .iter()
                    .enumerate()
                    .map(|(n, value)| (format!("{pointer}/{n}"), value)),
            ),
            _ => found.push(pointer),
        }
    }
    found.sort();
    found
}

/// Each place of each alert, once: the essentials are the same in all of them, and of a list's items one is enough.
fn places() -> Vec<((&'static str, &'static str), String)> {
    let mut places = Vec::new();
    for (n, alert) in ALERTS.into_iter().enumerate() {
        for pointer in leaves(&fixture(alert.0)) {
            let is_told_by_the_first = n > 0 && pointer.starts_with("/data/essentials/");
            let is_of_a_later_item = pointer
                .split('/')
                .any(|part| part.parse().is_ok_and(|n: u32| n > 0));
            if !is_told_by_the_first && !is_of_a_later_item {
                places.push((alert, pointer));
            }
        }
    }
    places
}

/// An alert from instance `n`.
fn numbered(name: &str, n: usize) -> Value {
    let mut body = fixture(name);
    body["data"]["essentials"]["alertId"] = format!("/subscriptions/1/alerts/{n}").into();
    body
}

/// The same with this text at that place.
fn with(mut body: Value, pointer: &str, text: &str) -> Value {
    if let Some(place) = body.pointer_mut(pointer) {
        // An id is believed only if it begins as one.
        let begins = if pointer.ends_with("/alertId") {
            "/"
        } else {
            ""
        };
        *place = format!("{begins}{text}").into();
    }
    body
}

/// Nothing of others was touched, nothing of them read, and no request looked like none of ours.
fn nothing_else_happened(bed: &Bed, what: &str) {
    let product = bed.product();
    assert_eq!(product.touched_of_others(), [""; 0], "{what}");
    assert_eq!(product.strange, [""; 0], "{what}");
    assert_eq!(product.read_of_others, BTreeSet::new(), "{what}");
}

/// Each hostile text at one place: fired, delivered again, resolved, drained.
async fn at(alert: (&str, &str), pointer: &str, action: Value, config: Config) {
    let bed = Bed::new(action, config, true);
    let what = format!("{}{pointer}", alert.0);
    // The answer to one create is lost, so that the search is looked at too.
    let lost = FaultRule::once(Kind::Create, Fault::DropReplyAfterWrite);
    bed.product().machine.faults_mut().add(lost);
    let mut understood = BTreeSet::new();
    for (n, text) in hostile().iter().enumerate() {
        let fired = with(numbered(alert.0, n), pointer, text);
        let answer = bed.deliver(&fired).await;
        if answer.outcome != Outcome::Quarantined {
            understood.insert(answer.event);
        }
        bed.deliver(&fired).await;
        if !alert.1.is_empty() {
            let resolved = with(numbered(alert.1, n), pointer, text);
            bed.deliver(&resolved).await;
        }
    }
    assert_eq!(bed.settle().await, 0, "{what}");
    nothing_else_happened(&bed, &what);
    let product = bed.product();
    let made = product.ours().len();
    assert!(made <= hostile().len() * 4, "{what}: {made}");
    assert!(
        made > 0 || understood.is_empty(),
        "{what}: nothing was made"
    );
}

#[tokio::test]
async fn in_each_field_of_each_alert_it_touches_no_foreign_record() {
    let places = places();
    assert!(places.len() > 60, "{places:?}");
    for (n, (alert, pointer)) in places.iter().enumerate() {
        let config = Config {
            accepts_chosen_sys_id: n % 2 == 0,
            ..Config::default()
        };
        at(*alert, pointer, json!({}), config).await;
    }
}

#[tokio::test]
async fn in_what_names_a_group_it_touches_no_foreign_record() {
    let names = [
        "/data/essentials/alertRule",
        "/data/essentials/alertRuleID",
        "/data/essentials/alertTargetIDs/0",
        "/data/essentials/configurationItems/0",
        "/data/customProperties/runbook",
    ];
    for grouping in ["rule", "configuration_item"] {
        for pointer in names {
            let action = json!({ "grouping": grouping, "reopen_within": "1h" });
            at(ALERTS[0], pointer, action, Config::default()).await;
        }
    }
}

#[tokio::test]
async fn in_the_rows_of_a_log_alert_it_touches_no_foreign_record() {
    let is_of_a_row = |pointer: &str| pointer.contains("/alertContext/") && pointer.contains("/0");
    let places = places().into_iter();
    let mut looked_at = 0;
    for (alert, pointer) in places.filter(|(_, pointer)| is_of_a_row(pointer)) {
        if ["log_v1_fired", "simple_log_fired"].contains(&alert.0) {
            let action = json!({ "grouping": "row" });
            at((alert.0, ""), &pointer, action, Config::default()).await;
            looked_at += 1;
        }
    }
    assert!(looked_at > 5, "{looked_at}");
}

/// An instance that does not have our field returns every row for a search by it: then nothing is believed and nothing
/// written, and the alert waits.
#[tokio::test]
async fn an_instance_without_our_field_returns_everything_and_nothing_of_it_is_touched() {
    for keys_are_kept in [true, false] {
        let config = Config {
            accepts_chosen_sys_id: keys_are_kept,
            ..Config::default()
        };
        let bed = Bed::new(json!({}), config, false);
        let lost = FaultRule::once(Kind::Create, Fault::DropReplyBeforeWrite);
        bed.product().machine.faults_mut().add(lost);
        bed.deliver(&numbered("metric_fired", 1)).await;
        for _ in 0..5 {
            bed.pass(Duration::from_secs(16 * 60));
            bed.drain().await;
        }
        bed.deliver(&numbered("metric_resolved", 1)).await;
        bed.drain().await;
        let product = bed.product();
        assert!(!product.read_of_others.is_empty(), "every row came back");
        assert_eq!(product.touched_of_others(), [""; 0]);
        assert_eq!(product.strange, [""; 0]);
    }
}

fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(hostile()),
        1 => any::<String>(),
        1 => "[a-z^=@,%]{0,40}",
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(Cases { cases: 48, failure_persistence: None, ..Cases::default() })]

    #[test]
    fn in_all_fields_at_once_it_touches_no_foreign_record(
        texts in proptest::collection::vec(nasty(), 60),
        which in 0..ALERTS.len(),
        grouping in proptest::sample::select(vec!["alert", "rule", "configuration_item"]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::new(json!({ "grouping": grouping }), Config::default(), true);
            let lost = FaultRule::once(Kind::Create, Fault::DropReplyAfterWrite);
            bed.product().machine.faults_mut().add(lost);
            let (fired, resolved) = ALERTS[which];
            for name in [fired, fired, resolved] {
                let mut body = fixture(if name.is_empty() { fired } else { name });
                for (n, pointer) in leaves(&body).iter().enumerate() {
                    // What says which message it is stays, or there would be nothing but quarantine.
                    if !pointer.ends_with("/schemaId") && !pointer.ends_with("/monitorCondition") {
                        body = with(body, pointer, &texts[n % texts.len()]);
                    }
                }
                bed.deliver(&body).await;
            }
            prop_assert_eq!(bed.settle().await, 0);
            nothing_else_happened(&bed, grouping);
            Ok(())
        })?;
    }
}
