//! The tables that the rows go into, and their columns: the same names in Log Analytics, in SQLite and in files.
//!
//! Names begin with a letter and have at most 45 letters, digits and underscores; `Title`, `Type`, `id` and some others are
//! Azure's own (azure-platform §4.2), which is why the retired connector's suffixes stay.

use serde::Serialize;

/// A row: what is written as one JSON object, into one table.
pub trait TableRow: Serialize {
    /// Into which.
    const TABLE: Table;
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Incidents and change requests.
    ServiceDesk,
    /// What the connector has to say of itself.
    ServiceDeskLog,
}

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// A moment, in UTC.
    Moment,
    /// A whole number.
    Whole,
    /// Yes or no.
    Flag,
}

impl ColumnType {
    /// The word of Log Analytics.
    pub fn kusto(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Moment => "datetime",
            Self::Whole => "long",
            Self::Flag => "boolean",
        }
    }
}

/// A column: its name and what stands in it.
pub type Column = (&'static str, ColumnType);

impl Table {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ServiceDesk, Self::ServiceDeskLog];

    /// Its name, as the retired connector had it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServiceDesk => "ServiceDesk_CL",
            Self::ServiceDeskLog => "ServiceDeskLog_CL",
        }
    }

    /// The stream of the data collection rule that leads into it.
    pub fn stream(self) -> &'static str {
        match self {
            Self::ServiceDesk => "Custom-ServiceDesk_CL",
            Self::ServiceDeskLog => "Custom-ServiceDeskLog_CL",
        }
    }

    /// Its columns, in the order in which a row has them.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::ServiceDesk => super::service_desk_row::COLUMNS,
            Self::ServiceDeskLog => super::log_row::COLUMNS,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_the_queries_are_checked_against_are_these_columns() {
        let file = include_str!("../../infra/kql/tables.json");
        let file: serde_json::Value = serde_json::from_str(file).unwrap();
        let ours = Table::ALL.map(|table| {
            let columns = table.columns().iter();
            let columns: serde_json::Map<String, serde_json::Value> = columns
                .map(|(name, kind)| ((*name).to_owned(), kind.kusto().into()))
                .collect();
            (table.name().to_owned(), columns.into())
        });
        assert_eq!(file, serde_json::Value::Object(ours.into_iter().collect()));
    }

    #[test]
    fn the_names_are_such_as_azure_takes() {
        let reserved = [
            "_ResourceId",
            "id",
            "_SubscriptionId",
            "TenantId",
            "Type",
            "UniqueId",
            "Title",
        ];
        for table in Table::ALL {
            let names: BTreeSet<&str> = table.columns().iter().map(|(name, _)| *name).collect();
            assert_eq!(names.len(), table.columns().len(), "{table:?}");
            assert!(names.contains("TimeGenerated"), "{table:?}");
            for name in names {
                assert!(name.len() <= 45 && !reserved.contains(&name), "{name}");
                let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                assert!(plain && name.as_bytes()[0].is_ascii_alphabetic(), "{name}");
            }
            assert_eq!(table.stream(), format!("Custom-{}", table.name()));
        }
    }
}
