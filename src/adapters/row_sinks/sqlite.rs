//! Rows in a database of one file, for the desk: tables of the same names with the same columns as in Log Analytics.
//!
//! Moments are text in UTC (`2026-03-01T10:00:00.000Z`), which sorts as they do and which SQLite's own functions read; yes is
//! 1 and no is 0.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, ErrorCode};
use serde_json::{Map, Value};

use crate::domain::batch::Batch;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::sink_failure::SinkFailure;
use crate::domain::table::{ColumnType, Table};
use crate::ports::RowSink;

/// How long another process may have the file to itself.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// A database of rows.
#[derive(Debug)]
pub struct SqliteSink {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteSink {
    /// In this file, which is made if it is not there, with the tables and columns that it lacks.
    pub fn open(path: &Path) -> Result<Self, CallFailure> {
        let told = |error: rusqlite::Error| failure(path, "open the database of rows", &error);
        let unusable = |error: std::io::Error| {
            let detail = format!("`{}`: {}", path.display(), error.kind());
            let operation = "open the database of rows";
            CallFailure::new(SERVICE, operation, Effect::NotSent, Kind::Unusable, detail)
        };
        make_private(path).map_err(unusable)?;
        let connection = Connection::open(path).map_err(told)?;
        prepare(&connection).map_err(told)?;
        Ok(Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
        })
    }

    fn insert(&self, table: Table, batch: &Batch) -> rusqlite::Result<()> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        {
            let mut statement = transaction.prepare_cached(&insertion(table))?;
            for row in batch.rows() {
                let row: Map<String, Value> = serde_json::from_slice(row)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                let cells = table.columns().iter().map(|(name, _)| cell(row.get(*name)));
                statement.execute(rusqlite::params_from_iter(cells))?;
            }
        }
        transaction.commit()
    }
}

const SERVICE: &str = "the database of rows";

#[async_trait]
impl RowSink for SqliteSink {
    async fn send(&self, table: Table, batch: &Batch, _: Duration) -> Result<(), SinkFailure> {
        self.insert(table, batch).map_err(|error| {
            let operation = format!("write rows of {}", table.name());
            let failure = failure(&self.path, &operation, &error);
            match failure.kind {
                Kind::Unavailable => SinkFailure::Wait(failure),
                _ => SinkFailure::Refused(failure),
            }
        })
    }
}

/// Made by us, so that it is for this user alone: SQLite would make it for all.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the owner of the database's file"
)]
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder.create(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map(|_| ())
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_FOR)?;
    // Readers go on while rows are written, and a commit is on disk.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    for table in Table::ALL {
        let name = table.name();
        let declared: Vec<String> = table
            .columns()
            .iter()
            .map(|(column, kind)| format!("\"{column}\" {}", declared(*kind)))
            .collect();
        let columns = declared.join(", ");
        connection.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS \"{name}\" ({columns});"
        ))?;
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let there: Vec<String> = statement
            .query_map([name], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for ((column, _), declared) in table.columns().iter().zip(&declared) {
            if !there.iter().any(|its| its == column) {
                connection
                    .execute_batch(&format!("ALTER TABLE \"{name}\" ADD COLUMN {declared};"))?;
            }
        }
    }
    connection.execute_batch(
        "CREATE INDEX IF NOT EXISTS \"ServiceDesk_by_record\" ON \"ServiceDesk_CL\" (\"RecordKey\", \"LastModifiedDate_t\", \"Revision\");",
    )
}

fn declared(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text | ColumnType::Moment => "TEXT",
        ColumnType::Whole | ColumnType::Flag => "INTEGER",
    }
}

fn insertion(table: Table) -> String {
    let names: Vec<String> = table
        .columns()
        .iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    let places = vec!["?"; names.len()].join(", ");
    format!(
        "INSERT INTO \"{}\" ({}) VALUES ({places})",
        table.name(),
        names.join(", ")
    )
}

fn cell(value: Option<&Value>) -> Cell {
    match value {
        None | Some(Value::Null) => Cell::Null,
        Some(Value::Bool(flag)) => Cell::Integer(i64::from(*flag)),
        Some(Value::Number(number)) => number.as_i64().map_or(Cell::Null, Cell::Integer),
        Some(Value::String(text)) => Cell::Text(text.clone()),
        Some(other) => Cell::Text(other.to_string()),
    }
}

/// SQLite's code, in our words; what it says may quote a row.
fn failure(path: &Path, operation: &str, error: &rusqlite::Error) -> CallFailure {
    let (kind, why) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Unavailable, "another process is writing to it")
        }
        Some(ErrorCode::DiskFull) => (Kind::Unavailable, "the disk is full"),
        Some(ErrorCode::SystemIoFailure) => (Kind::Unavailable, "the disk failed"),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            (Kind::Unusable, "it is no database, or a damaged one")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            (Kind::Unusable, "it cannot be written to")
        }
        _ => (Kind::Unusable, "it does not take the rows"),
    };
    let detail = format!("`{}`: {why}", path.display());
    CallFailure::new(SERVICE, operation, Effect::NotSent, kind, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_of_an_earlier_version_gets_the_columns_that_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.sqlite");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(
            "CREATE TABLE ServiceDesk_CL (RecordKey TEXT, Own TEXT); INSERT INTO ServiceDesk_CL VALUES ('a', 'mine');",
        )
        .unwrap();
        drop(old);
        for _ in 0..2 {
            let sink = SqliteSink::open(&path).unwrap();
            let row = Batch::of_one(br#"{"RecordKey":"b","Title_s":"t"}"#.to_vec());
            let sent = sink.send(Table::ServiceDesk, &row, Duration::from_secs(1));
            sent.await.unwrap();
        }
        let found: String = Connection::open(&path)
            .unwrap()
            .query_row(
                "SELECT group_concat(RecordKey || coalesce(Own, '') || coalesce(Title_s, ''), ' ') FROM ServiceDesk_CL",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(found, "amine bt bt");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a file that is something else")]
    fn what_is_no_database_is_told_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.sqlite");
        std::fs::write(&path, "canary ".repeat(1000)).unwrap();
        let told = SqliteSink::open(&path).unwrap_err().to_string();
        assert!(told.contains("rows.sqlite`: it is no database"), "{told}");
        assert!(!told.contains("canary"));
    }

    #[cfg(unix)]
    #[test]
    fn others_cannot_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/rows.sqlite");
        drop(SqliteSink::open(&path).unwrap());
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
