//! What the connector says of itself in `ServiceDeskLog_CL`: the nine categories of errors of Microsoft's connector, each by what
//! really happened, and what ends before long.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::domain::batch::Batch;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::sink_failure::SinkFailure;
use itsm_connector::domain::table::Table;
use itsm_connector::flows::sync_records::{self, Sync};
use itsm_connector::ports::RowSink;
use serde_json::Value;
use simulators::fault::{Fault, FaultBody, FaultRule};
use simulators::journal;
use simulators::servicenow::Config;

use crate::bed::{Builder, Elsewhere, TICK, TestBed};

const PASSWORD: &str = "svc-monitor-password";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A sink that keeps the rows of the log.
#[derive(Default)]
struct Rows {
    rows: Mutex<Vec<Value>>,
    is_down: Mutex<bool>,
}

#[async_trait]
impl RowSink for Rows {
    async fn send(&self, table: Table, batch: &Batch, _: Duration) -> Result<(), SinkFailure> {
        if *self.is_down.lock().unwrap() {
            let (effect, kind) = (Effect::Refused, Kind::Unavailable);
            let failure = CallFailure::new("the sink", "write rows", effect, kind, "down");
            return Err(SinkFailure::Wait(failure));
        }
        if table == Table::ServiceDeskLog {
            let rows = batch.rows().map(|row| serde_json::from_slice(row).unwrap());
            self.rows.lock().unwrap().extend(rows);
        }
        Ok(())
    }
}

impl Rows {
    /// All rows with this code.
    fn of(&self, code: &str) -> Vec<Value> {
        let rows = self.rows.lock().unwrap();
        rows.iter()
            .filter(|row| row["Code"] == code)
            .cloned()
            .collect()
    }

    /// The categories of all errors; every row is whole.
    fn errors(&self) -> BTreeSet<String> {
        let rows = self.rows.lock().unwrap();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        rows.iter()
            .filter(|row| {
                let is_error = row["LogType_s"] == "ERROR";
                assert_eq!(is_error, row.get("Category").is_some(), "{row}");
                for column in [
                    "Message",
                    "Code",
                    "LogKey",
                    "RunId",
                    "ServiceDeskConnectionName_s",
                ] {
                    assert!(!text(row, column).is_empty(), "{column}: {row}");
                }
                assert!(!is_error || !text(row, "Hint").is_empty(), "{row}");
                assert!(!text(row, "Hint").contains("NAME"), "{row}");
                is_error
            })
            .map(|row| text(row, "Category"))
            .collect()
    }
}

async fn syncs(bed: &TestBed, sink: &Arc<Rows>) {
    let sync = Sync::into(Arc::<Rows>::clone(sink) as Arc<dyn RowSink>);
    let span = Duration::from_secs(60);
    Box::pin(sync_records::run(bed.core(), &sync, span)).await;
}

fn answers(code: u16, body: FaultBody) -> Fault {
    Fault::Status {
        code,
        retry_after: None,
        rate_headers: false,
        body,
    }
}

/// The errors that a sync tells while the instance answers so.
async fn told_while(kind: journal::Kind, fault: Fault) -> BTreeSet<String> {
    let bed = TestBed::usual().await;
    bed.servicenow().fault(FaultRule::always(kind, fault));
    let sink = Arc::new(Rows::default());
    syncs(&bed, &sink).await;
    let gate_is_closed = !bed.objects("gates").await.is_empty();
    syncs(&bed, &sink).await;
    assert_eq!(sink.of("sync_finished").len(), 0, "nothing was finished");
    let errors = sink.rows.lock().unwrap().len();
    assert_eq!(errors, 2, "also while the gate is closed: {gate_is_closed}");
    bed.servicenow().heals();
    bed.pass(HOUR);
    bed.end().await;
    sink.errors()
}

fn by_login() -> Builder {
    let mut config = Config::default();
    config.tokens.access_ttl_s = 8 * 3600;
    TestBed::with_servicenow(config).defined("username", "svc-monitor")
}

async fn logged_in() -> TestBed {
    let bed = by_login().start().await;
    bed.log_in(PASSWORD).await;
    bed.refreshes_until_it_rests().await;
    bed
}

#[tokio::test]
async fn each_of_the_nine_categories_is_what_a_real_failure_becomes() {
    let mut seen = BTreeSet::new();
    for (kind, fault, category) in [
        (
            journal::Kind::Query,
            answers(404, FaultBody::Html),
            "Unexpected response",
        ),
        (
            journal::Kind::Query,
            answers(403, FaultBody::Json),
            "Exception update failure",
        ),
        (
            journal::Kind::Any,
            answers(503, FaultBody::Html),
            "Problem sending a request",
        ),
        (
            journal::Kind::Query,
            answers(429, FaultBody::Json),
            "ServiceNow rate problem",
        ),
        (
            journal::Kind::Token,
            answers(401, FaultBody::Json),
            "Authentication",
        ),
    ] {
        let told = told_while(kind, fault).await;
        assert_eq!(told, BTreeSet::from([category.to_owned()]));
        seen.extend(told);
    }

    // Nobody has logged in for longer than the refresh token lives.
    let (bed, sink) = (logged_in().await, Arc::new(Rows::default()));
    bed.servicenow().inside().revoke_all();
    bed.pass(8 * HOUR);
    bed.refreshes().await;
    syncs(&bed, &sink).await;
    assert_eq!(sink.of("login_needed").len(), 1);
    seen.extend(
        sink.of("login_needed")
            .iter()
            .map(|row| row["Category"].as_str().unwrap().to_owned()),
    );
    bed.log_in(PASSWORD).await;
    bed.end().await;

    // An action group goes on calling a connection that was removed.
    let (bed, sink) = (TestBed::usual().await, Arc::new(Rows::default()));
    for _ in 0..3 {
        assert_eq!(bed.deliver_to("fabrikam", "metric_fired").await.status, 404);
    }
    syncs(&bed, &sink).await;
    syncs(&bed, &sink).await;
    let missing = sink.of("missing_connector");
    assert_eq!(missing.len(), 1, "{missing:#?}");
    assert_eq!(missing[0]["ServiceDeskConnectionName_s"], "fabrikam");
    seen.extend(sink.errors());
    bed.end().await;

    // A definition with a mistake.
    let (bed, sink) = (TestBed::usual().await, Arc::new(Rows::default()));
    bed.defines(|definition| definition["client_id"] = "".into())
        .await;
    syncs(&bed, &sink).await;
    assert_eq!(
        sink.errors(),
        BTreeSet::from(["Lack of connection details".to_owned()])
    );
    seen.extend(sink.errors());
    bed.defines(|_| {}).await;
    bed.end().await;

    // An address that may not be called from here.
    let builder = TestBed::with_servicenow(Config::default()).allowing("localhost:9");
    let bed = builder
        .defined("server_url", "http://localhost:9")
        .start()
        .await;
    let sink = Arc::new(Rows::default());
    syncs(&bed, &sink).await;
    assert_eq!(
        sink.errors(),
        BTreeSet::from(["IP restrictions".to_owned()])
    );
    seen.extend(sink.errors());
    bed.end().await;

    assert_eq!(seen.len(), 9, "{seen:#?}");
}

#[tokio::test]
async fn an_end_is_told_at_14_7_3_and_1_days_by_one_row_each_however_often_runs_repeat() {
    let (bed, sink) = (logged_in().await, Arc::new(Rows::default()));
    let ends_at = bed.tokens().await.refresh_expires_at.unwrap();
    let soon = || sink.of("ends_before_long");
    bed.pass(75 * DAY);
    bed.refreshes().await;
    syncs(&bed, &sink).await;
    assert_eq!(soon().len(), 0);
    let finished = sink.of("sync_finished");
    assert_eq!(finished[0]["ExpiresAt"], ends_at.to_string().as_str());
    for (days, told) in [(76, 1), (80, 1), (83, 2), (87, 3), (89, 4)] {
        let passed = bed.since_the_login().await;
        bed.pass((days * DAY).saturating_sub(passed));
        bed.refreshes().await;
        // What a run could not send, the next one does.
        *sink.is_down.lock().unwrap() = true;
        syncs(&bed, &sink).await;
        *sink.is_down.lock().unwrap() = false;
        for _ in 0..3 {
            syncs(&bed, &sink).await;
            bed.pass(TICK);
        }
        assert_eq!(soon().len(), told, "day {days}");
    }
    let health = bed.health().await.json();
    assert_eq!(health["status"], "healthy");
    let ending = &health["ends_before_long"][0];
    assert_eq!(ending["connection"], "contoso");
    assert_eq!(ending["what"], "the refresh token");
    assert_eq!(ending["ends_at"], ends_at.to_string().as_str());
    for row in soon() {
        assert_eq!(
            (&row["LogType_s"], row.get("Category")),
            (&"INFO".into(), None)
        );
        assert_eq!(row["ExpiresAt"], ends_at.to_string().as_str());
    }
    bed.pass(2 * DAY);
    bed.refreshes().await;
    syncs(&bed, &sink).await;
    syncs(&bed, &sink).await;
    let ended = sink.of("has_ended");
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["Category"], "Invalid refresh token");
    let health = bed.health().await;
    let status = health.json()["status"].clone();
    assert_eq!((health.status, status), (200, "degraded".into()));
    bed.log_in(PASSWORD).await;
    bed.refreshes().await;
    let health = bed.health().await.json();
    assert_eq!(health.get("ends_before_long"), None, "{health}");
    bed.end().await;
}

#[tokio::test]
async fn an_alert_that_was_given_up_is_told_with_its_reason() {
    let (bed, sink) = (TestBed::usual().await, Arc::new(Rows::default()));
    let refused = answers(400, FaultBody::Json);
    bed.servicenow()
        .fault(FaultRule::always(journal::Kind::Create, refused));
    for n in 0..2 {
        bed.deliver(crate::bed::Alert::captured("metric_fired").number(n))
            .await;
    }
    bed.settle().await;
    syncs(&bed, &sink).await;
    syncs(&bed, &sink).await;
    let told = sink.of("given_up_invalid");
    assert_eq!(told.len(), 1, "one an hour: {told:#?}");
    assert_eq!(told[0]["Status"], 400);
    assert!(
        told[0]["Hint"]
            .as_str()
            .unwrap()
            .contains("itsmc dead list contoso")
    );
    bed.end().await;
}

#[tokio::test]
async fn a_connection_that_this_version_cannot_synchronise_says_so_once_an_hour() {
    let at = Elsewhere::cherwell().await;
    let (bed, sink) = (at.by_login().start().await, Arc::new(Rows::default()));
    for _ in 0..3 {
        syncs(&bed, &sink).await;
    }
    assert_eq!(sink.of("unusable").len(), 1);
    assert_eq!(sink.of("unusable")[0]["PartnerType"], "cherwell");
    bed.end().await;
}
