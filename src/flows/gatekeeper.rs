//! Who stands at a connection's gate for one drain: lets one probe through, then more and more at once, and looks again
//! now and then whether somebody else has closed it.

use std::time::Duration;

use tokio::sync::Mutex;

use super::Core;
use super::paces::Tally;
use crate::domain::connection::{Connection, Grant};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::gate::{CALLS_AT_ONCE, Passage};
use crate::domain::name::ConnectionName;
use crate::stores::gates::SeenGate;
use crate::stores::objects::StoreFailure;

/// How long what was seen of the gate is believed: so long a drain goes on after another process was told to wait.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// How often a lost race for the gate is run again: as many calls as are made at once may fail at once.
const GATE_RACES_MAX: usize = 8;

/// What a call showed of a product as a whole is shared with all other instances. A store that fails here costs a few
/// calls more, no alert and no record.
pub async fn tell(core: &Core, connection: &Connection, result: Result<(), &CallFailure>) {
    let name = &connection.name;
    let dependency = format!("{} ({name})", connection.partner_type.product());
    core.paces.told(name, result);
    let Err(failure) = result else {
        core.last_seen.works(&dependency);
        return;
    };
    core.last_seen.fails(&dependency, failure.hint());
    if failure.concerns_every_call() {
        close(core, name, failure).await;
        core.paces.closed_the_gate(name);
        if failure.needs_another_definition() {
            core.connections.doubt(name);
        }
        if wants_another_token(connection, failure) {
            // If it cannot be written down, whoever finds out whether the product is back wishes again.
            let _ = core.wishes.make(name, core.clock.now()).await;
        }
    }
}

/// True if the `token-refresher` has to see to it: only it may obtain a token, or the issuer has refused the refresh token to
/// whoever may use it too. The refresher would find that out when the token is due, which may be a day off; and a person is
/// to be called within ten minutes (I17).
fn wants_another_token(connection: &Connection, failure: &CallFailure) -> bool {
    let has_none = failure.kind == Kind::Unauthorized && failure.effect == Effect::NotSent;
    failure.kind == Kind::RefreshWanted || (has_none && connection.grant == Grant::Password)
}

/// Whoever loses the race for it looks whether the other closed it for long enough: an hour that was asked for must not
/// be lost to the two seconds of a call that failed beside it (seed 233 of the simulation).
async fn close(core: &Core, name: &ConnectionName, failure: &CallFailure) {
    let now = core.clock.now();
    let Ok(mut seen) = core.gates.read(name).await else {
        return;
    };
    for _ in 0..GATE_RACES_MAX {
        let dice = core.entropy.dice();
        let Some(gate) = seen.gate.after_failure(failure, now, dice) else {
            return;
        };
        let writer = core.writer_id();
        match core.gates.change(name, &seen, gate, &writer, now).await {
            Ok((false, theirs)) => seen = theirs,
            Ok((true, _)) | Err(_) => return,
        }
    }
}

/// Whether work on an alert may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It may, if the pace allows it.
    Go,
    /// It may: it is the probe.
    Probe,
    /// It may not; the gate is closed.
    Closed,
}

struct Seen {
    gate: SeenGate,
    read_at: Duration,
    /// The probe is ours.
    probing: bool,
    tally: Tally,
}

/// The connection was seen to work: alerts that wait because its credentials were refused, or its token had run out, need
/// not wait any longer. The next drain finds out.
pub async fn mended(core: &Core, name: &ConnectionName) {
    let now = core.clock.now();
    if let Ok(seen) = core.gates.read(name).await
        && let Some(gate) = seen.gate.after_mending(now)
    {
        let writer = core.writer_id();
        // If it cannot be written down, the alerts wait for the gate's own time.
        let _ = core.gates.change(name, &seen, gate, &writer, now).await;
    }
}

/// Stands at the gate.
pub struct Gatekeeper<'a> {
    core: &'a Core,
    name: &'a ConnectionName,
    seen: Mutex<Seen>,
}

impl<'a> Gatekeeper<'a> {
    /// Looks at the gate.
    pub async fn new(core: &'a Core, name: &'a ConnectionName) -> Result<Self, StoreFailure> {
        let seen = Seen {
            gate: core.gates.read(name).await?,
            read_at: core.clock.monotonic(),
            probing: false,
            tally: core.paces.tally(name),
        };
        Ok(Self {
            core,
            name,
            seen: Mutex::new(seen),
        })
    }

    /// How many alerts may be worked on at once; none if the gate is closed.
    pub async fn at_once(&self) -> Result<usize, StoreFailure> {
        let mut seen = self.seen.lock().await;
        self.look_again(&mut seen).await?;
        Ok(match self.passage(&seen) {
            Passage::Open => CALLS_AT_ONCE as usize,
            Passage::Ramp(at_once) => at_once as usize,
            Passage::Probe => 1,
            Passage::ClosedUntil(_) => 0,
        })
    }

    /// Asked right before the first call for an alert.
    pub async fn leave(&self) -> Result<Leave, StoreFailure> {
        let mut seen = self.seen.lock().await;
        self.look_again(&mut seen).await?;
        Ok(match self.passage(&seen) {
            Passage::Open | Passage::Ramp(_) => Leave::Go,
            Passage::ClosedUntil(_) => Leave::Closed,
            Passage::Probe => {
                let now = self.core.clock.now();
                let claimed = seen.gate.gate.probed(now);
                let won = self.change(&mut seen, claimed).await?;
                seen.probing = won;
                if won { Leave::Probe } else { Leave::Closed }
            }
        })
    }

    /// Asked after as many alerts as were let through at once: opens the gate further if all that was called for them was
    /// answered.
    pub async fn after_round(&self) -> Result<(), StoreFailure> {
        let mut seen = self.seen.lock().await;
        let tally = self.core.paces.tally(self.name);
        let before = std::mem::replace(&mut seen.tally, tally);
        let probing = std::mem::take(&mut seen.probing);
        if tally.closings != before.closings {
            return self.read(&mut seen).await;
        }
        let is_well = tally.accepted > before.accepted && tally.turned_away == before.turned_away;
        // A gate that closed without us is not ours to open.
        let is_ours = probing || seen.gate.gate.closed_until.is_none();
        if is_well
            && is_ours
            && let Some(opened) = seen.gate.gate.after_success(self.core.clock.now())
        {
            self.change(&mut seen, opened).await?;
        }
        Ok(())
    }

    fn passage(&self, seen: &Seen) -> Passage {
        seen.gate.gate.passage(self.core.clock.now())
    }

    /// Reads the gate again if a call of ours has closed it, or a while has passed.
    async fn look_again(&self, seen: &mut Seen) -> Result<(), StoreFailure> {
        let closings = self.core.paces.tally(self.name).closings;
        let age = self.core.clock.monotonic().saturating_sub(seen.read_at);
        if closings == seen.tally.closings && age < FRESH_FOR {
            return Ok(());
        }
        seen.tally.closings = closings;
        self.read(seen).await
    }

    async fn read(&self, seen: &mut Seen) -> Result<(), StoreFailure> {
        seen.gate = self.core.gates.read(self.name).await?;
        seen.read_at = self.core.clock.monotonic();
        Ok(())
    }

    async fn change(
        &self,
        seen: &mut Seen,
        gate: crate::domain::gate::Gate,
    ) -> Result<bool, StoreFailure> {
        let (writer, now) = (self.core.writer_id(), self.core.clock.now());
        let (won, after) = self
            .core
            .gates
            .change(self.name, &seen.gate, gate, &writer, now)
            .await?;
        seen.gate = after;
        seen.read_at = self.core.clock.monotonic();
        Ok(won)
    }
}
