//! The processes of a run as platforms keep them: one after the other on each node, each with a core of its own over
//! the shared store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::webhook_auth::WebhookAuth;
use itsm_connector::flows::drain::{self, Drained};
use itsm_connector::flows::{Core, Outside};
use itsm_connector::hosts::intake::Intake;
use itsm_connector::ports::{Clock, Vault};
use sha2::{Digest as _, Sha256};

use crate::clock::{SimClock, SimEntropy, pause};
use crate::dice::Dice;
use crate::planted::Planted;
use crate::process::{Process, Role};
use crate::scene::Scene;
use crate::store::FaultyStore;
use crate::swarm::Class;
use crate::transport::ProductTransport;
use crate::vault::FaultyVault;

/// How long after its span a platform ends a drain.
const GRACE: Duration = Duration::from_secs(10);

/// How long after the storm a drain still comes every minute.
const LULL: Duration = Duration::from_secs(20 * 60);

/// How long a drain that finds the gate closed again and again is left out at most.
const NAP: Duration = Duration::from_secs(10 * 60);

/// The key that Azure shows: it must turn up nowhere.
pub const WEBHOOK_KEY: &str = "canary-webhook-key-91ad";

/// A process and what it works with.
#[derive(Debug, Clone)]
pub struct Living {
    /// The process.
    pub process: Arc<Process>,
    /// Its intake, over its core.
    pub intake: Arc<Intake>,
}

/// A place where processes run, one after the other.
#[derive(Debug)]
pub struct Node {
    scene: Arc<Scene>,
    name: String,
    role: Role,
    skew_ms: i64,
    lives: AtomicU64,
    living: Mutex<Option<Living>>,
}

impl Node {
    /// A place. `n` decides how far its clock is off.
    pub fn new(scene: &Arc<Scene>, role: Role, n: usize) -> Self {
        let (kind, offset) = match role {
            Role::Host => ("host", 0),
            Role::Drainer => ("drainer", 2),
        };
        Self {
            scene: Arc::clone(scene),
            name: format!("{kind}{n}"),
            role,
            skew_ms: scene.swarm.skew_of(n + offset),
            lives: AtomicU64::new(0),
            living: Mutex::new(None),
        }
    }

    /// The process that runs there now; if the last one died, a new one.
    pub fn living(&self) -> Living {
        let mut living = self.living.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(living) = living.as_ref().filter(|living| !living.process.is_dead()) {
            return living.clone();
        }
        let born = self.start();
        *living = Some(born.clone());
        born
    }

    fn start(&self) -> Living {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let scene = Arc::clone(&self.scene);
        let process = Process::new(scene, &self.name, life, self.role, self.skew_ms);
        let process = Arc::new(process);
        let clock: Arc<dyn Clock> = Arc::new(SimClock::new(self.scene.started(), self.skew_ms));
        let vault: Arc<dyn Vault> = Arc::new(FaultyVault::new(Arc::clone(&process)));
        let products = Arc::new(ItsmProducts::new(
            Arc::new(ProductTransport::new(Arc::clone(&process))),
            Arc::clone(&vault),
            Arc::clone(&clock),
        ));
        let purpose = format!("entropy/{}/{life}", self.name);
        let core = Core::new(Outside {
            store: Arc::new(FaultyStore::new(Arc::clone(&process))),
            vault,
            products: Planted::products(&process, products),
            clock,
            entropy: Arc::new(SimEntropy::new(Dice::new(self.scene.swarm.seed, &purpose))),
            allowed: AllowedHosts::default(),
        });
        let core = core.with_ages(self.scene.swarm.ages().unwrap_or_default());
        let auth = WebhookAuth::Keys(vec![Sha256::digest(WEBHOOK_KEY.as_bytes()).into()]);
        Living {
            process,
            intake: Arc::new(Intake::new(core, auth)),
        }
    }

    /// One drain, as a platform runs it: over its time it is ended, unless it is a zombie.
    pub async fn drain(&self) -> Vec<Drained> {
        let living = self.living();
        let span = self.scene.swarm.drain_span;
        living.process.notes().began_at = self.scene.elapsed();
        let drained = drain::run(living.intake.core(), span);
        let limit = if self.scene.swarm.zombies && self.scene.is_stormy() {
            Duration::from_secs(3600)
        } else {
            span + GRACE
        };
        let mut work = std::pin::pin!(living.process.run(drained));
        match tokio::time::timeout(limit, &mut work).await {
            Ok(Some(Ok(drained))) => {
                living.process.watch_end_of_drain();
                drained.into_iter().map(|(_, drained)| drained).collect()
            }
            Ok(_) => Vec::new(),
            // The process goes, and then what it was doing: nothing of it is sent any more.
            Err(_) => {
                self.scene.ledger.count("drain ended by its time limit");
                living.process.end();
                Vec::new()
            }
        }
    }

    /// Drains every minute until nothing waits any more.
    pub async fn drain_until(&self, settled: impl Fn() -> bool, last: Duration) {
        let mut dice = Dice::new(self.scene.swarm.seed, &self.name);
        let mut minute = 0;
        let mut idle = 0;
        loop {
            // When all is quiet, less often: only the time passes.
            let is_late = self.scene.elapsed() > self.scene.swarm.storm + LULL;
            minute += if is_late { 5 } else { 1 };
            let due = Duration::from_secs(minute * 60) + Duration::from_millis(dice.below(9_000));
            pause(due.saturating_sub(self.scene.elapsed())).await;
            if self.scene.elapsed() > last || (!self.scene.is_stormy() && settled()) {
                return;
            }
            if self.scene.strikes(Class::MissedTick) {
                continue;
            }
            let drained = if self.scene.strikes(Class::DoubledTick) {
                let (one, _) = futures_util::future::join(self.drain(), self.drain()).await;
                one
            } else {
                self.drain().await
            };
            // Ticks that came due meanwhile are not made up for.
            minute = minute.max(self.scene.elapsed().as_secs() / 60);
            // While the gate is closed a drain reads and goes: what ten of them would show, two have shown.
            let is_idle = drained.iter().all(|one| one.settled == 0 && one.dead == 0)
                && drained
                    .iter()
                    .any(|one| one.stopped_because == Some("the gate is closed"));
            idle = if is_idle { idle + 1 } else { 0 };
            if idle >= 2 {
                let until = self.scene.gate_closed_for().min(NAP);
                minute += until.as_secs() / 60;
            }
        }
    }
}
