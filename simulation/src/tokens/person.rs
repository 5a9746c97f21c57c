//! A person who logs in: mostly before it is too late, sometimes when they are called, sometimes beside a renewal.

use std::sync::Arc;
use std::time::Duration;

use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::{log_in, refresh_tokens};
use simulators::issuer::Rotation;

use super::life::{Plan, since_beginning, wait};
use super::matrix::TICK;
use super::outside::{Ports, Who};
use super::weather::{DAY, HOUR, MINUTE};
use super::world::{DEFINITION, PASSWORD, Version, World};
use crate::dice::Dice;

/// How a person means to go about the next end.
#[derive(Debug, Clone, Copy)]
enum Habit {
    /// So long before the end.
    Ahead(i64),
    /// The same, and at the moment at which a refresher is at it.
    Beside(i64),
    /// So long after the end.
    After(i64),
    /// Only when they are called.
    Called,
}

fn habit(dice: &mut Dice) -> Habit {
    let ms = |dice: &mut Dice, most: i64| dice.below(most as u64) as i64;
    match dice.below(10) {
        0..=4 => Habit::Ahead(HOUR + ms(dice, 15 * DAY)),
        5 | 6 => Habit::Beside(HOUR + ms(dice, 15 * DAY)),
        7 => Habit::After(ms(dice, 2 * DAY)),
        _ => Habit::Called,
    }
}

/// Logs in for as long as the run goes on.
pub async fn run(world: Arc<World>, plan: Plan, skew_ms: i64) {
    if plan.rotation == Rotation::None {
        return std::future::pending().await;
    }
    let mut dice = Dice::new(plan.seed, "person");
    let mut habit = habit(&mut dice);
    // How long a person takes to come when they are called, and to try again.
    let mut takes = MINUTE + dice.below((2 * DAY) as u64) as i64;
    let mut not_before = world.now_ms();
    let mut attempts = 0u64;
    loop {
        let Some(at_ms) = logs_in_at(&world, habit, takes) else {
            world.changed.notified().await;
            continue;
        };
        if !wait(&world, since_beginning(at_ms.max(not_before))).await {
            continue;
        }
        attempts += 1;
        let from = world.now_ms();
        let was_well = is_well(&world);
        let ports = Ports::new(&world, Who::Person);
        let core = ports.core(plan.seed ^ (attempts << 42), skew_ms);
        let password = Secret::from(PASSWORD);
        let Some(connection) = world.connection() else {
            return;
        };
        let done = ports
            .0
            .run(Box::pin(log_in::run(&core, &connection, &password)))
            .await;
        ports.0.is_over();
        let now = world.now_ms();
        let is_in = matches!(done, Some(Ok(_)));
        world.note(|| format!("PERSON {}", if is_in { "is in" } else { "is not in" }));
        let mut inner = world.inner();
        inner.book.sum.logins += u64::from(is_in);
        if was_well {
            inner.book.logins.push((from, now));
            inner.book.sum.inside += u64::from(is_in);
        }
        drop(inner);
        if is_in {
            habit = self::habit(&mut dice);
            takes = MINUTE + dice.below((2 * DAY) as u64) as i64;
            not_before = now + MINUTE;
        } else {
            not_before = now + 5 * MINUTE + dice.below(HOUR as u64) as i64;
        }
    }
}

/// True if nobody needs to log in yet.
fn is_well(world: &World) -> bool {
    let is_called = world
        .inner()
        .book
        .renewal
        .as_ref()
        .is_some_and(|state| state.login.is_some());
    !is_called && world.vaults_refresh_token_lives()
}

fn logs_in_at(world: &World, habit: Habit, takes: i64) -> Option<i64> {
    let inner = world.inner();
    let Some(state) = &inner.book.renewal else {
        // The first time.
        return Some(world.now_ms());
    };
    if let Some(login) = state.login {
        return Some(login.since.as_millis() + takes);
    }
    let ends_at = state.current.as_ref()?.refresh_ends_at?.as_millis();
    match habit {
        Habit::Ahead(by) => Some(ends_at - by),
        Habit::Beside(by) => {
            let tick = i64::try_from(TICK.as_millis()).unwrap_or(0);
            let due_at = state.due_at.map_or(0, Timestamp::as_millis);
            // The refresher's own schedule is at the full five minutes and a second.
            let due_at = due_at - due_at.rem_euclid(tick) + tick + 1_000;
            Some(due_at.max(ends_at - by))
        }
        Habit::After(by) => Some(ends_at + by),
        Habit::Called => None,
    }
}

/// Sees to the client secret: it is replaced before its end, or some days after it.
pub async fn keeps_the_secret(world: Arc<World>, plan: Plan) {
    let mut dice = Dice::new(plan.seed, "secret");
    let mut versions = 0u64;
    loop {
        let now = world.now_ms();
        let end = now + 20 * DAY + dice.below(180 * DAY as u64) as i64;
        {
            let mut inner = world.inner();
            let value = Secret::from(world.definition.as_str());
            let expires = Some(Timestamp::from_millis(end));
            let version = Version::new(value, expires);
            let all = inner.vault.entry(DEFINITION.to_owned()).or_default();
            all.push(version);
            inner.book.credentials.push((now, end));
        }
        world.note(|| "PERSON has put a new client secret into the vault".to_owned());
        versions += 1;
        // As `itsmc connection add --replace` does.
        let ports = Ports::new(&world, Who::Nobody);
        let core = ports.core(plan.seed ^ (versions << 43), 0);
        if let Some(name) = World::name() {
            for _ in 0..100 {
                if refresh_tokens::wake(&core, &name).await.is_ok() {
                    break;
                }
                crate::clock::pause(Duration::from_secs(600)).await;
            }
        }
        let at_ms = match dice.chance(0.7) {
            true => end - dice.below(18 * DAY as u64) as i64,
            false => end + dice.below(5 * DAY as u64) as i64,
        };
        while !wait(&world, since_beginning(at_ms)).await {}
    }
}
