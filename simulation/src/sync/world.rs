//! What the processes share: the product, the store, the table in Log Analytics, and what went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use itsm_connector::domain::sync_window::Rules;
use itsm_connector::flows::sync_records::Synced;
use object_store::memory::InMemory;
use simulators::servicenow::{Config, ServiceNow};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Bug;
use crate::clock::{BEGINNING_MS, moment};
use crate::dice::Dice;

/// How often it is reconciled where that is to be seen, and where the first is to be the last.
const RECONCILED_EVERY: Duration = Duration::from_secs(5 * 60);
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One version of a record: key, when it was changed, revision.
pub type Version = (String, i64, i64);

/// The rows that the sink has.
#[derive(Debug, Default)]
pub struct Taken {
    /// How often each version is there.
    pub versions: BTreeMap<Version, u64>,
    /// Records that are there as deleted.
    pub deleted: BTreeMap<String, u64>,
    /// Of them what a look found gone, by the second in which it was found: the trace of the delete may come later and say the
    /// same second.
    pub found_gone: BTreeMap<Version, u64>,
    /// All rows.
    pub rows: u64,
    /// How many of them may be there twice: their run did not write its cursor down.
    pub excused: u64,
    /// Rows that were there before.
    pub repeats: u64,
    /// The runs that have sent a version, for who looks into repeats.
    pub runs: BTreeMap<Version, Vec<String>>,
}

/// What happened, to see that it did.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// By name.
    pub events: BTreeMap<&'static str, u64>,
}

/// All that is shared.
#[derive(Debug)]
pub struct World {
    /// The seed.
    pub seed: u64,
    /// A defence that is taken away.
    pub bug: Option<Bug>,
    /// The store.
    pub memory: Arc<InMemory>,
    /// When it began.
    pub started: Instant,
    /// How far the processes' clocks are off.
    pub skew_ms: i64,
    /// In some seeds nobody heeds the lease.
    pub heeds_lease: bool,
    machine: Mutex<ServiceNow>,
    taken: Mutex<Taken>,
    /// When each version could first be seen.
    visible: Mutex<BTreeMap<Version, i64>>,
    /// What stands in the tables now: by key, in which table, which version, and whether it is hidden.
    latest: Mutex<BTreeMap<String, (&'static str, Version, bool)>>,
    deleted: Mutex<Vec<String>>,
    excused_deletes: Mutex<BTreeSet<String>>,
    told: Mutex<BTreeSet<Version>>,
    counts: Mutex<Counts>,
    violations: Mutex<Vec<String>>,
    last_failure: Mutex<String>,
    chance: Mutex<Dice>,
    faults: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// As the seed says.
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut dice = Dice::new(seed, "sync settings");
        let mut config = Config {
            seed,
            ..Config::default()
        };
        config.acls.retain(|acl| acl.table != "sys_audit_delete");
        if dice.chance(0.6) {
            config.hidden.insert("incident".into(), "urgency=1".into());
        }
        Self {
            seed,
            bug,
            memory: Arc::new(InMemory::new()),
            started: moment(),
            skew_ms: i64::try_from(dice.between(0, 60_000)).unwrap_or(0) - 30_000,
            heeds_lease: dice.chance(0.7),
            machine: Mutex::new(ServiceNow::new(config)),
            taken: Mutex::default(),
            visible: Mutex::default(),
            latest: Mutex::default(),
            deleted: Mutex::default(),
            excused_deletes: Mutex::default(),
            told: Mutex::default(),
            counts: Mutex::default(),
            violations: Mutex::default(),
            last_failure: Mutex::default(),
            chance: Mutex::new(Dice::new(seed, "sync chance")),
            faults: AtomicBool::new(true),
        }
    }

    /// How the sync reads.
    pub fn rules(&self) -> Rules {
        let every = match self.is_lossy() && self.bug != Some(Bug::NoReconciliation) {
            true => RECONCILED_EVERY,
            false => NEVER,
        };
        Rules {
            reconcile_every: every,
            ..super::rules(self.bug)
        }
    }

    /// In a quarter of the seeds some records are committed too late for every window: only the reconciliation finds them.
    pub fn is_late(&self) -> bool {
        self.is_lossy() && self.seed % 4 == 1
    }

    /// In another quarter some are deleted without a trace. Not both: figures cannot tell one that is new from one that is gone.
    pub fn is_traceless(&self) -> bool {
        self.is_lossy() && self.seed % 4 != 1
    }

    /// In every other seed something is lost that only the reconciliation can find. In the others there is one, after the backfill, and it must find nothing, so that it
    /// hides no fault of the sync.
    pub fn is_lossy(&self) -> bool {
        let is_its_own = matches!(
            self.bug,
            Some(Bug::NoReconciliation | Bug::ForgetsWhatWasSent | Bug::AbsentIsDeleted)
        );
        self.seed % 2 == 1 && (is_its_own || self.bug.is_none())
    }

    /// The product.
    pub fn machine(&self) -> MutexGuard<'_, ServiceNow> {
        lock(&self.machine)
    }

    /// The rows that are there.
    pub fn taken(&self) -> MutexGuard<'_, Taken> {
        lock(&self.taken)
    }

    /// When each version could first be seen.
    pub fn visible(&self) -> MutexGuard<'_, BTreeMap<Version, i64>> {
        lock(&self.visible)
    }

    /// A version stands there from now on.
    pub fn sees(&self, table: &'static str, version: Version, is_hidden: bool, now_ms: i64) {
        lock(&self.visible).insert(version.clone(), now_ms);
        let key = version.0.clone();
        lock(&self.latest).insert(key, (table, version, is_hidden));
    }

    /// A record is gone.
    pub fn forgets(&self, key: &str) {
        lock(&self.latest).remove(key);
        lock(&self.deleted).push(key.to_owned());
    }

    /// The versions that stand in a table now and that the integration user may see.
    pub fn seen(&self, table: &str) -> Vec<Version> {
        let latest = lock(&self.latest);
        let of_it = latest
            .values()
            .filter(|(own, _, hidden)| *own == table && !hidden);
        of_it.map(|(_, version, _)| version.clone()).collect()
    }

    /// One of the records, by chance.
    pub fn any(&self) -> Option<(&'static str, String)> {
        let n = self.chance().bits();
        let latest = lock(&self.latest);
        let place = usize::try_from(n % (latest.len() as u64).max(1)).unwrap_or(0);
        let (key, (table, ..)) = latest.iter().nth(place)?;
        Some((table, key.clone()))
    }

    /// Records that were deleted.
    pub fn deleted(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.deleted)
    }

    /// Of them those that nobody can know of: without a trace, and of a version that no ledger was told of.
    pub fn excused_deletes(&self) -> MutexGuard<'_, BTreeSet<String>> {
        lock(&self.excused_deletes)
    }

    /// The versions that a ledger was told of.
    pub fn told(&self) -> MutexGuard<'_, BTreeSet<Version>> {
        lock(&self.told)
    }

    /// A record is deleted without a trace.
    pub fn loses(&self, key: &str) {
        let latest = lock(&self.latest).get(key).cloned();
        let is_known = latest.is_some_and(|(_, version, _)| self.told().contains(&version));
        if !is_known {
            self.excused_deletes().insert(key.to_owned());
        }
        self.forgets(key);
    }

    /// Chance.
    pub fn chance(&self) -> MutexGuard<'_, Dice> {
        lock(&self.chance)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.chance().between(low, high)
    }

    /// True with this probability.
    pub fn happens(&self, probability: f64) -> bool {
        self.chance().chance(probability)
    }

    /// A generator of its own.
    pub fn dice(&self) -> Dice {
        let n = self.chance().bits();
        Dice::new(self.seed ^ n, "sync process")
    }

    /// What is wrong.
    pub fn violations(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.violations)
    }

    /// Something is wrong.
    pub fn violated(&self, what: String) {
        self.violations().push(what);
    }

    /// Why a run last failed, and when.
    pub fn last_failure(&self) -> String {
        lock(&self.last_failure).clone()
    }

    /// It happened.
    pub fn count(&self, what: &'static str) {
        *lock(&self.counts).events.entry(what).or_default() += 1;
    }

    /// What happened.
    pub fn counts(&self) -> Counts {
        lock(&self.counts).clone()
    }

    /// Everything at rest, and nothing goes wrong: for the matrix.
    pub fn calm(seed: u64) -> Self {
        let mut world = Self::new(seed, None);
        world.heeds_lease = true;
        world.skew_ms = 0;
        world.heal();
        world
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        moment().saturating_duration_since(self.started)
    }

    /// The product's wall clock.
    pub fn now_ms(&self) -> i64 {
        BEGINNING_MS + i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.faults.store(false, Ordering::Relaxed);
    }

    /// Whether this goes wrong now.
    pub fn strikes(&self, what: &'static str, probability: f64) -> bool {
        let strikes = self.faults.load(Ordering::Relaxed) && self.chance().chance(probability);
        if strikes {
            self.count(what);
        }
        strikes
    }

    /// A run came to its end.
    pub fn ran(&self, synced: &Synced) {
        self.count("runs that ended");
        if synced.windows > 0 {
            self.count("runs that finished a window");
        }
        if synced.has_failed {
            self.count("runs that failed");
            let why = synced.stopped_because.clone().unwrap_or_default();
            *lock(&self.last_failure) = format!("{why} at {:?}", self.elapsed());
        }
    }
}

/// One process, for one run.
#[derive(Debug)]
pub struct Process {
    /// Where it lives.
    pub world: Arc<World>,
    /// Of which scheduler.
    pub scheduler: u32,
    dies_at: Option<u64>,
    steps: AtomicU64,
    death: Notify,
    /// Rows that the sink took since the cursor was written down last.
    pub unconfirmed: AtomicU64,
    /// The sink has asked it to wait.
    pub told_to_wait: AtomicBool,
}

impl Process {
    /// One that dies at this call, or at none.
    pub fn new(world: Arc<World>, scheduler: u32, dies_at: Option<u64>) -> Self {
        Self {
            world,
            scheduler,
            dies_at,
            steps: AtomicU64::new(0),
            death: Notify::new(),
            unconfirmed: AtomicU64::new(0),
            told_to_wait: AtomicBool::new(false),
        }
    }

    /// Before and after everything that it does outside: here it may die.
    pub async fn step(&self) {
        let n = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        if Some(n) == self.dies_at {
            self.world.count("processes that died");
            self.death.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// How many calls it has begun or ended.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Ends when it dies.
    pub async fn died(&self) {
        self.death.notified().await;
    }

    /// It is over: what the sink has and no cursor tells of comes again.
    pub fn ends(&self) {
        let left = self.unconfirmed.swap(0, Ordering::Relaxed);
        self.world.taken().excused += left;
    }
}
