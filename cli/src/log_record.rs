//! A log record from a file, and the alert that is made of it.

use bytes::Bytes;
use clap::Args;
use itsm_connector::domain::alert::Severity;
use itsm_connector::domain::identity::BodyId;
use itsm_connector::domain::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::output::harmless;

/// Columns that a title is taken from where none is named, the first that is there.
const TITLES: [&str; 6] = [
    "Title",
    "Title_s",
    "AlertName",
    "Name",
    "Activity",
    "OperationName",
];

/// Columns that a description is taken from where none is named.
const DESCRIPTIONS: [&str; 6] = [
    "Description",
    "Description_s",
    "RenderedDescription",
    "Message",
    "SyslogMessage",
    "ResultDescription",
];

/// Columns that name the affected computer where none is named: those that Azure takes configuration items from, the most
/// readable first.
const COMPUTERS: [&str; 5] = [
    "Computer",
    "HostName",
    "Resource",
    "ResourceId",
    "_ResourceId",
];

/// The column with a resource's id.
const RESOURCE_ID: &str = "_ResourceId";

/// The column with the time of a record.
const TIME: &str = "TimeGenerated";

/// Columns with the name of the table that a record is from.
const TABLES: [&str; 2] = ["Type", "TableName"];

/// Columns that tell a person which record it is.
const WORDS_OF: usize = 3;

/// Which columns the work item's fields are taken from.
#[derive(Debug, Args)]
pub(crate) struct Columns {
    /// The column of the title [default: Title, AlertName, Name or the like]
    #[arg(long, value_name = "COLUMN")]
    title: Option<String>,
    /// The column of the description [default: Description, RenderedDescription, Message or the like]
    #[arg(long, value_name = "COLUMN")]
    description: Option<String>,
    /// The column of the affected computer [default: Computer or the like]
    #[arg(long, value_name = "COLUMN")]
    computer: Option<String>,
    /// How bad it is: Sev0 to Sev4
    #[arg(long, value_parser = severity, value_name = "SEVERITY", default_value = "Sev3")]
    severity: Severity,
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| "expected Sev0, Sev1, Sev2, Sev3 or Sev4".to_owned())
}

/// A record: values by the names of their columns, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogRecord {
    cells: Vec<(String, String)>,
}

impl LogRecord {
    fn column(&self, name: &str) -> Option<&str> {
        let cell = self
            .cells
            .iter()
            .find(|(column, _)| column.eq_ignore_ascii_case(name));
        cell.map(|(_, value)| value.as_str())
    }

    fn first_of(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.column(name))
    }

    /// `Computer=dc01, EventID=4740`.
    pub(crate) fn in_words(&self) -> String {
        let cells = self.cells.iter().filter(|(name, _)| name != TIME);
        let words: Vec<String> = cells
            .take(WORDS_OF)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        words.join(", ")
    }
}

impl Columns {
    /// The alert that stands for a record. It follows from the record alone, so that the same record is the same alert.
    pub(crate) fn alert(&self, record: &LogRecord) -> Result<Bytes, Failure> {
        let title = of(record, "title", self.title.as_deref(), &TITLES)?;
        let description = of(
            record,
            "description",
            self.description.as_deref(),
            &DESCRIPTIONS,
        )?;
        let computer = of(record, "computer", self.computer.as_deref(), &COMPUTERS)?;
        let table = record.first_of(&TABLES);
        let title = title.map_or_else(
            || {
                format!(
                    "Log record{}",
                    table.map_or_else(String::new, |table| format!(" of {table}"))
                )
            },
            str::to_owned,
        );
        let all: Map<String, Value> = record
            .cells
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let mut essentials = json!({
            "alertRule": title,
            "severity": self.severity.as_str(),
            "signalType": "Log",
            "monitorCondition": "Fired",
            "monitoringService": "Log record",
            "alertTargetIDs": record.column(RESOURCE_ID).into_iter().collect::<Vec<_>>(),
            "configurationItems": computer.into_iter().collect::<Vec<_>>(),
            "description": description.unwrap_or_default(),
        });
        if let Some(time) = record.column(TIME).and_then(Timestamp::parse_lenient) {
            essentials["firedDateTime"] = json!(time);
        }
        let id = BodyId::new(format!("{essentials}{}", Value::Object(all.clone())).as_bytes());
        essentials["alertId"] = json!(format!("/providers/itsm-connector/logRecords/{id}"));
        let alert = json!({
            "schemaId": "azureMonitorCommonAlertSchema",
            "data": { "essentials": essentials, "alertContext": null, "customProperties": all },
        });
        Ok(alert.to_string().into())
    }
}

/// The value of a named column, which must be there, or else of the first usual one that is.
fn of<'a>(
    record: &'a LogRecord,
    what: &str,
    named: Option<&str>,
    usual: &[&str],
) -> Result<Option<&'a str>, Failure> {
    let Some(name) = named else {
        return Ok(record.first_of(usual));
    };
    record.column(name).map(Some).ok_or_else(|| {
        let columns: Vec<&str> = record.cells.iter().map(|(name, _)| name.as_str()).collect();
        Failure::wrong_usage(
            format!(
                "--{what}: found `{}`, expected a column of the record that is not empty",
                harmless(name)
            ),
            format!("it has {}", harmless(&columns.join(", "))),
        )
    })
}

/// Reads the records of a file. The error says what is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<LogRecord>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let is_json = bytes
        .iter()
        .find(|byte| !byte.is_ascii_whitespace())
        .is_some_and(|byte| matches!(byte, b'{' | b'['));
    if is_json {
        of_json(bytes)
    } else {
        of_csv(bytes)
    }
}

/// An answer of the query API (`tables`), or one of its tables.
#[derive(Deserialize)]
struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

/// One document or several after each other, each a record, a list of records, or an answer of the query API.
fn of_json(bytes: &[u8]) -> Result<Vec<LogRecord>, String> {
    let mut records = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        match value.map_err(|error| format!("found no JSON: {error}"))? {
            Value::Array(values) => {
                for value in values {
                    records.push(of_object(value)?);
                }
            }
            Value::Object(mut object) => match object.remove("tables") {
                Some(tables) => {
                    let tables: Vec<Table> = serde_json::from_value(tables)
                        .map_err(|_| "found `tables` without `columns` and `rows`".to_owned())?;
                    records.extend(tables.into_iter().flat_map(of_table));
                }
                None => records.push(of_object(Value::Object(object))?),
            },
            _ => return Err("found a JSON value that is no object".to_owned()),
        }
    }
    Ok(records)
}

fn of_table(table: Table) -> impl Iterator<Item = LogRecord> {
    let columns = table.columns;
    table.rows.into_iter().map(move |row| {
        let cells = columns.iter().zip(row);
        LogRecord {
            cells: cells
                .filter_map(|(column, value)| Some((column.name.clone(), told(value)?)))
                .collect(),
        }
    })
}

fn of_object(value: Value) -> Result<LogRecord, String> {
    let Value::Object(object) = value else {
        return Err("found a list with something else than objects".to_owned());
    };
    let cells = object.into_iter();
    Ok(LogRecord {
        cells: cells
            .filter_map(|(name, value)| Some((name, told(value)?)))
            .collect(),
    })
}

/// A value as text; `None` if it says nothing.
fn told(value: Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text,
        other => other.to_string(),
    };
    (!text.trim().is_empty()).then_some(text)
}

fn of_csv(bytes: &[u8]) -> Result<Vec<LogRecord>, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let wrong = |error: csv::Error| match error.position() {
        Some(position) => format!("found no CSV in line {}", position.line()),
        None => "found no CSV".to_owned(),
    };
    let headings = reader.headers().map_err(wrong)?.clone();
    let mut records = Vec::new();
    for row in reader.records() {
        let row = row.map_err(wrong)?;
        let cells = headings.iter().map(column_of_heading).zip(row.iter());
        records.push(LogRecord {
            cells: cells
                .filter(|(name, value)| !name.is_empty() && !value.trim().is_empty())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        });
    }
    Ok(records)
}

/// The portal writes the zone after the name of a time: `TimeGenerated [UTC]`.
fn column_of_heading(heading: &str) -> &str {
    heading
        .split_once(" [")
        .map_or(heading, |(name, _)| name)
        .trim()
}
