//! One round: processes over a new state, a storm, a calm, an end, and what the checker says of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join};
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::work_item::Uniqueness;
use itsm_connector::ports::Vault;
use itsm_connector::stores::facts::{Facts, ProductFacts};
use itsm_connector::stores::objects::Objects;
use simulation::dice::Dice;
use simulators::journal::Kind;
use simulators::server::{Server, now_ms};

use crate::alerts::{Condition, Manner, Plan};
use crate::chaos::Chaos;
use crate::checker::{self, Violation};
use crate::evidence::Evidence;
use crate::fleet::{Deeds, Fleet};
use crate::history::{Ending, History};
use crate::product::Product;
use crate::proxy::{Line, Proxy};
use crate::quiet::{self, Rest};
use crate::sender::{CONNECTION, Sender};
use crate::state::State;
use crate::{Trouble, desk, ms};

/// Alerts after the storm: they are answered 2xx at the first try, or the round has proved nothing.
const CALM_ALERTS: usize = 20;

/// Longer than this a process stands still only where rounds are long: a claim could pass to another one meanwhile.
const SHORT_STOP_MAX_MS: u64 = 6_000;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// Of the alerts, the faults and everything else that is drawn.
    pub seed: u64,
    /// Whether the product keeps our key unique.
    pub keys_are_unique: bool,
    /// How long the storm is.
    pub storm: Duration,
    /// Alerts per second of it.
    pub alerts_per_second: usize,
    /// How many processes.
    pub processes: usize,
    /// The program.
    pub binary: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    /// What was known in the end.
    pub evidence: Evidence,
    /// What must not be.
    pub violations: Vec<Violation>,
    /// What the sender did.
    pub history: History,
    /// What the proxy did.
    pub lines: Vec<Line>,
    /// Faults of the proxy by name.
    pub faults: std::collections::BTreeMap<&'static str, u64>,
    /// What happened to the processes.
    pub deeds: Deeds,
    /// Calls that the product saw, tokens included.
    pub calls: usize,
    /// How the end went.
    pub rest: Rest,
    /// Why the disk could not be full, if it could not.
    pub no_disk: Option<String>,
    /// The most memory of any process that lived in the end, bytes.
    pub peak_memory: u64,
}

/// Runs one in a folder, which is left as it is.
pub async fn run(order: &Order, folder: &Path) -> Result<Ran, Trouble> {
    let began = Instant::now();
    let seconds = usize::try_from(order.storm.as_secs().max(1)).unwrap_or(1);
    let plans = plans(order, seconds * order.alerts_per_second);
    // An alert takes some ten small files, of 4 KiB each on such a disk.
    let state = State::new(folder, 64 + plans.len() / 8)?;

    let product = Product::new(order.seed, order.keys_are_unique, now_ms());
    let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let server = Server::start(product, listen, None).await;
    let server = server.map_err(|error| format!("the product: {error}"))?;
    let proxy = Proxy::start(server.address(), order.seed, began).await?;
    let vault: Arc<dyn Vault> = Arc::new(desk::vault(folder));
    desk::define(folder, proxy.address()).await?;
    if order.keys_are_unique {
        remember_that_keys_are_unique(&state).await?;
    }

    let environment = desk::environment(folder, state.url(), proxy.address());
    let binary = order.binary.clone();
    let fleet = Fleet::new(binary, environment, folder.to_owned(), order.processes);
    let stop_max_ms = (ms(order.storm) / 8).max(SHORT_STOP_MAX_MS);
    let chaos = Chaos {
        fleet: &fleet,
        state: &state,
        proxy: &proxy,
        seed: order.seed,
        stop_max_ms,
        is_over: AtomicBool::new(false),
    };
    let sender = Sender::new(&fleet, order.seed, began);
    chaos.heal().await?;

    proxy.is_stormy(true);
    let storm = async {
        join_all(plans.iter().map(|plan| sender.send(plan))).await;
        chaos.is_over.store(true, Ordering::SeqCst);
        Ok(())
    };
    try_join(chaos.rage(), storm).await?;
    chaos.heal().await?;
    let calm = calm(&sender, plans.len()).await;
    let peak_memory = fleet.peak_memory();
    fleet.kill_all();

    proxy.is_idle().await;
    let allowed = AllowedHosts::default().with(&proxy.address().to_string());
    let rest = quiet::settle(state.open()?, vault, allowed, CONNECTION).await?;

    let history = sender.history();
    let mut disturbed = proxy.disturbed();
    let product = server.lock();
    if stop_max_ms > SHORT_STOP_MAX_MS {
        // Somebody may have stood still between its last look and its send.
        disturbed.extend(product.items().into_iter().map(|item| item.sys_id));
    }
    let bad = plans.iter().filter(|plan| plan.manner != Manner::Well);
    let evidence = Evidence {
        verdicts: history.verdicts(),
        bad: bad.map(|plan| plan.tag.clone()).collect(),
        effects: product.effects(),
        items: product.items(),
        foreign_changes: product.foreign_changes(),
        disturbed,
        keys_are_unique: order.keys_are_unique,
        pending: rest.pending.clone(),
        dead: rest.dead.clone(),
        calm,
    };
    Ok(Ran {
        violations: checker::check(&evidence),
        evidence,
        history,
        lines: proxy.lines(),
        faults: proxy.faults(),
        deeds: fleet.deeds(),
        calls: product.count(Kind::Any),
        rest,
        no_disk: state.cannot_be_full().map(str::to_owned),
        peak_memory,
    })
}

fn plans(order: &Order, alerts: usize) -> Vec<Plan> {
    let mut dice = Dice::new(order.seed, "alerts");
    let span = ms(order.storm);
    (0..alerts)
        .map(|n| Plan::draw(&mut dice, n, span))
        .collect()
}

/// Some alerts when all is well, one after the other; whether each was taken at the first try.
async fn calm(sender: &Sender<'_>, from: usize) -> Vec<bool> {
    let mut taken = Vec::new();
    let mut dice = Dice::new(0, "calm");
    for n in from..from + CALM_ALERTS {
        let plan = Plan {
            manner: Manner::Well,
            resolved_ms: None,
            ..Plan::draw(&mut dice, n, 1)
        };
        sender.deliver(&plan, Condition::Fired).await;
        let history = sender.history();
        let first = history.tries().iter().find(|one| one.tag == plan.tag);
        taken.push(first.is_some_and(|one| matches!(one.ending, Ending::Ok { .. })));
    }
    taken
}

async fn remember_that_keys_are_unique(state: &State) -> Result<(), Trouble> {
    let name = ConnectionName::parse(CONNECTION).map_err(|_| "no name".to_owned())?;
    let facts = ProductFacts {
        uniqueness: Uniqueness::Enforced,
    };
    let now = Timestamp::from_millis(now_ms());
    let clock = Arc::new(SystemClock::default());
    let remembered = Facts::new(Objects::new(state.open()?, clock))
        .remember(&name, &facts, "the round", now)
        .await;
    remembered.map_err(|failure| failure.to_string())
}

impl Ran {
    /// All that is known of an alert, for whoever looks for the reason.
    pub fn story(&self, tag: &str) -> String {
        let items: BTreeSet<String> = self
            .evidence
            .items_of(tag)
            .map(|item| item.sys_id.clone())
            .collect();
        let mut lines = vec![format!("  what the sender did with {tag}")];
        let tries = self.history.tries().iter().filter(|one| one.tag == tag);
        lines.extend(tries.map(|one| format!("    {one}")));
        lines.push("  what the proxy did".to_owned());
        let passed = self.lines.iter().filter(|line| line.concerns(tag, &items));
        lines.extend(passed.map(|line| format!("    {line}")));
        lines.push("  what the product executed".to_owned());
        for item in self.evidence.items_of(tag) {
            lines.push(format!("    {item:?}"));
            let effects = self.evidence.effects_on(&item.sys_id);
            lines.extend(effects.map(|effect| format!("      {effect:?}")));
        }
        lines.join("\n")
    }
}
