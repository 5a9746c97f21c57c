//! Where the rows of a story go, and the sync that brings them there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::domain::batch::Batch;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::sink_failure::SinkFailure;
use itsm_connector::domain::table::Table;
use itsm_connector::flows::sync_records::{self, Sync, Synced};
use itsm_connector::ports::RowSink;
use serde_json::Value;

use super::{Fate, Service, TestBed, pause};

/// What a sink has, and whether it takes more.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) rows: Mutex<Vec<Value>>,
    pub(crate) logs: Mutex<Vec<Value>>,
    pub(crate) is_down: Mutex<bool>,
    /// Each batch takes so long.
    pub(crate) takes: Duration,
    /// Batches that are under way, and the most that ever were.
    pub(crate) at_once: Mutex<(usize, usize)>,
}

#[async_trait]
impl RowSink for Rows {
    async fn send(&self, table: Table, batch: &Batch, _: Duration) -> Result<(), SinkFailure> {
        if *self.is_down.lock().unwrap() {
            let (effect, kind) = (Effect::Refused, Kind::Unavailable);
            let failure = CallFailure::new("the sink", "write rows", effect, kind, "down");
            return Err(SinkFailure::Wait(failure));
        }
        let rows = batch.rows().map(|row| serde_json::from_slice(row).unwrap());
        if table == Table::ServiceDeskLog {
            self.logs.lock().unwrap().extend(rows);
            return Ok(());
        }
        {
            let mut at_once = self.at_once.lock().unwrap();
            at_once.0 += 1;
            at_once.1 = at_once.1.max(at_once.0);
        }
        pause(self.takes).await;
        self.at_once.lock().unwrap().0 -= 1;
        self.rows.lock().unwrap().extend(rows);
        Ok(())
    }
}

impl Rows {
    /// What is new since the last time: the title of each row.
    pub(crate) fn news(&self) -> Vec<String> {
        let rows = std::mem::take(&mut *self.rows.lock().unwrap());
        let mut told: Vec<String> = rows
            .iter()
            .map(|row| row["Title_s"].as_str().unwrap_or("(deleted)").to_owned())
            .collect();
        told.sort();
        told
    }

    /// The connector's own rows of this code, since the last time that they were asked for.
    pub(crate) fn logged(&self, code: &str) -> Vec<Value> {
        let mut logs = self.logs.lock().unwrap();
        logs.extract_if(.., |row| row["Code"] == code).collect()
    }
}

impl TestBed {
    /// One run of the sync, of a minute.
    pub(crate) async fn syncs(&self, sink: &Arc<Rows>) -> Synced {
        let sink: Arc<dyn RowSink> = Arc::<Rows>::clone(sink);
        let sync = Sync::into(sink);
        let run = sync_records::run(self.core(), &sync, Duration::from_secs(60));
        let mut reports = Box::pin(run).await;
        assert_eq!(reports.len(), 1);
        reports.remove(0).1
    }

    /// An incident that was made so long ago; its key.
    pub(crate) fn has_incident(&self, title: &str, ago: Duration) -> String {
        let now = self.core().clock.now().minus(ago).as_millis();
        let fields = [("short_description", title)];
        let mut instance = self.servicenow().inside();
        instance.insert_record("incident", &fields, now)
    }

    /// Each call of the product with this in its path takes so long.
    pub(crate) fn takes(&self, path: &'static str, span: Duration) {
        let clock = Arc::clone(&self.clock);
        self.fates.decide(move |step| {
            if step.service == Service::Product && step.path.contains(path) {
                clock.pass(span);
            }
            Fate::Works
        });
    }
}
