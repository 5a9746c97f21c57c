//! Inserts and updates: what of a body reaches a record.

use serde_json::{Map, Value};

use super::acl::Operation;
use super::call::Call;
use super::config::User;
use super::ids;
use super::instance::{Instance, Outcome};
use super::rendering::Rendering;
use super::reply::{CHECK_LOGS, Reply};
use super::rules;
use super::schema::Holds;
use super::stamp;
use super::store::{Record, Row};
use super::table::{refused_by_acl, touched};

/// Fields that only the instance sets.
const ITS_OWN: [&str; 9] = [
    "sys_id",
    "sys_created_on",
    "sys_created_by",
    "sys_updated_on",
    "sys_updated_by",
    "sys_mod_count",
    "sys_class_name",
    "sys_domain",
    "number",
];

/// Text for the journal fields of a record: field, text.
type Notes = Vec<(String, String)>;

impl Instance {
    pub(super) fn create(
        &mut self,
        call: &Call,
        user: &User,
        table: &str,
        now_ms: i64,
    ) -> Result<Outcome, Reply> {
        let body = body(call)?;
        let class = match body.get("sys_class_name").and_then(Value::as_str) {
            Some(class)
                if self.schema.table(class).is_some() && self.schema.extends(class, table) =>
            {
                class.to_owned()
            }
            _ => table.to_owned(),
        };
        if !self.allows(user, Operation::Create, &class) {
            return Err(refused_by_acl(Operation::Create));
        }
        let mut record = self.blank(&user.name, now_ms);
        let chosen = body
            .get("sys_id")
            .and_then(Value::as_str)
            .map(str::to_ascii_lowercase);
        if let Some(chosen) =
            chosen.filter(|key| self.config.accepts_chosen_sys_id && ids::is_sys_id(key))
        {
            record.set("sys_id", chosen);
        }
        rules::defaults(self, &class, &mut record, user, now_ms);
        let notes = self.assign(&class, &mut record, &body, call, user);
        self.check_mandatory(&class, &record)?;
        self.check(&class, None, &mut record, user, now_ms)?;
        if let Some(prefix) = self
            .schema
            .table(&class)
            .and_then(|table| table.prefix.clone())
        {
            let first =
                self.config.first_number + if class == "change_request" { 20_000 } else { 0 };
            record.set("number", self.store.next_number(&prefix, first));
        }
        if class == "em_event" {
            self.queue_event(record.clone(), now_ms);
        } else {
            self.store.insert(&class, record.clone());
        }
        self.write_notes(&class, record.sys_id(), notes, &user.name, now_ms);
        let result = Rendering::of(self, call, user, table).object(Row {
            class: &class,
            record: &record,
        });
        let origin = self.config.instance_url.as_deref().unwrap_or(&call.origin);
        let location = format!("{origin}/api/now/table/{table}/{}", record.sys_id());
        let reply = Reply::result(201, result).with("location", location);
        Ok(Outcome {
            touched: Some(touched(&record)),
            ..Outcome::done(reply)
        })
    }

    pub(super) fn update(
        &mut self,
        call: &Call,
        user: &User,
        table: &str,
        key: &str,
        now_ms: i64,
    ) -> Result<Outcome, Reply> {
        let body = body(call)?;
        let row = self
            .visible(user, table, key)
            .ok_or_else(Reply::no_record)?;
        let (class, before) = (row.class.to_owned(), row.record.clone());
        if !self.allows(user, Operation::Write, &class) {
            return Err(refused_by_acl(Operation::Write));
        }
        let mut record = before.clone();
        let notes = self.assign(&class, &mut record, &body, call, user);
        self.check(&class, Some(&before), &mut record, user, now_ms)?;
        if record != before || !notes.is_empty() {
            touch(&mut record, &user.name, now_ms);
            self.store.insert(&class, record.clone());
            self.write_notes(&class, key, notes, &user.name, now_ms);
        }
        let result = Rendering::of(self, call, user, table).object(Row {
            class: &class,
            record: &record,
        });
        Ok(Outcome {
            touched: Some(touched(&record)),
            ..Outcome::done(Reply::result(200, result))
        })
    }

    /// What the database and the business rules say to a record as it would be.
    fn check(
        &self,
        class: &str,
        before: Option<&Record>,
        record: &mut Record,
        user: &User,
        now_ms: i64,
    ) -> Result<(), Reply> {
        rules::check(self, class, before, record, user)?;
        rules::derive(self, class, before, record, user, now_ms);
        for rule in self
            .config
            .business_rules
            .iter()
            .filter(|rule| self.schema.extends(class, &rule.table))
        {
            if self.satisfies(&rule.table, &rule.condition, Row { class, record }) {
                return Err(rules::aborted(class, &rule.name, self.config.seed));
            }
        }
        self.check_unique(class, before.is_none(), record)
    }

    fn check_unique(&self, class: &str, is_new: bool, record: &Record) -> Result<(), Reply> {
        if is_new
            && self
                .store
                .find(&self.schema, self.schema.root(class), record.sys_id())
                .is_some()
        {
            return Err(self.duplicate(record.sys_id(), "PRIMARY"));
        }
        for (table, fields) in self
            .config
            .unique_fields
            .iter()
            .filter(|(table, _)| self.schema.extends(class, table))
        {
            for field in fields {
                let value = record.get(field);
                let mut others = self
                    .store
                    .rows(&self.schema, table)
                    .filter(|row| row.record.sys_id() != record.sys_id());
                if !value.is_empty() && others.any(|row| row.record.get(field) == value) {
                    return Err(self.duplicate(value, field));
                }
            }
        }
        Ok(())
    }

    fn duplicate(&self, entry: &str, key: &str) -> Reply {
        if !self.config.shows_unique_key_detail {
            return Reply::failed(CHECK_LOGS);
        }
        Reply::failed(&format!(
            "Unique Key violation detected by database (Duplicate entry '{entry}' for key '{key}')"
        ))
    }

    fn check_mandatory(&self, class: &str, record: &Record) -> Result<(), Reply> {
        let policies = self
            .config
            .mandatory
            .iter()
            .filter(|(table, _)| self.schema.extends(class, table));
        let missing: Vec<String> = policies
            .flat_map(|(_, fields)| fields)
            .filter(|field| record.get(field).is_empty())
            .map(|field| super::catalog::label(field))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(rules::data_policy(&missing))
        }
    }

    /// Puts the values of a body into a record. What the table does not have is ignored; what a field cannot hold too.
    fn assign(
        &self,
        class: &str,
        record: &mut Record,
        body: &Map<String, Value>,
        call: &Call,
        user: &User,
    ) -> Notes {
        let as_shown = call.is_true("sysparm_input_display_value");
        let mut notes = Notes::new();
        for (field, value) in body
            .iter()
            .filter(|(field, _)| !ITS_OWN.contains(&field.as_str()))
        {
            let Some(holds) = self.schema.holds(class, field) else {
                continue;
            };
            let value = text(value);
            if *holds == Holds::Journal {
                if !value.is_empty() {
                    notes.push((field.clone(), value));
                }
            } else if value.is_empty() {
                record.set(field, "");
            } else if let Some(value) = self.stored(class, field, holds, &value, as_shown, user) {
                record.set(field, value);
            }
        }
        notes
    }

    /// The value that a field keeps of a text, if it can keep any.
    fn stored(
        &self,
        class: &str,
        field: &str,
        holds: &Holds,
        value: &str,
        as_shown: bool,
        user: &User,
    ) -> Option<String> {
        if let Some(choices) = self.schema.choices(class, field) {
            let found = choices
                .iter()
                .find(|(own, label)| own == value || (as_shown && label == value));
            return match found {
                Some((own, _)) => Some(own.clone()),
                None => self.config.allows_unknown_choice.then(|| value.to_owned()),
            };
        }
        match holds {
            Holds::Text(max) => Some(value.chars().take(*max).collect()),
            Holds::Integer => value
                .trim()
                .parse::<i64>()
                .ok()
                .map(|number| number.to_string()),
            Holds::Boolean => Some((value == "true" || value == "1").to_string()),
            Holds::Time => {
                let shift = if as_shown {
                    -user.utc_offset_minutes
                } else {
                    0
                };
                stamp::parse(value).map(|ms| stamp::shifted(&stamp::text(ms), shift))
            }
            Holds::Reference(target) if as_shown && !ids::is_sys_id(value) => {
                let mut rows = self.store.rows(&self.schema, target);
                rows.find(|row| row.record.get(self.schema.display_column(target)) == value)
                    .map(|row| row.record.sys_id().to_owned())
            }
            Holds::Reference(_) => Some(value.chars().take(32).collect()),
            Holds::Journal => None,
        }
    }

    fn write_notes(&mut self, class: &str, key: &str, notes: Notes, user: &str, now_ms: i64) {
        for (field, text) in notes {
            let mut entry = self.blank(user, now_ms);
            entry.set("name", class);
            entry.set("element", field);
            entry.set("element_id", key);
            entry.set("value", text);
            self.store.insert("sys_journal_field", entry);
        }
    }
}

/// Stamps a changed record.
pub(super) fn touch(record: &mut Record, user: &str, now_ms: i64) {
    let count = record.get("sys_mod_count").parse::<u64>().unwrap_or(0) + 1;
    record.set("sys_mod_count", count.to_string());
    record.set("sys_updated_on", stamp::text(now_ms));
    record.set("sys_updated_by", user);
}

/// The record in a body; of several, the first.
fn body(call: &Call) -> Result<Map<String, Value>, Reply> {
    let broken = || {
        Reply::error(
            400,
            "Exception while reading request",
            Some("The payload is not valid JSON"),
        )
    };
    match serde_json::from_slice(&call.body).map_err(|_| broken())? {
        Value::Object(map) => Ok(map),
        Value::Array(list) => match list.into_iter().next() {
            Some(Value::Object(map)) => Ok(map),
            _ => Err(broken()),
        },
        _ => Err(broken()),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(map) => map.get("value").map_or_else(String::new, text),
        other => other.to_string(),
    }
}
