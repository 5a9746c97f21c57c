//! One event as it is sent: its columns, their lengths, and what has no column.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::domain::text;
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{EventFacts, NewWorkItem};

/// Where the instance's list of alerts shows who sent them, unless the action's `fields` say otherwise.
const SOURCE: &str = "Azure Monitor";

/// Lengths of an event's fields (servicenow-api §13), in UTF-16 units.
const NAME_LENGTH_MAX: usize = 100;
const DESCRIPTION_LENGTH_MAX: usize = 4000;

/// Longest `additional_info`. No limit is documented; a column of this length is the usual one for JSON.
const ADDITIONAL_INFO_LENGTH_MAX: usize = 4000;

/// The severity that clears an alert.
const CLEAR: &str = "0";

/// Fields of an event that an action may set. Others go into `additional_info`: an event has no further columns.
const OWN_FIELDS: [&str; 6] = [
    "source",
    "event_class",
    "node",
    "resource",
    "metric_name",
    "type",
];

/// Title and text in one: an event has no other place for a title, and lists show the first line.
pub(super) fn described(item: &NewWorkItem) -> String {
    let own = item.fields.get("description");
    let text = own.unwrap_or(&item.description);
    let notes: String = item
        .notes
        .iter()
        .map(|note| format!("\nNote: {note}"))
        .collect();
    let notes = text::cut(&notes, DESCRIPTION_LENGTH_MAX / 2);
    let text = format!("{}\n\n{text}", item.title);
    text::cut_and_count(&text, DESCRIPTION_LENGTH_MAX - text::length(&notes)) + &notes
}

/// One event. All values are texts.
pub(super) fn record(item: &NewWorkItem, description: &str, is_over: bool) -> Map<String, Value> {
    let mut record = Map::new();
    let mut set = |name: &str, value: &str| {
        if !value.is_empty() {
            record.insert(name.to_owned(), Value::from(value));
        }
    };
    set("message_key", item.correlation.as_str());
    set(
        "description",
        &text::cut_and_count(description, DESCRIPTION_LENGTH_MAX),
    );
    set("resolution_state", if is_over { "Closing" } else { "New" });
    set("source", SOURCE);
    if let Some(facts) = item.event.as_deref() {
        let number = facts.severity.as_number().to_string();
        set("severity", if is_over { CLEAR } else { &number });
        for (name, value) in named(facts) {
            set(name, &text::cut(value, NAME_LENGTH_MAX));
        }
        // The end has the instance's own time: it must come after what it ends.
        if let Some(at) = facts.at.filter(|_| !is_over) {
            set("time_of_event", &event_time(at));
        }
        set("additional_info", &additional_info(facts, &item.fields));
    }
    for name in OWN_FIELDS {
        if let Some(value) = item.fields.get(name) {
            set(name, &text::cut(&text::one_line(value), NAME_LENGTH_MAX));
        }
    }
    record
}

fn named(facts: &EventFacts) -> [(&'static str, &str); 5] {
    [
        ("event_class", &facts.class),
        ("node", &facts.node),
        ("resource", &facts.resource),
        ("metric_name", &facts.metric),
        ("type", &facts.kind),
    ]
}

/// `2026-03-01 10:00:00`, in UTC.
fn event_time(at: Timestamp) -> String {
    let text: String = at.to_string().chars().take(19).collect();
    text.replace('T', " ")
}

/// A JSON object of texts, in a text; as many as there is room for, those of the action first.
fn additional_info(facts: &EventFacts, fields: &BTreeMap<String, String>) -> String {
    let own = fields
        .iter()
        .filter(|(name, _)| !OWN_FIELDS.contains(&name.as_str()) && *name != "description");
    let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
    let more = facts.more.iter();
    let more = more.map(|(name, value)| (name.as_str(), value.as_str()));
    let mut info = Map::new();
    let mut length = 2;
    let mut left_out = 0;
    for (name, value) in own.chain(more) {
        let (name_json, value_json) = (json!(name).to_string(), json!(value).to_string());
        // A colon and a comma; room for the last entry, which says how many are missing.
        let entry = text::length(&name_json) + text::length(&value_json) + 2;
        if info.contains_key(name) {
            continue;
        }
        if length + entry + 30 > ADDITIONAL_INFO_LENGTH_MAX {
            left_out += 1;
            continue;
        }
        length += entry;
        info.insert(name.to_owned(), Value::from(value));
    }
    if left_out > 0 {
        info.insert("left_out".to_owned(), Value::from(left_out.to_string()));
    }
    Value::Object(info).to_string()
}
