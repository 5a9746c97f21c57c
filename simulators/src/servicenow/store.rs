//! The database of an instance: records by class and key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schema::Schema;

/// A record: the values that are not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Record {
    values: BTreeMap<String, String>,
}

impl Record {
    /// The value of a field; one that was never set is empty.
    pub(super) fn get(&self, field: &str) -> &str {
        self.values.get(field).map_or("", String::as_str)
    }

    pub(super) fn set(&mut self, field: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.values.remove(field);
        } else {
            self.values.insert(field.to_owned(), value);
        }
    }

    pub(super) fn sys_id(&self) -> &str {
        self.get("sys_id")
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(field, value)| (field.as_str(), value.as_str()))
    }
}

/// A record with the table that it is really in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub class: &'a str,
    pub record: &'a Record,
}

/// All records, and what numbers them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Store {
    tables: BTreeMap<String, BTreeMap<String, Record>>,
    /// Prefix → the last number given.
    numbers: BTreeMap<String, u64>,
    /// How many keys were made.
    keys_made: u64,
    /// Events that wait to be processed: when, and the event's key.
    #[serde(default)]
    pub events: Vec<(i64, String)>,
}

impl Store {
    pub(super) fn insert(&mut self, class: &str, record: Record) {
        self.tables
            .entry(class.to_owned())
            .or_default()
            .insert(record.sys_id().to_owned(), record);
    }

    pub(super) fn remove(&mut self, class: &str, sys_id: &str) -> Option<Record> {
        self.tables.get_mut(class)?.remove(sys_id)
    }

    pub(super) fn has_rows(&self, class: &str) -> bool {
        self.tables.get(class).is_some_and(|rows| !rows.is_empty())
    }

    /// All records of a table and those that extend it, by class and key.
    pub(super) fn rows<'a>(
        &'a self,
        schema: &'a Schema,
        table: &'a str,
    ) -> impl Iterator<Item = Row<'a>> {
        schema
            .family(table)
            .filter_map(|class| self.tables.get_key_value(class))
            .flat_map(|(class, rows)| rows.values().map(move |record| Row { class, record }))
    }

    /// The record of a table, or of one that extends it, with this key.
    pub(super) fn find<'a>(
        &'a self,
        schema: &'a Schema,
        table: &'a str,
        sys_id: &str,
    ) -> Option<Row<'a>> {
        schema
            .family(table)
            .filter_map(|class| self.tables.get_key_value(class))
            .find_map(|(class, rows)| rows.get(sys_id).map(|record| Row { class, record }))
    }

    /// The record with this key, in whatever table.
    pub(super) fn anywhere(&self, sys_id: &str) -> Option<Row<'_>> {
        self.tables
            .iter()
            .find_map(|(class, rows)| rows.get(sys_id).map(|record| Row { class, record }))
    }

    /// A new number: prefix and at least seven digits.
    pub(super) fn next_number(&mut self, prefix: &str, first: u64) -> String {
        let number = self.numbers.get(prefix).map_or(first, |last| last + 1);
        self.numbers.insert(prefix.to_owned(), number);
        format!("{prefix}{number:07}")
    }

    /// A counter that never gives the same twice.
    pub(super) fn next_key(&mut self) -> u64 {
        self.keys_made += 1;
        self.keys_made
    }
}
