//! One run: the alerts of a seed go their way while everything fails, then everything is quiet, then everything must be
//! right.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::work_item::Uniqueness;
use itsm_connector::stores::facts::{Facts, ProductFacts};
use itsm_connector::stores::objects::Objects;
use itsm_connector::stores::probe::Probed;
use simulators::fault::FaultRule;

use crate::alerts::{self, Episode, Planned, Subject};
use crate::clock::{BEGINNING_MS, SimClock, pause};
use crate::counters::Counters;
use crate::hosts::Node;
use crate::invariants;
use crate::ledger::{KillAt, Ledger, Line, Violation};
use crate::people;
use crate::planted::Planted;
use crate::process::Role;
use crate::product::Product;
use crate::scene::Scene;
use crate::sender::Sender;
use crate::swarm::{Swarm, Variant};

/// How long after the last fault everything must be settled. A gate may be closed for two hours, and the marker of an
/// alert that was never kept is swept after one.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Order {
    /// What the seed has decided.
    pub swarm: Swarm,
    /// The alerts, and their deliveries.
    pub alerts: (Vec<Episode>, Vec<Planned>),
    /// Faults of the product beside those of the seed.
    pub rules: Vec<FaultRule>,
    /// Which calls are to be a process's last.
    pub kills: Vec<KillAt>,
    /// A defence that is taken away.
    pub planted: Option<Planted>,
    /// Whether all calls are kept and not only the newest.
    pub trace: bool,
}

impl Order {
    /// The run of a seed.
    pub fn of_seed(seed: u64, variant: Variant) -> Self {
        let swarm = Swarm::draw(seed, variant);
        Self {
            alerts: alerts::draw(&swarm),
            swarm,
            rules: Vec::new(),
            kills: Vec::new(),
            planted: None,
            trace: false,
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// What happened, counted.
    pub counters: Counters,
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// The port calls, the newest at least.
    pub lines: Vec<Line>,
    /// How many port calls there were.
    pub calls: u64,
    /// How many of them the product has seen.
    pub product_calls: u64,
    /// A hash over all of them.
    pub hash: u64,
    /// What the run's dice would give next.
    pub next: u64,
    /// Tokens that were given out: nothing that is written may hold one.
    pub tokens: Vec<String>,
    /// How long it took on the simulated clock.
    pub took: Duration,
}

impl Ran {
    /// A run that did not come to its end.
    pub fn failed(invariant: &'static str, seen: &str) -> Self {
        Self {
            counters: Counters::default(),
            violations: vec![Violation {
                invariant,
                seen: seen.to_owned(),
            }],
            lines: Vec::new(),
            calls: 0,
            product_calls: 0,
            hash: 0,
            next: 0,
            tokens: Vec::new(),
            took: Duration::ZERO,
        }
    }
}

/// Runs it on a runtime of its own.
pub fn run(order: Order) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(Box::pin(act(order))),
        Err(error) => Ran::failed("harness", &format!("no runtime: {error}")),
    }
}

/// Probes the store of an order as timers and `itsmc` do before they rely on it (rule R17), on a day without faults.
pub fn probe(order: Order) -> Probed {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let Ok(runtime) = runtime else {
        return Probed::IgnoresConditions;
    };
    runtime.block_on(async {
        let swarm = Swarm::calm(order.swarm.seed, order.swarm.variant);
        let product = Product::new(&swarm, Vec::new());
        let ledger = Ledger::new(false, Vec::new());
        let scene = Arc::new(Scene::new(swarm, ledger, product, order.planted));
        let node = Node::new(&scene, Role::Drainer, 0);
        let living = node.living();
        let core = living.intake.core();
        itsm_connector::stores::probe::probe(&core.objects, &core.writer_id()).await
    })
}

async fn act(order: Order) -> Ran {
    let Order {
        swarm,
        alerts: (mut episodes, planned),
        rules,
        kills,
        planted,
        trace,
    } = order;
    // One more fires when all is over: a product that works again must be used again.
    let last = !swarm.storm.is_zero();
    let product = Product::new(&swarm, rules);
    let ledger = Ledger::new(trace, kills);
    let hosts = usize::try_from(swarm.hosts).unwrap_or(1);
    if last {
        let after = Duration::from_secs(9 * 3600);
        let subject = Subject {
            alert: episodes.len(),
            rule: 99,
            configuration_items: vec![99],
            rows: None,
        };
        episodes.push(Episode::about(&subject, swarm.shape, after, None));
    }
    let scene = Arc::new(Scene::new(swarm, ledger, product, planted));
    remember_uniqueness(&scene).await;
    let hosts = (0..hosts)
        .map(|n| Node::new(&scene, Role::Host, n))
        .collect();
    let sender = Sender::new(&scene, hosts, episodes.len());
    let drainers = [0, 1].map(|n| Node::new(&scene, Role::Drainer, n));

    storm(&scene, &sender, &drainers, &episodes, &planned).await;
    let mut is_settled = scene.is_settled();
    if last && is_settled {
        is_settled = tail(&scene, &sender, &drainers, &episodes).await;
    }
    if !is_settled {
        invariants::accuse_of_waiting(&scene);
    }
    invariants::check(&scene, &episodes, &sender.told());
    let calls = scene.ledger.calls();
    let product_calls = scene.product().journal().len() as u64;
    let hash = scene.ledger.hash();
    let next = scene.next_dice();
    let tokens = scene.product().tokens.iter().cloned().collect();
    let took = scene.elapsed();
    let (mut counters, violations, lines) = scene.ledger.close();
    counters.add_many("alerts", episodes.len() as u64);
    Ran {
        counters,
        violations,
        lines,
        calls,
        product_calls,
        hash,
        next,
        tokens,
        took,
    }
}

async fn remember_uniqueness(scene: &Scene) {
    if scene.swarm.variant != Variant::Enforced {
        return;
    }
    let memory: Arc<dyn object_store::ObjectStore> = Arc::clone(&scene.memory) as _;
    let facts = ProductFacts {
        uniqueness: Uniqueness::Enforced,
    };
    let now = Timestamp::from_millis(BEGINNING_MS);
    let clock = Arc::new(SimClock::new(scene.started(), 0));
    let remembered = Facts::new(Objects::new(memory, clock))
        .remember(&alerts::connection(), &facts, "setup", now)
        .await;
    if remembered.is_err() {
        scene
            .ledger
            .accuse("harness", "the facts could not be remembered");
    }
}

/// Everything at once: deliveries, two drainers, a person; until nothing waits any more.
async fn storm(
    scene: &Scene,
    sender: &Sender,
    drainers: &[Node],
    episodes: &[Episode],
    planned: &[Planned],
) {
    let open = std::cell::Cell::new(planned.len());
    let mut actors: FuturesUnordered<LocalBoxFuture<'_, ()>> = FuturesUnordered::new();
    for one in planned {
        let open = &open;
        actors.push(Box::pin(async move {
            pause(one.at).await;
            if let Some(episode) = episodes.get(one.episode) {
                sender.send(one.episode, episode, one.is_resolved).await;
            }
            open.set(open.get().saturating_sub(1));
        }));
    }
    for drainer in drainers {
        let settled = || open.get() == 0 && scene.is_settled();
        let last = scene.swarm.storm + PATIENCE;
        actors.push(Box::pin(drainer.drain_until(settled, last)));
    }
    actors.push(Box::pin(people::work(scene)));
    while actors.next().await.is_some() {}
}

/// After the storm a new alert becomes a work item as soon as the gate lets it: a run that only failed politely has failed (I20).
async fn tail(scene: &Scene, sender: &Sender, drainers: &[Node], episodes: &[Episode]) -> bool {
    let Some((n, episode)) = episodes.iter().enumerate().next_back() else {
        return true;
    };
    pause(sender.muted_for().max(sender.stand_still_for())).await;
    if !sender.send(n, episode, false).await {
        scene
            .ledger
            .accuse("I20", "an alert after the storm was not taken");
    }
    // The gate may still be closed, for as long as the product has asked for.
    for minutes in std::iter::repeat_n(1, 3).chain(std::iter::repeat_n(5, 30)) {
        if scene.is_settled() {
            return true;
        }
        pause(Duration::from_secs(minutes * 60)).await;
        if let Some(drainer) = drainers.first() {
            drainer.drain().await;
        }
    }
    scene.is_settled()
}
