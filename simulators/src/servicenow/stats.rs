//! `/api/now/stats/{table}`: counts, sums and extremes. Row access controls do not count here.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::acl::Operation;
use super::call::Call;
use super::catalog;
use super::config::User;
use super::instance::{Instance, Outcome};
use super::reply::Reply;
use super::store::Row;

impl Instance {
    pub(super) fn stats_api(&mut self, call: &Call, user: &User, table: &str) -> Outcome {
        if self.schema.table(table).is_none() {
            return Outcome::refused(Reply::error(400, &format!("Invalid table {table}"), None));
        }
        if call.method != "GET" {
            return Outcome::refused(Reply::error(405, "Method not supported", None));
        }
        if !self.allows(user, Operation::Read, table) {
            return Outcome::refused(Reply::error(
                403,
                "Insufficient rights to query records",
                None,
            ));
        }
        catalog::fill(self, table);
        let matching = self.matching(user.utc_offset_minutes);
        let rows = self.matched(call, &matching, table);
        let groups: Vec<&str> = list(call, "sysparm_group_by");
        let result = if groups.is_empty() {
            json!({ "stats": figures(call, &rows) })
        } else {
            let mut grouped: BTreeMap<Vec<&str>, Vec<Row<'_>>> = BTreeMap::new();
            for row in rows {
                grouped
                    .entry(
                        groups
                            .iter()
                            .map(|field| matching.value(row, field))
                            .collect(),
                    )
                    .or_default()
                    .push(row);
            }
            grouped
                .iter()
                .map(|(values, rows)| {
                    let pairs = groups.iter().zip(values);
                    let by: Vec<Value> = pairs
                        .map(|(field, value)| json!({ "field": field, "value": value }))
                        .collect();
                    json!({ "stats": figures(call, rows), "groupby_fields": by })
                })
                .collect()
        };
        Outcome::done(Reply::result(200, result))
    }
}

/// All figures are texts.
fn figures(call: &Call, rows: &[Row<'_>]) -> Value {
    let mut stats = Map::new();
    if call.is_true("sysparm_count") {
        stats.insert("count".to_owned(), rows.len().to_string().into());
    }
    let summed = list(call, "sysparm_sum_fields");
    if !summed.is_empty() {
        let sum = |field: &str| -> i64 {
            let values = rows
                .iter()
                .map(|row| row.record.get(field).parse::<i64>().unwrap_or(0));
            values.sum()
        };
        let sums: Map<String, Value> = summed
            .iter()
            .map(|field| ((*field).to_owned(), sum(field).to_string().into()))
            .collect();
        stats.insert("sum".to_owned(), sums.into());
    }
    let extremes = |name: &str, least: bool| -> Option<Value> {
        let fields = list(call, name);
        let one = |field: &str| {
            let values = rows
                .iter()
                .map(|row| row.record.get(field))
                .filter(|value| !value.is_empty());
            if least { values.min() } else { values.max() }
                .unwrap_or_default()
                .to_owned()
        };
        (!fields.is_empty()).then(|| {
            fields
                .iter()
                .map(|field| ((*field).to_owned(), Value::from(one(field))))
                .collect::<Map<_, _>>()
                .into()
        })
    };
    for (parameter, name, least) in [
        ("sysparm_min_fields", "min", true),
        ("sysparm_max_fields", "max", false),
    ] {
        if let Some(value) = extremes(parameter, least) {
            stats.insert(name.to_owned(), value);
        }
    }
    stats.into()
}

fn list<'a>(call: &'a Call, name: &str) -> Vec<&'a str> {
    call.param(name)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|field| !field.is_empty())
        .collect()
}
