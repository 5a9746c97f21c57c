//! What must hold at every moment, seen where the processes meet the outside (reliability-security §3.1, "always").
//!
//! The connector knows nothing of this: it is told by the simulated store, vault and product as they are called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use itsm_connector::domain::gate::CALLS_AT_ONCE;
use simulators::journal::{Entry, Execution, Kind};

use crate::counters;
use crate::process::{Process, Role};
use crate::product::holds;
use crate::scene::Scene;
use crate::swarm::{Class, Variant};

mod stored;

/// A gate was closed this long ago: by now everybody who was about to call has looked at it.
const GATE_IS_KNOWN: Duration = Duration::from_secs(60);

/// How far two clocks of a run are apart at most, in milliseconds.
const SKEW_MS: i64 = 60_000;

/// The longest that a request may be executed after it was sent.
const EXECUTED_WITHIN: Duration = Duration::from_secs(60);

/// A connection's definition is read again after ten minutes (rule R40); sooner only for a reason.
const VAULT_MEMORY: Duration = Duration::from_secs(9 * 60);

/// Sign-ins that may be refused within ten minutes (I15), those that were under way together counted once.
const SIGN_INS_MAX: usize = 3;

/// Refused sign-ins closer to each other than this were under way together: before the first had closed the gate, or by
/// processes that were just about to call.
const TOGETHER: Duration = Duration::from_secs(60);

/// What is noted of all processes together.
#[derive(Debug, Default)]
pub struct Watch {
    /// Until when a create with this correlation id may be executed.
    creates: BTreeMap<String, Duration>,
    refused_sign_ins: Vec<Duration>,
    gate_failed_at: Vec<Duration>,
    gate: Option<ClosedGate>,
    asked_to_wait: Vec<Asked>,
    drain_calls: usize,
}

/// The product has asked a process to wait.
#[derive(Debug)]
struct Asked {
    process: Arc<Process>,
    at: Duration,
    until: Duration,
}

#[derive(Debug, Clone, Copy)]
struct ClosedGate {
    since: Duration,
    until_ms: i64,
}

/// What is noted of one process.
#[derive(Debug, Default)]
pub struct Notes {
    /// When it last stood still.
    pub thawed_at: Option<Duration>,
    /// When its drain began.
    pub began_at: Duration,
    tried_leases: BTreeSet<String>,
    has_lease: bool,
    /// Claims that it has read back as its own, and not acted on yet.
    own_claims: BTreeMap<String, Duration>,
    vault_read_at: Option<Duration>,
    seen: BTreeMap<String, Duration>,
    searched_at: Option<Duration>,
}

impl Scene {
    /// A create was sent: two that may be executed at the same time are one too many, unless somebody stood still (I9).
    pub fn watch_create(&self, correlation: &str, entry: &Entry, whose: &str) {
        if entry.execution == Execution::Not || self.swarm.variant == Variant::Enforced {
            return;
        }
        let now = self.elapsed();
        let until = match entry.execution {
            Execution::Late => now + EXECUTED_WITHIN,
            _ => now,
        };
        let other = self.watch().creates.insert(correlation.to_owned(), until);
        if other.is_some_and(|other| other > now) && !self.product().was_misled(correlation) {
            let seen = format!(
                "{whose}: {correlation} is made while an earlier create may still be executed"
            );
            self.ledger.accuse("I9", seen);
        }
    }

    /// A sign-in was refused: at most three in ten minutes (I15), else somebody's account is locked.
    pub fn watch_sign_in(&self, status: u16) {
        if !matches!(status, 400 | 401) {
            return;
        }
        let now = self.elapsed();
        let mut watch = self.watch();
        watch.refused_sign_ins.push(now);
        let window = Duration::from_secs(600);
        let is_recent = |at: &&Duration| now.saturating_sub(**at) < window;
        let gate_failed = watch.gate_failed_at.iter().any(|at| is_recent(&at));
        let mut waves = 0;
        let mut last: Option<Duration> = None;
        for at in watch.refused_sign_ins.iter().filter(is_recent) {
            if last.is_none_or(|last| *at - last > TOGETHER) {
                waves += 1;
                last = Some(*at);
            }
        }
        drop(watch);
        if waves > SIGN_INS_MAX && !gate_failed {
            let seen = format!("{waves} sign-ins were refused within ten minutes");
            self.ledger.accuse("I15", seen);
        }
    }

    /// How long the gate stays closed by the true clock; nothing if it is open.
    pub fn gate_closed_for(&self) -> Duration {
        let until_ms = self.watch().gate.map_or(0, |gate| gate.until_ms);
        let left_ms = until_ms.saturating_sub(self.now_ms());
        Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
    }
}

impl Process {
    fn accuse(&self, invariant: &'static str, seen: &str) {
        let seen = format!("{}: {seen}", self.node);
        self.scene.ledger.accuse(invariant, seen);
    }

    /// True if it stood still within this time before now.
    pub fn stood_still(&self, within: Duration) -> bool {
        let now = self.scene.elapsed();
        self.notes()
            .thawed_at
            .is_some_and(|at| now.saturating_sub(at) < within)
    }

    /// It calls the product, or tries to: whatever it has claimed, it goes on with.
    pub fn watch_goes_on(&self) {
        self.notes().own_claims.clear();
    }

    /// It is about to call the product.
    pub fn watch_call(&self, request: &http::Request<Bytes>) {
        let scene = &self.scene;
        let now = scene.elapsed();
        if scene.swarm.shape.is_shadow() {
            self.accuse("shadow", "the product was called");
        }
        let stood_still = self.stood_still(GATE_IS_KNOWN);
        let has_lease = self.notes().has_lease;
        if self.role == Role::Drainer && !has_lease && !stood_still {
            self.accuse("R33", "a drain calls the product without its lease");
        }
        let gate = scene.watch().gate;
        if let Some(gate) = gate
            && now.saturating_sub(gate.since) > GATE_IS_KNOWN
            && self.wall_ms() + 1_000 < gate.until_ms
            && !stood_still
        {
            let left = (gate.until_ms - self.wall_ms()) / 1000;
            let what = format!(
                "{} {} while the gate is closed for {left} s more",
                request.method(),
                request.uri().path()
            );
            self.accuse("I15", &what);
        }
        self.watch_wait(now);
    }

    /// Within what the product has asked for nobody calls, once the gate had the time to be known (rule R22, I15). If the
    /// one who was asked died, or the store did not take the gate, nobody was told.
    fn watch_wait(&self, now: Duration) {
        let watch = self.scene.watch();
        let skew = Duration::from_millis(SKEW_MS.unsigned_abs());
        let is_within = |asked: &&Asked| asked.at + GATE_IS_KNOWN < now && now + skew < asked.until;
        let is_told = |asked: &&Asked| {
            let soon = asked.at..asked.at + GATE_IS_KNOWN;
            let failed = watch.gate_failed_at.iter().any(|at| soon.contains(at));
            !failed && !asked.process.is_dead() && !asked.process.stood_still(now)
        };
        let broken = watch.asked_to_wait.iter().filter(is_within).find(is_told);
        let broken = broken.map(|asked| (asked.at.as_secs(), asked.until.as_secs()));
        drop(watch);
        if let Some((at, until)) = broken
            && !self.stood_still(GATE_IS_KNOWN)
        {
            let seen = format!(
                "a call, and the product has asked at {at} s of the run for silence until {until} s"
            );
            self.accuse("I15", &seen);
        }
    }

    /// Its call to the product is under way until the guard goes.
    pub fn watch_concurrency(&self) -> Option<UnderWay<'_>> {
        if self.role != Role::Drainer {
            return None;
        }
        let calls = {
            let mut watch = self.scene.watch();
            watch.drain_calls += 1;
            watch.drain_calls
        };
        // Whoever stands still calls on when its lease has run out, beside the next holder.
        let swarm = &self.scene.swarm;
        let frozen = swarm.rate(Class::Freeze) > 0.0 || swarm.rate(Class::Stall) > 0.0;
        if calls > CALLS_AT_ONCE as usize && !frozen {
            self.accuse(
                "R23",
                &format!("{calls} calls of drains are under way at once"),
            );
        }
        Some(UnderWay(&self.scene))
    }

    /// It is about to write to a record: it must have read it, or searched for it, before (P8, "only ours").
    pub fn watch_update(&self, key: &str, body: &[u8]) {
        let scene = &self.scene;
        let now = scene.elapsed();
        let fresh = Duration::from_secs(120);
        let taken_at = scene.product().people.taken_over.get(key).copied();
        let (seen_at, searched_at) = {
            let notes = self.notes();
            (notes.seen.get(key).copied(), notes.searched_at)
        };
        let looked_at = seen_at.max(searched_at);
        let closed_at = scene.product().people.closed.get(key).copied();
        if closed_at.is_some_and(|closed| looked_at.is_some_and(|looked| looked <= closed)) {
            scene.product().raced.insert(key.to_owned());
        }
        if taken_at.is_some_and(|taken| looked_at.is_none_or(|looked| taken < looked)) {
            let seen = "a record was written to that a person has given to another system";
            self.accuse("only ours", seen);
        }
        let is_extra = holds(body, b"\"Duplicate\"");
        let has_looked = looked_at.is_some_and(|at| now.saturating_sub(at) < fresh);
        if !has_looked && !is_extra && !self.stood_still(fresh * 4) {
            self.accuse(
                "only ours",
                &format!("{key} is written to, and was not read before"),
            );
        }
    }
}

/// The product has answered, and the answer arrived.
pub fn watch_answer(
    process: &Arc<Process>,
    kind: Kind,
    path: &str,
    response: &http::Response<Bytes>,
    answered_at: Duration,
) {
    let now = process.scene.elapsed();
    let status = response.status().as_u16();
    let mut notes = process.notes();
    match kind {
        Kind::Read if status < 300 => {
            let key = path.rsplit('/').next().unwrap_or_default();
            notes.seen.insert(key.to_owned(), answered_at);
            if process.scene.product().people.taken_over.contains_key(key) {
                process.scene.ledger.count(counters::FOREIGN_LEFT);
            }
        }
        Kind::Query if status < 300 => notes.searched_at = Some(answered_at),
        _ => {}
    }
    if status == 401 {
        notes.vault_read_at = None;
    }
    drop(notes);
    let asked = response
        .headers()
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let Some(seconds) = asked.filter(|_| status == 429) {
        process.scene.watch().asked_to_wait.push(Asked {
            process: Arc::clone(process),
            at: now,
            until: now + Duration::from_secs(seconds.clamp(1, 7200)),
        });
    }
}

/// A call of a drain that is under way.
#[derive(Debug)]
pub struct UnderWay<'a>(&'a Scene);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut watch = self.0.watch();
        watch.drain_calls = watch.drain_calls.saturating_sub(1);
    }
}
