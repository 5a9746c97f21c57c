//! A warm process that calls the product every two minutes by what its tokens allow, and obeys the gate as a drain does.

use std::sync::Arc;
use std::time::Duration;

use itsm_connector::adapters::token_source::TokenSource;
use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::gate::Gate;
use itsm_connector::domain::secret::Secret;
use itsm_connector::flows::Core;
use itsm_connector::flows::gatekeeper::{self, Gatekeeper, Leave};

use super::book::BLUR;
use super::check;
use super::life::{Plan, grid, since_beginning, wait};
use super::outside::{Ports, Who};
use super::weather::Part;
use super::world::World;

/// How far two calls are apart.
pub const EVERY: Duration = Duration::from_secs(120);

/// How long before the end of its token a reader may begin to look for another, with what clocks differ by, milliseconds:
/// one and a half times five minutes, and a minute.
const LOOKS_AHEAD: i64 = 510_000;

/// How long a call may wait for a token.
const WITHIN: Duration = Duration::from_secs(20);

/// What became of a call.
#[derive(Debug)]
pub enum Outcome {
    /// It was served, by this token.
    Served(Secret),
    /// It had no token, or none that was taken.
    Unserved(CallFailure),
    /// The product or our own state was away.
    Away,
    /// The gate is closed: the alert waits.
    Waits,
}

struct Process {
    ports: Ports,
    core: Core,
    tokens: TokenSource,
    connection: Arc<Connection>,
    deployment: u64,
}

impl Process {
    fn new(world: &Arc<World>, who: Who, seed: u64, skew_ms: i64) -> Option<Self> {
        let ports = Ports::new(world, who);
        let connection = world.connection()?;
        let tokens = ports.tokens(&connection, skew_ms);
        let core = ports.core(seed, skew_ms);
        let deployment = world.inner().deployment;
        Some(Self {
            ports,
            core,
            tokens,
            connection,
            deployment,
        })
    }

    async fn call(&self) -> Outcome {
        let name = &self.connection.name;
        let Ok(keeper) = Gatekeeper::new(&self.core, name).await else {
            return Outcome::Away;
        };
        match keeper.leave().await {
            Ok(Leave::Go | Leave::Probe) => {}
            Ok(Leave::Closed) => return Outcome::Waits,
            Err(_) => return Outcome::Away,
        }
        let outcome = self.served().await;
        let away = failure(Effect::NotSent, Kind::Unreachable);
        let told = match &outcome {
            Outcome::Served(_) => Ok(()),
            Outcome::Unserved(failure) => Err(failure),
            Outcome::Away | Outcome::Waits => Err(&away),
        };
        gatekeeper::tell(&self.core, &self.connection, told).await;
        let _ = keeper.after_round().await;
        outcome
    }

    /// A call as a product's client makes it: with another token while they are refused.
    async fn served(&self) -> Outcome {
        let mut token = match self.tokens.bearer(WITHIN).await {
            Ok(token) => token,
            Err(failure) => return Outcome::Unserved(failure),
        };
        let mut refused = Vec::new();
        loop {
            match self.ports.opens(&token).await {
                Ok(true) => return Outcome::Served(token),
                Ok(false) => refused.push(token),
                Err(_) => return Outcome::Away,
            }
            match self.tokens.bearer_instead_of(&refused, WITHIN).await {
                Ok(Some(another)) => token = another,
                Ok(None) => return Outcome::Unserved(failure(Effect::Refused, Kind::Unauthorized)),
                Err(failure) => return Outcome::Unserved(failure),
            }
        }
    }
}

fn failure(effect: Effect, kind: Kind) -> CallFailure {
    CallFailure::new("the product", "call", effect, kind, "simulated")
}

/// Calls for as long as the run goes on. Calls that must go well, because nothing has changed since the last one, are
/// counted and not made.
pub async fn run(world: Arc<World>, plan: Plan, n: u8, phase: Duration, skew_ms: i64) {
    let who = Who::Reader(n);
    let mut process: Option<Process> = None;
    let (mut next, mut lives) = (0u64, 0u64);
    let mut quiet: Option<Quiet> = None;
    let mut waits_since: Option<i64> = None;
    loop {
        let now = world.elapsed();
        let soon = grid(now, phase, EVERY).max(next);
        let at = match quiet {
            Some(quiet) if !plan.full_rate && quiet.holds(&world) => {
                soon.max(grid(since_beginning(quiet.until_ms), phase, EVERY))
            }
            _ => soon,
        };
        if !wait(
            &world,
            phase + EVERY * u32::try_from(at).unwrap_or(u32::MAX),
        )
        .await
        {
            continue;
        }
        let skipped = at.saturating_sub(next);
        match quiet {
            Some(Quiet { waits: true, .. }) => world.inner().book.sum.waited += skipped,
            _ => world.inner().book.sum.calls += skipped,
        }
        next = at + 1;
        let deployment = world.inner().deployment;
        if process
            .as_ref()
            .is_none_or(|process| process.deployment != deployment)
        {
            lives += 1;
            let seed = plan.seed ^ (u64::from(n) << 32) ^ (lives << 40);
            process = Process::new(&world, who, seed, skew_ms);
        }
        let Some(of) = &process else { return };
        let strikes = of.ports.0.strikes();
        let breaks = world.inner().book.breaks;
        let began_ms = world.now_ms();
        let Some(outcome) = of.ports.0.run(of.call()).await else {
            process = None;
            continue;
        };
        let was_struck = of.ports.0.strikes() != strikes;
        check::call(&world, &outcome, began_ms, was_struck, &mut waits_since);
        let gate = world.inner().book.gate.clone();
        let until_ms = match outcome {
            Outcome::Served(token) if gate == Gate::default() => {
                let ends_at = world.inner().issuer.access_ends_at(token.expose());
                ends_at.map(|end| (end - LOOKS_AHEAD, false))
            }
            Outcome::Waits => {
                let until = gate.closed_until.max(gate.probed_until);
                until.map(|until| (until.as_millis() - BLUR, true))
            }
            _ => None,
        };
        quiet = until_ms.map(|(until_ms, waits)| Quiet {
            until_ms,
            waits,
            breaks,
        });
    }
}

/// What a reader knows of its next calls without making them.
#[derive(Debug, Clone, Copy)]
struct Quiet {
    /// Until when, Unix milliseconds.
    until_ms: i64,
    /// The gate is closed until then; else the token serves.
    waits: bool,
    /// Unless more than this has happened.
    breaks: u64,
}

impl Quiet {
    fn holds(self, world: &World) -> bool {
        let inner = world.inner();
        let is_served = self.waits || !inner.down.has(Part::Product);
        inner.book.breaks == self.breaks && inner.storm.is_none() && is_served
    }
}
