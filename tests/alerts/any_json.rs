//! Whatever JSON comes: the parser and the texts made of its result do not stumble, and the same body gives the same.

use itsm_connector::domain::alert_to_work_item::{new_work_item, on_repeat};
use itsm_connector::domain::connection::Action;
use itsm_connector::domain::identity::{ItemId, SlotId};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixtures;

fn any_value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[<>&;/\\\\{\\[\"'= :.\\PC\n]{0,20}".prop_map(Value::from),
        Just(json!(
            "[{\"ServiceName\":{\"a\":[]},\"ImpactedRegions\":\"x\"}]"
        )),
        Just(json!("{\"a\":{\"b\":[1,\"\\ud83d\\ude00\"]}}")),
        Just(json!("<p>a<li>b</p><a href='http://x")),
        Just(json!("12/31/2026 11:59:60 PM -99:99")),
        Just(json!("1e999")),
        Just(json!("PTé")),
    ];
    plain.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-zA-Z]{0,8}", inner, 0..5)
                .prop_map(|map| json!(map)),
        ]
    })
}

/// Every place of a body, as a JSON pointer.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                places(
                    value,
                    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (n, value) in items.iter().enumerate() {
                places(value, format!("{at}/{n}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

/// Reads a body, and makes all texts of it that there are.
fn told(body: String) -> String {
    let item = ItemId::new(&SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap(), 0);
    match fixtures::parsed(body) {
        Err(error) => error.to_string(),
        Ok(alert) => {
            let rows = alert.rows.kept();
            let new = new_work_item(&alert, &Action::default(), &item, rows.first().copied());
            format!("{}\n{}\n{}", new.title, new.description, on_repeat(&alert))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_json_is_an_alert_or_none(value in any_value()) {
        told(value.to_string());
    }

    /// Each form with one of its values replaced: most of what is meant well and odd looks like that.
    #[test]
    fn any_value_in_any_place_of_any_form(form in any::<proptest::sample::Index>(), place in any::<proptest::sample::Index>(), value in any_value()) {
        let all = fixtures::all();
        let (name, body) = &all[form.index(all.len())];
        let mut body: Value = serde_json::from_slice(body).unwrap();
        let mut found = Vec::new();
        places(&body, String::new(), &mut found);
        let place = &found[place.index(found.len())];
        *body.pointer_mut(place).unwrap() = value;
        let sent = body.to_string();
        prop_assert_eq!(told(sent.clone()), told(sent), "{}{}", name, place);
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        told(text);
    }
}

/// Bytes that are changed, left out or doubled: what a broken line or a hostile hand makes of a body.
#[test]
fn any_byte_that_is_changed_in_any_form() {
    for (_, body) in fixtures::all() {
        for at in (0..body.len()).step_by(23) {
            for byte in [b'"', b'{', b'}', b'[', b'\\', b'0', 0, 0xff] {
                let mut changed = body.clone();
                changed[at] = byte;
                let _ = fixtures::parsed(changed);
            }
        }
    }
}
