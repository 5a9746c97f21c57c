//! Four hundred days of a connection: two refreshers, two warm readers, a person, and what goes wrong meanwhile.
//!
//! Quiet time is jumped over. A tick of a refresher for which nothing is due reads two objects and does nothing; a call of a
//! reader with a token that it has, and that nobody has ended, asks nobody for one. Both are left out, and at full rate
//! neither is: what such a run does is the same to the millisecond, which is checked.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use itsm_connector::domain::retention::SMALL_LOGS_FOR;
use itsm_connector::flows::Core;
use itsm_connector::stores::numbered_log::NumberedLog;
use simulators::issuer::Rotation;

use super::book::BLUR;
use super::bugs::Bug;
use super::hear::Listener;
use super::matrix::{TICK, on_paused_clock, refresh};
use super::outside::{Ports, Who};
use super::weather::{DAY, Event, HOUR, Weather};
use super::world::World;
use super::years::KINDS;
use super::{check, person, reader};
use crate::clock::{BEGINNING_MS, pause};
use crate::dice::Dice;

/// How long a run goes on, days.
pub const DAYS: i64 = 400;

/// What processes' clocks differ by from the issuer's, milliseconds, at most.
const SKEW_MAX: u64 = 30_000;

/// What a run is.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What becomes of refresh tokens.
    pub rotation: Rotation,
    /// Its number.
    pub seed: u64,
    /// How long it goes on.
    pub days: i64,
    /// Nothing is left out.
    pub full_rate: bool,
    /// Every port call is kept.
    pub trace: bool,
    /// A defence that is taken away.
    pub bug: Option<Bug>,
}

impl Plan {
    /// A seed's.
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        Self {
            rotation: KINDS[(seed % 3) as usize],
            seed,
            days: DAYS,
            full_rate: false,
            trace: false,
            bug,
        }
    }
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Year {
    /// What is wrong.
    pub violations: Vec<String>,
    /// Counts.
    pub sum: check::Sum,
    /// What the issuer did and people were told, to see that a run repeats itself.
    pub print: String,
    /// Every port call.
    pub trace: Vec<String>,
}

/// One run.
pub fn run(plan: Plan) -> Year {
    on_paused_clock(lived(plan)).unwrap_or_default()
}

/// How long tokens live in a seed, seconds: access tokens and refresh tokens.
fn lives(plan: Plan) -> (i64, i64) {
    let mut dice = Dice::new(plan.seed, "lives");
    let access = match dice.below(16) {
        0 => 1_800,
        1 | 2 => 3_600,
        3..=6 => 8 * 3_600,
        _ => 24 * 3_600,
    };
    const DAY: i64 = 86_400;
    // Short ones only where each renewal prolongs them.
    let refresh = match (plan.rotation, dice.below(8)) {
        (Rotation::Replaced, n @ 0..=5) => {
            [2 * 3_600, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY][n as usize]
        }
        (_, 0) => 30 * DAY,
        (_, 1) => 100 * DAY,
        _ => 90 * DAY,
    };
    (access, refresh)
}

type Actor = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn lived(plan: Plan) -> Year {
    let world = World::new(plan.rotation, lives(plan), plan.seed, plan.bug);
    let weather = Weather::draw(plan.seed, plan.days);
    {
        let mut inner = world.inner();
        inner.trace = plan.trace.then(Vec::new);
        inner.book.troubles.clone_from(&weather.troubles);
        inner.book.locks.clone_from(&weather.locks);
        inner.book.kills_tellers = !weather.events.is_empty();
        inner.book.has_rival = plan.rotation == Rotation::Replaced && plan.seed.is_multiple_of(4);
    }
    let _listening = tracing::subscriber::set_default(Listener(Arc::clone(&world)));
    let mut dice = Dice::new(plan.seed, "processes");
    let mut skew = || dice.between(0, 2 * SKEW_MAX) as i64 - SKEW_MAX as i64;
    let skews = [skew(), skew(), skew(), skew(), skew()];
    // Two schedules of the same tick, in one seed of three to the same second.
    let apart = match dice.below(3) {
        0 => 0,
        1 => dice.between(0, 3_000),
        _ => dice.between(0, 299_000),
    };
    let phases = [1_000, 1_000 + apart].map(Duration::from_millis);
    let second = |ms: u64| Duration::from_millis(ms);
    let mut actors: FuturesUnordered<Actor> = FuturesUnordered::new();
    actors.push(Box::pin(happens(Arc::clone(&world), weather)));
    actors.push(Box::pin(is_late(Arc::clone(&world))));
    actors.push(Box::pin(dies(Arc::clone(&world))));
    for (n, phase) in (0u8..2).zip(phases) {
        let own = Arc::clone(&world);
        actors.push(Box::pin(refresher(
            own,
            plan,
            n,
            phase,
            skews[usize::from(n)],
        )));
    }
    for (n, phase) in (0u8..2).zip([second(7_000), second(33_000)]) {
        let own = Arc::clone(&world);
        let skew_ms = skews[2 + usize::from(n)];
        actors.push(Box::pin(reader::run(own, plan, n, phase, skew_ms)));
    }
    actors.push(Box::pin(person::run(Arc::clone(&world), plan, skews[4])));
    actors.push(Box::pin(person::keeps_the_secret(Arc::clone(&world), plan)));
    actors.push(Box::pin(check::audits(Arc::clone(&world))));
    actors.push(Box::pin(sweeps(Arc::clone(&world))));
    let end = Duration::from_millis(u64::try_from(plan.days * DAY).unwrap_or(0));
    let over = async {
        loop {
            if wait(&world, end).await {
                break;
            }
        }
    };
    tokio::select! {
        biased;
        () = over => {}
        () = async { while actors.next().await.is_some() {} } => {}
    }
    drop(actors);
    check::end(&world, plan)
}

/// The number of the first moment of a schedule that is not before `at`.
pub fn grid(at: Duration, phase: Duration, every: Duration) -> u64 {
    let since = at.saturating_sub(phase).as_millis();
    u64::try_from(since.div_ceil(every.as_millis())).unwrap_or(u64::MAX)
}

/// Waits until then; false if something has changed before.
pub async fn wait(world: &World, at: Duration) -> bool {
    let changed = world.changed.notified();
    let left = at.saturating_sub(world.elapsed());
    if left.is_zero() {
        return true;
    }
    tokio::select! {
        biased;
        () = pause(left) => true,
        () = changed => false,
    }
}

/// Since the beginning, of a moment in Unix milliseconds.
pub fn since_beginning(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms - BEGINNING_MS).unwrap_or(0))
}

/// What happens from outside, when its time has come.
async fn happens(world: Arc<World>, weather: Weather) {
    for (at_ms, event) in &weather.events {
        while !wait(&world, since_beginning(*at_ms)).await {}
        world.note(|| format!("EVENT {event:?}"));
        let mut inner = world.inner();
        let now = *at_ms;
        let breaks = match event {
            Event::Breaks(part) => {
                inner.down.begins(*part);
                0
            }
            Event::Mended(part) => {
                inner.down.ends(*part);
                inner.book.mended_ms = now;
                0
            }
            Event::EndsAccess => {
                inner.issuer.end_access();
                1
            }
            Event::EndsRefresh => {
                inner.issuer.end_refresh();
                inner.book.killed_ms.push(now);
                0
            }
            Event::Locks | Event::Unlocks => {
                inner.issuer.is_locked = *event == Event::Locks;
                inner.book.killed_ms.push(now);
                1
            }
            Event::Redeployed => {
                inner.deployment += 1;
                // A new process has no token.
                inner.book.breaks += 1;
                inner.book.delivered = None;
                0
            }
            Event::Storms(number) => {
                inner.storm = weather.storms.get(*number).copied();
                0
            }
            Event::Clears => {
                inner.storm = None;
                inner.deaths.clear();
                0
            }
        };
        inner.book.breaks += breaks;
        if breaks > 0 {
            inner.book.troubles.push((now, now));
        }
        drop(inner);
        world.tell();
    }
    std::future::pending().await
}

/// What calls do after their answers were given up.
async fn is_late(world: Arc<World>) {
    loop {
        let due = world.inner().late.iter().map(|late| late.at_ms).min();
        let Some(at_ms) = due else {
            world.changed.notified().await;
            continue;
        };
        if !wait(&world, since_beginning(at_ms)).await {
            continue;
        }
        let mut all = std::mem::take(&mut world.inner().late);
        let (now, later): (Vec<_>, Vec<_>) = all.drain(..).partition(|late| late.at_ms <= at_ms);
        world.inner().late.extend(later);
        for late in now {
            world.note(|| "a late call is done".to_owned());
            (late.done)();
        }
    }
}

/// In a storm some process dies within its next calls.
async fn dies(world: Arc<World>) {
    loop {
        if world.inner().storm.is_none() {
            world.changed.notified().await;
            continue;
        }
        {
            let mut inner = world.inner();
            let likely = inner.storm.map_or(0.0, |storm| storm.deaths);
            if inner.dice.chance(likely) {
                let number = inner.calls + inner.dice.between(1, 30);
                let is_after = inner.dice.chance(0.5);
                inner.deaths.insert(number, is_after);
            }
        }
        pause(TICK).await;
    }
}

/// What the drain does meanwhile: states of the gate that were succeeded are removed.
async fn sweeps(world: Arc<World>) {
    let core = Ports::new(&world, Who::Nobody).core(0, 0);
    let Some(name) = World::name() else { return };
    let mut at = world.now_ms();
    loop {
        at += 3 * HOUR;
        while !wait(&world, since_beginning(at)).await {}
        let log = NumberedLog::new(core.objects.clone(), format!("gates/{name}"));
        let cutoff = core.clock.now().minus(SMALL_LOGS_FOR);
        let _ = log.prune(cutoff, usize::MAX).await;
    }
}

/// A refresher: a process that is woken by a schedule, and replaced when it dies.
async fn refresher(world: Arc<World>, plan: Plan, n: u8, phase: Duration, skew_ms: i64) {
    let mut process: Option<(Ports, Core, u64)> = None;
    let (mut next, mut lives) = (0u64, 0u64);
    loop {
        let soon = grid(world.elapsed(), phase, TICK).max(next);
        let at = soon.max(match is_due_at(&world, plan, skew_ms) {
            Some(at_ms) => grid(since_beginning(at_ms), phase, TICK),
            None => soon,
        });
        if !wait(&world, phase + TICK * u32::try_from(at).unwrap_or(u32::MAX)).await {
            continue;
        }
        let deployment = world.inner().deployment;
        if process.as_ref().is_none_or(|(.., of)| *of != deployment) {
            lives += 1;
            let ports = Ports::new(&world, Who::Refresher(n));
            let seed = plan.seed ^ (u64::from(n) << 33) ^ (lives << 41);
            let core = ports.core(seed, skew_ms);
            process = Some((ports, core, deployment));
        }
        if let Some((ports, core, _)) = &process
            && ports.0.run(refresh(core)).await.is_none()
        {
            process = None;
        }
        next = (at + 1).max(grid(world.elapsed(), phase, TICK));
    }
}

/// Until when a tick finds nothing to do, Unix milliseconds; `None` if it may find something at once. A tick too many does no
/// harm.
fn is_due_at(world: &World, plan: Plan, skew_ms: i64) -> Option<i64> {
    let inner = world.inner();
    if plan.full_rate || inner.storm.is_some() || inner.book.is_wished {
        return None;
    }
    let due_at = inner.book.renewal.as_ref()?.due_at?;
    Some(due_at.as_millis() - skew_ms - BLUR)
}
