//! The fields of an action: which may be set, and to what.

use std::collections::BTreeMap;

use super::actions::short;
use super::problem::{Problem, Problems};
use crate::domain::alert_to_work_item::fields::is_a_choice;
use crate::domain::connection::FieldValue;
use crate::domain::redact;
use crate::domain::template::Template;

/// Fields that no definition may set: identity and bookkeeping of the record, and what the connector itself decides.
const RESERVED_FIELDS: [&str; 11] = [
    "sys_id",
    "number",
    "state",
    "correlation_id",
    "sys_created_by",
    "sys_created_on",
    "sys_updated_by",
    "sys_updated_on",
    "sys_mod_count",
    "close_notes",
    "close_code",
];

/// The fields that people wrote, each checked; a template is read and tried with sample alerts.
pub(super) fn check(
    path: &str,
    written: BTreeMap<String, String>,
    problems: &mut Problems,
) -> BTreeMap<String, FieldValue> {
    let mut fields = BTreeMap::new();
    for (field, text) in written {
        let path = format!("{path}.fields.{}", short(&field));
        check_name(&path, &field, problems);
        if !Template::is_one(&text) {
            check_value(&path, &field, &text, problems);
            fields.insert(field, FieldValue::Fixed(text));
            continue;
        }
        let read = Template::parse(&text).map_err(|refused| {
            let expected = "a template over an alert, or a fixed value";
            Problem::new(&path, refused.found, expected, refused.hint)
        });
        if let Some(template) = problems.keep(read) {
            fields.insert(field, FieldValue::Template(template));
        }
    }
    fields
}

/// A field with a fixed value, where there are no templates.
pub(super) fn check_fixed(path: &str, field: &str, value: &str, problems: &mut Problems) {
    check_name(path, field, problems);
    if Template::is_one(value) {
        problems.push(Problem::new(
            path,
            "a template",
            "a fixed value",
            "Microsoft's connector knew none here; put it into the action's `fields`",
        ));
    } else {
        check_value(path, field, value, problems);
    }
}

fn check_value(path: &str, field: &str, value: &str, problems: &mut Problems) {
    if !is_a_choice(field, value) {
        problems.push(Problem::new(
            path,
            redact::echo(field, value),
            "a number from 1 to 5",
            "1 is high, 2 medium, 3 low; `severity` sets both by the alert's severity",
        ));
    }
}

fn check_name(path: &str, field: &str, problems: &mut Problems) {
    let plain = !field.is_empty()
        && field.len() <= 80
        && field
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !plain {
        problems.push(Problem::new(
            path,
            "this name",
            "the product's own name of a field: lower-case letters, digits and `_`",
            "such as `caller_id` or `u_region`",
        ));
    } else if RESERVED_FIELDS.contains(&field) {
        problems.push(Problem::new(
            path,
            format!("the field `{field}`"),
            "a field that is the customer's to set",
            "the product or the connector sets this one",
        ));
    }
}
