//! A first sync: 120 days of records, by the real `scheduled-sync`, out of a table whose pages are rendered ahead into a
//! simulated endpoint for rows. What it costs the process, and whether a record is missing; also if the process is killed
//! again and again in the middle of it.

mod cloud;
mod pages;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use itsm_connector::domain::timestamp::Timestamp;
use simulators::machine::{Answer, Machine};
use simulators::server::{Server, Tls, now_ms};

use crate::program::Program;
use crate::{Trouble, pause};
use cloud::{Cloud, Received};
use pages::Pages;

/// How far back a first sync reads.
const SPAN: Duration = Duration::from_secs(120 * 24 * 3600);

/// What the process may have in memory, bytes.
pub const LIMIT_BYTES: u64 = 48_000_000;

/// Longest body of a call, uncompressed.
const CALL_BYTES_MAX: usize = 1_000_000;

/// How full calls are to be, by their mean.
const FULL_MIN: f64 = 0.95;

/// A process that does not come to an end in this time never will.
const ENDS_WITHIN: Duration = Duration::from_secs(900);

/// Between two looks at how far it is, milliseconds.
const LOOK_EVERY_MS: u64 = 5;

/// How long nothing may come before it is said to be done, milliseconds.
const QUIET_MS: u64 = 1_500;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// How many records the table has.
    pub records: u64,
    /// How often the process is killed on its way.
    pub kills: u64,
    /// The program.
    pub binary: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    received: Received,
    pages: u64,
    took: Duration,
    /// Processor time of the last process.
    cpu: Duration,
    peak_memory: u64,
    killed: u64,
}

/// One machine at two addresses: the platform's own endpoint speaks no TLS.
struct Shared(Arc<Mutex<Cloud>>);

impl Machine for Shared {
    fn answer(&mut self, request: http::Request<Bytes>, now_ms: i64) -> Answer {
        let mut cloud = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        cloud.answer(request, now_ms)
    }
}

/// Runs it in a folder.
pub async fn run(order: &Order, folder: &Path) -> Result<Outcome, Trouble> {
    let listen: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let failed = |error: std::io::Error| format!("a simulator: {error}");
    // The last records are a day old: what the live window reads is not what is measured.
    let day = Duration::from_secs(24 * 3600);
    let from = Timestamp::from_millis(now_ms()).minus(SPAN - day / 24);
    let span = i64::try_from((SPAN - day).as_millis()).unwrap_or(i64::MAX);
    let product = Server::start(Pages::new(order.records, from, span), listen, None).await;
    let product = product.map_err(failed)?;
    let mut definition = crate::vault::definition(&product.url());
    definition["sync"] = serde_json::json!({ "days": 120, "record_types": ["incident"] });
    let tls = Tls::throw_away(&[]).map_err(failed)?;
    let authority = folder.join("ca.pem");
    std::fs::write(&authority, tls.ca_pem()).map_err(|error| error.to_string())?;
    let cloud = Cloud::new(&definition, order.records)?;
    let cloud = Server::start(cloud, listen, Some(tls))
        .await
        .map_err(failed)?;
    let platform = Server::start(Shared(cloud.machine()), listen, None).await;
    let platform = platform.map_err(failed)?;

    let state = folder.join("state");
    std::fs::create_dir(&state).map_err(|error| error.to_string())?;
    let mut environment = Cloud::settings(cloud.address(), platform.address());
    environment.extend([
        ("ITSMC_STATE", format!("file://{}", state.display())),
        (
            "ITSMC_ALLOW_HOSTS",
            format!("{},{}", cloud.address(), product.address()),
        ),
        ("SSL_CERT_FILE", authority.display().to_string()),
        ("ITSMC_LOG", "info".to_owned()),
    ]);
    let log = folder.join("process.log");
    let began = Instant::now();
    let mut killed = 0;
    for kill in 0..order.kills {
        // Somewhere in its part of the way, and not between two batches only.
        let part = order.records / (order.kills + 1);
        let until = part * kill + part * (1 + kill % 7) / 8;
        let program = Program::run(&order.binary, &environment, &log)?;
        let started = Instant::now();
        while cloud.lock().received.different < until && started.elapsed() < ENDS_WITHIN {
            pause(LOOK_EVERY_MS).await;
        }
        pause(kill * 3 % 11).await;
        drop(program);
        killed += 1;
        let_its_lease_end(&state)?;
    }
    let program = Program::run(&order.binary, &environment, &log)?;
    let (mut before, mut since) = (0, Instant::now());
    loop {
        pause(LOOK_EVERY_MS * 20).await;
        let (different, rows) = {
            let cloud = cloud.lock();
            (cloud.received.different, cloud.received.rows)
        };
        if rows != before {
            (before, since) = (rows, Instant::now());
        }
        let is_quiet = since.elapsed() > Duration::from_millis(QUIET_MS);
        let is_done = different == order.records && is_quiet;
        if is_done || since.elapsed() > ENDS_WITHIN / 30 || began.elapsed() > ENDS_WITHIN {
            break;
        }
    }
    let outcome = Outcome {
        received: cloud.lock().received.clone(),
        pages: product.lock().calls,
        took: since.duration_since(began),
        cpu: program.processor_time().unwrap_or_default(),
        peak_memory: program.peak_memory().unwrap_or(0),
        killed,
    };
    drop(program);
    platform.stop().await;
    cloud.stop().await;
    product.stop().await;
    Ok(outcome)
}

/// A killed process keeps its lease for the rest of its four minutes. Here they pass at once.
fn let_its_lease_end(state: &Path) -> Result<(), Trouble> {
    match std::fs::remove_dir_all(state.join("leases")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}

impl Outcome {
    fn missing(&self) -> usize {
        let seen = &self.received.seen;
        seen.iter().filter(|times| **times == 0).count()
    }

    fn repeats(&self) -> u64 {
        self.received.rows - self.received.different
    }

    fn fullness(&self) -> f64 {
        let calls = &self.received.calls;
        let bytes: usize = calls.iter().sum();
        bytes as f64 / (calls.len().max(1) * CALL_BYTES_MAX) as f64
    }

    /// True if no record is missing and nothing was refused; without kills also if memory, calls and their length are as
    /// they should be.
    pub fn is_right(&self, order: &Order) -> bool {
        let whole = self.missing() == 0 && self.received.refused == 0;
        let windows = SPAN.as_secs() / (24 * 3600) + 2;
        let frugal = self.repeats() == 0
            && self.peak_memory < LIMIT_BYTES
            && self.pages <= order.records.div_ceil(1000) + windows
            && self.fullness() >= FULL_MIN;
        whole && (order.kills > 0 || frugal)
    }

    /// The report.
    pub fn text(&self, order: &Order) -> String {
        let rows = self.received.rows;
        let seconds = self.took.as_secs_f64();
        let calls = self.received.calls.len();
        let bytes: usize = self.received.calls.iter().sum();
        let mut text = format!(
            "{} records of 120 days, {} kills\nrows         {rows}, {} repeats, {} records missing; {:.0} bytes each\ncalls        {} pages of the product, {calls} of the endpoint, full to {:.1} % by the mean; {} refused\ntime         {seconds:.1} s, {:.0} rows a second with both simulators on the same cores\nmemory       {:.1} MB at most, {} allowed\n",
            order.records,
            self.killed,
            self.repeats(),
            self.missing(),
            bytes as f64 / rows.max(1) as f64,
            self.pages,
            self.fullness() * 100.0,
            self.received.refused,
            rows as f64 / seconds,
            self.peak_memory as f64 / 1e6,
            LIMIT_BYTES / 1_000_000,
        );
        if order.kills == 0 {
            let cpu = self.cpu.as_secs_f64();
            text.push_str(&format!(
                "processor    {cpu:.1} s of the process, {:.1} µs a row, {:.0} rows a second of it\n",
                cpu * 1e6 / rows.max(1) as f64,
                rows as f64 / cpu.max(1e-9),
            ));
        }
        text
    }
}
