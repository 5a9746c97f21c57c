//! The intake of alerts, the same on every host: a request's head decides whether its body is read at all, and a panic
//! below becomes a 503.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};

use super::function::{Function, NotListed, Rhythm, TakesAlerts};
use super::health;
use super::reply::Reply;
use super::route::{Route, route};
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::secret::Secret;
use crate::domain::webhook_auth::{Admitted, WebhookAuth};
use crate::flows::callers::{Callers, NotAdmitted, Shown};
use crate::flows::create_work_item::{self, ANSWER_WITHIN, Answer, Labelled, NotKept};
use crate::flows::{Core, drain};
use crate::inbound::webhook::{Delivery, Unverified, Verified, Webhook};
use crate::ports::Clock;

/// Longest body that is read: four times what an alert of the Common Alert Schema can be (azure-platform §1.1).
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The header that shows a key, for senders that can set one.
pub const KEY_HEADER: &str = "x-itsmc-key";

/// The query parameter that shows a key, for senders that can only set an address (Azure's action groups).
pub const KEY_PARAMETER: &str = "key";

/// The head of a request.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path, as it came.
    pub path: &'a str,
    /// The query, as it came.
    pub query: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// What a head asks for.
#[derive(Debug)]
pub enum Opened {
    /// The answer, without a body.
    Answer(Reply),
    /// A body, please.
    Body(Box<Accepted>),
}

/// A verified request whose body is wanted.
#[derive(Debug)]
pub struct Accepted {
    webhook: Webhook<Verified>,
    labelled: Labelled,
}

/// The intake of alerts.
#[derive(Debug)]
pub struct Intake {
    core: Core,
    callers: Callers,
}

impl Intake {
    /// Over the flows, for callers that show a key, or for everybody.
    pub fn new(core: Core, auth: WebhookAuth) -> Self {
        let callers = Callers::by_key(auth, Arc::clone(&core.clock));
        Self::for_callers(core, callers)
    }

    /// Over the flows.
    pub fn for_callers(core: Core, callers: Callers) -> Self {
        Self { core, callers }
    }

    /// What the flows work with.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Looks at a request's head: who is it for, may it, and is its body one that we read?
    pub async fn open(&self, head: Head<'_>) -> Opened {
        let refused = |reply| Opened::Answer(reply);
        match route(head.method, head.path) {
            Route::Unknown => refused(Reply::unknown_path()),
            Route::WrongMethod { allow } => refused(Reply::wrong_method(allow)),
            Route::Live => refused(Reply::json(
                StatusCode::OK,
                &serde_json::json!({ "live": true }),
            )),
            Route::Health if !self.callers.show_health(&shown(head)) => {
                refused(Reply::not_admitted(&NotAdmitted::NoKey))
            }
            Route::Health => refused(health::reply(&self.core)),
            Route::Deliver(connection, action) => match self.callers.admit(&shown(head)).await {
                Err(reason) => {
                    log_not_admitted(&connection, &reason);
                    refused(Reply::not_admitted(&reason))
                }
                Ok(_) if is_compressed(head.headers) => refused(Reply::compressed()),
                Ok(_) if announces_too_much(head.headers) => refused(Reply::too_large()),
                Ok(proof) => Opened::Body(Box::new(Accepted {
                    webhook: Webhook::<Unverified>::new(connection, action).verify(proof),
                    labelled: label(head.headers),
                })),
            },
        }
    }

    /// The request of somebody whom the platform itself has let in, and who is nobody's proxy.
    pub fn invoked(&self, connection: ConnectionName, action: ActionName) -> Accepted {
        Accepted {
            webhook: Webhook::<Unverified>::new(connection, action).verify(Admitted::by_platform()),
            labelled: Labelled::Json,
        }
    }

    /// Takes the body of a verified request.
    pub async fn take(&self, accepted: Accepted, body: Bytes) -> Reply {
        self.take_within(accepted, body, ANSWER_WITHIN).await
    }

    /// The same where the platform may end us sooner.
    pub async fn take_within(&self, accepted: Accepted, body: Bytes, within: Duration) -> Reply {
        if body.len() > BODY_BYTES_MAX {
            return Reply::too_large();
        }
        let Accepted { webhook, labelled } = accepted;
        let delivery = webhook.with_body(body);
        let started = self.core.clock.monotonic();
        let (connection, action) = (delivery.connection().clone(), delivery.action().clone());
        let received = AssertUnwindSafe(self.receive(delivery, labelled, within))
            .catch_unwind()
            .await;
        let duration_ms = u64::try_from(
            self.core
                .clock
                .monotonic()
                .saturating_sub(started)
                .as_millis(),
        )
        .unwrap_or(u64::MAX);
        match received {
            Ok(Ok(answer)) => {
                tracing::info!(
                    %connection,
                    %action,
                    event = answer.event,
                    outcome = answer.outcome.as_str(),
                    work_item.number = answer.work_items.first().map(|item| item.number.as_str()),
                    duration_ms,
                    "alert handled"
                );
                Reply::answer(&answer)
            }
            Ok(Err(reason)) => {
                log_not_kept(&connection, &action, duration_ms, &reason);
                Reply::not_kept(&reason)
            }
            Err(_) => {
                tracing::error!(%connection, %action, duration_ms, hint = "report it with the lines before this one; the sender sends the alert again", "a fault while an alert was handled");
                Reply::panicked()
            }
        }
    }

    async fn receive(
        &self,
        delivery: Delivery,
        labelled: Labelled,
        within: Duration,
    ) -> Result<Answer, NotKept> {
        create_work_item::receive_within(&self.core, delivery, labelled, within).await
    }

    /// Finishes what is pending, within `span`. A fault ends this run, not the process.
    pub async fn drain(&self, span: Duration) {
        match AssertUnwindSafe(drain::run(&self.core, span))
            .catch_unwind()
            .await
        {
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => {
                tracing::error!(%failure, hint = failure.hint(), "the drain failed")
            }
            Err(_) => tracing::error!(
                hint = "report it with the lines before this one; the next run goes on",
                "a fault in the drain"
            ),
        }
    }
}

/// Every minute, and a function of the Consumption plan has five for it (azure-platform §5.4).
const RHYTHM: Rhythm = Rhythm {
    every: Duration::from_secs(60),
    within: Duration::from_secs(55),
};

#[async_trait(?Send)]
impl Function for Intake {
    fn clock(&self) -> &dyn Clock {
        &*self.core.clock
    }

    fn rhythm(&self) -> Rhythm {
        RHYTHM
    }

    /// Finishes what is pending. What goes wrong is in the log, and the next tick goes on.
    async fn tick(&self, within: Duration) -> Result<(), NotListed> {
        self.drain(within).await;
        Ok(())
    }

    fn done(&self) -> &'static str {
        "drained"
    }

    fn webhook(&self) -> Option<&dyn TakesAlerts> {
        Some(self)
    }
}

#[async_trait]
impl TakesAlerts for Intake {
    async fn open(&self, head: Head<'_>) -> Opened {
        Intake::open(self, head).await
    }

    fn invoked(&self, connection: ConnectionName, action: ActionName) -> Accepted {
        Intake::invoked(self, connection, action)
    }

    async fn take_within(&self, accepted: Accepted, body: Bytes, within: Duration) -> Reply {
        Intake::take_within(self, accepted, body, within).await
    }
}

fn log_not_kept(
    connection: &ConnectionName,
    action: &ActionName,
    duration_ms: u64,
    reason: &NotKept,
) {
    match reason {
        NotKept::NoSuchConnection => {
            tracing::error!(%connection, %action, duration_ms, hint = "correct the address in the action group, or add the connection", "alert for a connection or action that does not exist");
        }
        NotKept::NotJson => {
            tracing::warn!(%connection, %action, duration_ms, "a body that is no alert and is not labelled as JSON was refused")
        }
        NotKept::NotDurable(failure) => {
            tracing::error!(%connection, %action, duration_ms, %failure, hint = failure.hint(), "alert not kept");
        }
    }
}

fn log_not_admitted(connection: &ConnectionName, reason: &NotAdmitted) {
    match reason {
        // Anybody can send one; a line for each would be theirs to write.
        NotAdmitted::NoKey => {
            tracing::debug!(%connection, "a caller without a valid key was turned away");
        }
        NotAdmitted::NoToken(reason) => {
            tracing::warn!(%connection, reason, hint = "docs/settings.md says what a token must be", "a caller without a valid token was turned away");
        }
        NotAdmitted::NotAllowed(reason) => {
            tracing::warn!(%connection, reason, hint = "docs/settings.md says what a token must be", "a caller with a token was turned away");
        }
        NotAdmitted::Unknown(failure) => {
            tracing::error!(%connection, %failure, hint = failure.hint(), "whether a caller may call could not be found out; the sender sends the alert again");
        }
    }
}

/// What a request shows of its caller.
fn shown(head: Head<'_>) -> Shown {
    Shown {
        key: key(head),
        bearer: bearer(head.headers),
    }
}

/// The token of `Authorization: Bearer`. Two such headers are none: which of them counts would be a matter of taste.
fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (all.next()?, all.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::from(token))
}

/// The key that a request shows. Of several the first counts; the header before the address.
fn key(head: Head<'_>) -> Option<Secret> {
    if let Some(value) = head.headers.get(KEY_HEADER) {
        return value.to_str().ok().map(Secret::from);
    }
    let (_, value) = url::form_urlencoded::parse(head.query?.as_bytes())
        .find(|(name, _)| name == KEY_PARAMETER)?;
    Some(Secret::new(value.into_owned()))
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn announces_too_much(headers: &HeaderMap) -> bool {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length > BODY_BYTES_MAX as u64)
}

fn label(headers: &HeaderMap) -> Labelled {
    match headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    {
        Some(value) if value.to_ascii_lowercase().contains("json") => Labelled::Json,
        _ => Labelled::Otherwise,
    }
}
