//! The intake of alerts, the same on every host: a request's head decides whether its body is read at all, and a panic
//! below becomes a 503.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};

use super::health;
use super::reply::Reply;
use super::route::{Route, route};
use crate::domain::secret::Secret;
use crate::domain::webhook_auth::WebhookAuth;
use crate::flows::create_work_item::{self, Answer, Labelled, NotKept};
use crate::flows::{Core, drain};
use crate::inbound::webhook::{Delivery, Unverified, Verified, Webhook};

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
    auth: WebhookAuth,
}

impl Intake {
    /// Over the flows.
    pub fn new(core: Core, auth: WebhookAuth) -> Self {
        Self { core, auth }
    }

    /// What the flows work with.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Looks at a request's head: who is it for, may it, and is its body one that we read?
    pub fn open(&self, head: Head<'_>) -> Opened {
        let refused = |reply| Opened::Answer(reply);
        let key = key(head);
        match route(head.method, head.path) {
            Route::Unknown => refused(Reply::unknown_path()),
            Route::WrongMethod { allow } => refused(Reply::wrong_method(allow)),
            Route::Live => refused(Reply::json(
                StatusCode::OK,
                &serde_json::json!({ "live": true }),
            )),
            Route::Health if !self.auth.admits(key.as_ref()) => refused(Reply::not_verified()),
            Route::Health => refused(health::reply(&self.core)),
            Route::Deliver(connection, action) => {
                let webhook = Webhook::<Unverified>::new(connection, action, key);
                match webhook.verify(&self.auth) {
                    Err(_) => refused(Reply::not_verified()),
                    Ok(_) if is_compressed(head.headers) => refused(Reply::compressed()),
                    Ok(_) if announces_too_much(head.headers) => refused(Reply::too_large()),
                    Ok(webhook) => Opened::Body(Box::new(Accepted {
                        webhook,
                        labelled: label(head.headers),
                    })),
                }
            }
        }
    }

    /// Takes the body of a verified request.
    pub async fn take(&self, accepted: Accepted, body: Bytes) -> Reply {
        if body.len() > BODY_BYTES_MAX {
            return Reply::too_large();
        }
        let Accepted { webhook, labelled } = accepted;
        let delivery = webhook.with_body(body);
        let started = self.core.clock.monotonic();
        let (connection, action) = (delivery.connection().clone(), delivery.action().clone());
        let received = AssertUnwindSafe(self.receive(delivery, labelled))
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

    async fn receive(&self, delivery: Delivery, labelled: Labelled) -> Result<Answer, NotKept> {
        create_work_item::receive(&self.core, delivery, labelled).await
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

fn log_not_kept(
    connection: &crate::domain::name::ConnectionName,
    action: &crate::domain::name::ActionName,
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
