//! The rows that a log alert brings with it → [`Rows`]. What cannot be read is counted and left out: the alert is more than
//! its rows.
//!
//! Log V1 sends tables, each with its columns and its rows of bare values; a Simple Log Alert sends each row as a list of
//! names with values (azure-platform §1.5). Every value becomes text: strings as they are, numbers with their digits as
//! they were written, objects and lists as JSON with their keys in order.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::lenient::{self, Object, TEXT_BYTES_MAX};
use crate::domain::row::Rows;

/// Columns of a row that are looked at: a table of Log Analytics has at most 500.
const COLUMNS_MAX: usize = 1000;

/// A name and a value.
type Cell<'a> = (Arc<str>, Cow<'a, str>);

/// The rows of all tables of a Log V1 alert.
pub(super) fn of_search_results(raw: &RawValue, rows: &mut Rows) {
    let Some(results) = Object::read(raw) else {
        return;
    };
    let Some(tables) = results.raw("tables") else {
        return;
    };
    lenient::each(tables, |table| {
        let Some(table) = Object::read(table) else {
            return;
        };
        let columns = table.raw("columns").map(names).unwrap_or_default();
        if let Some(all) = table.raw("rows") {
            lenient::each(all, |row| rows.add(cells_of_table(&columns, row)));
        }
    });
}

/// The rows of a condition of a Simple Log Alert.
pub(super) fn of_event(raw: &RawValue, rows: &mut Rows) {
    let mut names = BTreeSet::new();
    lenient::each(raw, |row| rows.add(cells_of_pairs(&mut names, row)));
}

fn names(columns: &RawValue) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    lenient::each(columns, |column| {
        if names.len() < COLUMNS_MAX {
            let name = Object::read(column).and_then(|column| column.text("name"));
            names.push(Arc::from(name.unwrap_or_default()));
        }
    });
    names
}

fn cells_of_table<'a>(columns: &[Arc<str>], row: &'a RawValue) -> Vec<Cell<'a>> {
    let mut cells = Vec::with_capacity(columns.len());
    let mut at = 0;
    lenient::each(row, |value| {
        if at < COLUMNS_MAX
            && let Some(value) = text(value)
        {
            let named = columns.get(at).filter(|name| !name.is_empty());
            let name = named.map_or_else(|| format!("column {}", at + 1).into(), Arc::clone);
            cells.push((name, value));
        }
        at += 1;
    });
    cells
}

/// The same names come with each row: one copy of each is enough.
fn cells_of_pairs<'a>(names: &mut BTreeSet<Arc<str>>, row: &'a RawValue) -> Vec<Cell<'a>> {
    let mut cells = Vec::new();
    lenient::each(row, |cell| {
        let Some(cell) = Object::read(cell).filter(|_| cells.len() < COLUMNS_MAX) else {
            return;
        };
        let name = cell.raw("name").filter(|name| name.get().starts_with('"'));
        let (Some(name), Some(value)) = (
            name.and_then(lenient::borrowed),
            cell.raw("value").and_then(text),
        ) else {
            return;
        };
        let known = names.get(&*name).map(Arc::clone);
        let name = known.unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            if names.len() < COLUMNS_MAX {
                names.insert(Arc::clone(&name));
            }
            name
        });
        cells.push((name, value));
    });
    cells
}

/// A value as text; `None` for null. An object says the same whatever the order of its keys, unless it is longer than
/// what a column can hold: that one is taken as it is.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    if !json.starts_with(['{', '[']) {
        return lenient::borrowed(raw);
    }
    if json.len() > TEXT_BYTES_MAX {
        return Some(Cow::Borrowed(json));
    }
    let mut out = String::with_capacity(json.len());
    with_keys_in_order(raw, &mut out);
    Some(Cow::Owned(out))
}

/// Writes JSON with the keys of its objects in order and without blanks; of two members with the same name the last one
/// counts. This is in the keys of rows: it must not change. The depth is that of the body, which was looked at.
fn with_keys_in_order(raw: &RawValue, out: &mut String) {
    match raw.get().as_bytes().first() {
        Some(b'{') => {
            let mut members = Vec::new();
            lenient::members(raw, |name, value| members.push((name, value)));
            // Stable: of the same name the last one stays the last.
            members.sort_by(|one, other| one.0.cmp(&other.0));
            out.push('{');
            let mut is_first = true;
            for (at, (name, value)) in members.iter().enumerate() {
                if members.get(at + 1).is_some_and(|next| next.0 == *name) {
                    continue;
                }
                if !is_first {
                    out.push(',');
                }
                is_first = false;
                out.push_str(&serde_json::Value::from(name.as_ref()).to_string());
                out.push(':');
                with_keys_in_order(value, out);
            }
            out.push('}');
        }
        Some(b'[') => {
            out.push('[');
            let mut is_first = true;
            lenient::each(raw, |item| {
                if !is_first {
                    out.push(',');
                }
                is_first = false;
                with_keys_in_order(item, out);
            });
            out.push(']');
        }
        // Plain values: numbers and escapes are written in one way.
        _ => match serde_json::from_str::<serde_json::Value>(raw.get()) {
            Ok(value) => out.push_str(&value.to_string()),
            Err(_) => out.push_str(raw.get()),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let plain = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        plain.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-c\"\\\\é]{0,3}", inner, 0..6)
                    .prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        /// The keys of rows that are in people's stores were made of trees.
        #[test]
        fn json_is_written_as_a_tree_of_it_would_be(value in any_json(), is_pretty in any::<bool>()) {
            let sent = match is_pretty {
                true => serde_json::to_string_pretty(&value).unwrap(),
                false => value.to_string(),
            };
            let raw: &RawValue = serde_json::from_str(&sent).unwrap();
            let mut out = String::new();
            with_keys_in_order(raw, &mut out);
            prop_assert_eq!(out, serde_json::from_str::<Value>(&sent).unwrap().to_string());
        }
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        let raw: &RawValue = serde_json::from_str(r#"{ "b": 1, "a": 1, "a": 2 }"#).unwrap();
        assert_eq!(text(raw).unwrap(), r#"{"a":2,"b":1}"#);
    }
}
