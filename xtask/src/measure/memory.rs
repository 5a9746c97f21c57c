//! Resident memory of the local host, after alerts that fired and were resolved.

use std::path::Path;

use super::alerts;
use super::bench::{Bench, State};
use super::client::Client;
use super::process::Process;
use super::product::Product;
use super::table::Row;

/// The series of the alerts in this file.
const SERIES: u16 = 2;

/// Takes the figures with both stores.
pub(super) fn measure(function: &Path, bench: &Bench, alerts: usize) -> Result<Vec<Row>, String> {
    let mut rows = with(function, bench, alerts, &State::Memory)?;
    let folder = State::Folder(bench.folder("state-memory"));
    rows.extend(with(function, bench, alerts, &folder)?);
    Ok(rows)
}

fn with(function: &Path, bench: &Bench, alerts: usize, state: &State) -> Result<Vec<Row>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let product = Product::start()?;
    let vault = bench.vault("vault-memory", &product)?;
    let (process, address) = Process::serve(function, &vault, state, &product)?;
    let before = process.resident()?;
    runtime.block_on(async {
        let mut client = Client::connect(address).await?;
        for n in 0..alerts {
            for body in [alerts::fired(SERIES, n), alerts::resolved(SERIES, n)] {
                client.send_well(&alerts::delivery(body)).await?;
            }
        }
        Ok::<_, String>(())
    })?;
    let after = process.resident()?;
    let store = match state {
        State::Memory => "the state in it",
        State::Folder(_) => "state in a folder",
    };
    let what = format!("resident after {alerts} alerts fired and resolved, {store}, peak");
    Ok(vec![
        Row::new(what, after.peak, "MB").below(16.0),
        Row::new("  now", after.now, "MB"),
        Row::new("  before the first alert", before.now, "MB"),
    ])
}
