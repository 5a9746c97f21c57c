//! One life of a process: what becomes of its calls, and of itself.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::Duration;

use crate::clock::pause;
use crate::tokens::weather::Part;
use crate::tokens::world::{Fate, Late, TAKES, World};

/// After this a process that stood still is no longer excused by it.
const STOOD_STILL_LATELY: i64 = 10 * 60_000;

/// Who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// One of the refreshers.
    Refresher(u8),
    /// One of those who call the product.
    Reader(u8),
    /// A person at `itsmc`.
    Person,
    /// Somebody to whom nothing happens.
    Nobody,
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refresher(n) => write!(f, "refresher {n}"),
            Self::Reader(n) => write!(f, "reader {n}"),
            Self::Person => f.write_str("person"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// One life of a process.
#[derive(Debug)]
pub struct Life {
    pub(super) world: Arc<World>,
    /// Which life it is.
    pub id: u64,
    /// Whose.
    pub who: Who,
    dead: AtomicBool,
    /// How many of its calls did not go as they should.
    strikes: AtomicU64,
    /// How long it stands still from now on.
    stands: Mutex<Option<Duration>>,
    /// When it last went on after standing still, Unix milliseconds.
    went_on_ms: Mutex<i64>,
}

/// A call that is dropped before it is answered: whoever made it has no time left.
struct Unanswered<'a> {
    life: &'a Life,
    what: &'a str,
    is_answered: bool,
}

impl<'a> Unanswered<'a> {
    fn new(life: &'a Life, what: &'a str) -> Self {
        Self {
            life,
            what,
            is_answered: false,
        }
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let is_over = self.is_answered || self.life.is_safe();
        if !is_over && !self.life.dead.load(Ordering::Relaxed) {
            self.life.struck(self.what, "is given up");
        }
    }
}

impl Life {
    /// A new one.
    pub(super) fn new(world: &Arc<World>, id: u64, who: Who) -> Self {
        Self {
            world: Arc::clone(world),
            id,
            who,
            dead: AtomicBool::new(false),
            strikes: AtomicU64::new(0),
            stands: Mutex::new(None),
            went_on_ms: Mutex::new(i64::MIN / 2),
        }
    }

    /// Runs work in it; `None` if it died meanwhile. While it stands still, nothing of it goes on.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut stands: Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> = None;
        poll_fn(|cx| {
            let new = self.locked(&self.stands).take();
            if let Some(span) = new {
                stands = Some(Box::pin(pause(span)));
            }
            if let Some(standing) = &mut stands {
                ready!(standing.as_mut().poll(cx));
                stands = None;
                *self.locked(&self.went_on_ms) = self.world.now_ms();
            }
            self.world.inner().book.now_runs = self.id;
            let polled = work.as_mut().poll(cx);
            match self.dead.load(Ordering::Relaxed) {
                true => Poll::Ready(None),
                false => polled.map(Some),
            }
        })
        .await
    }

    fn locked<'a, T>(&self, of: &'a Mutex<T>) -> std::sync::MutexGuard<'a, T> {
        of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of its calls did not go as they should.
    pub fn strikes(&self) -> u64 {
        self.strikes.load(Ordering::Relaxed)
    }

    pub(super) fn struck(&self, what: &str, how: &str) {
        self.strikes.fetch_add(1, Ordering::Relaxed);
        let now = self.world.now_ms();
        self.world.inner().book.struck(now);
        self.world
            .note(|| format!("{} {} {what}: {how}", self.who, self.id));
    }

    /// True if it stood still, and has gone on since then.
    pub(super) fn stood_still_since(&self, at_ms: i64) -> bool {
        *self.locked(&self.went_on_ms) >= at_ms
    }

    pub(super) fn stood_still_lately(&self) -> bool {
        self.world.now_ms() - *self.locked(&self.went_on_ms) < STOOD_STILL_LATELY
    }

    async fn ends<T>(&self, what: &str, how: &str) -> T {
        self.dead.store(true, Ordering::Relaxed);
        self.struck(what, how);
        self.is_over();
        let now = self.world.now_ms();
        {
            let mut inner = self.world.inner();
            inner.book.died += 1;
            inner.book.troubles.push((now, now));
        }
        std::future::pending().await
    }

    /// What it had in memory is gone.
    pub fn is_over(&self) {
        let mut inner = self.world.inner();
        let book = &mut inner.book;
        book.delivered = book.delivered.take().filter(|one| one.to != self.id);
        book.held_back.retain(|held| held.by != self.id);
    }

    pub(super) fn is_safe(&self) -> bool {
        self.who == Who::Nobody
    }

    fn fate(&self) -> Fate {
        match self.is_safe() {
            true => Fate::Well,
            false => self.world.fate(),
        }
    }

    pub(super) async fn takes(&self) {
        let span = match self.is_safe() {
            true => TAKES,
            false => self.world.takes(),
        };
        pause(span).await;
    }

    /// It may stand still here.
    pub(super) async fn may_stand(&self) {
        let span = match self.is_safe() {
            true => None,
            false => self.world.stands_still(),
        };
        let Some(span) = span else {
            return;
        };
        self.struck("stands still", &format!("for {} s", span.as_secs()));
        let now = self.world.now_ms();
        let until = now + i64::try_from(span.as_millis()).unwrap_or(0);
        {
            let mut inner = self.world.inner();
            inner.book.troubles.push((now, until));
            inner.book.stood_ms.insert(self.id, now);
        }
        *self.locked(&self.stands) = Some(span);
        tokio::task::yield_now().await;
    }

    /// A port call: takes its time, and may be the last, before or after it is done.
    async fn call<T>(&self, what: &str, done: impl FnOnce() -> T) -> T {
        self.takes().await;
        let is_mortal = matches!(self.who, Who::Refresher(_) | Who::Person);
        let fate = {
            let mut inner = self.world.inner();
            inner.book.goes_on(self.id);
            inner.calls += u64::from(is_mortal);
            let number = inner.calls;
            is_mortal.then(|| inner.deaths.remove(&number)).flatten()
        };
        match fate {
            Some(false) => self.ends(what, "dies before it").await,
            Some(true) => {
                done();
                self.ends(what, "dies after it").await
            }
            None => done(),
        }
    }

    /// The same, which fails now and then; `None`: it failed, done or not.
    pub(super) async fn risky<T>(&self, what: &str, done: impl FnOnce() -> T) -> Option<T> {
        let mut unanswered = Unanswered::new(self, what);
        self.may_stand().await;
        let answered = match self.fate() {
            Fate::Well => Some(self.call(what, done).await),
            Fate::Fails => {
                self.struck(what, "is not done");
                self.takes().await;
                None
            }
            Fate::Lost | Fate::Late(_) => {
                self.call(what, done).await;
                self.struck(what, "is done, its answer lost");
                None
            }
        };
        if answered.is_some() {
            self.world
                .note(|| format!("{} {} {what}", self.who, self.id));
        }
        self.may_stand().await;
        unanswered.is_answered = true;
        answered
    }

    /// The same, which may also be done after its answer was given up.
    pub(super) async fn risky_or_late<T>(
        &self,
        what: &str,
        done: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let mut unanswered = Unanswered::new(self, what);
        let answered = match self.fate() {
            Fate::Well => {
                let answered = self.call(what, done).await;
                self.world
                    .note(|| format!("{} {} {what}", self.who, self.id));
                Some(answered)
            }
            Fate::Fails => {
                self.struck(what, "is not done");
                self.takes().await;
                None
            }
            Fate::Lost => {
                self.call(what, done).await;
                self.struck(what, "is done, its answer lost");
                None
            }
            Fate::Late(by) => {
                self.struck(what, &format!("is done {} ms late", by.as_millis()));
                let now = self.world.now_ms();
                let at_ms = now + i64::try_from(by.as_millis()).unwrap_or(0);
                let done = Box::new(move || {
                    done();
                });
                {
                    let mut inner = self.world.inner();
                    inner.late.push(Late { at_ms, done });
                    inner.book.troubles.push((now, at_ms));
                }
                self.world.tell();
                self.takes().await;
                None
            }
        };
        unanswered.is_answered = true;
        answered
    }

    /// True if nobody answers there, which is a strike too.
    pub(super) fn is_down(&self, part: Part, what: &str) -> bool {
        let is_down = self.world.inner().down.has(part);
        if is_down {
            self.strikes.fetch_add(1, Ordering::Relaxed);
            self.world
                .note(|| format!("{} {} {what}: nobody answers", self.who, self.id));
        }
        is_down
    }
}
