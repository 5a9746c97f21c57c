//! What a run must show: see docs/simulation.md, "Tokens".

use std::sync::Arc;

use itsm_connector::domain::renewal::{
    ASK_AGAIN_EVERY, LOGIN_LOOK_EVERY, Phase, UNSTORED_PATIENCE, WISH_EVERY,
};
use itsm_connector::domain::token::AccessToken;
use simulators::issuer::Rotation;

use super::book::CHANCE;
use super::life::{Plan, Year, since_beginning, wait};
use super::outside::Who;
use super::reader::Outcome;
use super::weather::{HOUR, MINUTE, Part};
use super::world::World;

mod announced;

/// How long a call may wait at a gate that nothing holds closed any more: its longest wait (15 minutes), a probe that
/// nobody heard of again (90 s), and the renewal.
const GATE_PATIENCE: i64 = 17 * MINUTE + CHANCE;

/// How long after a login a call that fails is held against it.
const AFTER_A_LOGIN: i64 = HOUR;

/// Counts of runs.
#[derive(Debug, Default, Clone)]
pub struct Sum {
    /// Runs.
    pub runs: u64,
    /// Calls of readers, with those that had to go well and were not made.
    pub calls: u64,
    /// Those that were made.
    pub made: u64,
    /// Those that had no token, or none that was taken.
    pub unserved: u64,
    /// Those that waited at the gate.
    pub waited: u64,
    /// Logins, and those of them inside the time before the end.
    pub logins: u64,
    /// See [`Sum::logins`].
    pub inside: u64,
    /// Tokens that were given.
    pub given: u64,
    /// Processes that died.
    pub died: u64,
    /// Calls of ours that failed, lost their answer or were late.
    pub strikes: u64,
    /// Ends that had to be announced, each milestone by itself.
    pub owed: u64,
    /// Ends that were.
    pub told: u64,
    /// How often somebody was called to log in.
    pub called: u64,
}

impl Sum {
    /// Both.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.runs, other.runs),
            (&mut self.calls, other.calls),
            (&mut self.made, other.made),
            (&mut self.unserved, other.unserved),
            (&mut self.waited, other.waited),
            (&mut self.logins, other.logins),
            (&mut self.inside, other.inside),
            (&mut self.given, other.given),
            (&mut self.died, other.died),
            (&mut self.strikes, other.strikes),
            (&mut self.owed, other.owed),
            (&mut self.told, other.told),
            (&mut self.called, other.called),
        ];
        for (one, other) in pairs {
            *one += other;
        }
    }
}

fn ms(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Judges one call of a reader, which has just come to its end.
pub fn call(
    world: &Arc<World>,
    outcome: &Outcome,
    began_ms: i64,
    was_struck: bool,
    waits_since: &mut Option<i64>,
) {
    let now = world.now_ms();
    world.inner().book.sum.made += 1;
    match outcome {
        Outcome::Served(_) | Outcome::Away => *waits_since = None,
        Outcome::Unserved(failure) => {
            world.inner().book.sum.unserved += 1;
            *waits_since = None;
            world.note(|| format!("a call was not served: {failure}"));
            if !was_struck {
                if could_be_had(world, began_ms, now) {
                    let state = world.inner().book.renewal.clone();
                    world.violated(format!(
                        "a call failed for want of a token that could have been had: {failure}; {state:?}"
                    ));
                }
                let mut inner = world.inner();
                inner.book.missed_at_ms.get_or_insert(now);
            }
        }
        Outcome::Waits => {
            world.inner().book.sum.waited += 1;
            let since = *waits_since.get_or_insert(now);
            let inner = world.inner();
            let book = &inner.book;
            // Where none could be had before, it waits from then on.
            let since = since.max(book.mended_ms).max(book.had_again_ms);
            let calm = now - since.max(now - book.calm_for(now));
            let is_held = inner.down.has(Part::Product) || calm < GATE_PATIENCE;
            drop(inner);
            if !is_held && could_be_had(world, began_ms, now) {
                *waits_since = None;
                world.violated("a call waits at the gate, and nothing holds it closed".to_owned());
            }
        }
    }
    if matches!(outcome, Outcome::Unserved(_) | Outcome::Waits) {
        after_a_login(world, now);
    }
}

/// True if a valid token could have been had by somebody whose own calls all went as they should, and who asked since then
/// and until now: it is in the vault, and said to be good; or the issuer would have given one for what they may use; or the
/// refresher, who alone may use what the vault has, has had time for it since it was wanted.
pub fn could_be_had(world: &World, asked_ms: i64, now: i64) -> bool {
    let was_locked = {
        let inner = world.inner();
        let changed_ms = inner.book.killed_ms.last();
        inner.issuer.is_locked || changed_ms.is_some_and(|at| *at >= asked_ms)
    };
    if was_locked {
        return false;
    }
    if world.rotation == Rotation::None {
        return true;
    }
    let Some(set) = world.stored() else {
        return false;
    };
    let inner = world.inner();
    let in_two_minutes = now + 2 * MINUTE;
    let is_good = |token: &AccessToken| {
        token.expires_at.as_millis() > in_two_minutes
            && inner.issuer.accepts(token.secret.expose(), in_two_minutes)
    };
    let book = &inner.book;
    let Some(epoch) = book.epochs.last() else {
        return false;
    };
    if epoch.from_ms <= asked_ms && set.access.as_ref().is_some_and(is_good) {
        return true;
    }
    let refresh = set.refresh.as_ref();
    if !refresh.is_some_and(|refresh| inner.issuer.takes(refresh.expose(), now)) {
        return false;
    }
    if world.rotation == Rotation::Kept {
        return book.had_again_ms <= asked_ms;
    }
    let is_called = book
        .renewal
        .as_ref()
        .is_some_and(|state| state.login.is_some());
    // A refusal is asked again about after an hour; a wish is heeded ten minutes after the one before.
    let patience = match is_called {
        true => ms(ASK_AGAIN_EVERY + LOGIN_LOOK_EVERY),
        false => 0,
    };
    let missed = book.missed_at_ms.map(|at| at + ms(WISH_EVERY));
    let wanted_at = missed.map_or(epoch.renew_at_ms, |at| at.min(epoch.renew_at_ms));
    book.had_chance_of(wanted_at, now, patience + CHANCE)
}

/// A login inside the time before the end costs no alert.
fn after_a_login(world: &World, now: i64) {
    let inner = world.inner();
    let book = &inner.book;
    let beside = book
        .logins
        .iter()
        .rev()
        .take_while(|(from, _)| now - from < 2 * AFTER_A_LOGIN)
        .find(|(from, to)| *from <= now && now <= to + AFTER_A_LOGIN);
    let Some((from, _)) = beside else { return };
    let was_calm = book.calm_for(now) > now - from + AFTER_A_LOGIN
        && !inner.down.has(Part::Product)
        && book.mended_ms < from - AFTER_A_LOGIN;
    drop(inner);
    if was_calm {
        world.violated("a login before the end cost a call".to_owned());
    }
}

/// Looks each hour whether what is written down is true.
pub async fn audits(world: Arc<World>) {
    let mut at = world.now_ms();
    loop {
        at += HOUR;
        while !wait(&world, since_beginning(at)).await {}
        audit(&world, at);
    }
}

fn audit(world: &World, now: i64) {
    if world.rotation == Rotation::None {
        return;
    }
    let lives = world.vaults_refresh_token_lives();
    let inner = world.inner();
    let book = &inner.book;
    let Some(state) = book.renewal.clone() else {
        return;
    };
    let Some(epoch) = book.epochs.last().cloned() else {
        return;
    };
    let is_unstored = matches!(state.phase, Phase::Unstored { .. });
    let patience = match is_unstored {
        true => ms(UNSTORED_PATIENCE),
        false => 0,
    };
    // It is seen when it is used: at the renewal, or when a reader misses a token.
    let missed = book.missed_at_ms.map(|at| at + ms(WISH_EVERY));
    let seen_at = missed.map_or(epoch.renew_at_ms, |at| at.min(epoch.renew_at_ms));
    let killed = book.killed_ms.iter().rev().find(|at| **at <= now);
    let seen_at = seen_at.max(killed.copied().unwrap_or(0));
    let is_late = book.had_chance(seen_at.max(epoch.from_ms) + patience, now);
    let calm = book.calm_for(now);
    let called_for = state
        .login
        .map(|login| now - login.since.as_millis())
        .unwrap_or_default();
    drop(inner);
    if !lives && state.login.is_none() && is_late {
        world.violated(format!(
            "the refresh token is dead and nobody says so: {state:?}"
        ));
    }
    let asks_again = ms(ASK_AGAIN_EVERY + LOGIN_LOOK_EVERY) + 2 * CHANCE;
    if lives && state.login.is_some() && calm.min(called_for) > asks_again {
        world.violated(format!("a person is called for nothing: {state:?}"));
    }
}

/// Refusals within an hour of a refresher that asks no loop: one for what it found out, one an hour later, and one for each
/// call that went wrong.
const REFUSALS_AN_HOUR: usize = 2;

/// And of all readers within ten minutes: two of them, and a probe each five minutes (I15).
const REFUSALS_OF_READERS: usize = 5;

fn loops(world: &World) -> Vec<String> {
    let inner = world.inner();
    let mut found = Vec::new();
    let rows = [
        (true, HOUR - 5 * MINUTE, REFUSALS_AN_HOUR, "refreshers"),
        (false, 10 * MINUTE, REFUSALS_OF_READERS, "readers"),
    ];
    for (of_refreshers, span, most, whose) in rows {
        let is_of = |who: &Who| match who {
            Who::Refresher(_) => of_refreshers,
            Who::Reader(_) => !of_refreshers,
            Who::Person | Who::Nobody => false,
        };
        let refused = inner.book.refused.iter();
        let times: Vec<i64> = refused
            .filter(|(_, who)| is_of(who))
            .map(|(at, _)| *at)
            .collect();
        for window in times.windows(most + 1) {
            let (Some(first), Some(last)) = (window.first(), window.last()) else {
                continue;
            };
            let is_struck = inner.book.was_struck(*first - HOUR, *last);
            if last - first < span && !is_struck {
                found.push(format!(
                    "{}: {whose} were refused {} times in {} minutes",
                    super::world::at(since_beginning(*last)),
                    most + 1,
                    (last - first) / MINUTE
                ));
                break;
            }
        }
    }
    found
}

/// Versions of the tokens in the vault: one for each set, and one more for each write that went wrong; and one that is in use.
fn versions(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    let inner = world.inner();
    let strikes = inner.book.strikes.len();
    let repeated: u32 = inner.book.puts.values().map(|puts| puts - 1).sum();
    let sets = inner.book.puts.len() as u64;
    if repeated as usize > strikes {
        found.push(format!(
            "{repeated} sets were stored more than once, and {strikes} calls went wrong"
        ));
    }
    if sets > inner.issuer.given {
        found.push(format!("{sets} sets were stored of {}", inner.issuer.given));
    }
    let versions = inner.vault.get(super::world::TOKENS);
    let enabled = versions.map_or(0, |all| all.iter().filter(|one| one.enabled).count());
    if enabled > 1 + strikes {
        found.push(format!(
            "{enabled} versions are enabled, and {strikes} calls went wrong"
        ));
    }
    found
}

/// What is wrong at the end, and what came of the run.
pub fn end(world: &World, plan: Plan) -> Year {
    let mut late = loops(world);
    late.extend(versions(world));
    late.extend(announced::wrong(world));
    // The last three days are quiet: all has come to its end.
    let lives = world.vaults_refresh_token_lives();
    let opens = world.vaults_access_token_opens();
    let mut inner = world.inner();
    if let Some(state) = &inner.book.renewal {
        let is_whole = state.phase == Phase::Idle && state.replaced.is_empty();
        let is_renewing = state.due_at.is_none();
        if plan.rotation != Rotation::None && state.login.is_none() && lives {
            if !is_whole && !is_renewing {
                late.push(format!("it did not come to its end: {state:?}"));
            }
            if !opens {
                late.push("the vault's token is not good in the end".to_owned());
            }
        }
    }
    let book = &inner.book;
    let print = format!(
        "given {} refused {} revoked {} versions {:?} told {:?} called {:?} logins {:?} died {} strikes {:?} unserved {} refusals {:?}",
        inner.issuer.given,
        inner.issuer.refused,
        inner.issuer.revoked,
        book.epochs
            .iter()
            .map(|epoch| epoch.from_ms)
            .collect::<Vec<_>>(),
        book.told,
        book.called,
        book.logins,
        book.died,
        book.strikes,
        book.sum.unserved,
        book.refused,
    );
    let mut sum = book.sum.clone();
    sum.runs = 1;
    sum.given = inner.issuer.given;
    sum.died = book.died;
    sum.strikes = book.strikes.len() as u64;
    sum.told = book.told.len() as u64;
    sum.called = book.called.len() as u64;
    let mut violations = std::mem::take(&mut inner.violations);
    violations.extend(late);
    let trace = inner.trace.take().unwrap_or_default();
    Year {
        violations,
        sum,
        print,
        trace,
    }
}
