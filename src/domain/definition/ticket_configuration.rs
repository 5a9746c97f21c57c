//! Microsoft's `ticketConfiguration`: what an ITSM action of an action group said about its work items.
//!
//! It was never documented whole. The keys are those of itsmc-product §2.7, what they mean is what the documentation of
//! 2022 says (§2.2, DEF22): without a checkbox one work item of a rule while it is open; with `CreateOneWIPerCI` a new one
//! for each configuration item of each alert; and other alerts than log alerts have one each whatever is ticked.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::actions::short;
use super::fields::check_fixed;
use super::problem::{Problem, Problems};
use crate::domain::connection::{Grouping, OnRepeat};
use crate::domain::redact;
use crate::domain::work_item::WorkItemType;

const PAYLOAD_REVISION: &str = "PayloadRevision";
const WORK_ITEM_TYPE: &str = "WorkItemType";
const USE_TEMPLATE: &str = "UseTemplate";
const WORK_ITEM_DATA: &str = "WorkItemData";
const PER_CI: &str = "CreateOneWIPerCI";
const PER_LOG: &str = "CreateOneWIPerLog";
const MULTIPLE: &str = "CreateMultipleWorkItems";

/// All keys, in Microsoft's spelling.
const KEYS: [&str; 7] = [
    PAYLOAD_REVISION,
    WORK_ITEM_TYPE,
    USE_TEMPLATE,
    WORK_ITEM_DATA,
    PER_CI,
    PER_LOG,
    MULTIPLE,
];

/// What Microsoft's JSON means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketConfiguration {
    /// `WorkItemType`.
    pub work_item_type: WorkItemType,
    /// `CreateOneWIPerCI` and `CreateOneWIPerLog`; for log alerts only.
    pub grouping: Grouping,
    /// What a further alert does to what the grouping has.
    pub on_repeat: OnRepeat,
    /// `WorkItemData`: fields of the product with fixed values.
    pub fields: BTreeMap<String, String>,
}

/// How it is written, for the JSON Schema: as an object, or as the text that Azure keeps.
#[cfg(feature = "desk")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used; `read` says more")]
pub(super) enum Written {
    /// As Azure keeps it: JSON in a text.
    Text(String),
    /// The same as an object.
    Object(WrittenObject),
}

/// Microsoft's JSON of an ITSM action.
#[cfg(feature = "desk")]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "PascalCase", deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used; `read` says more")]
pub(super) struct WrittenObject {
    /// 0 or null.
    payload_revision: Option<i64>,
    /// `Incident`, `Event` or `Alert`, in any case.
    work_item_type: String,
    /// Whether a template of the product is used; this version uses none.
    use_template: Option<bool>,
    /// Fields of the product with fixed values: an object, or JSON in a text.
    work_item_data: Option<WrittenData>,
    /// A work item for each configuration item of each log alert.
    #[schemars(rename = "CreateOneWIPerCI")]
    create_one_wi_per_ci: Option<bool>,
    /// A work item for each row of each log alert.
    #[schemars(rename = "CreateOneWIPerLog")]
    create_one_wi_per_log: Option<bool>,
    /// Named by Microsoft, never explained: only false.
    create_multiple_work_items: Option<bool>,
}

/// Fields of the product with fixed values.
#[cfg(feature = "desk")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used; `read` says more")]
enum WrittenData {
    /// JSON in a text.
    Text(String),
    /// The same as an object.
    Object(BTreeMap<String, Value>),
}

/// Reads it: an object, or the text that Azure keeps. Keys have Microsoft's spelling exactly, for what is spelt otherwise
/// was never seen to mean anything; values of `WorkItemType` have any case.
pub fn read(path: &str, written: &Value) -> Result<TicketConfiguration, Problems> {
    let object = object(path, written).map_err(Problems::one)?;
    let mut problems = Problems::default();
    for name in object.keys().filter(|name| !KEYS.contains(&name.as_str())) {
        problems.push(unknown_key(path, name));
    }
    check_revision(path, &object, &mut problems);
    let work_item_type = problems.keep(work_item_type(path, &object));
    let [use_template, per_ci, per_log, multiple] =
        [USE_TEMPLATE, PER_CI, PER_LOG, MULTIPLE].map(|name| flag(path, &object, name));
    if problems.keep(use_template) == Some(true) {
        problems.push(Problem::new(
            &format!("{path}.{USE_TEMPLATE}"),
            "`true`",
            "`false`",
            "this version takes no templates of the product; put the template's values into `WorkItemData` or `fields`",
        ));
    }
    if problems.keep(multiple) == Some(true) {
        problems.push(Problem::new(
            &format!("{path}.{MULTIPLE}"),
            "`true`",
            "`false`",
            format!("what it does was never published; say `{PER_CI}` or `{PER_LOG}`"),
        ));
    }
    let per_ci = problems.keep(per_ci).unwrap_or_default();
    let per_log = problems.keep(per_log).unwrap_or_default();
    if per_ci && per_log {
        problems.push(Problem::new(
            path,
            format!("both `{PER_CI}` and `{PER_LOG}`"),
            "one of the two, or none",
            "a work item is about a configuration item or about a row",
        ));
    }
    let fields = fields(path, &object, &mut problems);
    let (grouping, on_repeat) = match (per_ci, per_log) {
        (true, _) => (Grouping::ConfigurationItem, OnRepeat::New),
        (false, true) => (Grouping::Row, OnRepeat::default()),
        (false, false) => (Grouping::Rule, OnRepeat::Update),
    };
    let read = TicketConfiguration {
        work_item_type: work_item_type.unwrap_or_default(),
        grouping,
        on_repeat,
        fields,
    };
    problems.or(read)
}

/// The object, also out of a text.
fn object(path: &str, written: &Value) -> Result<Map<String, Value>, Problem> {
    let expected = "Microsoft's JSON, as an object or as text";
    let hint = r#"such as {"PayloadRevision":0,"WorkItemType":"Incident","UseTemplate":false,"WorkItemData":"{}","CreateOneWIPerCI":false}"#;
    let parsed = match written {
        Value::String(text) => serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            Problem::new(
                path,
                format!("text that is not JSON at {place}"),
                expected,
                hint,
            )
        })?,
        other => other.clone(),
    };
    match parsed {
        Value::Object(object) => Ok(object),
        other => Err(Problem::new(path, kind(&other), expected, hint)),
    }
}

fn unknown_key(path: &str, name: &str) -> Problem {
    let meant = KEYS.iter().find(|key| key.eq_ignore_ascii_case(name));
    let hint = match meant {
        Some(key) => format!("did you mean `{key}`? The spelling is Microsoft's"),
        None => "leave it out, or say what it stands for in the action's own keys".to_owned(),
    };
    Problem::new(
        path,
        format!("the unknown field `{}`", short(name)),
        format!("one of `{}`", KEYS.join("`, `")),
        hint,
    )
}

/// One revision was ever seen, and null in what the portal made (itsmc-product §2.7).
fn check_revision(path: &str, object: &Map<String, Value>, problems: &mut Problems) {
    let found = match object.get(PAYLOAD_REVISION) {
        None | Some(Value::Null) => return,
        Some(Value::Number(number)) if number.as_i64() == Some(0) => return,
        Some(Value::Number(number)) => number.to_string(),
        Some(other) => kind(other).to_owned(),
    };
    problems.push(Problem::new(
        &format!("{path}.{PAYLOAD_REVISION}"),
        found,
        "0 or null",
        "no other revision was ever published, so that nobody can say what the other fields mean in it",
    ));
}

fn work_item_type(path: &str, object: &Map<String, Value>) -> Result<WorkItemType, Problem> {
    let path = &format!("{path}.{WORK_ITEM_TYPE}");
    let expected = "`Incident`, `Event` or `Alert`";
    match object.get(WORK_ITEM_TYPE) {
        Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "incident" => Ok(WorkItemType::Incident),
            "event" => Ok(WorkItemType::Event),
            "alert" => Ok(WorkItemType::Alert),
            _ => Err(Problem::new(
                path,
                redact::echo(WORK_ITEM_TYPE, text),
                expected,
                "Microsoft's connector knew these three",
            )),
        },
        None | Some(Value::Null) => Err(Problem::new(
            path,
            "nothing",
            expected,
            "name the kind of work item; Azure refused `{}` too",
        )),
        Some(other) => Err(Problem::new(
            path,
            kind(other),
            expected,
            "a text in quotes",
        )),
    }
}

/// True or false; what is not there is not ticked.
fn flag(path: &str, object: &Map<String, Value>, name: &str) -> Result<bool, Problem> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(Problem::new(
            &format!("{path}.{name}"),
            kind(other),
            "`true` or `false`",
            "without quotes",
        )),
    }
}

/// `WorkItemData`: an object, or one inside a text.
fn fields(
    path: &str,
    object: &Map<String, Value>,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let path = format!("{path}.{WORK_ITEM_DATA}");
    let parsed = match object.get(WORK_ITEM_DATA) {
        None | Some(Value::Null) => return BTreeMap::new(),
        Some(Value::String(text)) if text.trim().is_empty() => return BTreeMap::new(),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(other) => other.clone(),
    };
    let Value::Object(data) = parsed else {
        problems.push(Problem::new(
            &path,
            "no object of fields",
            "fields with their values, as an object or as JSON in a text",
            r#"such as {"impact":"3","urgency":"2"}; `{}` for none"#,
        ));
        return BTreeMap::new();
    };
    let mut fields = BTreeMap::new();
    for (field, value) in data {
        let path = format!("{path}.{}", short(&field));
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            other @ (Value::Array(_) | Value::Object(_)) => {
                problems.push(Problem::new(
                    &path,
                    kind(&other),
                    "a text",
                    "a field of the product has one value",
                ));
                continue;
            }
        };
        check_fixed(&path, &field, &value, problems);
        fields.insert(field, value);
    }
    fields
}

/// What kind of JSON stands there; the value itself is nobody's business.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The example that all of Microsoft's client libraries show (itsmc-product §2.7).
    const CANONICAL: &str = r#"{"PayloadRevision":0,"WorkItemType":"Incident","UseTemplate":false,"WorkItemData":"{}","CreateOneWIPerCI":false}"#;

    fn with(name: &str, value: Value) -> Value {
        let mut written: Value = serde_json::from_str(CANONICAL).unwrap();
        written[name] = value;
        written
    }

    fn meant(written: &Value) -> TicketConfiguration {
        read("t", written).unwrap_or_else(|problems| panic!("{written}: {problems}"))
    }

    #[test]
    fn the_example_of_the_client_libraries_is_one_item_for_a_rule() {
        let plain = TicketConfiguration {
            work_item_type: WorkItemType::Incident,
            grouping: Grouping::Rule,
            on_repeat: OnRepeat::Update,
            fields: BTreeMap::new(),
        };
        assert_eq!(meant(&CANONICAL.into()), plain);
        assert_eq!(meant(&serde_json::from_str(CANONICAL).unwrap()), plain);
        for (name, value) in [
            ("PayloadRevision", Value::Null),
            ("WorkItemType", "INCIDENT".into()),
            ("UseTemplate", Value::Null),
            ("WorkItemData", Value::Null),
            ("WorkItemData", "".into()),
            ("WorkItemData", json!({})),
            ("CreateOneWIPerLog", false.into()),
            ("CreateMultipleWorkItems", false.into()),
        ] {
            assert_eq!(meant(&with(name, value.clone())), plain, "{name}: {value}");
        }
        assert_eq!(meant(&json!({ "WorkItemType": "Incident" })), plain);
    }

    #[test]
    fn events_and_alerts_are_kinds_too() {
        for (word, kind) in [
            ("Event", WorkItemType::Event),
            ("alert", WorkItemType::Alert),
        ] {
            let read = meant(&with("WorkItemType", word.into()));
            assert_eq!(read.work_item_type, kind);
        }
    }

    #[test]
    fn the_checkboxes_are_the_grouping() {
        let per_ci = meant(&with("CreateOneWIPerCI", true.into()));
        assert_eq!(
            (per_ci.grouping, per_ci.on_repeat),
            (Grouping::ConfigurationItem, OnRepeat::New)
        );
        let per_log = meant(&with("CreateOneWIPerLog", true.into()));
        assert_eq!(per_log.grouping, Grouping::Row);
    }

    #[test]
    fn the_data_is_fields_whether_it_is_a_text_or_an_object() {
        let data = json!({ "contact_type": "email", "impact": 3, "urgency": "2", "u_vip": true, "category": null });
        let fields = meant(&with("WorkItemData", data.clone())).fields;
        assert_eq!(
            meant(&with("WorkItemData", data.to_string().into())).fields,
            fields
        );
        let told: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            told,
            ["contact_type=email", "impact=3", "u_vip=true", "urgency=2"]
        );
    }

    #[test]
    fn every_mistake_is_told_with_path_found_expected_and_hint() {
        let both = json!({ "WorkItemType": "Incident", "CreateOneWIPerCI": true, "CreateOneWIPerLog": true });
        let cases = [
            json!("{\"PayloadRevision\": 0,"),
            json!("[]"),
            json!(7),
            json!({}),
            with("PayloadRevision", 1.into()),
            with("PayloadRevision", "0".into()),
            with("WorkItemType", "Problem".into()),
            with("WorkItemType", 3.into()),
            with("UseTemplate", true.into()),
            with("UseTemplate", "false".into()),
            with("CreateMultipleWorkItems", true.into()),
            with("workItemType", "Incident".into()),
            with("Template", "x".into()),
            with("WorkItemData", "{impact: 3}".into()),
            with("WorkItemData", json!([1])),
            with(
                "WorkItemData",
                json!({ "sys_id": "1", "A b": "2", "ok": {"a": 1}, "t": "{{ x }}" }),
            ),
            both,
        ];
        let told: Vec<String> = cases
            .iter()
            .map(|written| {
                let problems = read("t", written).expect_err("a mistake");
                format!("{written}\n{problems}\n")
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
