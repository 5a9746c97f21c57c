//! The gate of a connection: whether its product may be called now. All instances of all functions share it; it never
//! stops the intake (DESIGN §6.9).
//!
//! Trouble that concerns every call closes it. When its time is over one call finds out whether the product is back: who
//! makes it is written down, so that of several instances only one does. Then the calls at once are doubled step by step,
//! so that a product that has just come back is not met by everything that waited; trouble on the way closes the gate
//! again, for longer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff;
use super::failure::{CallFailure, Kind};
use super::timestamp::Timestamp;

/// Wait after trouble for which the product names no time (rule R22).
pub const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// Wait after the credentials were refused: three tries in ten minutes at most, so that nobody's account is locked (I15).
pub const CREDENTIALS_WAIT: Duration = Duration::from_secs(5 * 60);

/// Wait after the page of a sleeping instance: only a person wakes it, and that takes minutes (servicenow-api §6).
pub const HIBERNATION_WAIT: Duration = Duration::from_secs(5 * 60);

/// How long a probe belongs to whoever claimed it: a token, a call of twenty seconds and one more after a new token, and
/// the clocks. If nothing is heard of it by then, somebody else may.
pub const PROBE_FOR: Duration = Duration::from_secs(90);

/// Calls at once at which a gate is fully open (rule R23).
pub const CALLS_AT_ONCE: u32 = 4;

/// A step of the ramp is over after so long, even if nobody had anything to call for.
pub const RAMP_STEP: Duration = Duration::from_secs(60);

/// A connection's gate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Until when no call is made; after it, one probe is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closed_until: Option<Timestamp>,
    /// How many times in a row it was closed.
    #[serde(default)]
    pub closings: u32,
    /// What closed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub because: Option<CallFailure>,
    /// Until when the probe belongs to somebody.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probed_until: Option<Timestamp>,
    /// How far it is open again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ramp: Option<Ramp>,
}

/// A gate that is being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ramp {
    /// Calls at once.
    pub at_once: u32,
    /// Since when.
    pub since: Timestamp,
}

/// What a gate lets through at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Calls go through.
    Open,
    /// So many calls at once go through.
    Ramp(u32),
    /// One call goes through, to find out, once it is claimed ([`Gate::probed`]).
    Probe,
    /// Nothing goes through until then.
    ClosedUntil(Timestamp),
}

impl Gate {
    /// What goes through now.
    pub fn passage(&self, now: Timestamp) -> Passage {
        match (self.closed_until, self.probed_until, self.ramp) {
            (Some(until), ..) if now < until => Passage::ClosedUntil(until),
            (Some(_), Some(until), _) if now < until => Passage::ClosedUntil(until),
            (Some(_), ..) => Passage::Probe,
            (None, _, Some(ramp)) => match ramp.at_once_at(now) {
                CALLS_AT_ONCE.. => Passage::Open,
                at_once => Passage::Ramp(at_once),
            },
            (None, _, None) => Passage::Open,
        }
    }

    /// The gate with its probe claimed by whoever writes this down.
    #[must_use]
    pub fn probed(&self, now: Timestamp) -> Gate {
        Gate {
            probed_until: Some(now.plus(PROBE_FOR)),
            ..self.clone()
        }
    }

    /// The gate after a person or the refresher has seen that the connection works again: to be probed at once. `None` if
    /// what closed it was not the connection or its token, or it is open.
    #[must_use]
    pub fn after_mending(&self, now: Timestamp) -> Option<Gate> {
        let because = self.because.as_ref()?;
        let until = self.closed_until?;
        let is_mended = because.needs_another_definition() || because.kind == Kind::RefreshWanted;
        is_mended.then(|| Gate {
            closed_until: Some(until.min(now)),
            probed_until: None,
            ..self.clone()
        })
    }

    /// The gate after a failed call; `None` if the failure says nothing about other calls, or nothing new.
    #[must_use]
    pub fn after_failure(&self, failure: &CallFailure, now: Timestamp, dice: u64) -> Option<Gate> {
        if !failure.concerns_every_call() {
            return None;
        }
        let was_closed = self.closed_until.filter(|until| now < *until);
        // Of four calls that fail together the first one closes: the others are no relapse.
        let closings = match was_closed {
            Some(_) => self.closings,
            None => self.closings.saturating_add(1),
        };
        let until = now.plus(wait(failure, closings, dice));
        if was_closed.is_some_and(|before| until <= before || failure.retry_after().is_none()) {
            return None;
        }
        Some(Gate {
            closed_until: Some(until),
            closings,
            because: Some(failure.clone()),
            probed_until: None,
            ramp: None,
        })
    }

    /// The gate after all calls that it let through at once were answered as they should be; `None` if it is open.
    #[must_use]
    pub fn after_success(&self, now: Timestamp) -> Option<Gate> {
        let at_once = match self.passage(now) {
            _ if self.closed_until.is_some() => 1,
            Passage::Ramp(at_once) => at_once.saturating_mul(2),
            _ if self.ramp.is_some() => CALLS_AT_ONCE,
            _ => return None,
        };
        if at_once >= CALLS_AT_ONCE {
            return Some(Gate::default());
        }
        Some(Gate {
            closings: self.closings,
            ramp: Some(Ramp {
                at_once,
                since: now,
            }),
            ..Gate::default()
        })
    }
}

impl Ramp {
    fn at_once_at(self, now: Timestamp) -> u32 {
        let steps = now.since(self.since).as_secs() / RAMP_STEP.as_secs();
        let doubled = 2u32.saturating_pow(u32::try_from(steps).unwrap_or(u32::MAX));
        self.at_once.saturating_mul(doubled)
    }
}

/// How long a failure closes the gate that is closed for the `closings`th time in a row.
fn wait(failure: &CallFailure, closings: u32, dice: u64) -> Duration {
    let longer = |least: Duration| least.max(backoff::half_jitter(closings, dice));
    match failure.kind {
        _ if failure.needs_another_definition() => CREDENTIALS_WAIT,
        Kind::Hibernating => longer(HIBERNATION_WAIT),
        _ => match failure.retry_after() {
            // As it was asked; but who asks for a second each time, and refuses each time, does not mean it.
            Some(asked) if closings <= 1 => asked,
            Some(asked) => longer(asked),
            // By a rule, a page that somebody put up, or until the refresher's next tick: minutes rather than seconds.
            None if matches!(
                failure.kind,
                Kind::RateLimited | Kind::Maintenance | Kind::RefreshWanted
            ) =>
            {
                longer(DEFAULT_WAIT)
            }
            // By load, or no way there: from a blink to a quarter of an hour.
            None => longer(backoff::BASE),
        },
    }
}

#[cfg(test)]
mod tests;
