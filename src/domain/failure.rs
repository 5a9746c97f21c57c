//! What a call to the outside that did not succeed leaves behind: whether it had an effect, why, and what to do.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is known of the effect of a call that did not succeed. Never a bool: the three need three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It never left: no connection, no name, no token.
    NotSent,
    /// It arrived and was refused: proven not executed.
    Refused,
    /// It may have been executed, or may still be: no answer, or one that proves nothing.
    Unknown,
}

/// Why a call did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The host could not be reached.
    Unreachable,
    /// The address may not be called by us.
    Forbidden,
    /// No answer in the time allowed.
    TimedOut,
    /// The connection broke after the request was sent.
    ConnectionLost,
    /// A quota of calls is used up.
    RateLimited,
    /// Too many calls at once.
    Busy,
    /// The token or the credentials were refused.
    Unauthorized,
    /// The access token is not accepted any more, and only the `token-refresher` may obtain another.
    RefreshWanted,
    /// The credentials are good; the rights are not.
    NoRights,
    /// The record or table is not there.
    NotFound,
    /// The request itself will never be accepted.
    Invalid,
    /// A maintenance page, or a proxy's.
    Maintenance,
    /// A developer instance that sleeps.
    Hibernating,
    /// The product failed.
    Unavailable,
    /// The answer cannot be understood.
    Undecodable,
    /// The answer is longer than we read.
    TooLong,
    /// The answer is about another record than ours.
    Foreign,
    /// The connection itself cannot be used (its definition, its vault, its missing login).
    Unusable,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Unreachable,
        Self::Forbidden,
        Self::TimedOut,
        Self::ConnectionLost,
        Self::RateLimited,
        Self::Busy,
        Self::Unauthorized,
        Self::RefreshWanted,
        Self::NoRights,
        Self::NotFound,
        Self::Invalid,
        Self::Maintenance,
        Self::Hibernating,
        Self::Unavailable,
        Self::Undecodable,
        Self::TooLong,
        Self::Foreign,
        Self::Unusable,
    ];
}

/// A call that did not succeed.
///
/// `Display` says what was tried, what came of it and why, in our own words only: nothing that the other side sent
/// becomes part of it. [`CallFailure::hint`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFailure {
    /// The service: `ServiceNow`, `Key Vault`.
    pub service: String,
    /// What was tried: `create incident`.
    pub operation: String,
    /// What is known of its effect.
    pub effect: Effect,
    /// Why.
    pub kind: Kind,
    /// The HTTP status, where there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// Our own short words on it.
    pub detail: String,
    /// How long the service asked us to wait, already clamped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_seconds: Option<u32>,
    /// The service's own id of the call, which its support asks for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<Box<str>>,
    /// What to do about it, where the service knows better than its kind. It is told at once and not kept.
    #[serde(skip)]
    pub advice: Option<&'static str>,
    /// A person has taken out of use what was asked for: what was read of it before must not serve on.
    #[serde(skip)]
    pub is_withdrawn: bool,
}

impl CallFailure {
    /// A failure with no status and no wait.
    pub fn new(
        service: &str,
        operation: &str,
        effect: Effect,
        kind: Kind,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            service: service.to_owned(),
            operation: operation.to_owned(),
            effect,
            kind,
            status: None,
            detail: detail.into(),
            retry_after_seconds: None,
            reference: None,
            advice: None,
            is_withdrawn: false,
        }
    }

    /// The same where a person has taken out of use what was asked for.
    #[must_use]
    pub fn withdrawn(mut self) -> Self {
        self.is_withdrawn = true;
        self
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn with_advice(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// The same with an HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same with what the service asked us to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        let wait = super::backoff::clamp_retry_after(wait).as_secs();
        self.retry_after_seconds = Some(u32::try_from(wait).unwrap_or(u32::MAX));
        self
    }

    /// How long the service asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after_seconds
            .map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// True if the same request can never succeed, whoever tries again.
    pub fn is_permanent(&self) -> bool {
        self.effect == Effect::Refused
            && matches!(self.kind, Kind::Invalid | Kind::NoRights | Kind::NotFound)
    }

    /// True if the trouble is the product's as a whole, so that other calls would meet it too.
    pub fn concerns_every_call(&self) -> bool {
        matches!(
            self.kind,
            Kind::RateLimited
                | Kind::Busy
                | Kind::Unauthorized
                | Kind::RefreshWanted
                | Kind::Maintenance
                | Kind::Hibernating
                | Kind::Unreachable
                | Kind::Unavailable
                | Kind::Forbidden
                | Kind::Unusable
        )
    }

    /// True if only a person can end the trouble, by changing the connection: its credentials, its address, its definition.
    pub fn needs_another_definition(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unauthorized | Kind::Forbidden | Kind::Unusable
        )
    }

    /// True if it was the trouble of the product as a whole, and this request is proven to have had no part in it. In an
    /// outage of a day the oldest event is the probe a hundred times over; only its age may give it up.
    pub fn is_an_outage(&self) -> bool {
        self.effect != Effect::Unknown && self.concerns_every_call()
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        if let Some(advice) = self.advice {
            return advice;
        }
        match self.kind {
            Kind::Unreachable => {
                "check the connection's `server_url`, name resolution and the firewall between here and it"
            }
            Kind::Forbidden => {
                "a private address is called only if the connection's `allow_networks` has its network; a host without TLS, or any at all, if `ITSMC_ALLOW_HOSTS` lists it as `host` or `host:port`"
            }
            Kind::TimedOut | Kind::ConnectionLost => {
                "nothing to do at once: the work item is looked for before it is made again; if it repeats, look at the product's load"
            }
            Kind::RateLimited => {
                "nothing to do at once: calls go on when the quota allows; if it repeats, ask the ITSM administrator for a higher rate limit for the integration user"
            }
            Kind::Busy => {
                "nothing to do at once: calls go on more slowly; if it repeats, the product's integration threads are the bottleneck"
            }
            Kind::Unauthorized => {
                "run `itsmc connection test NAME`; the client id, client secret or user is wrong, locked or expired, or the grant is switched off"
            }
            Kind::RefreshWanted => {
                "nothing to do at once: the `token-refresher` renews the token at its next tick; if it lasts, see whether it runs, or run `itsmc tokens refresh NAME`"
            }
            Kind::NoRights => {
                "give the integration user the role or access scope that the detail names, then `itsmc dead redrive`"
            }
            Kind::NotFound => {
                "check that the table or record exists in the product and that the integration user may read it"
            }
            Kind::Invalid => {
                "correct the action's fields in the connection's definition, then `itsmc dead redrive`"
            }
            Kind::Maintenance => "nothing to do: alerts wait until the product is back",
            Kind::Hibernating => {
                "sign in to the developer instance's portal and wake the instance; alerts wait until then"
            }
            Kind::Unavailable => {
                "nothing to do at once: it is tried again; give the reference to the product's support if it lasts"
            }
            Kind::Undecodable => {
                "check that `server_url` is the product itself and not a proxy or a sign-in page in front of it"
            }
            Kind::TooLong => {
                "look at what makes its records so long; a page of the sync is made shorter by itself"
            }
            Kind::Foreign => {
                "the product returned another record than ours and it was left alone; check that the correlation field exists and is readable"
            }
            Kind::Unusable => "run `itsmc connection test NAME` and follow what it says",
        }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let came_of_it = match self.effect {
            Effect::NotSent => "was not sent",
            Effect::Refused => "was refused",
            Effect::Unknown => "has an unknown outcome",
        };
        write!(
            f,
            "{}: `{}` {came_of_it}: {}",
            self.service, self.operation, self.detail
        )?;
        if let Some(status) = self.status {
            write!(f, " (status {status})")?;
        }
        if let Some(reference) = &self.reference {
            write!(f, " (reference {reference})")?;
        }
        Ok(())
    }
}

impl std::error::Error for CallFailure {}
