//! What memory an alert takes: its body is in the program already, and what is made of it must stay in proportion, or a
//! few large bodies at once would end the function (rule: peak below four times the body).

use itsm_connector::domain::alert::Alert;
use serde_json::{Value, json};

use crate::fixtures;

/// How many times the body's size the parser may take, beside the body.
const TIMES: usize = 4;

/// What the limits of lists and rows may take beside that, for a body that is nothing but short items.
const BESIDE: usize = 512 * 1024;

/// Allocations of a metric alert: about one for each text that is kept, and the lists.
const ALLOCATIONS_MAX: u64 = 60;

/// The largest body that is taken in.
const BODY_MAX: usize = 1024 * 1024;

/// The most that was held at once while a body was read, and whether it was an alert.
fn peak(body: Vec<u8>) -> (usize, bool) {
    let delivery = fixtures::delivery(body);
    let mut alert: Option<Alert> = None;
    let seen = allocation_counter::measure(|| {
        alert = itsm_connector::inbound::common_alert_schema::parse(&delivery).ok();
    });
    (usize::try_from(seen.bytes_max).unwrap(), alert.is_some())
}

#[test]
fn every_fixture_takes_less_than_four_times_its_size() {
    for (name, body) in fixtures::all() {
        // As Azure sends it, without blanks.
        let body: Value = serde_json::from_slice(&body).unwrap();
        let body = body.to_string().into_bytes();
        let len = body.len();
        let (peak, is_alert) = peak(body);
        assert!(is_alert, "{name}");
        assert!(peak < TIMES * len, "{name}: {peak} of {len} bytes");
    }
}

/// Each costs time; the figure is in docs/performance.md.
#[test]
fn a_metric_alert_takes_few_allocations() {
    let delivery = fixtures::delivery(metric().to_string());
    let seen = allocation_counter::measure(|| {
        let alert = itsm_connector::inbound::common_alert_schema::parse(&delivery);
        assert!(alert.is_ok());
    });
    println!(
        "{} allocations, {} bytes at once, of a body of {}",
        seen.count_total,
        seen.bytes_max,
        delivery.body().len()
    );
    assert!(seen.count_total <= ALLOCATIONS_MAX, "{seen:?}");
}

fn metric() -> Value {
    let all = fixtures::all();
    let (_, body) = all
        .iter()
        .find(|(name, _)| name.ends_with("/metric_fired"))
        .unwrap();
    serde_json::from_slice(body).unwrap()
}

fn with(pointer: &str, value: Value) -> Vec<u8> {
    let mut body = metric();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[key] = value;
    body.to_string().into_bytes()
}

/// A body with as many copies of a piece of JSON in a list as there can be.
fn filled(pointer: &str, piece: &str) -> Vec<u8> {
    let body = String::from_utf8(with(pointer, json!("PLACE"))).unwrap();
    let room = BODY_MAX - body.len() - piece.len() - 2;
    let pieces = format!(
        "[{}{piece}]",
        format!("{piece},").repeat(room / (piece.len() + 1))
    );
    body.replace("\"PLACE\"", &pieces).into_bytes()
}

#[test]
fn large_bodies_of_every_kind_take_less_than_four_times_their_size() {
    let context = "/data/alertContext";
    let all_of = "/data/alertContext/condition/allOf";
    let targets: Vec<String> = (0..5_000)
        .map(|n| format!("/subscriptions/1/resourcegroups/rg/providers/microsoft.compute/virtualmachines/web{n}"))
        .collect();
    let properties: Value = (0..1_000)
        .map(|n| (format!("key{n}"), json!("v".repeat(900))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let rows = |row: &str| {
        let context = json!({"SearchQuery": "x", "SearchResults": {"tables": [{"columns": [{"name": "a long name of a column"}], "rows": "PLACE"}]}});
        let body = String::from_utf8(with(context_pointer(), context)).unwrap();
        let rows = format!(
            "[{}{row}]",
            format!("{row},").repeat((BODY_MAX - body.len() - row.len() - 9) / (row.len() + 1))
        );
        body.replace("\"PLACE\"", &rows).into_bytes()
    };
    let wide = format!("[{}0]", "0,".repeat(990));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "5,000 targets (W25)",
            with("/data/essentials/alertTargetIDs", json!(targets)),
        ),
        (
            "5,000 configuration items (W25)",
            with("/data/essentials/configurationItems", json!(targets)),
        ),
        (
            "1,000 properties (W26)",
            with("/data/customProperties", properties),
        ),
        (
            "short targets",
            filled("/data/essentials/alertTargetIDs", "\"a\""),
        ),
        (
            "one long text",
            with(
                "/data/essentials/description",
                json!("x".repeat(BODY_MAX - 3000)),
            ),
        ),
        ("one long text of escapes", filled_text("\\u00e9")),
        (
            "tiny objects that nobody knows (W9)",
            filled("/data/unknown", "{\"\":0}"),
        ),
        ("tiny conditions", filled(all_of, "{}")),
        ("tiny numbers for conditions", filled(all_of, "0")),
        ("tiny members of a context", with_members(context)),
        ("tiny dimensions", filled_dimensions()),
        ("rows of nothing", rows("[]")),
        ("rows of one value", rows("[0]")),
        ("rows of many values", rows(&wide)),
        (
            "rows of a long text",
            rows(&format!("[\"{}\"]", "x".repeat(10_000))),
        ),
        (
            "one row of very many values",
            rows(&format!("[{}0]", "0,".repeat(500_000))),
        ),
        (
            "one value that is a large tree",
            rows(&format!("[[{}0]]", "[],".repeat(300_000))),
        ),
        (
            "values that are trees",
            rows(&format!("[{{{}\"z\":0}}]", "\"a\":0,".repeat(9_000))),
        ),
        (
            "an event of tiny cells",
            filled_event("[{\"name\":\"a\",\"value\":0}]"),
        ),
        (
            "json inside a string",
            with(
                context,
                json!(format!("{{\"a\":[{}0]}}", "0,".repeat(400_000))),
            ),
        ),
        ("service health in HTML", service_health()),
    ];
    for (name, body) in cases {
        let len = body.len();
        assert!(len <= BODY_MAX, "{name}: {len}");
        let (peak, is_alert) = peak(body);
        assert!(is_alert, "{name}");
        assert!(peak < TIMES * len + BESIDE, "{name}: {peak} of {len} bytes");
    }
}

#[test]
fn what_is_refused_takes_next_to_nothing() {
    for body in [
        "[".repeat(BODY_MAX),
        "{\"a\":".repeat(BODY_MAX / 5),
        format!("{{\"a\":{}1}}", "[".repeat(500_000)),
        format!("[{}0]", "{},".repeat(300_000)),
    ] {
        let len = body.len();
        let (peak, is_alert) = peak(body.into_bytes());
        assert!(!is_alert && peak < len / 4, "{peak} of {len} bytes");
    }
}

fn context_pointer() -> &'static str {
    "/data/alertContext"
}

fn filled_text(escape: &str) -> Vec<u8> {
    let body = String::from_utf8(with("/data/essentials/description", json!("PLACE"))).unwrap();
    let text = escape.repeat((BODY_MAX - body.len()) / escape.len());
    body.replace("PLACE", &text).into_bytes()
}

fn with_members(pointer: &str) -> Vec<u8> {
    let body = String::from_utf8(with(pointer, json!("PLACE"))).unwrap();
    let members: String = (0..90_000).map(|n| format!("\"{n}\":0,")).collect();
    body.replace("\"PLACE\"", &format!("{{{members}\"condition\":{{}}}}"))
        .into_bytes()
}

fn filled_dimensions() -> Vec<u8> {
    let condition = "/data/alertContext/condition/allOf/0/dimensions";
    filled(condition, "{\"name\":\"a\",\"value\":0}")
}

fn filled_event(row: &str) -> Vec<u8> {
    filled("/data/alertContext/condition/allOf/0/event", row)
}

fn service_health() -> Vec<u8> {
    let all = fixtures::all();
    let (_, body) = all
        .iter()
        .find(|(name, _)| name.ends_with("/service_health_fired"))
        .unwrap();
    let mut body: Value = serde_json::from_slice(body).unwrap();
    let html = "<p>a&nbsp;b<br></p>\n<li>c</li>".repeat(15_000);
    let properties = &mut body["data"]["alertContext"]["properties"];
    properties["communication"] = html.clone().into();
    properties["defaultLanguageContent"] = html[..400_000].into();
    body.to_string().into_bytes()
}
