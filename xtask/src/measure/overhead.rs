//! What the function adds to the product's own time: one alert after the other over one connection, everything warm.
//!
//! Each round sends a new alert, the same create to the product by the same client, and, with the state in a folder, one
//! fsynced create into the same disk. So what the machine does meanwhile touches all of them alike.

use std::path::Path;
use std::time::{Duration, Instant};

use object_store::local::LocalFileSystem;
use object_store::{ObjectStore as _, PutMode, PutOptions, PutPayload};

use super::alerts;
use super::bench::{Bench, State};
use super::client::Client;
use super::process::Process;
use super::product::Product;
use super::samples::Samples;
use super::table::Row;

/// The series of the alerts in this file.
const SERIES: u16 = 3;

/// Alerts before those that count.
const WARM_UP: usize = 50;

/// Takes the figures with both stores.
pub(super) fn measure(function: &Path, bench: &Bench, alerts: usize) -> Result<Vec<Row>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let memory = runtime.block_on(with(function, bench, alerts, &State::Memory))?;
    let folder = State::Folder(bench.folder("state-answers"));
    let folder = runtime.block_on(with(function, bench, alerts, &folder))?;
    let mut rows = memory.rows("state in memory");
    let added = (rows.len(), memory.added_ms(50), memory.added_ms(90));
    rows.insert(
        0,
        Row::new(
            "added to a new alert, state in memory, median",
            added.1,
            "ms",
        )
        .below(2.0),
    );
    rows.insert(
        1,
        Row::new("added to a new alert, state in memory, p90", added.2, "ms"),
    );
    let unit = folder.on_disk.percentile_ms(50);
    rows.push(
        Row::new(
            "added to a new alert, state in a folder, in fsynced creates, median",
            folder.added_ms(50) / unit,
            "creates",
        )
        .below(4.0),
    );
    rows.push(Row::new(
        "  the same by means",
        folder.added.mean_ms() / folder.on_disk.mean_ms(),
        "creates",
    ));
    rows.push(Row::new("  one fsynced create, median", unit, "ms"));
    rows.push(Row::new(
        "  one fsynced create, mean",
        folder.on_disk.mean_ms(),
        "ms",
    ));
    rows.extend(folder.rows("state in a folder"));
    Ok(rows)
}

#[derive(Debug, Default)]
struct Series {
    created: Samples,
    product: Samples,
    /// Each round's answer without the same round's product.
    added: Samples,
    on_disk: Samples,
    duplicate: Samples,
    resolved: Samples,
    calls: Calls,
}

/// Calls of the product per delivery.
#[derive(Debug, Default)]
struct Calls {
    created: f64,
    duplicate: f64,
    resolved: f64,
}

impl Series {
    fn added_ms(&self, percent: usize) -> f64 {
        self.added.percentile_ms(percent)
    }

    fn rows(&self, state: &str) -> Vec<Row> {
        let ms = |what: String, samples: &Samples| Row::new(what, samples.percentile_ms(50), "ms");
        let calls = |count: f64| format!("{count:.0} calls");
        vec![
            ms(
                format!(
                    "answer to a new alert, {state}, {}, median",
                    calls(self.calls.created)
                ),
                &self.created,
            ),
            ms(
                "  in it, the simulated product for the same create, median".to_owned(),
                &self.product,
            ),
            ms(
                format!(
                    "answer to a duplicate, {state}, {}, median",
                    calls(self.calls.duplicate)
                ),
                &self.duplicate,
            ),
            ms(
                format!(
                    "answer to a resolve, {state}, {}, median",
                    calls(self.calls.resolved)
                ),
                &self.resolved,
            ),
        ]
    }
}

async fn with(
    function: &Path,
    bench: &Bench,
    alerts: usize,
    state: &State,
) -> Result<Series, String> {
    let product = Product::start()?;
    let vault = bench.vault("vault-answers", &product)?;
    let (_process, address) = Process::serve(function, &vault, state, &product)?;
    let mut to_function = Client::connect(address).await?;
    let mut to_product = Client::connect(product.address).await?;
    let disk = match state {
        State::Memory => None,
        State::Folder(folder) => Some(Disk::beside(folder)?),
    };
    for n in 0..WARM_UP {
        for body in [alerts::fired(SERIES, n), alerts::resolved(SERIES, n)] {
            to_function.send_well(&alerts::delivery(body)).await?;
        }
        to_product.send_well(&product.same_create(n)?).await?;
    }

    let mut series = Series::default();
    let counted = WARM_UP..WARM_UP + alerts;
    let per_alert = |calls: usize| calls as f64 / alerts.max(1) as f64;
    product.forget();
    for n in counted.clone() {
        let body = alerts::fired(SERIES, n);
        let size = body.len();
        let answer = to_function.send_well(&alerts::delivery(body)).await?;
        let own = to_product.send_well(&product.same_create(n)?).await?;
        series.created.push(answer.took);
        series.product.push(own.took);
        series.added.push(answer.took.saturating_sub(own.took));
        if let Some(disk) = &disk {
            series.on_disk.push(disk.create(n, size).await?);
        }
    }
    // Every round called the product once more, by our own client.
    series.calls.created = per_alert(product.calls()) - 1.0;
    product.forget();
    for n in counted.clone() {
        let delivery = alerts::delivery(alerts::fired(SERIES, n));
        series
            .duplicate
            .push(to_function.send_well(&delivery).await?.took);
    }
    series.calls.duplicate = per_alert(product.calls());
    product.forget();
    for n in counted {
        let delivery = alerts::delivery(alerts::resolved(SERIES, n));
        series
            .resolved
            .push(to_function.send_well(&delivery).await?.took);
    }
    series.calls.resolved = per_alert(product.calls());
    Ok(series)
}

/// The disk as the state store uses it, without anything of ours.
struct Disk(LocalFileSystem);

impl Disk {
    fn beside(folder: &Path) -> Result<Self, String> {
        let folder = folder.with_extension("disk");
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        LocalFileSystem::new_with_prefix(folder)
            .map(|store| Self(store.with_fsync(true)))
            .map_err(|error| error.to_string())
    }

    async fn create(&self, n: usize, size: usize) -> Result<Duration, String> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        let payload = PutPayload::from(vec![b'x'; size]);
        let place = object_store::path::Path::from(format!("object-{n}"));
        let started = Instant::now();
        self.0
            .put_opts(&place, payload, options)
            .await
            .map_err(|error| error.to_string())?;
        Ok(started.elapsed())
    }
}
