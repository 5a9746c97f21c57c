//! How much memory a process takes that finds the alerts of a day waiting and drains them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::entropy::OsEntropy;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::create_work_item::{self, Labelled};
use itsm_connector::flows::{Core, Outside};
use itsm_connector::inbound::webhook::Delivery;
use itsm_connector::ports::{Clock, Vault};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use simulators::server::{Server, now_ms};

use crate::alerts::{Condition, Manner, Plan, tag};
use crate::product::Product;
use crate::program::Program;
use crate::sender::CONNECTION;
use crate::vault::OneDefinition;
use crate::{Trouble, desk, pause};

/// What a process that drains may take.
pub const LIMIT_BYTES: u64 = 64_000_000;

/// Over which the alerts came.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// How many alerts wait.
    pub alerts: usize,
    /// How long it may drain; what is not done by then is told.
    pub within: Duration,
    /// The program.
    pub binary: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The most memory that the process ever had, bytes.
    pub peak_memory: u64,
    /// Before it had anything to do.
    pub made: usize,
    /// How long the draining took.
    pub took: Duration,
}

/// Runs it in a folder.
pub async fn run(order: &Order, folder: &Path) -> Result<Outcome, Trouble> {
    let state = folder.join("state");
    std::fs::create_dir(&state).map_err(|error| error.to_string())?;
    fill(&state, order.alerts).await?;

    let product = Product::new(1, true, now_ms());
    let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let server = Server::start(product, listen, None).await;
    let server = server.map_err(|error| format!("the product: {error}"))?;
    desk::define(folder, server.address()).await?;
    let url = format!("file://{}", state.display());
    let environment = desk::environment(folder, url, server.address());
    let began = Instant::now();
    let log = folder.join("process.log");
    let program = Program::start(&order.binary, &environment, &log).await?;
    while server.lock().items_made() < order.alerts && began.elapsed() < order.within {
        pause(200).await;
    }
    let made = server.lock().items_made();
    Ok(Outcome {
        peak_memory: program.peak_memory().unwrap_or(0),
        made,
        took: began.elapsed(),
    })
}

/// Alerts that were taken while the vault did not answer: they are in the journal, and nobody has acted on them. Without
/// fsync, which the way in has been measured with elsewhere.
async fn fill(folder: &Path, alerts: usize) -> Result<(), Trouble> {
    let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| error.to_string())?;
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let vault: Arc<dyn Vault> = Arc::new(OneDefinition::away());
    let transport = Arc::new(HttpTransport::new(AllowedHosts::default()));
    let products = ItsmProducts::new(transport, Arc::clone(&vault), Arc::clone(&clock));
    let core = Core::new(Outside {
        store,
        vault,
        products: Arc::new(products),
        clock,
        entropy: Arc::new(OsEntropy),
        allowed: AllowedHosts::default(),
    });
    let name = ConnectionName::parse(CONNECTION).map_err(|_| "no name".to_owned())?;
    let began = Timestamp::from_millis(now_ms()).minus(DAY);
    for n in 0..alerts {
        let plan = Plan {
            tag: tag(n),
            severity: format!("Sev{}", n % 5),
            fired_ms: 0,
            resolved_ms: None,
            manner: Manner::Well,
        };
        let at =
            began.plus(DAY / u32::try_from(alerts).unwrap_or(1) * u32::try_from(n).unwrap_or(0));
        let body = Bytes::from(plan.body_at(Condition::Fired, at, None));
        let delivery = Delivery::from_journal(name.clone(), ActionName::default(), body);
        let kept = create_work_item::receive(&core, delivery, Labelled::Json);
        Box::pin(kept)
            .await
            .map_err(|failure| format!("{failure:?}"))?;
    }
    Ok(())
}

impl Outcome {
    /// The report.
    pub fn text(&self, order: &Order) -> String {
        let seconds = self.took.as_secs_f64();
        format!(
            "{} alerts waited; one process drains them\nwork items   {} in {seconds:.0} s, {:.0} a second\nmemory       {:.1} MB at most, {} allowed\n",
            order.alerts,
            self.made,
            self.made as f64 / seconds,
            self.peak_memory as f64 / 1e6,
            LIMIT_BYTES / 1_000_000,
        )
    }
}
