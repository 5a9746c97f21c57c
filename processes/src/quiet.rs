//! After the storm: what still waits is finished by the connector's own drain, in this process and with its clock ahead,
//! because a claim of somebody who was killed lasts minutes and an audit comes after a quarter of an hour.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::entropy::OsEntropy;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::{Core, Outside, drain};
use itsm_connector::ports::{Clock, Vault};
use object_store::ObjectStore;

use crate::Trouble;

/// How much time passes between two drains: more than any claim or gate lasts.
const BETWEEN_DRAINS: Duration = Duration::from_secs(16 * 60);

/// How many drains the end may take.
const DRAINS_MAX: usize = 60;

/// The machine's clock, and what was passed over.
#[derive(Debug, Default)]
struct ClockAhead {
    machine: SystemClock,
    ahead_ms: AtomicU64,
}

impl ClockAhead {
    fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Clock for ClockAhead {
    fn now(&self) -> Timestamp {
        self.machine.now().plus(self.ahead())
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic() + self.ahead()
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// What is left when nothing moves any more.
#[derive(Debug, Clone, Default)]
pub struct Rest {
    /// How many drains it took.
    pub drains: usize,
    /// What still waits.
    pub pending: Vec<String>,
    /// What was given up.
    pub dead: Vec<String>,
}

/// Drains, and lets time pass, until nothing waits or it is plain that something always will.
pub async fn settle(
    store: Arc<dyn ObjectStore>,
    vault: Arc<dyn Vault>,
    allowed: AllowedHosts,
    connection: &str,
) -> Result<Rest, Trouble> {
    let told = |failure: &dyn std::fmt::Display| failure.to_string();
    let name = ConnectionName::parse(connection).map_err(|_| "no name".to_owned())?;
    let clock = Arc::<ClockAhead>::default();
    let as_clock: Arc<dyn Clock> = Arc::<ClockAhead>::clone(&clock);
    let transport = Arc::new(HttpTransport::new(allowed.clone()));
    let products = ItsmProducts::new(transport, Arc::clone(&vault), Arc::clone(&as_clock));
    let core = Core::new(Outside {
        store,
        vault,
        products: Arc::new(products),
        clock: as_clock,
        entropy: Arc::new(OsEntropy),
        allowed,
    });
    let mut rest = Rest::default();
    loop {
        let drained = Box::pin(drain::run(&core, Duration::from_secs(55))).await;
        drained.map_err(|failure| told(&failure))?;
        rest.drains += 1;
        let pending = core.pending.list(&name).await;
        let pending = pending.map_err(|failure| told(&failure))?;
        if pending.is_empty() || rest.drains >= DRAINS_MAX {
            rest.pending = pending.iter().map(|one| one.event.to_string()).collect();
            break;
        }
        let ahead = u64::try_from(BETWEEN_DRAINS.as_millis()).unwrap_or(u64::MAX);
        clock.ahead_ms.fetch_add(ahead, Ordering::SeqCst);
    }
    let dead = core.dead.list(&name).await;
    for event in dead.map_err(|failure| told(&failure))? {
        let letter = core.dead.read(&name, &event).await;
        let reason = letter
            .ok()
            .flatten()
            .map(|letter| letter.reason.to_string());
        rest.dead
            .push(format!("{event}: {}", reason.unwrap_or_default()));
    }
    Ok(rest)
}
