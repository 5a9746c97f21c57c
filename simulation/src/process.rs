//! A process that runs the connector: it may die at any port call, and with it everything that it was doing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::pause;
use crate::counters;
use crate::dice::Dice;
use crate::scene::Scene;
use crate::swarm::Class;
use crate::watch::Notes;

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It takes alerts.
    Host,
    /// It drains.
    Drainer,
}

/// One life of a process.
#[derive(Debug)]
pub struct Process {
    /// Its name in the book.
    pub node: Arc<str>,
    /// What it is for.
    pub role: Role,
    /// What is around it.
    pub scene: Arc<Scene>,
    dead: AtomicBool,
    died: Notify,
    dice: Mutex<Dice>,
    skew_ms: i64,
    stalled_until: Mutex<Duration>,
    notes: Mutex<Notes>,
}

/// A port call that has begun.
#[derive(Debug)]
pub struct Call<'a> {
    process: &'a Process,
    number: u64,
    dies_after: bool,
}

impl Process {
    /// The `life`th life of a node.
    pub fn new(scene: Arc<Scene>, node: &str, life: u64, role: Role, skew_ms: i64) -> Self {
        let dice = Dice::new(scene.swarm.seed, &format!("fate/{node}/{life}"));
        Self {
            node: format!("{node}.{life}").into(),
            role,
            scene,
            dead: AtomicBool::new(false),
            died: Notify::new(),
            dice: Mutex::new(dice),
            skew_ms,
            stalled_until: Mutex::default(),
            notes: Mutex::default(),
        }
    }

    /// What is noted of it.
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its own wall clock, in Unix milliseconds.
    pub fn wall_ms(&self) -> i64 {
        self.scene.now_ms() + self.skew_ms
    }

    /// Stands still as a whole: none of its calls begins before it goes on.
    async fn stand_still(&self) {
        let scene = &*self.scene;
        if scene.strikes(Class::Stall) {
            let span = Duration::from_millis(scene.weather().between(1_000, 400_000));
            let until = scene.elapsed() + span;
            let mut stalled = self.stalled_until();
            *stalled = (*stalled).max(until);
            self.stands_still_until(*stalled);
        }
        loop {
            let until = *self.stalled_until();
            let left = until.saturating_sub(scene.elapsed());
            if left.is_zero() {
                return;
            }
            pause(left).await;
        }
    }

    /// Notes that some of it stands still until then; of several the last counts.
    pub fn stands_still_until(&self, until: Duration) {
        let mut notes = self.notes();
        notes.thawed_at = notes.thawed_at.max(Some(until));
    }

    /// How long it stands still as a whole.
    pub fn stands_still_for(&self) -> Duration {
        self.stalled_until().saturating_sub(self.scene.elapsed())
    }

    fn stalled_until(&self) -> MutexGuard<'_, Duration> {
        self.stalled_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// True once it has died.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Its own dice.
    pub fn dice(&self) -> MutexGuard<'_, Dice> {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends its life: whatever runs in it is dropped.
    pub fn die(&self) {
        if self.dead.swap(true, Ordering::Relaxed) {
            return;
        }
        self.scene.ledger.count(match self.role {
            Role::Host => counters::CRASH_IN_RECEIVE,
            Role::Drainer => counters::CRASH_IN_DRAIN,
        });
        self.died.notify_waiters();
    }

    /// Ends its life as a platform does that shuts it down: no crash, but nothing of it goes on either.
    pub fn end(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.died.notify_waiters();
    }

    /// Runs something in it; `None` if it died meanwhile.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut died = std::pin::pin!(self.died.notified());
        died.as_mut().enable();
        if self.is_dead() {
            return None;
        }
        tokio::select! {
            biased;
            () = died => None,
            done = work => Some(done),
        }
    }

    /// Begins a port call: it is written down, takes its time, and may be the last.
    pub async fn begin(&self, what: String, takes_ms: (u64, u64)) -> Call<'_> {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
        self.stand_still().await;
        let scene = &*self.scene;
        let number = scene.ledger.begin(scene.elapsed(), &self.node, what);
        let dies_after = self.fate(number);
        if dies_after == Some(false) {
            scene.ledger.end(number, "† before");
            self.die();
            std::future::pending::<()>().await;
        }
        let takes = scene.takes(takes_ms);
        pause(takes).await;
        scene.catch_up();
        Call {
            process: self,
            number,
            dies_after: dies_after == Some(true),
        }
    }

    fn fate(&self, number: u64) -> Option<bool> {
        let planned = self.scene.ledger.dies_at(number);
        if planned.is_some() || !self.scene.is_stormy() {
            return planned;
        }
        let rate = self.scene.swarm.rate(Class::Crash);
        if rate == 0.0 {
            return None;
        }
        let mut dice = self.dice();
        let dies = dice.chance(rate).then(|| dice.chance(0.5));
        if dies.is_some() {
            self.scene.ledger.count(Class::Crash.as_str());
        }
        dies
    }
}

impl Call<'_> {
    /// The call is done, as far as the outside is concerned: what came of it. The process may die before it learns that.
    pub async fn end(self, outcome: impl Into<String>) {
        if self.dies_after {
            let outcome: String = outcome.into();
            self.process
                .scene
                .ledger
                .end(self.number, format!("{outcome} † after"));
            self.process.die();
            std::future::pending::<()>().await;
            return;
        }
        self.process.scene.ledger.end(self.number, outcome);
    }
}
