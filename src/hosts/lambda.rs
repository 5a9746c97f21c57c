//! AWS Lambda: function URLs and HTTP APIs (payload formats 1.0 and 2.0), schedules, and direct invocations with
//! `{"connection":…,"action":…,"alert":…}`.
//!
//! The runtime is polled before anything else is done; what an event is, its shape says.

mod request;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::intake::Opened;
use super::reply::Reply;
use super::{Function, NotListed, TakesAlerts};
use crate::domain::name::{ActionName, ConnectionName};
use crate::ports::Clock;
use request::Request;

/// What is kept back of the invocation's time, so that the answer leaves before the platform ends it.
const RESERVE: Duration = Duration::from_secs(1);

/// A deadline before this, a day in 1970, is no moment but a span: no invocation may take so long.
const SPANS_BELOW: Duration = Duration::from_secs(24 * 60 * 60);

/// How an event says what it is.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(rename = "requestContext", default)]
    request_context: Option<RequestContext>,
    #[serde(rename = "httpMethod", default)]
    http_method: Option<IgnoredAny>,
    #[serde(rename = "detail-type", default)]
    detail_type: Option<IgnoredAny>,
    #[serde(default)]
    source: Option<IgnoredAny>,
    #[serde(borrow, default)]
    alert: Option<&'a RawValue>,
    #[serde(default)]
    connection: Option<String>,
    #[serde(default)]
    action: Option<String>,
}

#[derive(Deserialize)]
struct RequestContext {
    #[serde(default)]
    http: Option<IgnoredAny>,
}

/// An event that this function does not take.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// Its shape is that of none we know.
    #[error(
        "the event is no request of a function URL or HTTP API (payload format 1.0 or 2.0), no schedule's, and no `{{\"connection\":…,\"action\":…,\"alert\":…}}`"
    )]
    NotOurEvent,
    /// The connections could not be looked at.
    #[error(transparent)]
    NotListed(#[from] NotListed),
    /// An alert that came by a direct invocation was not kept. Lambda tries an asynchronous one again.
    #[error("{title} (status {status}): {detail}; hint: {hint}")]
    NotKept {
        /// What a sender over HTTP would be told.
        status: u16,
        /// In short.
        title: String,
        /// In more words.
        detail: String,
        /// What to do.
        hint: String,
    },
}

impl From<NotDone> for Diagnostic {
    fn from(error: NotDone) -> Self {
        let error_type = match error {
            NotDone::NotOurEvent => "NotOurEvent",
            NotDone::NotListed(_) => "NotListed",
            NotDone::NotKept { .. } => "NotKept",
        };
        Diagnostic {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// Serves a function to the Lambda runtime until the platform ends it.
pub async fn serve(function: Arc<dyn Function>) -> Result<(), lambda_runtime::Error> {
    let function = &*function;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        // Boxed: what a flow holds while it waits is large, and the runtime moves it about.
        Box::pin(handle(function, event)).await
    }))
    .await
}

async fn handle(
    function: &dyn Function,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, NotDone> {
    let deadline = event
        .context
        .deadline()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let left = left(deadline, function.clock());
    invoke(function, event.payload.get(), left).await
}

/// What is left of the invocation's time.
fn left(deadline: Duration, clock: &dyn Clock) -> Duration {
    let now = Duration::from_millis(u64::try_from(clock.now().as_millis()).unwrap_or(0));
    left_at(now, deadline)
}

/// Lambda tells the moment at which an invocation ends; `cargo lambda watch` tells how long it takes, which as a moment would
/// be in 1970, and nothing would ever be begun.
fn left_at(now: Duration, deadline: Duration) -> Duration {
    let left = match deadline < SPANS_BELOW {
        true => deadline,
        false => deadline.saturating_sub(now),
    };
    left.saturating_sub(RESERVE)
}

/// One event, with so much time left for it. Where there is no webhook, every event is a tick.
pub async fn invoke(
    function: &dyn Function,
    payload: &str,
    left: Duration,
) -> Result<Box<RawValue>, NotDone> {
    let Some(intake) = function.webhook() else {
        return tick(function, left).await;
    };
    let shape: Shape<'_> = serde_json::from_str(payload).map_err(|_| NotDone::NotOurEvent)?;
    let version_2 = shape
        .request_context
        .is_some_and(|context| context.http.is_some());
    if version_2 || shape.http_method.is_some() {
        let request = match version_2 {
            true => Request::of_version_2(payload),
            false => Request::of_version_1(payload),
        };
        let request = request.ok_or(NotDone::NotOurEvent)?;
        return Ok(response(answer(intake, request, left).await, version_2));
    }
    if let Some(alert) = shape.alert {
        let (connection, action) = (shape.connection, shape.action);
        return invoked(intake, connection, action, alert, left).await;
    }
    if shape.detail_type.is_some() || shape.source.is_some() {
        return tick(function, left).await;
    }
    Err(NotDone::NotOurEvent)
}

async fn tick(function: &dyn Function, left: Duration) -> Result<Box<RawValue>, NotDone> {
    function.tick(left).await?;
    let done = function.done();
    Ok(raw(format!("{{\"outcome\":\"{done}\"}}")))
}

/// An alert by a direct invocation: whoever may invoke the function has been let in by the platform.
async fn invoked(
    intake: &dyn TakesAlerts,
    connection: Option<String>,
    action: Option<String>,
    alert: &RawValue,
    left: Duration,
) -> Result<Box<RawValue>, NotDone> {
    let connection = connection.and_then(|name| ConnectionName::parse(&name).ok());
    let action = action.map_or_else(
        || Ok(ActionName::default()),
        |name| ActionName::parse(&name),
    );
    let (Some(connection), Ok(action)) = (connection, action) else {
        return Err(NotDone::NotOurEvent);
    };
    let accepted = intake.invoked(connection, action);
    let body = Bytes::copy_from_slice(alert.get().as_bytes());
    let reply = intake.take_within(accepted, body, left).await;
    if reply.status.is_success() {
        return Ok(raw(String::from_utf8_lossy(&reply.body).into_owned()));
    }
    let [title, detail, hint] = reply.told();
    Err(NotDone::NotKept {
        status: reply.status.as_u16(),
        title,
        detail,
        hint,
    })
}

async fn answer(intake: &dyn TakesAlerts, request: Request, left: Duration) -> Reply {
    let accepted = match intake.open(request.head()).await {
        Opened::Answer(reply) => return reply,
        Opened::Body(accepted) => accepted,
    };
    match body(request.body, request.is_base64) {
        Some(body) => intake.take_within(*accepted, body, left).await,
        None => Reply::bad_request(),
    }
}

/// The body's bytes. A flag that lies (row W39) is told by the first character: JSON begins with `{`, base64 never does.
fn body(text: String, is_base64: bool) -> Option<Bytes> {
    let looks_plain = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('{');
    match is_base64 && !looks_plain {
        true => data_encoding::BASE64
            .decode(text.trim().as_bytes())
            .ok()
            .map(Bytes::from),
        false => Some(Bytes::from(text)),
    }
}

/// The same members in both versions, but that version 1.0 must be told that a body is text.
fn response(reply: Reply, version_2: bool) -> Box<RawValue> {
    let mut headers = serde_json::Map::new();
    headers.insert("content-type".to_owned(), reply.content_type.into());
    for (name, value) in &reply.headers {
        headers.insert((*name).to_owned(), (*value).into());
    }
    let mut response = serde_json::json!({
        "statusCode": reply.status.as_u16(),
        "headers": headers,
        "body": String::from_utf8_lossy(&reply.body),
        "isBase64Encoded": false,
    });
    if version_2 {
        // Lambda takes an answer without; `cargo lambda watch` takes none for an error.
        response["cookies"] = serde_json::json!([]);
    }
    raw(response.to_string())
}

fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_moment_and_an_emulators_span_is_a_span() {
        let seconds = Duration::from_secs;
        let now = seconds(1_790_000_000);
        assert_eq!(left_at(now, now + seconds(10)), seconds(9));
        assert_eq!(left_at(now, now - seconds(10)), Duration::ZERO);
        assert_eq!(left_at(now, seconds(600)), seconds(599));
    }

    #[test]
    fn a_flag_that_lies_about_base64_is_seen_through() {
        assert_eq!(
            body("{\"a\":1}".to_owned(), true).as_deref(),
            Some(&b"{\"a\":1}"[..])
        );
        assert_eq!(
            body("eyJhIjoxfQ==".to_owned(), true).as_deref(),
            Some(&b"{\"a\":1}"[..])
        );
        assert_eq!(body("not base64!".to_owned(), true), None);
        assert_eq!(body("{}".to_owned(), false).as_deref(), Some(&b"{}"[..]));
    }
}
