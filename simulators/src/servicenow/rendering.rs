//! Records as a reply shows them: which fields, as values or as a person reads them.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::config::User;
use super::instance::Instance;
use super::matching::Matching;
use super::schema::Holds;
use super::stamp;
use super::store::Row;

/// `sysparm_display_value`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Display {
    Value,
    Shown,
    Both,
}

/// How one request wants its records.
pub(super) struct Rendering<'a> {
    matching: Matching<'a>,
    table: &'a str,
    fields: Vec<String>,
    display: Display,
    without_link: bool,
    origin: String,
    utc_offset_minutes: i32,
}

impl<'a> Rendering<'a> {
    pub(super) fn of(instance: &'a Instance, call: &Call, user: &User, table: &'a str) -> Self {
        let matching = instance.matching(user.utc_offset_minutes);
        let asked = call.param("sysparm_fields").unwrap_or_default().trim();
        let fields = if asked.is_empty() {
            instance
                .schema
                .table(table)
                .map(|table| table.all.keys().cloned().collect())
                .unwrap_or_default()
        } else {
            let known = asked
                .split(',')
                .map(str::trim)
                .filter(|field| matching.holds(table, field).is_some());
            known.map(str::to_owned).collect()
        };
        let display = match call
            .param("sysparm_display_value")
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("true") => Display::Shown,
            Some("all") => Display::Both,
            _ => Display::Value,
        };
        Self {
            matching,
            table,
            fields,
            display,
            without_link: call.is_true("sysparm_exclude_reference_link"),
            origin: instance
                .config
                .instance_url
                .clone()
                .unwrap_or_else(|| call.origin.clone()),
            utc_offset_minutes: user.utc_offset_minutes,
        }
    }

    /// A record with the fields asked for.
    pub(super) fn object(&self, row: Row<'a>) -> Value {
        let fields: Map<String, Value> = self
            .fields
            .iter()
            .map(|field| (field.clone(), self.field(row, field)))
            .collect();
        Value::Object(fields)
    }

    fn field(&self, row: Row<'a>, field: &str) -> Value {
        let value = self.matching.value(row, field);
        let holds = self.matching.holds(self.table, field);
        if self.display == Display::Value {
            return match holds {
                Some(Holds::Reference(target)) if !value.is_empty() && !self.without_link => {
                    json!({ "link": self.link(target, value), "value": value })
                }
                _ => value.into(),
            };
        }
        let shown = self.shown(row, field, value, holds);
        let link = match holds {
            Some(Holds::Reference(target)) if !value.is_empty() && !self.without_link => {
                Some(self.link(target, value))
            }
            _ => None,
        };
        match (self.display, link) {
            (Display::Both, Some(link)) => {
                json!({ "display_value": shown, "value": value, "link": link })
            }
            (Display::Both, None) => json!({ "display_value": shown, "value": value }),
            (_, Some(link)) => json!({ "display_value": shown, "link": link }),
            (_, None) => shown.into(),
        }
    }

    /// What a person reads.
    fn shown(&self, row: Row<'a>, field: &str, value: &str, holds: Option<&Holds>) -> String {
        match holds {
            Some(Holds::Reference(target)) => self
                .matching
                .store
                .find(self.matching.schema, target, value)
                .map_or_else(String::new, |row| {
                    row.record
                        .get(self.matching.schema.display_column(row.class))
                        .to_owned()
                }),
            Some(Holds::Time) => stamp::shifted(value, self.utc_offset_minutes),
            _ if field == "sys_class_name" => self
                .matching
                .schema
                .table(value)
                .map_or_else(|| value.to_owned(), |table| table.label.clone()),
            _ => {
                let choices = self.matching.schema.choices(row.class, field);
                let label =
                    choices.and_then(|choices| choices.iter().find(|(own, _)| own == value));
                label.map_or_else(|| value.to_owned(), |(_, label)| label.clone())
            }
        }
    }

    fn link(&self, table: &str, sys_id: &str) -> String {
        format!("{}/api/now/table/{table}/{sys_id}", self.origin)
    }
}
