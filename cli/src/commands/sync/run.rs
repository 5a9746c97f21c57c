//! `itsmc sync run`: one run of the sync, now, or a slice of the past once more.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::sync_window::{Window, whole_second};
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::sync_records::{self, Progress, Sync, Synced, Watch};
use itsm_connector::stores::connections::Lookup;

use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::Output;

/// A run at the desk has no platform that ends it: so long it goes on.
const SPAN: Duration = Duration::from_secs(24 * 60 * 60);

/// Synchronise now: what changed since the last run, then what of the connection's past days is missing
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\n  itsmc sync run\n  itsmc sync run contoso --since 2026-03-01 --until 2026-03-02T12:00:00Z"
)]
pub(crate) struct Run {
    /// Only these connections
    #[arg(value_parser = connection_name)]
    connections: Vec<ConnectionName>,
    /// Send once more what was changed from then on, whatever was sent before
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "connections")]
    since: Option<Timestamp>,
    /// Until before then (default: now)
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "since")]
    until: Option<Timestamp>,
    /// End after this many minutes; the next run goes on
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u64>,
}

/// A date, or a date and time, in UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    Timestamp::parse_lenient(&whole)
        .map(whole_second)
        .ok_or_else(|| "expected a date such as 2026-03-01, or 2026-03-01T10:00:00Z".to_owned())
}

impl Run {
    /// Runs it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        let core = desk.core()?;
        let mut sync = Sync::into(desk.rows()?);
        if !self.connections.is_empty() {
            sync.only = Some(self.connections.clone());
        }
        if std::io::stderr().is_terminal() {
            sync.watch = Some(Arc::new(Told::default()));
        }
        let minutes = self
            .minutes
            .map(|minutes| Duration::from_secs(minutes * 60));
        let span = minutes.unwrap_or(SPAN);
        let reports = match self.since {
            None => Box::pin(sync_records::run(&core, &sync, span)).await,
            Some(since) => {
                let until = self.until.unwrap_or_else(|| whole_second(core.clock.now()));
                let window = Window { from: since, until };
                let mut reports = Vec::new();
                for name in &self.connections {
                    let connection = match core.connections.look_up(name).await {
                        Lookup::Found(connection) => connection,
                        _ => {
                            return Err(Failure::does_not_work(
                                format!("the connection `{name}` is not there or cannot be used"),
                                format!("`itsmc connection test {name}` says why"),
                            ));
                        }
                    };
                    let synced = Box::pin(sync_records::run_slice(
                        &core,
                        &sync,
                        &connection,
                        window,
                        span,
                    ))
                    .await;
                    reports.push((name.clone(), synced));
                }
                reports
            }
        };
        output.settle();
        tell(&reports, output);
        match reports.iter().find(|(_, synced)| synced.has_failed) {
            None => Ok(()),
            Some((name, synced)) => Err(Failure::does_not_work(
                format!(
                    "{name}: {}",
                    synced.stopped_because.as_deref().unwrap_or("it failed")
                ),
                synced
                    .hint
                    .unwrap_or("`itsmc sync status` shows how far it has come"),
            )),
        }
    }
}

fn tell(reports: &[(ConnectionName, Synced)], output: &Output) {
    if output.is_json() {
        let document: serde_json::Map<String, serde_json::Value> = reports
            .iter()
            .map(|(name, synced)| (name.to_string(), serde_json::json!(synced)))
            .collect();
        output.document(&document);
        return;
    }
    if reports.is_empty() {
        output.words("nothing was synchronised: there is no connection, or another run is at it");
    }
    let cells: Vec<Vec<String>> = reports
        .iter()
        .map(|(name, synced)| row(name, synced))
        .collect();
    if !cells.is_empty() {
        output.table(
            &[
                "CONNECTION",
                "ROWS",
                "SET ASIDE",
                "CALLS",
                "COMPLETE UNTIL",
                "PAST DAYS",
            ],
            &cells,
        );
    }
}

fn row(name: &ConnectionName, synced: &Synced) -> Vec<String> {
    let until = synced.complete_until.map(Timestamp::for_people);
    vec![
        name.to_string(),
        synced.rows_total().to_string(),
        synced.set_aside.to_string(),
        synced.product_calls.to_string(),
        until.unwrap_or_else(|| "-".to_owned()),
        if synced.is_backfilled {
            "there"
        } else {
            "not yet"
        }
        .to_owned(),
    ]
}

/// Progress on the terminal: records, rate, window, time left.
struct Told {
    began: Instant,
}

impl Default for Told {
    #[expect(
        clippy::disallowed_methods,
        reason = "how fast it goes is told by a real clock"
    )]
    fn default() -> Self {
        Self {
            began: Instant::now(),
        }
    }
}

impl Watch for Told {
    fn told(&self, progress: &Progress) {
        let output = Output::new(false);
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let rate = progress.rows as f64 / seconds;
        let left = progress
            .oldest
            .map(|oldest| time_left(progress, oldest, seconds))
            .unwrap_or_default();
        output.progress(format!(
            "{} {}: {} to {}: {} records, {rate:.0} a second{left}",
            progress.connection,
            progress.stream.as_str(),
            progress.window.from.for_people(),
            progress.window.until.for_people(),
            progress.rows
        ));
    }
}

/// From how much of the past is done since it began; the first slice tells nothing yet.
fn time_left(progress: &Progress, oldest: Timestamp, seconds: f64) -> String {
    let done = progress.began.since(progress.window.until).as_secs_f64();
    let left = progress.window.until.since(oldest).as_secs_f64();
    if done < 1.0 {
        return String::new();
    }
    let minutes = left / done * seconds / 60.0;
    format!(", about {minutes:.0} minutes left")
}
