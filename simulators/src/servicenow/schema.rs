//! Which tables and columns there are, and how tables extend each other.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::choices::{CHOICES, INCIDENT_CLOSE_CODES};
use super::columns::{SYSTEM, TABLES};
use super::config::Config;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holds {
    Text(usize),
    Integer,
    Boolean,
    Time,
    Journal,
    Reference(String),
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub label: String,
    pub extends: Option<String>,
    pub prefix: Option<String>,
    /// Its own columns only.
    pub columns: Vec<(String, Holds)>,
    /// Its columns with those of the tables that it extends.
    pub all: BTreeMap<String, Holds>,
}

/// All tables of an instance.
#[derive(Debug)]
pub(super) struct Schema {
    pub tables: BTreeMap<String, Table>,
    /// (table, column) → (value, label), in order.
    pub choices: BTreeMap<(String, String), Vec<(String, String)>>,
}

/// That of an instance as it is delivered: most are, and to build it is half of what an instance costs.
static DELIVERED: LazyLock<Arc<Schema>> =
    LazyLock::new(|| Arc::new(Schema::new(&Config::default())));

impl Schema {
    /// That of this instance.
    pub(super) fn of(config: &Config) -> Arc<Self> {
        let codes = config.closing.incident_close_codes.iter();
        if config.tables.is_empty() && codes.eq(INCIDENT_CLOSE_CODES) {
            Arc::clone(&DELIVERED)
        } else {
            Arc::new(Self::new(config))
        }
    }

    fn new(config: &Config) -> Self {
        let mut schema = Self {
            tables: BTreeMap::new(),
            choices: BTreeMap::new(),
        };
        for delivered in TABLES {
            let columns = delivered.columns.iter().map(|text| column(text)).collect();
            schema.add(
                delivered.name,
                delivered.label,
                delivered.extends,
                delivered.prefix,
                columns,
            );
        }
        for generic in &config.tables {
            let columns = generic
                .columns
                .iter()
                .map(|text| generic_column(text))
                .collect();
            if schema.tables.contains_key(&generic.name) {
                schema.widen(&generic.name, columns);
                continue;
            }
            schema.add(
                &generic.name,
                &generic.name,
                generic.extends.as_deref(),
                generic.number_prefix.as_deref(),
                columns,
            );
        }
        for (table, field, choices) in CHOICES {
            let choices = choices
                .iter()
                .map(|(value, label)| ((*value).to_owned(), (*label).to_owned()))
                .collect();
            schema
                .choices
                .insert(((*table).to_owned(), (*field).to_owned()), choices);
        }
        let codes = config
            .closing
            .incident_close_codes
            .iter()
            .map(|code| (code.clone(), code.clone()))
            .collect();
        schema
            .choices
            .insert(("incident".to_owned(), "close_code".to_owned()), codes);
        schema
    }

    fn add(
        &mut self,
        name: &str,
        label: &str,
        extends: Option<&str>,
        prefix: Option<&str>,
        columns: Vec<(String, Holds)>,
    ) {
        let mut all: BTreeMap<String, Holds> =
            match extends.and_then(|parent| self.tables.get(parent)) {
                Some(parent) => parent.all.clone(),
                None => SYSTEM.iter().map(|text| column(text)).collect(),
            };
        all.extend(columns.iter().cloned());
        let table = Table {
            label: label.to_owned(),
            extends: extends.map(str::to_owned),
            prefix: prefix.map(str::to_owned),
            columns,
            all,
        };
        self.tables.insert(name.to_owned(), table);
    }

    /// Adds a customer's own columns to a table, and so to all that extend it.
    fn widen(&mut self, name: &str, columns: Vec<(String, Holds)>) {
        let family: Vec<String> = self.family(name).map(str::to_owned).collect();
        for (member, table) in self
            .tables
            .iter_mut()
            .filter(|(member, _)| family.contains(member))
        {
            table.all.extend(columns.iter().cloned());
            if member == name {
                table.columns.extend(columns.iter().cloned());
            }
        }
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    pub(super) fn holds(&self, table: &str, field: &str) -> Option<&Holds> {
        self.tables.get(table)?.all.get(field)
    }

    /// Whether `table` is `ancestor` or extends it.
    pub(super) fn extends(&self, table: &str, ancestor: &str) -> bool {
        let mut at = Some(table);
        while let Some(name) = at {
            if name == ancestor {
                return true;
            }
            at = self
                .tables
                .get(name)
                .and_then(|table| table.extends.as_deref());
        }
        false
    }

    /// The table at the top of what a table extends: whose primary key its records share.
    pub(super) fn root<'a>(&'a self, table: &'a str) -> &'a str {
        let mut at = table;
        while let Some(parent) = self
            .tables
            .get(at)
            .and_then(|table| table.extends.as_deref())
        {
            at = parent;
        }
        at
    }

    /// The table and all that extend it.
    pub(super) fn family<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a str> {
        self.tables
            .keys()
            .map(String::as_str)
            .filter(move |name| self.extends(name, table))
    }

    /// The choices of a field, its own or those of a table above.
    pub(super) fn choices(&self, table: &str, field: &str) -> Option<&[(String, String)]> {
        let mut at = Some(table.to_owned());
        while let Some(name) = at {
            at = self
                .tables
                .get(&name)
                .and_then(|table| table.extends.clone());
            if let Some(choices) = self.choices.get(&(name, field.to_owned())) {
                return Some(choices);
            }
        }
        None
    }

    /// The column whose value stands for the record.
    pub(super) fn display_column(&self, table: &str) -> &'static str {
        let Some(table) = self.tables.get(table) else {
            return "sys_id";
        };
        ["number", "name", "user_name"]
            .into_iter()
            .find(|name| table.all.contains_key(*name))
            .unwrap_or("sys_id")
    }
}

fn column(text: &str) -> (String, Holds) {
    let (name, kind) = text.split_once(':').unwrap_or((text, "text(255)"));
    let inside = kind
        .split_once('(')
        .map_or("", |(_, rest)| rest.trim_end_matches(')'));
    let holds = match kind {
        "int" => Holds::Integer,
        "bool" => Holds::Boolean,
        "time" => Holds::Time,
        "journal" => Holds::Journal,
        _ if kind.starts_with("ref(") => Holds::Reference(inside.to_owned()),
        _ => Holds::Text(inside.parse().unwrap_or(255)),
    };
    (name.to_owned(), holds)
}

fn generic_column(text: &str) -> (String, Holds) {
    match text.split_once(':') {
        Some((name, length)) if length.chars().all(|c| c.is_ascii_digit()) => {
            (name.to_owned(), Holds::Text(length.parse().unwrap_or(255)))
        }
        _ => column(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_columns_of_those_that_it_extends() {
        let schema = Schema::new(&Config::default());
        assert_eq!(
            schema.holds("incident", "short_description"),
            Some(&Holds::Text(160))
        );
        assert_eq!(
            schema.holds("incident", "caller_id"),
            Some(&Holds::Reference("sys_user".into()))
        );
        assert_eq!(schema.holds("task", "caller_id"), None);
        assert_eq!(
            schema.holds("cmdb_ci_linux_server", "host_name"),
            Some(&Holds::Text(255))
        );
        assert!(schema.extends("cmdb_ci_linux_server", "cmdb_ci"));
        assert!(!schema.extends("cmdb_ci", "cmdb_ci_linux_server"));
        assert_eq!(
            schema.family("task").collect::<Vec<_>>(),
            ["change_request", "incident", "problem", "task"]
        );
    }

    #[test]
    fn every_reference_and_parent_exists() {
        let schema = Schema::new(&Config::default());
        for (name, table) in &schema.tables {
            assert!(
                table
                    .extends
                    .as_ref()
                    .is_none_or(|parent| schema.table(parent).is_some()),
                "{name}"
            );
            for (column, holds) in &table.all {
                if let Holds::Reference(target) = holds {
                    assert!(
                        schema.table(target).is_some(),
                        "{name}.{column} refers to {target}"
                    );
                }
            }
        }
        for (table, field) in schema.choices.keys() {
            assert!(schema.holds(table, field).is_some(), "{table}.{field}");
        }
    }
}
