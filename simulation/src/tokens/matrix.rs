//! Every death in one renewal, before and after each port call, and each pair of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use itsm_connector::domain::renewal::{Phase, Renewal};
use itsm_connector::domain::secret::Secret;
use itsm_connector::flows::refresh_tokens::{self, Order};
use itsm_connector::flows::{Core, log_in};
use simulators::issuer::Rotation;

use super::bugs::Bug;
use super::outside::{Ports, Who};
use super::world::{PASSWORD, World};
use super::{Found, STORING};
use crate::clock::pause;

/// How far two ticks are apart.
pub const TICK: Duration = Duration::from_secs(300);

/// A run as the hosts make it.
pub const ORDER: Order = Order {
    span: Duration::from_secs(240),
    tick: TICK,
    forced: false,
};

/// Life of an access token here, seconds: it outlives its renewal by far, so that it must be revoked.
const ACCESS_TTL_S: i64 = 8 * 3600;

/// More port calls than one renewal makes.
const CALLS_MAX: u64 = 120;

/// On a clock of its own that jumps.
pub fn on_paused_clock<T>(work: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .ok()?;
    Some(runtime.block_on(work))
}

/// Logs in, by a process that nothing happens to.
pub async fn log_in(world: &Arc<World>, seed: u64) -> bool {
    let ports = Ports::new(world, Who::Nobody);
    let core = ports.core(seed, 0);
    let Some(connection) = world.connection() else {
        return false;
    };
    let password = Secret::from(PASSWORD);
    Box::pin(log_in::run(&core, &connection, &password))
        .await
        .is_ok()
}

/// Where the renewal stands, as somebody reads it to whom nothing happens.
pub async fn standing(world: &Arc<World>) -> Renewal {
    let core = Ports::new(world, Who::Nobody).core(0, 0);
    let Some(name) = World::name() else {
        return Renewal::default();
    };
    let head = core.renewals.read(&name).await.ok().flatten();
    head.map(|head| head.state).unwrap_or_default()
}

/// One run of the refresher.
pub async fn refresh(core: &Core) {
    // What goes wrong in it is in the state, or is seen later.
    let _ = Box::pin(refresh_tokens::run(core, ORDER, None)).await;
}

/// One renewal with these deaths, and with a second refresher that begins so much after the first; the number of port calls
/// that it made in all, and what is wrong.
async fn renewal(
    rotation: Rotation,
    deaths: &BTreeMap<u64, bool>,
    apart: Option<Duration>,
    bug: Option<Bug>,
) -> (u64, Vec<String>) {
    let world = World::new(rotation, (ACCESS_TTL_S, 90 * 86_400), 1, bug);
    if !log_in(&world, 1).await {
        world.violated("nobody could log in".to_owned());
    }
    pause(Duration::from_secs(7 * 3600)).await;
    {
        let mut inner = world.inner();
        inner.deaths.clone_from(deaths);
        inner.calls = 0;
    }
    let mut first = 0;
    for run in 0..8u64 {
        // Each run is a process of its own, as on a platform that starts one for each tick; two at a time.
        let (one, other) = (
            Ports::new(&world, Who::Refresher(0)),
            Ports::new(&world, Who::Refresher(1)),
        );
        let (core_1, core_2) = (one.core(run, 0), other.core(run + 100, 0));
        let both = futures_util::future::join(
            one.0.run(refresh(&core_1)),
            other.0.run(async {
                if run == 0 && apart.is_none() {
                    return;
                }
                pause(apart.unwrap_or_default()).await;
                refresh(&core_2).await;
            }),
        );
        both.await;
        if run == 0 {
            first = world.inner().calls;
        }
        pause(TICK).await;
    }
    let state = standing(&world).await;
    let what = |text: &str| format!("{rotation:?} {deaths:?} {apart:?}: {text}");
    let lives = world.vaults_refresh_token_lives();
    match (state.login.is_some(), lives) {
        (true, true) => world.violated(what("a person is called though the refresh token lives")),
        (false, false) => world.violated(what("nobody says that a person is needed")),
        (true, false) if rotation == Rotation::Kept => {
            world.violated(what("a refresh token that nothing replaces was lost"));
        }
        (true, false) => {}
        (false, true) => {
            if state.phase != Phase::Idle || !state.replaced.is_empty() {
                world.violated(what(&format!("it did not come to its end: {state:?}")));
            }
            if !world.vaults_access_token_opens() {
                world.violated(what("the vault's token is not good"));
            }
        }
    }
    // A person mends what only a person can.
    if !log_in(&world, 7).await {
        world.violated(what("nobody can log in afterwards"));
    }
    let after = standing(&world).await;
    if after.login.is_some() || !world.vaults_access_token_opens() {
        world.violated(what("a login did not mend it"));
    }
    let violations = std::mem::take(&mut world.inner().violations);
    (first, violations)
}

/// All single deaths, and all pairs where asked for.
pub fn run(pairs: bool, bug: Option<Bug>) -> Found {
    let mut found = Found::default();
    for rotation in STORING {
        let mut of = |deaths: &BTreeMap<u64, bool>| {
            let done = on_paused_clock(renewal(rotation, deaths, None, bug));
            let (calls, violations) = done.unwrap_or_default();
            found.violations.extend(violations);
            calls
        };
        let calls = of(&BTreeMap::new()).min(CALLS_MAX);
        let mut runs = 1u64;
        let fates = |n: u64| [(n, false), (n, true)];
        for first in (1..=calls).flat_map(fates) {
            of(&BTreeMap::from([first]));
            runs += 1;
            if !pairs {
                continue;
            }
            // The second death is in the recovery: as many calls again, and some.
            for second in (first.0 + 1..=calls * 2).flat_map(fates) {
                of(&BTreeMap::from([first, second]));
                runs += 1;
            }
        }
        if bug.is_none() {
            let _ = writeln!(
                found.told,
                "tokens, {rotation:?}: {calls} port calls in a renewal, {runs} runs with deaths"
            );
        }
    }
    found
}

/// Half of a call: at each multiple of it a second refresher begins before or after the same call of the first.
const HALF_A_CALL: Duration = Duration::from_millis(10);

/// Two refreshers, the second at each place of the first one's renewal, and with each death of either.
pub fn run_two(bug: Option<Bug>) -> Found {
    let mut found = Found::default();
    for rotation in STORING {
        let mut runs = 0u64;
        let mut of = |deaths: &BTreeMap<u64, bool>, apart: Duration| {
            let done = on_paused_clock(renewal(rotation, deaths, Some(apart), bug));
            let (calls, violations) = done.unwrap_or_default();
            found.violations.extend(violations);
            runs += 1;
            calls
        };
        let calls = of(&BTreeMap::new(), Duration::ZERO).min(CALLS_MAX);
        for place in 0..u32::try_from(2 * calls).unwrap_or(0) {
            let apart = HALF_A_CALL * place;
            of(&BTreeMap::new(), apart);
            // Every fourth place with each death is every second call of the first with each of both.
            if place % 4 != 0 {
                continue;
            }
            for number in 1..=calls {
                of(&BTreeMap::from([(number, place % 8 == 0)]), apart);
            }
        }
        let _ = writeln!(
            found.told,
            "tokens, {rotation:?}: {runs} runs of two refreshers at once"
        );
    }
    found
}
