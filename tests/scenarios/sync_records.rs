//! Records of the product go where rows go: every final state, once on a good day, and nothing stops the others.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::domain::batch::Batch;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::sink_failure::SinkFailure;
use itsm_connector::domain::table::Table;
use itsm_connector::flows::sync_records::{self, Sync, Synced};
use itsm_connector::ports::RowSink;
use itsm_connector::stores::set_aside::SetAsides;
use serde_json::{Value, json};

use crate::bed::TestBed;

/// What a sink has, and whether it takes more.
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
        if table == Table::ServiceDesk {
            let rows = batch.rows().map(|row| serde_json::from_slice(row).unwrap());
            self.rows.lock().unwrap().extend(rows);
        }
        Ok(())
    }
}

impl Rows {
    /// What is new since the last time: number and title of each row.
    fn news(&self) -> Vec<String> {
        let rows = std::mem::take(&mut *self.rows.lock().unwrap());
        let mut told: Vec<String> = rows
            .iter()
            .map(|row| row["Title_s"].as_str().unwrap_or("(deleted)").to_owned())
            .collect();
        told.sort();
        told
    }
}

async fn sync(bed: &TestBed, sink: &Arc<Rows>) -> Synced {
    let sink: Arc<dyn RowSink> = Arc::<Rows>::clone(sink);
    let sync = Sync::into(sink);
    let mut reports = Box::pin(sync_records::run(
        bed.core(),
        &sync,
        Duration::from_secs(60),
    ))
    .await;
    assert_eq!(reports.len(), 1);
    reports.remove(0).1
}

/// An incident that was changed so long ago; its key.
fn incident(bed: &TestBed, title: &str, ago: Duration) -> String {
    let now = bed.core().clock.now().minus(ago).as_millis();
    let fields = [("short_description", title)];
    bed.servicenow()
        .inside()
        .insert_record("incident", &fields, now)
}

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_past_days_come_first_and_then_what_changes_each_once() {
    let bed = TestBed::with_servicenow(Default::default())
        .defined("sync", json!({"days": 3}))
        .start()
        .await;
    let sink = Arc::new(Rows::default());
    incident(&bed, "too old", HOUR * 24 * 4);
    incident(&bed, "two days old", HOUR * 48);
    let changed = incident(&bed, "an hour old", HOUR);
    incident(&bed, "not settled yet", Duration::from_secs(10));
    let synced = sync(&bed, &sink).await;
    assert!(synced.is_backfilled && !synced.has_failed, "{synced:?}");
    assert_eq!(sink.news(), ["an hour old", "two days old"]);

    bed.pass(MINUTE * 2);
    let now = bed.core().clock.now().minus(MINUTE).as_millis() - 1000;
    bed.servicenow()
        .inside()
        .set_field("incident", &changed, "short_description", "changed", now);
    sync(&bed, &sink).await;
    assert_eq!(sink.news(), ["changed", "not settled yet"]);
    bed.pass(MINUTE);
    let quiet = sync(&bed, &sink).await;
    assert_eq!((sink.news().len(), quiet.rows_total()), (0, 0));
    bed.end().await;
}

#[tokio::test]
async fn a_sink_that_is_down_costs_no_row() {
    let bed = TestBed::usual().await;
    let sink = Arc::new(Rows::default());
    incident(&bed, "an hour old", HOUR);
    *sink.is_down.lock().unwrap() = true;
    let synced = sync(&bed, &sink).await;
    assert!(synced.has_failed && synced.rows_total() == 0, "{synced:?}");
    *sink.is_down.lock().unwrap() = false;
    sync(&bed, &sink).await;
    assert_eq!(sink.news(), ["an hour old"]);
    bed.end().await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let bed = TestBed::usual().await;
    let sink = Arc::new(Rows::default());
    incident(&bed, "well", HOUR);
    let now = bed.core().clock.now().minus(HOUR).as_millis();
    let fields = [("short_description", "spoilt"), ("number", "")];
    let key = bed
        .servicenow()
        .inside()
        .insert_record("incident", &fields, now);
    let synced = sync(&bed, &sink).await;
    assert_eq!((synced.set_aside, synced.has_failed), (1, false));
    assert_eq!(sink.news(), ["well"]);
    let core = bed.core();
    let name = itsm_connector::domain::name::ConnectionName::parse("contoso").unwrap();
    let aside = SetAsides::new(core.objects.clone())
        .list(&name)
        .await
        .unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].id.as_deref(), Some(key.as_str()));
    assert!(aside[0].path.ends_with(".number"), "{}", aside[0].path);
    bed.end().await;
}
