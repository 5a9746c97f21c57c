//! What all processes of a run share: the book, the store's memory, the product, and the weather.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::time::Instant;

use crate::attic::Attic;
use crate::backlog::{self, Backlog, Deed};
use crate::clock::{BEGINNING_MS, moment};
use crate::counters;
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::planted::Planted;
use crate::product::Product;
use crate::swarm::{Class, Swarm};
use crate::watch::Watch;

/// What all processes of a run share.
#[derive(Debug)]
pub struct Scene {
    /// What the seed has decided.
    pub swarm: Swarm,
    /// The book.
    pub ledger: Ledger,
    /// What is stored, as it really is.
    pub memory: Arc<InMemory>,
    /// The product.
    pub product: Mutex<Product>,
    /// A defence that is taken away, to see that it is missed.
    pub planted: Option<Planted>,
    /// The connection, as it stands in the vault.
    pub definition: String,
    started: Instant,
    backlog: Mutex<Backlog>,
    watch: Mutex<Watch>,
    expected: Mutex<BTreeMap<String, String>>,
    weather: Mutex<Dice>,
    times: Mutex<Dice>,
    store_down: Vec<(Duration, Duration)>,
    vault_down: Vec<(Duration, Duration)>,
    sign_in_refused: Vec<(Duration, Duration)>,
    /// What the sweep has removed.
    pub attic: Attic,
}

impl Scene {
    /// Sets it up; the paused clock starts here.
    pub fn new(swarm: Swarm, ledger: Ledger, product: Product, planted: Option<Planted>) -> Self {
        let mut dice = Dice::new(swarm.seed, "outages");
        let store_down = outages(&mut dice, &swarm, Class::StoreDown);
        let vault_down = outages(&mut dice, &swarm, Class::VaultDown);
        let sign_in_refused = outages(&mut dice, &swarm, Class::SignInRefused);
        Self {
            backlog: Mutex::default(),
            watch: Mutex::default(),
            expected: Mutex::default(),
            weather: Mutex::new(Dice::new(swarm.seed, "weather")),
            times: Mutex::new(Dice::new(swarm.seed, "times")),
            definition: swarm.shape.definition(),
            swarm,
            ledger,
            memory: Arc::new(InMemory::new()),
            product: Mutex::new(product),
            planted,
            started: moment(),
            store_down,
            vault_down,
            sign_in_refused,
            attic: Attic::default(),
        }
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// How long it has been going on.
    pub fn elapsed(&self) -> Duration {
        moment().saturating_duration_since(self.started)
    }

    /// The true wall clock, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        BEGINNING_MS + i64::try_from(self.elapsed().as_millis()).unwrap_or(0)
    }

    /// True while faults happen.
    pub fn is_stormy(&self) -> bool {
        self.elapsed() < self.swarm.storm
    }

    /// The product, for a moment.
    pub fn product(&self) -> MutexGuard<'_, Product> {
        self.product.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What must hold at every moment.
    pub fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a planted bug remembers of what the core expects.
    pub fn expected(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What takes effect later.
    pub fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets take effect what is due.
    pub fn catch_up(&self) {
        loop {
            let next = self.backlog().next(self.elapsed());
            match next {
                None => return,
                Some((_, Deed::Create(location, payload))) => {
                    if backlog::create(&self.memory, &location, payload) {
                        self.watch_begun_anew(location.as_ref());
                    }
                }
                Some((_, Deed::CreateIfAlive(maker, location, payload))) => {
                    if !maker.is_dead() && !self.store_is_down() {
                        let _ = backlog::create(&self.memory, &location, payload);
                    }
                }
                Some((_, Deed::Delete(location))) => {
                    self.watch_removal(location.as_ref());
                    backlog::delete(&self.memory, location);
                }
                Some((due, Deed::Send(request))) => {
                    self.ledger.count(counters::LATE_SEND);
                    let due_ms = BEGINNING_MS + i64::try_from(due.as_millis()).unwrap_or(0);
                    self.answer(*request, due_ms, "a frozen process", None);
                }
            }
        }
    }

    /// Whether a fault of this class happens now.
    pub fn strikes(&self, class: Class) -> bool {
        let rate = self.swarm.rate(class);
        let struck = rate > 0.0 && self.is_stormy() && self.weather().chance(rate);
        if struck {
            self.ledger.count(class.as_str());
        }
        struck
    }

    /// The dice of the weather.
    pub fn weather(&self) -> MutexGuard<'_, Dice> {
        self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the run's dice would give next: equal at the end of two runs that were equal.
    pub fn next_dice(&self) -> u64 {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        self.weather().bits() ^ times.bits().rotate_left(1)
    }

    /// How long a call takes.
    pub fn takes(&self, (least, most): (u64, u64)) -> Duration {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_millis(times.between(least, most))
    }

    /// Whether the store is away now.
    pub fn store_is_down(&self) -> bool {
        is_within(&self.store_down, self.elapsed())
    }

    /// Whether the vault is away now.
    pub fn vault_is_down(&self) -> bool {
        is_within(&self.vault_down, self.elapsed())
    }

    /// Whether the product refuses the client's credentials now.
    pub fn sign_in_is_refused(&self) -> bool {
        is_within(&self.sign_in_refused, self.elapsed())
    }

    /// What is stored under a name, past all faults.
    pub fn peek(&self, path: &str) -> Option<Bytes> {
        self.read(&Path::from(path))
    }

    fn read(&self, path: &Path) -> Option<Bytes> {
        let read = async {
            let found = self.memory.get(path).await.ok()?;
            found.bytes().await.ok()
        };
        read.now_or_never().flatten()
    }

    /// The names below a folder, in order, past all faults.
    pub fn names(&self, folder: &str) -> Vec<String> {
        self.paths(folder).into_iter().map(String::from).collect()
    }

    fn paths(&self, folder: &str) -> Vec<Path> {
        let prefix = Path::from(folder);
        let listed = self.memory.list(Some(&prefix)).collect::<Vec<_>>();
        let mut paths: Vec<Path> = listed
            .now_or_never()
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| entry.ok().map(|entry| entry.location))
            .collect();
        paths.sort_unstable();
        paths
    }

    /// What is stored below a folder, in the order of the names, past all faults.
    pub fn contents(&self, folder: &str) -> Vec<(String, Bytes)> {
        let paths = self.paths(folder).into_iter();
        paths
            .filter_map(|path| {
                let content = self.read(&path)?;
                Some((path.into(), content))
            })
            .collect()
    }

    /// True if nothing waits any more, here or in the product.
    pub fn is_settled(&self) -> bool {
        self.catch_up();
        let now_ms = self.now_ms();
        self.names("pending").is_empty()
            && self.backlog().is_empty()
            && self.product().is_idle(now_ms)
    }
}

fn outages(dice: &mut Dice, swarm: &Swarm, class: Class) -> Vec<(Duration, Duration)> {
    if swarm.rate(class) == 0.0 {
        return Vec::new();
    }
    let most_seconds = 5 + (swarm.rate(class) * 600.0) as u64;
    let storm = swarm.storm.as_secs();
    (0..dice.between(1, 4))
        .map(|_| {
            let from = dice.below(storm);
            let to = (from + dice.between(1, most_seconds)).min(storm);
            (Duration::from_secs(from), Duration::from_secs(to))
        })
        .collect()
}

fn is_within(spans: &[(Duration, Duration)], now: Duration) -> bool {
    spans.iter().any(|(from, to)| *from <= now && now < *to)
}
