//! The gate of a connection: whether its product may be called now. All instances of all functions share it; it never
//! stops the intake (DESIGN §6.9).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::backoff;
use super::failure::{CallFailure, Kind};
use super::timestamp::Timestamp;

/// Wait after trouble for which the product names no time (rule R22).
pub const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// Wait after the credentials were refused: three tries in ten minutes at most, so that nobody's account is locked (I15).
pub const CREDENTIALS_WAIT: Duration = Duration::from_secs(5 * 60);

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
}

/// What a gate lets through at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Calls go through.
    Open,
    /// One call goes through, to find out.
    Probe,
    /// Nothing goes through until then.
    ClosedUntil(Timestamp),
}

impl Gate {
    /// What goes through now.
    pub fn passage(&self, now: Timestamp) -> Passage {
        match self.closed_until {
            None => Passage::Open,
            Some(until) if now < until => Passage::ClosedUntil(until),
            Some(_) => Passage::Probe,
        }
    }

    /// The gate after a failed call; `None` if the failure says nothing about other calls.
    #[must_use]
    pub fn after_failure(&self, failure: &CallFailure, now: Timestamp, dice: u64) -> Option<Gate> {
        if !failure.concerns_every_call() {
            return None;
        }
        let closings = self.closings.saturating_add(1);
        let wait = failure.retry_after().unwrap_or_else(|| match failure.kind {
            Kind::Unauthorized | Kind::Forbidden | Kind::Unusable => CREDENTIALS_WAIT,
            Kind::RateLimited => DEFAULT_WAIT,
            // Two refusals by load in a row say more than one: from a blink to a quarter of an hour.
            _ => backoff::BASE.saturating_add(backoff::full_jitter(closings, dice)),
        });
        Some(Gate {
            closed_until: Some(now.plus(wait)),
            closings,
            because: Some(failure.clone()),
        })
    }

    /// The gate after a call that the product answered as it should; `None` if it was open already.
    #[must_use]
    pub fn after_success(&self) -> Option<Gate> {
        self.closed_until.is_some().then(Gate::default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::Effect;

    fn failure(kind: Kind) -> CallFailure {
        CallFailure::new(
            "ServiceNow",
            "create incident",
            Effect::Refused,
            kind,
            "made up",
        )
    }

    #[test]
    fn closes_for_as_long_as_it_is_asked_to() {
        let now = Timestamp::from_millis(1_000_000);
        let asked = failure(Kind::RateLimited).with_retry_after(Duration::from_secs(3600));
        let gate = Gate::default().after_failure(&asked, now, 0).unwrap();
        assert_eq!(
            gate.passage(now),
            Passage::ClosedUntil(now.plus(Duration::from_secs(3600)))
        );
        assert_eq!(
            gate.passage(now.plus(Duration::from_secs(3600))),
            Passage::Probe
        );
        assert_eq!(gate.after_success(), Some(Gate::default()));
    }

    #[test]
    fn a_record_that_is_refused_closes_nothing() {
        let now = Timestamp::from_millis(0);
        assert_eq!(
            Gate::default().after_failure(&failure(Kind::Invalid), now, 0),
            None
        );
        assert_eq!(
            Gate::default().after_failure(&failure(Kind::NoRights), now, 0),
            None
        );
        assert_eq!(Gate::default().after_success(), None);
    }
}
