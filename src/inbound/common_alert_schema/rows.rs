//! The rows that a log alert brings with it → [`Rows`]. What cannot be read is counted and left out: the alert is more than
//! its rows.
//!
//! Log V1 sends tables, each with its columns and its rows of bare values; a Simple Log Alert sends each row as a list of
//! names with values (azure-platform §1.5). Every value becomes text: strings as they are, numbers with their digits as
//! they were written, objects and lists as JSON with their keys in order.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::row::Rows;

#[derive(Deserialize)]
struct SearchResults<'a> {
    #[serde(default, borrow)]
    tables: Option<Vec<Table<'a>>>,
}

/// Columns and rows come in any order, so the rows wait until the columns are known.
#[derive(Deserialize)]
struct Table<'a> {
    #[serde(default)]
    columns: Option<Vec<Column>>,
    #[serde(default, borrow)]
    rows: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Column {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Cell<'a> {
    #[serde(default, alias = "Name")]
    name: Option<String>,
    #[serde(default, alias = "Value", borrow)]
    value: Option<&'a RawValue>,
}

/// The rows of all tables of a Log V1 alert.
pub(super) fn of_search_results(raw: &RawValue, rows: &mut Rows) {
    let results: Result<SearchResults<'_>, _> = serde_json::from_str(raw.get());
    for table in results
        .ok()
        .and_then(|read| read.tables)
        .unwrap_or_default()
    {
        let columns: Vec<String> = table
            .columns
            .unwrap_or_default()
            .into_iter()
            .map(|column| column.name.unwrap_or_default())
            .collect();
        for row in table.rows.map(list).unwrap_or_default() {
            rows.add(cells_of_table(&columns, row));
        }
    }
}

/// The rows of a condition of a Simple Log Alert.
pub(super) fn of_event(raw: &RawValue, rows: &mut Rows) {
    for row in list(raw) {
        let cells: Vec<Cell<'_>> = serde_json::from_str(row.get()).unwrap_or_default();
        let pairs = cells
            .into_iter()
            .filter_map(|cell| cell.name.zip(cell.value.and_then(text)));
        rows.add(pairs.collect());
    }
}

fn cells_of_table(columns: &[String], row: &RawValue) -> Vec<(String, String)> {
    let named = |(at, value): (usize, &RawValue)| {
        let name = columns.get(at).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("column {}", at + 1), String::clone);
        text(value).map(|value| (name, value))
    };
    list(row)
        .into_iter()
        .enumerate()
        .filter_map(named)
        .collect()
}

/// The values of a list; none if it is something else.
fn list(raw: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// A value as text; `None` for null.
fn text(raw: &RawValue) -> Option<String> {
    let raw = raw.get();
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).ok(),
        Some(b'n') | None => None,
        // Through a map with its keys in order: an object says the same whatever the order of its keys.
        Some(b'{' | b'[') => serde_json::from_str::<Value>(raw)
            .ok()
            .map(|value| value.to_string()),
        Some(_) => Some(raw.to_owned()),
    }
}
