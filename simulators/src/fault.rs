//! Faults as data: which requests, how often, and what goes wrong.
//!
//! A rule is plain data, so a test can set it in process, over the control surface, or from a file; which request it
//! hits depends on the requests and the seed alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::journal::Kind;

mod milliseconds;
mod rules;

pub use rules::Faults;

/// What goes wrong. Unless it says otherwise, the request is **not** executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// This status and body instead of an answer.
    Status {
        /// The status.
        code: u16,
        /// The `Retry-After` header, as text: also a date or nonsense.
        #[serde(default)]
        retry_after: Option<String>,
        /// Whether the product's rate limit headers are there.
        #[serde(default)]
        rate_headers: bool,
        /// What the body is.
        #[serde(default)]
        body: FaultBody,
    },
    /// The connection is reset before the request is read.
    ResetBeforeRead,
    /// Executed; the reply is lost.
    DropReplyAfterWrite,
    /// Never executed; the client sees the same as when the reply is lost.
    DropReplyBeforeWrite,
    /// No reply; executed when the time reaches now + `after`, before whatever is answered next.
    ExecuteLate {
        /// How much later.
        #[serde(rename = "after_ms", with = "milliseconds")]
        after: Duration,
    },
    /// Executed at once; the reply takes this long.
    Slow {
        /// How long.
        #[serde(rename = "by_ms", with = "milliseconds")]
        by: Duration,
    },
    /// Executed; the reply comes one byte per interval.
    Drip {
        /// The interval.
        #[serde(rename = "every_ms", with = "milliseconds")]
        every: Duration,
    },
    /// Executed; the body is cut, then the connection is dropped.
    CutBody {
        /// How much arrives.
        after_bytes: usize,
    },
    /// 200 with a maintenance page.
    Html200,
    /// 200 with the page of a sleeping instance.
    Hibernating,
    /// 302 to where a sleeping instance is woken.
    HibernatingRedirect,
    /// 200 whose body is an error.
    ErrorBodyWith200,
    /// Executed; 200 with rows, then an `error` member, then the end in the middle of the document.
    BrokenJsonWith200,
    /// Executed; 200 with `null`.
    Null200,
    /// Executed; 200 with the result as a bare list, without its envelope.
    BareList200,
    /// 202 without a body: the product dropped the request.
    Empty202,
    /// Executed; the result is there but empty.
    EmptyResult,
    /// Executed; the record in the reply is another one, with another correlation id.
    ForeignRecord,
    /// Executed; the record in the reply has no correlation id.
    NoCorrelationEcho,
    /// Executed; the record in the reply has another key.
    WrongSysId,
    /// The access token that came in is expired from now on.
    TokenExpiredEarly,
    /// 401 although the token is good; it stays good.
    Unauthorized401,
    /// 403 for one of the reasons there are.
    Forbidden403(Forbidden),
    /// Executed; the body is this long.
    HugeBody {
        /// How long.
        bytes: usize,
    },
    /// 429 by a rate limit rule, with its headers.
    RateLimit429,
    /// 429 by too many parallel calls: no headers.
    Semaphore429,
    /// Executed and committed; 500 "maximum execution time exceeded".
    CommitThen500,
    /// Executed; the reply repeats the page before, if there was one for this table.
    SamePageTwice,
    /// An error body that repeats every secret that came in.
    EchoSecrets,
    /// Executed by a clock that is off by this much.
    ClockOff {
        /// Milliseconds; negative is behind.
        #[serde(rename = "by_ms")]
        by: i64,
    },
    /// Executed; records made or changed in the last while are not found.
    StaleSearch {
        /// How far behind the search is.
        #[serde(rename = "by_ms", with = "milliseconds")]
        by: Duration,
    },
}

/// The body of [`Fault::Status`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultBody {
    /// The product's own error document.
    #[default]
    Json,
    /// A page by something in front of the product.
    Html,
    /// Nothing.
    Empty,
}

/// Why a [`Fault::Forbidden403`] refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forbidden {
    /// An access control.
    Acl,
    /// A business rule of the customer.
    BusinessRule,
    /// A data policy of the customer.
    DataPolicy,
}

impl Fault {
    /// Its name, as in JSON: what the journal says.
    pub fn name(&self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            Ok(serde_json::Value::Object(map)) => map.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        }
    }
}

/// How many times a rule strikes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    /// One time.
    #[default]
    Once,
    /// This many times.
    N(u32),
    /// Until the rules are cleared.
    Always,
}

/// Which requests, how often, what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which kind of request.
    pub kind: Kind,
    /// Only those for this table.
    #[serde(default)]
    pub table: Option<String>,
    /// Only the n-th matching one, from 1, counted since the rule was set.
    #[serde(default)]
    pub nth: Option<u32>,
    /// Only each k-th matching one.
    #[serde(default)]
    pub every: Option<u32>,
    /// Only with this probability, by the seed of the rules.
    #[serde(default)]
    pub probability: Option<f64>,
    /// How many times it strikes.
    #[serde(default)]
    pub times: Times,
    /// What goes wrong.
    pub fault: Fault,
}

impl FaultRule {
    /// The next request of a kind.
    pub fn once(kind: Kind, fault: Fault) -> Self {
        Self {
            kind,
            table: None,
            nth: None,
            every: None,
            probability: None,
            times: Times::Once,
            fault,
        }
    }

    /// The next n requests of a kind.
    pub fn times(kind: Kind, n: u32, fault: Fault) -> Self {
        Self {
            times: Times::N(n),
            ..Self::once(kind, fault)
        }
    }

    /// Every request of a kind.
    pub fn always(kind: Kind, fault: Fault) -> Self {
        Self {
            times: Times::Always,
            ..Self::once(kind, fault)
        }
    }

    /// Only the n-th matching request, from 1.
    #[must_use]
    pub fn nth(self, n: u32) -> Self {
        Self {
            nth: Some(n),
            ..self
        }
    }

    /// Only each k-th matching request.
    #[must_use]
    pub fn every(self, k: u32) -> Self {
        Self {
            every: Some(k),
            ..self
        }
    }

    /// Only with this probability.
    #[must_use]
    pub fn probability(self, p: f64) -> Self {
        Self {
            probability: Some(p),
            ..self
        }
    }

    /// Only requests for this table.
    #[must_use]
    pub fn on_table(self, table: impl Into<String>) -> Self {
        Self {
            table: Some(table.into()),
            ..self
        }
    }
}
