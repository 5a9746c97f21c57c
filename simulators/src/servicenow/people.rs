//! What people and other systems do to an instance behind the connector's back, and what tests look at.

use serde_json::{Map, Value};

use super::ServiceNow;
use super::catalog;
use super::config::User;
use super::ids;
use super::rules;
use super::stamp;
use super::store::{Record, Row};
use super::writing::touch;
use crate::fault::Faults;
use crate::journal::{Journal, Kind};

impl ServiceNow {
    /// All records of a table and those that extend it, every field a text, in the order of their numbers or their making.
    pub fn records(&self, table: &str) -> Vec<Value> {
        let (store, schema) = (&self.instance.store, &self.instance.schema);
        let mut rows: Vec<Row<'_>> = store.rows(schema, table).collect();
        rows.sort_by_key(|row| {
            (
                row.record.get("number"),
                row.record.get("sys_created_on"),
                row.record.sys_id(),
            )
        });
        rows.into_iter().map(|row| self.shown(row)).collect()
    }

    /// The record with this key, in whatever table.
    pub fn record(&self, sys_id: &str) -> Option<Value> {
        self.instance
            .store
            .anywhere(sys_id)
            .map(|row| self.shown(row))
    }

    /// All incidents.
    pub fn incidents(&self) -> Vec<Value> {
        self.records("incident")
    }

    /// The texts of a journal field (`work_notes`, `comments`) of a record, oldest first.
    pub fn notes(&self, sys_id: &str, field: &str) -> Vec<String> {
        let all = self.records("sys_journal_field");
        let of_this = all
            .iter()
            .filter(|entry| entry["element_id"] == sys_id && entry["element"] == field);
        of_this
            .filter_map(|entry| entry["value"].as_str())
            .map(str::to_owned)
            .collect()
    }

    fn shown(&self, row: Row<'_>) -> Value {
        let columns = self
            .instance
            .schema
            .table(row.class)
            .map(|table| table.all.keys().cloned())
            .into_iter()
            .flatten();
        columns
            .map(|column| (column.clone(), Value::from(row.record.get(&column))))
            .collect::<Map<_, _>>()
            .into()
    }

    /// What was asked so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The same, to be cleared.
    pub fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// What will go wrong.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// The configuration, to switch something while it runs. Users and tables are read once, at the start.
    pub fn config_mut(&mut self) -> &mut super::config::Config {
        &mut self.instance.config
    }

    /// How many tokens were asked for since the journal was cleared.
    pub fn token_requests(&self) -> usize {
        self.journal.count(Kind::Token)
    }

    /// How many tokens live: access, refresh.
    pub fn live_tokens(&self, now_ms: i64) -> (usize, usize) {
        self.instance.tokens.live(now_ms)
    }

    /// Expires every access token.
    pub fn expire_tokens(&mut self) {
        self.instance.tokens.expire_access();
    }

    /// Expires every token of both kinds, as an administrator who revokes an integration.
    pub fn revoke_all(&mut self) {
        self.instance.tokens.expire_access();
        self.instance.tokens.expire_refresh();
    }

    /// Puts a record in as a person would at the form, past all checks; returns its key.
    pub fn insert_record(&mut self, table: &str, fields: &[(&str, &str)], now_ms: i64) -> String {
        let person = person();
        let mut record = self.instance.blank(&person.name, now_ms);
        rules::defaults(&self.instance, table, &mut record, &person, now_ms);
        if let Some(prefix) = self
            .instance
            .schema
            .table(table)
            .and_then(|table| table.prefix.clone())
        {
            let first = self.instance.config.first_number
                + if table == "change_request" { 20_000 } else { 0 };
            record.set("number", self.instance.store.next_number(&prefix, first));
        }
        for (field, value) in fields {
            record.set(field, *value);
        }
        rules::derive(&self.instance, table, None, &mut record, &person, now_ms);
        let key = record.sys_id().to_owned();
        self.instance.store.insert(table, record);
        key
    }

    /// A person sets a field; what follows from it (priority, active, the times of closing) follows. False: no such record.
    pub fn set_field(
        &mut self,
        table: &str,
        sys_id: &str,
        field: &str,
        value: &str,
        now_ms: i64,
    ) -> bool {
        self.edit_fields(table, sys_id, &[(field, value)], now_ms)
    }

    /// A person closes a work item.
    pub fn close_by_person(&mut self, sys_id: &str, now_ms: i64) -> bool {
        let Some(class) = self
            .instance
            .store
            .anywhere(sys_id)
            .map(|row| row.class.to_owned())
        else {
            return false;
        };
        let (state, code) = if class == "change_request" {
            ("3", "successful")
        } else {
            ("7", "Resolved by caller")
        };
        let fields = [
            ("state", state),
            ("close_code", code),
            ("close_notes", "Done by hand"),
        ];
        self.edit_fields(&class, sys_id, &fields, now_ms)
    }

    /// A person deletes a record.
    pub fn delete_by_person(&mut self, table: &str, sys_id: &str, now_ms: i64) -> bool {
        let found = self
            .instance
            .store
            .find(&self.instance.schema, table, sys_id)
            .map(|row| row.class.to_owned());
        found.is_some_and(|class| {
            self.instance.remove(&class, sys_id, &person().name, now_ms);
            true
        })
    }

    /// A script deletes a record where the instance keeps no trace of deletes (`no_audit_delete`). False: no such record.
    pub fn delete_without_trace(&mut self, table: &str, sys_id: &str) -> bool {
        self.instance.store.remove(table, sys_id).is_some()
    }

    fn edit_fields(
        &mut self,
        table: &str,
        sys_id: &str,
        fields: &[(&str, &str)],
        now_ms: i64,
    ) -> bool {
        let Some(row) = self
            .instance
            .store
            .find(&self.instance.schema, table, sys_id)
        else {
            return false;
        };
        let (class, before) = (row.class.to_owned(), row.record.clone());
        let mut record: Record = before.clone();
        for (field, value) in fields {
            record.set(field, *value);
        }
        let person = person();
        rules::derive(
            &self.instance,
            &class,
            Some(&before),
            &mut record,
            &person,
            now_ms,
        );
        if record != before {
            touch(&mut record, &person.name, now_ms);
            self.instance.store.insert(&class, record);
        }
        true
    }

    /// Puts `n` incidents in, one minute of change apart, the newest at `now_ms`.
    pub fn seed_incidents(&mut self, n: usize, now_ms: i64) {
        const WORDS: [&str; 5] = [
            "Disk almost full",
            "Site is slow",
            "Backup failed",
            "Certificate expires",
            "Queue grows",
        ];
        for i in 0..n {
            let made_ms = now_ms - i64::try_from(n - i).unwrap_or(0) * 60_000;
            let text = format!("{} on web{:02}", WORDS[i % WORDS.len()], i % 20);
            let urgency = (i % 3 + 1).to_string();
            let state = if i % 4 == 0 { "2" } else { "1" };
            let key = self.insert_record(
                "incident",
                &[
                    ("short_description", &text),
                    ("urgency", &urgency),
                    ("state", state),
                ],
                made_ms,
            );
            if i % 5 == 0 {
                let end = stamp::text(made_ms + 30_000);
                let fields = [
                    ("state", "6"),
                    ("close_code", "Solution provided"),
                    ("close_notes", "Done"),
                    ("resolved_at", &end),
                ];
                self.edit_fields("incident", &key, &fields, made_ms + 30_000);
            }
        }
    }

    /// The key of a user's, group's or configuration item's record, by its name.
    pub fn key_of(&self, table: &str, name: &str) -> Option<String> {
        let column = if table == "sys_user" {
            "user_name"
        } else {
            self.instance.schema.display_column(table)
        };
        let mut rows = self.instance.store.rows(&self.instance.schema, table);
        rows.find(|row| row.record.get(column) == name)
            .map(|row| row.record.sys_id().to_owned())
    }

    /// Makes the tables that are filled on demand readable by [`ServiceNow::records`].
    pub(super) fn fill(&mut self, table: &str) {
        catalog::fill(&mut self.instance, table);
    }
}

/// Who works at the screen.
fn person() -> User {
    User {
        name: "abel.tuter".into(),
        display_name: "Abel Tuter".into(),
        roles: vec!["admin".into()],
        ..User::default()
    }
}

/// A `sys_id` that follows from a name and belongs to no record of an instance: for tests.
pub fn made_up_sys_id(name: &str) -> String {
    ids::sys_id(0, "made up", name)
}
