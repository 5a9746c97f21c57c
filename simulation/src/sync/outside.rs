//! The outside as a process of the sync sees it: the way to the product, the sink, and a vault that holds one connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::domain::batch::Batch;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::kept::{Kept, VaultVersion, VersionSeen};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::sink_failure::SinkFailure;
use itsm_connector::domain::table::Table;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::{RowSink, Transport, TransportFailure, TransportTrouble, Vault};
use itsm_connector::stores::connections::SECRET_PREFIX;
use serde_json::Value;
use simulators::machine::{Delivery, Machine as _};

use super::Bug;
use super::world::{Process, Version, World};
use crate::clock::pause;

/// Longest body that the API takes.
const BODY_BYTES_MAX: usize = 1_000_000;

/// The way of one process to the product.
pub struct Link(Arc<Process>);

impl Link {
    /// The way of this process.
    pub fn new(process: Arc<Process>) -> Self {
        Self(process)
    }
}

/// A request and its answer, now.
pub fn ask(
    world: &World,
    request: http::Request<Bytes>,
) -> Result<http::Response<Bytes>, TransportTrouble> {
    let now = world.now_ms();
    let answer = world.machine().answer(request, now);
    match answer.delivery {
        Delivery::Whole | Delivery::After(_) | Delivery::Drip(_) => Ok(answer.response),
        _ => Err(TransportTrouble::Broken),
    }
}

#[async_trait]
impl Transport for Link {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let world = &self.0.world;
        self.0.step().await;
        if world.strikes("requests not sent", 0.01) {
            return Err(TransportFailure::NotSent(TransportTrouble::Unreachable));
        }
        let request = spoilt(world.bug, request);
        let asks_after = request.uri().to_string().contains("sys_idIN");
        let takes = Duration::from_millis(world.between(50, 2_500)).min(within);
        pause(takes / 2).await;
        let answer = ask(world, request);
        pause(takes / 2).await;
        self.0.step().await;
        if world.strikes("answers lost", 0.03) {
            return Err(TransportFailure::Unknown(TransportTrouble::Broken));
        }
        if world.strikes("answers 503", 0.01) {
            let mut busy = http::Response::new(Bytes::from_static(b"busy"));
            *busy.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            return Ok(busy);
        }
        let answer = answer.map_err(TransportFailure::Unknown)?;
        if asks_after && world.bug == Some(Bug::AbsentIsDeleted) {
            let none = Bytes::from_static(br#"{"result":{"stats":{"count":"0"}}}"#);
            return Ok(answer.map(|_| none));
        }
        Ok(believed(world.bug, answer))
    }
}

/// What a bug makes of a request.
fn spoilt(bug: Option<Bug>, mut request: http::Request<Bytes>) -> http::Request<Bytes> {
    let text = request.uri().to_string();
    // `^NQ` and what is behind it up to the order: the rows of the same second.
    if bug == Some(Bug::StrictlyAfter)
        && let Some((before, behind)) = text.split_once("%5ENQ")
        && let Some((_, order)) = behind.split_once("%5EORDERBY")
        && let Ok(uri) = format!("{before}%5EORDERBY{order}").parse()
    {
        *request.uri_mut() = uri;
    }
    request
}

/// What a bug makes of an answer.
fn believed(bug: Option<Bug>, mut answer: http::Response<Bytes>) -> http::Response<Bytes> {
    let rows = || {
        let body: Option<Value> = serde_json::from_slice(answer.body()).ok();
        body.and_then(|body| body["result"].as_array().map(Vec::len))
    };
    let ends = match bug {
        Some(Bug::ShortPageEnds) => rows().is_some_and(|rows| rows < 5),
        Some(Bug::EmptyPageEnds) => rows() == Some(0),
        _ => false,
    };
    if ends {
        answer.headers_mut().remove("link");
        let none = http::HeaderValue::from_static("0");
        answer.headers_mut().insert("x-total-count", none);
    }
    answer
}

/// The sink of one process.
pub struct Sink(Arc<Process>);

impl Sink {
    /// The sink as this process sees it.
    pub fn new(process: Arc<Process>) -> Self {
        Self(process)
    }

    /// What the connector says of itself.
    fn hear(&self, row: &Value) {
        let world = &self.0.world;
        match row["Code"].as_str() {
            Some("reconciled") => world.count("reconciliations"),
            Some("records_were_missing") => {
                world.count("reconciliations");
                world.count("… that found records missing");
                if !world.is_lossy() {
                    world.violated(format!("nothing was lost, and it says: {row}"));
                }
            }
            _ => {}
        }
    }

    fn take(&self, batch: &Batch) {
        let world = &self.0.world;
        if batch.body_bytes() > BODY_BYTES_MAX {
            world.violated(format!("I14: a body of {} bytes", batch.body_bytes()));
        }
        let mut taken = world.taken();
        for row in batch.rows() {
            let row: Value = serde_json::from_slice(row).unwrap_or_default();
            let Some(version) = version_of(&row) else {
                world.violated(format!("a row without key, time or revision: {row}"));
                continue;
            };
            taken.rows += 1;
            let is_deleted = row["IsDeleted"] == true;
            if is_deleted {
                *taken.deleted.entry(version.0.clone()).or_default() += 1;
            }
            let run = row["RunId"].as_str().unwrap_or_default();
            let runs = taken.runs.entry(version.clone()).or_default();
            runs.push(format!(
                "{} of scheduler {}",
                &run[..6.min(run.len())],
                self.0.scheduler
            ));
            // Only the trace of a delete knows the record's number.
            let is_found = is_deleted && row["ServiceDeskId_s"].as_str().is_none_or(str::is_empty);
            let taken_so = match is_found {
                true => &mut taken.found_gone,
                false => &mut taken.versions,
            };
            let times = taken_so.entry(version).or_default();
            *times += 1;
            let again = *times > 1;
            taken.repeats += u64::from(again);
        }
        drop(taken);
        self.0
            .unconfirmed
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
    }
}

/// Which version of which record a row tells of.
fn version_of(row: &Value) -> Option<Version> {
    let key = row["RecordKey"].as_str()?.rsplit('/').next()?;
    let at = Timestamp::parse_lenient(row["LastModifiedDate_t"].as_str()?)?;
    Some((key.to_owned(), at.as_millis(), row["Revision"].as_i64()?))
}

fn failed(effect: Effect, detail: &str) -> CallFailure {
    let service = "the simulated sink";
    CallFailure::new(service, "write rows", effect, Kind::Unavailable, detail)
}

#[async_trait]
impl RowSink for Sink {
    async fn send(&self, table: Table, batch: &Batch, _: Duration) -> Result<(), SinkFailure> {
        let world = &self.0.world;
        self.0.step().await;
        if self.0.told_to_wait.load(Ordering::Relaxed) && table == Table::ServiceDesk {
            world.violated("I14: a call although the sink asked to wait".to_owned());
        }
        pause(Duration::from_millis(world.between(20, 400))).await;
        if table == Table::ServiceDeskLog {
            for row in batch.rows() {
                self.hear(&serde_json::from_slice(row).unwrap_or_default());
            }
            return Ok(());
        }
        if world.strikes("the sink asks to wait", 0.03) {
            self.0.told_to_wait.store(true, Ordering::Relaxed);
            let failure = failed(Effect::Refused, "wait");
            let failure = failure.with_retry_after(Duration::from_secs(30));
            return Err(SinkFailure::Wait(failure));
        }
        if world.strikes("batches lost", 0.03) {
            return Err(SinkFailure::Unknown(failed(Effect::Unknown, "lost")));
        }
        if batch.len() > 1 && world.strikes("batches too large", 0.05) {
            return Err(SinkFailure::TooLarge(failed(Effect::Refused, "too large")));
        }
        let is_early = world.bug == Some(Bug::WatermarkBeforeIngest);
        // With this bug rows are still on their way when the cursor moves: a call in a hundred loses them.
        if !(is_early && world.strikes("batches that a bug lost", 0.05)) {
            self.take(batch);
        }
        self.0.step().await;
        if world.strikes("answers of the sink lost", 0.05) {
            return Err(SinkFailure::Unknown(failed(Effect::Unknown, "answer lost")));
        }
        Ok(())
    }
}

/// A vault with one connection.
pub struct OneVault;

const NAME: &str = "contoso";

fn definition() -> String {
    let client = simulators::servicenow::Client::default();
    serde_json::json!({
        "name": NAME, "partner_type": "servicenow", "server_url": "https://contoso.service-now.com",
        "client_id": client.client_id, "client_secret": client.client_secret, "sync": { "days": 2 },
    })
    .to_string()
}

#[async_trait]
impl Vault for OneVault {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        let is_known = name == format!("{SECRET_PREFIX}{NAME}");
        Ok(is_known.then(|| Kept::only(Secret::new(definition()))))
    }

    async fn set(
        &self,
        _: &str,
        _: &Secret,
        _: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        Ok(VaultVersion::only())
    }

    async fn list(&self, _: &str) -> Result<Vec<String>, CallFailure> {
        Ok(vec![format!("{SECRET_PREFIX}{NAME}")])
    }

    async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        Ok(Vec::new())
    }

    async fn disable(&self, _: &str, _: &VaultVersion) -> Result<(), CallFailure> {
        Ok(())
    }

    async fn remove(&self, _: &str) -> Result<(), CallFailure> {
        Ok(())
    }
}
