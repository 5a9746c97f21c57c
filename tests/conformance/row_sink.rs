//! Where rows go: what is handed over is there, all of it, as often as it was handed over.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::adapters::logs_ingestion::LogsIngestion;
use itsm_connector::adapters::row_sinks::folder::FolderSink;
use itsm_connector::domain::batch::{Batch, BatchCutter};
use itsm_connector::domain::connection::{PartnerType, RecordType};
use itsm_connector::domain::failure::CallFailure;
use itsm_connector::domain::log_row::LogRow;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::record::{Details, Fields, REVISION_OF_A_DELETION, Record};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::service_desk_row::ServiceDeskRow;
use itsm_connector::domain::sink_failure::SinkFailure;
use itsm_connector::domain::table::{Table, TableRow};
use itsm_connector::ports::{AzureIdentity, Clock as _, RowSink};
use serde_json::{Map, Value};
use simulators::logs_ingestion as azure;
use simulators::server::Server;

type Row = Map<String, Value>;

/// A sink, and what is in it.
struct Bed {
    sink: Arc<dyn RowSink>,
    rows: Box<dyn Fn(Table) -> Vec<Row> + Send + Sync>,
    /// What keeps it there.
    _kept: Box<dyn Send + Sync>,
}

impl Bed {
    async fn send(&self, table: Table, batch: &Batch) {
        let sent = self.sink.send(table, batch, Duration::from_secs(30)).await;
        assert_eq!(sent, Ok(()));
    }
}

fn record(id: &str, kind: RecordType) -> Record {
    Record {
        connection: ConnectionName::parse("contoso").unwrap(),
        partner_type: PartnerType::Servicenow,
        id: id.to_owned(),
        number: format!("INC{id}"),
        changed_at: SystemClock::default().now(),
        revision: 3,
        is_deleted: false,
        correlation_id: None,
        fields: Fields {
            title: Some("a title".to_owned()),
            ..Fields::default()
        },
        details: Details::empty(kind),
    }
}

fn batch<R: TableRow>(rows: &[R]) -> Batch {
    let mut cutter = BatchCutter::new(R::TABLE);
    for row in rows {
        assert_eq!(cutter.push(row), Ok(None), "more than one batch");
    }
    cutter.finish().unwrap()
}

fn batch_of(records: &[Record]) -> Batch {
    let rows: Vec<ServiceDeskRow<'_>> = records
        .iter()
        .map(|record| ServiceDeskRow::new(record, "run-1"))
        .collect();
    batch(&rows)
}

fn sent(batch: &Batch) -> Vec<Row> {
    serde_json::from_slice(&batch.body()).unwrap()
}

async fn what_is_sent_is_there_column_for_column(bed: &Bed) {
    let mut deleted = record("3", RecordType::Incident);
    deleted.is_deleted = true;
    deleted.revision = REVISION_OF_A_DELETION;
    let records = [
        record("1", RecordType::Incident),
        record("2", RecordType::ChangeRequest),
        deleted,
    ];
    let batch = batch_of(&records);
    bed.send(Table::ServiceDesk, &batch).await;
    assert_eq!((bed.rows)(Table::ServiceDesk), sent(&batch));
    assert_eq!((bed.rows)(Table::ServiceDeskLog), [] as [Row; 0]);
}

async fn the_tables_are_two(bed: &Bed) {
    let now = SystemClock::default().now();
    let log = batch(&[LogRow::info(now, "sync_finished", "all is well", "run-1")]);
    bed.send(Table::ServiceDeskLog, &log).await;
    assert_eq!((bed.rows)(Table::ServiceDeskLog), sent(&log));
    assert_eq!((bed.rows)(Table::ServiceDesk), [] as [Row; 0]);
}

async fn what_is_sent_twice_is_there_twice(bed: &Bed) {
    let batch = batch_of(&[record("1", RecordType::Incident)]);
    bed.send(Table::ServiceDesk, &batch).await;
    bed.send(Table::ServiceDesk, &batch).await;
    assert_eq!((bed.rows)(Table::ServiceDesk).len(), 2);
}

async fn any_text_comes_back_as_it_went(bed: &Bed) {
    let texts = [
        "'; DROP TABLE ServiceDesk_CL; --",
        "\"quotes\" and \\ and \u{2028} and \u{1F525} and ü",
        "line\r\nline\ttab\u{1}",
        "{\"json\": [1, 2]}\n[,]",
        "\u{feff}",
    ];
    let records: Vec<Record> = texts
        .iter()
        .map(|text| {
            let mut record = record("1", RecordType::Incident);
            record.fields.title = Some((*text).to_owned());
            record
        })
        .collect();
    bed.send(Table::ServiceDesk, &batch_of(&records)).await;
    let found: Vec<String> = (bed.rows)(Table::ServiceDesk)
        .iter()
        .map(|row| row["Title_s"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, texts);
}

async fn halves_of_a_full_batch_are_all_of_it(bed: &Bed) {
    let records: Vec<Record> = (0..1_500)
        .map(|n| record(&n.to_string(), RecordType::Incident))
        .collect();
    let whole = batch_of(&records);
    let (first, second) = whole.halves().unwrap();
    bed.send(Table::ServiceDesk, &first).await;
    bed.send(Table::ServiceDesk, &second).await;
    assert_eq!((bed.rows)(Table::ServiceDesk), sent(&whole));
}

async fn several_at_once_tear_nothing(bed: &Bed) {
    let batches: Vec<Batch> = (0..8)
        .map(|n| {
            let records = vec![record(&n.to_string(), RecordType::Incident); 100];
            batch_of(&records)
        })
        .collect();
    let sends = batches
        .iter()
        .map(|batch| bed.send(Table::ServiceDesk, batch));
    futures_util::future::join_all(sends).await;
    let rows = (bed.rows)(Table::ServiceDesk);
    assert_eq!(rows.len(), 800);
    for together in rows.chunks(100) {
        assert!(
            together
                .iter()
                .all(|row| row["RecordKey"] == together[0]["RecordKey"])
        );
    }
}

macro_rules! suite {
    ($name:ident, $bed:expr) => {
        mod $name {
            use super::*;

            suite!(@each $bed, [
                what_is_sent_is_there_column_for_column,
                the_tables_are_two,
                what_is_sent_twice_is_there_twice,
                any_text_comes_back_as_it_went,
                halves_of_a_full_batch_are_all_of_it,
                several_at_once_tear_nothing,
            ]);
        }
    };
    (@each $bed:expr, [$($fact:ident),* $(,)?]) => {
        $(#[tokio::test]
        async fn $fact() {
            super::$fact(&$bed.await).await;
        })*
    };
}

/// The plainest there is: what the others are like.
#[derive(Default)]
struct Memory(Mutex<Vec<(Table, Row)>>);

#[async_trait]
impl RowSink for Memory {
    async fn send(&self, table: Table, batch: &Batch, _: Duration) -> Result<(), SinkFailure> {
        let rows = sent(batch).into_iter().map(|row| (table, row));
        self.0.lock().unwrap().extend(rows);
        Ok(())
    }
}

async fn in_memory() -> Bed {
    let memory = Arc::new(Memory::default());
    let sink = Arc::clone(&memory);
    Bed {
        sink,
        rows: Box::new(move |table| {
            let rows = memory.0.lock().unwrap();
            let of = rows.iter().filter(|(its, _)| *its == table);
            of.map(|(_, row)| row.clone()).collect()
        }),
        _kept: Box::new(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the test reads what was written")]
fn lines(folder: &Path, table: Table) -> Vec<Row> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(&format!("{}-", table.name()))
        })
        .collect();
    files.sort();
    let text: String = files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn in_a_folder() -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows");
    let sink = FolderSink::new(path.clone(), Arc::new(SystemClock::default()));
    Bed {
        sink: Arc::new(sink),
        rows: Box::new(move |table| lines(&path, table)),
        _kept: Box::new(folder),
    }
}

/// An identity that has its token.
struct Known;

#[async_trait]
impl AzureIdentity for Known {
    async fn token(&self, _: &str, _: Duration) -> Result<Secret, CallFailure> {
        Ok(Secret::from("good"))
    }
}

async fn by_the_client_of_log_analytics() -> Bed {
    let rule = "dcr-00000000000000000000000000000001";
    let streams = Table::ALL.map(|table| {
        let columns = table.columns().iter();
        let columns = columns.map(|(name, kind)| (*name, kind.kusto()));
        (table.stream(), columns.collect())
    });
    let machine = azure::LogsIngestion::with_rule(rule, "good", streams);
    let listen = "127.0.0.1:0".parse().unwrap();
    let server = Server::start(machine, listen, None).await.unwrap();
    let allowed = AllowedHosts::default().with(&server.address().to_string());
    let sink = LogsIngestion::new(
        Arc::new(HttpTransport::new(allowed)),
        Arc::new(Known),
        Arc::new(SystemClock::default()),
        url::Url::parse(&server.url()).unwrap(),
        rule,
    );
    let machine = server.machine();
    Bed {
        sink: Arc::new(sink),
        rows: Box::new(move |table| {
            let machine = machine.lock().unwrap();
            machine
                .rows
                .get(table.stream())
                .cloned()
                .unwrap_or_default()
        }),
        _kept: Box::new(server),
    }
}

suite!(memory, in_memory());
suite!(folder, in_a_folder());
suite!(log_analytics, by_the_client_of_log_analytics());
#[cfg(feature = "desk")]
suite!(sqlite, in_sqlite());

#[cfg(feature = "desk")]
async fn in_sqlite() -> Bed {
    use itsm_connector::adapters::row_sinks::sqlite::SqliteSink;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.sqlite");
    let sink = SqliteSink::open(&path).unwrap();
    Bed {
        sink: Arc::new(sink),
        rows: Box::new(move |table| rows_of(&path, table)),
        _kept: Box::new(folder),
    }
}

/// The rows as a sink was handed them: without what is null, and yes and no as such.
#[cfg(feature = "desk")]
fn rows_of(path: &Path, table: Table) -> Vec<Row> {
    use itsm_connector::domain::table::ColumnType;
    use rusqlite::types::Value as Cell;

    let database = rusqlite::Connection::open(path).unwrap();
    let query = format!("SELECT * FROM {} ORDER BY rowid", table.name());
    let mut statement = database.prepare(&query).unwrap();
    let rows = statement.query_map([], |cells| {
        let mut row = Row::new();
        for (at, (name, kind)) in table.columns().iter().enumerate() {
            let value: Value = match (cells.get(at)?, kind) {
                (Cell::Null, _) => continue,
                (Cell::Integer(flag), ColumnType::Flag) => (flag == 1).into(),
                (Cell::Integer(number), _) => number.into(),
                (Cell::Text(text), _) => text.into(),
                (other, _) => panic!("{other:?}"),
            };
            row.insert((*name).to_owned(), value);
        }
        Ok(row)
    });
    rows.unwrap().map(Result::unwrap).collect()
}
