//! A storm: many senders at once, each with its own connection, every alert another one.

use std::path::Path;
use std::time::Instant;

use tokio::task::JoinSet;

use super::Effort;
use super::alerts;
use super::bench::{Bench, State};
use super::client::Client;
use super::process::Process;
use super::product::Product;
use super::samples::Samples;
use super::table::Row;

/// The series of the alerts in this file.
const SERIES: u16 = 4;

/// Takes the figures with both stores.
pub(super) fn measure(function: &Path, bench: &Bench, effort: &Effort) -> Result<Vec<Row>, String> {
    let senders = effort.senders;
    let mut rows = storm(function, bench, &State::Memory, senders, effort.storm)?;
    let folder = State::Folder(bench.folder("state-storm"));
    rows.extend(storm(
        function,
        bench,
        &folder,
        senders,
        effort.storm_on_disk,
    )?);
    Ok(rows)
}

fn storm(
    function: &Path,
    bench: &Bench,
    state: &State,
    senders: usize,
    alerts: usize,
) -> Result<Vec<Row>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let product = Product::start()?;
    let vault = bench.vault("vault-storm", &product)?;
    let (process, address) = Process::serve(function, &vault, state, &product)?;
    // One before the storm: connection, token and definition are there.
    runtime.block_on(async {
        let mut client = Client::connect(address).await?;
        let first = alerts::delivery(alerts::fired(SERIES, alerts));
        client.send_well(&first).await.map(|_| ())
    })?;
    let storm = runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..senders {
            clients.push(Client::connect(address).await?);
        }
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for (sender, client) in clients.into_iter().enumerate() {
            let mine = (sender..alerts).step_by(senders);
            tasks.spawn(send(client, mine));
        }
        let mut storm = Storm::default();
        while let Some(sent) = tasks.join_next().await {
            let sent = sent.map_err(|error| error.to_string())??;
            storm.take(sent);
        }
        storm.seconds = started.elapsed().as_secs_f64();
        Ok::<_, String>(storm)
    })?;
    let name = match state {
        State::Memory => "state in memory",
        State::Folder(_) => "state in a folder",
    };
    let what = format!("storm of {alerts} by {senders} at once, {name}");
    let ms = |percent| storm.took.percentile_ms(percent);
    Ok(vec![
        Row::new(what, alerts as f64 / storm.seconds, "alerts/s"),
        Row::new("  not answered 2xx", storm.refused as f64, "alerts").below(1.0),
        Row::new("  answered with the work item", storm.made as f64, "alerts"),
        Row::new("  answer, median", ms(50), "ms"),
        Row::new("  answer, p99", ms(99), "ms"),
        Row::new("  resident, peak", process.resident()?.peak, "MB"),
    ])
}

/// What came of a storm, or of a sender's part of it.
#[derive(Debug, Default)]
struct Storm {
    took: Samples,
    /// Answered with anything but a 2xx.
    refused: usize,
    /// Answered 200, not 202: the work item was there.
    made: usize,
    seconds: f64,
}

impl Storm {
    fn take(&mut self, part: Storm) {
        self.took.append(part.took);
        self.refused += part.refused;
        self.made += part.made;
    }
}

async fn send(mut client: Client, alerts: impl Iterator<Item = usize>) -> Result<Storm, String> {
    let mut storm = Storm::default();
    for n in alerts {
        let delivery = alerts::delivery(alerts::fired(SERIES, n));
        let answer = client.send(&delivery).await?;
        storm.took.push(answer.took);
        storm.refused += usize::from(!(200..300).contains(&answer.status));
        storm.made += usize::from(answer.status == 200);
    }
    Ok(storm)
}
