//! Azure's quirks are accepted; what is no alert is told from what is (rows W1–W9, W17–W24 and W29).

use bytes::Bytes;

use super::*;
use crate::domain::alert::Details;
use crate::domain::name::{ActionName, ConnectionName};

const METRIC: &str = include_str!("../../../tests/fixtures/common_alert_schema/metric_fired.json");
const LOG: &str = include_str!("../../../tests/fixtures/common_alert_schema/log_v2_fired.json");
const LOG_V1: &str = include_str!("../../../tests/fixtures/common_alert_schema/log_v1_fired.json");
const SIMPLE_LOG: &str =
    include_str!("../../../tests/fixtures/common_alert_schema/simple_log_fired.json");

fn parsed(body: impl Into<Bytes>) -> Result<Alert, NotAnAlert> {
    let connection = ConnectionName::parse("contoso").unwrap();
    parse(&Delivery::from_journal(
        connection,
        ActionName::default(),
        body.into(),
    ))
}

fn with(pointer: &str, value: serde_json::Value) -> String {
    let mut body: serde_json::Value = serde_json::from_str(METRIC).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[key] = value;
    body.to_string()
}

#[test]
fn a_metric_alert_is_read() {
    insta::assert_debug_snapshot!(parsed(METRIC).unwrap());
}

#[test]
fn a_log_alert_is_read() {
    insta::assert_debug_snapshot!(parsed(LOG).unwrap());
}

#[test]
fn a_log_alert_of_the_first_kind_is_read_with_its_rows() {
    insta::assert_debug_snapshot!(parsed(LOG_V1).unwrap());
}

fn row_keys(body: impl Into<Bytes>) -> Vec<String> {
    let alert = parsed(body).unwrap();
    let mut keys: Vec<_> = alert
        .rows
        .kept()
        .iter()
        .map(|row| row.key().to_string())
        .collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_simple_log_alert_has_rows_and_its_resolved_has_none() {
    let fired = parsed(SIMPLE_LOG).unwrap();
    assert!(fired.is_log());
    let accounts: Vec<_> = fired
        .rows
        .kept()
        .iter()
        .filter_map(|row| row.column("Account"))
        .map(str::to_owned)
        .collect();
    assert_eq!(accounts, ["alice", "bob", "carol"]);
    let resolved = parsed(
        SIMPLE_LOG
            .replace("Fired", "Resolved")
            .replace("\"event\"", "\"other\""),
    )
    .unwrap();
    assert!(resolved.is_log() && resolved.rows.is_empty());
}

/// JSON whose objects have their keys in another order, and so on downwards. Lists stay as they are.
fn with_keys_turned(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let turned: Vec<String> = fields
                .iter()
                .rev()
                .map(|(name, value)| {
                    format!("{}:{}", Value::from(name.as_str()), with_keys_turned(value))
                })
                .collect();
            format!("{{{}}}", turned.join(","))
        }
        Value::Array(items) => format!(
            "[{}]",
            items
                .iter()
                .map(with_keys_turned)
                .collect::<Vec<_>>()
                .join(",")
        ),
        other => other.to_string(),
    }
}

#[test]
fn odd_rows_are_counted_and_cost_the_alert_nothing() {
    let with_results = |results: serde_json::Value| {
        let mut body: serde_json::Value = serde_json::from_str(LOG_V1).unwrap();
        body["data"]["alertContext"]["SearchResults"] = results;
        parsed(body.to_string()).unwrap()
    };
    for odd in [
        serde_json::Value::Null,
        7.into(),
        "x".into(),
        serde_json::json!({"tables": null}),
        serde_json::json!({"tables": [{"rows": 7}]}),
    ] {
        let alert = with_results(odd.clone());
        assert!(
            alert.rows.is_empty() && alert.marks.is_empty() && alert.is_log(),
            "{odd}"
        );
    }
    let alert = with_results(serde_json::json!({"tables": [
        {"rows": [["a", null], 7, [], null, ["b", "c"]], "columns": [{"name": "first"}]},
        {"columns": [{"type": "string"}], "rows": [["d"]]},
    ]}));
    let told: Vec<_> = alert
        .rows
        .kept()
        .iter()
        .map(|row| format!("{:?}", row.cells().collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        told,
        [
            r#"[("first", "a")]"#,
            r#"[("first", "b"), ("column 2", "c")]"#,
            r#"[("column 1", "d")]"#
        ]
    );
    assert_eq!((alert.rows.total(), alert.rows.beyond()), (6, 3));
}

proptest::proptest! {
    #[test]
    fn a_row_is_the_same_whatever_the_order_of_the_keys(
        rows in proptest::collection::vec(proptest::collection::btree_map("[a-z]{1,6}", "[a-z0-9 ]{0,6}", 1..5), 1..6),
        number in proptest::num::i32::ANY,
    ) {
        use serde_json::{Value, json};
        let cell = |(name, value): (&String, &String)| json!({ "name": name, "value": { "is": value, "at": number } });
        let event: Vec<Value> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
        let mut simple: Value = serde_json::from_str(SIMPLE_LOG).unwrap();
        simple["data"]["alertContext"]["condition"]["allOf"][0]["event"] = event.into();
        proptest::prop_assert_eq!(row_keys(simple.to_string()), row_keys(with_keys_turned(&simple)));

        let mut first: Value = serde_json::from_str(LOG_V1).unwrap();
        let table = &mut first["data"]["alertContext"]["SearchResults"]["tables"][0];
        table["rows"] = rows.iter().map(|row| row.values().map(|value| json!({ "is": value, "at": number })).collect::<Value>()).collect();
        proptest::prop_assert_eq!(row_keys(first.to_string()), row_keys(with_keys_turned(&first)));
    }
}

macro_rules! fixtures {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../tests/fixtures/common_alert_schema/", $name, ".json")))),*]
    };
}

#[test]
fn every_fixture_is_an_alert_that_is_understood() {
    let all = fixtures![
        "metric_fired",
        "metric_resolved",
        "metric_dynamic_fired",
        "metric_several_resources_fired",
        "metric_web_test_fired",
        "metric_resolved_without_criteria",
        "log_v2_fired",
        "log_v2_resolved",
        "log_v1_fired",
        "simple_log_fired",
        "simple_log_resolved",
        "test_notification"
    ];
    for (name, body) in all {
        let alert = parsed(body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(alert.marks, [], "{name}");
    }
}

#[test]
fn what_is_no_alert_is_told_with_its_reason() {
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("W1", b"".to_vec(), "body_empty"),
        ("W1b", b" \r\n".to_vec(), "body_empty"),
        ("W2", b"null".to_vec(), "not_an_object"),
        ("W2b", b"[]".to_vec(), "not_an_object"),
        ("W2c", b"\"x\"".to_vec(), "not_an_object"),
        ("W2d", b"42".to_vec(), "not_an_object"),
        ("W4", format!("{METRIC} {METRIC}").into_bytes(), "not_json"),
        (
            "W6",
            METRIC.replace("web01", "\\ud800").into_bytes(),
            "wrong_type",
        ),
        ("W6b", [b"{\"a\":\"\xff\"}".to_vec()].concat(), "not_utf8"),
        (
            "W7",
            METRIC.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "charset",
        ),
        (
            "W8",
            with("/data/alertContext", 0.into())
                .replace(
                    ":0",
                    &format!(":{}{}", "[".repeat(100_000), "]".repeat(100_000)),
                )
                .into_bytes(),
            "too_deep",
        ),
        (
            "W17",
            b"{\"schemaId\":\"azureMonitorSomethingNew\",\"data\":{\"title\":\"x\"}}".to_vec(),
            "schema",
        ),
        ("W17b", b"{}".to_vec(), "schema"),
        (
            "W18",
            METRIC
                .replacen("\"alertId\"", "\"alertId\":\"/x\",\"alertId\"", 1)
                .into_bytes(),
            "duplicate_field",
        ),
        (
            "W19",
            with("/data/essentials/alertId", serde_json::Value::Null).into_bytes(),
            "alert_id",
        ),
        (
            "W19b",
            with("/data/essentials/alertId", "".into()).into_bytes(),
            "alert_id",
        ),
        (
            "W19c",
            with(
                "/data/essentials/alertId",
                format!("/{}", "x".repeat(10_000)).into(),
            )
            .into_bytes(),
            "alert_id",
        ),
        (
            "W19d",
            with("/data/essentials/alertId", "not a resource id".into()).into_bytes(),
            "alert_id",
        ),
        (
            "W21",
            with("/data/essentials/monitorCondition", "Exploded".into()).into_bytes(),
            "condition",
        ),
        (
            "W29",
            METRIC.replacen("93.2", "1e999", 1).into_bytes(),
            "number_too_large",
        ),
        (
            "W29b",
            METRIC.replacen("93.2", "NaN", 1).into_bytes(),
            "not_json",
        ),
        (
            "data",
            b"{\"schemaId\":\"azureMonitorCommonAlertSchema\"}".to_vec(),
            "no_data",
        ),
        (
            "type",
            with("/data/essentials/severity", serde_json::json!({"a": 1})).into_bytes(),
            "wrong_type",
        ),
    ];
    for (row, body, reason) in cases {
        match parsed(body) {
            Ok(alert) => assert_eq!(reason, "", "{row} was understood: {alert:?}"),
            Err(error) => assert_eq!(error.reason, reason, "{row}: {error}"),
        }
    }
}

#[test]
fn an_alert_cut_anywhere_is_no_alert() {
    for end in 0..METRIC.trim_end().len() {
        assert!(
            parsed(METRIC[..METRIC.floor_char_boundary(end)].to_owned()).is_err(),
            "cut at {end}"
        );
    }
}

#[test]
fn quirks_are_accepted() {
    assert!(
        parsed(format!("\u{feff}{METRIC}")).is_ok(),
        "W5: a byte order mark"
    );
    assert_eq!(
        parsed(with("/data/essentials/monitorCondition", "fired".into()))
            .unwrap()
            .condition,
        Condition::Fired
    );
    assert_eq!(
        parsed(with("/data/essentials/severity", 3.into()))
            .unwrap()
            .severity,
        Some(Severity::Sev3)
    );
    let budget = parsed(with("/data/essentials/severity", serde_json::Value::Null)).unwrap();
    assert_eq!((budget.severity, budget.marks), (None, vec![]));
    assert_eq!(
        parsed(with("/data/essentials/severity", "Sev9".into()))
            .unwrap()
            .marks,
        [Mark::SeverityUnknown]
    );
    for bad in ["", "10/12/2026 1:00", "99999-01-01T00:00:00Z"] {
        assert_eq!(
            parsed(with("/data/essentials/firedDateTime", bad.into()))
                .unwrap()
                .marks,
            [Mark::FiredAtUnreadable]
        );
    }
    assert_eq!(
        parsed(with(
            "/data/essentials/alertTargetIDs",
            serde_json::Value::Null
        ))
        .unwrap()
        .targets,
        [""; 0]
    );
    assert_eq!(
        parsed(with("/data/essentials/alertTargetIDs", "/one".into()))
            .unwrap()
            .targets,
        ["/one"]
    );
    let forty_digits = parsed(METRIC.replacen("93.2", &"1".repeat(40), 1)).unwrap();
    let Details::Metric(measured) = forty_digits.details else {
        panic!("a metric alert")
    };
    assert_eq!(
        measured.criteria[0].value.as_deref(),
        Some("1".repeat(40).as_str())
    );
    for context in [serde_json::Value::Null, serde_json::json!({})] {
        assert_eq!(
            parsed(with("/data/alertContext", context)).unwrap().details,
            Details::EssentialsOnly
        );
    }
    let odd = parsed(with(
        "/data/alertContext",
        serde_json::json!({"condition": 7}),
    ))
    .unwrap();
    assert_eq!(
        (odd.details, odd.marks),
        (
            Details::Unknown(vec![("condition".to_owned(), "7".to_owned())]),
            vec![Mark::ContextNotUnderstood]
        )
    );
    let odd = serde_json::json!({"a": 1, "b": null, "c": "<b>", "d": {"e": []}});
    assert_eq!(
        parsed(with("/data/customProperties", odd))
            .unwrap()
            .custom_properties
            .len(),
        3,
        "null is no value"
    );
    let many: Vec<String> = (0..5000).map(|n| format!("/t/{n}")).collect();
    assert_eq!(
        parsed(with("/data/essentials/alertTargetIDs", many.into()))
            .unwrap()
            .targets
            .len(),
        1000
    );
}
