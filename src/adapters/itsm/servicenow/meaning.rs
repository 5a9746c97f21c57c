//! What an answer of ServiceNow means: one place, one table, a test per row (servicenow-api §6 and §7).
//!
//! Nothing of an answer's text goes into our own: known phrases are recognised and told in our words.

use bytes::Bytes;

use crate::adapters::http::answer::{is_json, retry_after, told};
use crate::domain::allowance::Meter;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::gate;
use crate::domain::timestamp::Timestamp;
use crate::ports::TransportFailure;

/// An answer that is what it should be.
#[derive(Debug)]
pub(super) enum Answered {
    /// A record, or a list of them.
    Record(Bytes),
    /// 404: no such record, or none that we may see.
    NoRecord,
}

/// What an exchange means for the call `operation`.
pub(super) fn of(
    operation: &str,
    exchange: Result<http::Response<Bytes>, TransportFailure>,
    now: Timestamp,
) -> Result<Answered, CallFailure> {
    let response = exchange.map_err(|failure| unanswered(operation, &failure))?;
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    let json = is_json(&parts.headers);
    let failure = |effect, kind, detail: &str| {
        let mut failure =
            CallFailure::new("ServiceNow", operation, effect, kind, detail).with_status(status);
        failure.reference = reference(&parts.headers).map(String::into_boxed_str);
        failure
    };
    let says = |text: &str| contains(&body, text);
    Err(match status {
        202 if body.is_empty() => failure(
            Effect::Unknown,
            Kind::Busy,
            "the request was dropped: too many are waiting in one session",
        ),
        200..=299 if json && !body.is_empty() => return Ok(Answered::Record(body)),
        200..=299 if says("instance-hibernating-page") => failure(
            Effect::Unknown,
            Kind::Hibernating,
            "the instance is hibernating",
        ),
        200..=299 if body.is_empty() => {
            failure(Effect::Unknown, Kind::Undecodable, "an empty answer")
        }
        200..=299 => failure(
            Effect::Unknown,
            Kind::Maintenance,
            "a page in place of a record: maintenance, or a proxy's",
        ),
        300..=399 if hibernates(&parts.headers) => failure(
            Effect::Unknown,
            Kind::Hibernating,
            "the instance is hibernating",
        ),
        300..=399 => failure(
            Effect::Unknown,
            Kind::Undecodable,
            "sent elsewhere; redirects are not followed",
        ),
        401 if parts.headers.contains_key("x-mfa_token") => failure(
            Effect::Refused,
            Kind::Unauthorized,
            "the integration user must show a second factor; exempt it",
        ),
        401 => failure(
            Effect::Refused,
            Kind::Unauthorized,
            "the access token is not accepted",
        ),
        403 => failure(Effect::Refused, Kind::NoRights, forbidden(&body)),
        404 if json => return Ok(Answered::NoRecord),
        404 => failure(
            Effect::Unknown,
            Kind::Undecodable,
            "a page that does not exist; this may not be a ServiceNow instance",
        ),
        400 | 405 | 406 | 413 | 414 | 415 if status != 400 || (json && !body.is_empty()) => {
            failure(Effect::Refused, Kind::Invalid, invalid(status, &body))
        }
        429 => rate_limited(
            failure(
                Effect::Refused,
                Kind::RateLimited,
                "the integration user's quota of calls is used up",
            ),
            &parts.headers,
            now,
        ),
        500 if says("maximum execution time exceeded") => failure(
            Effect::Unknown,
            Kind::Unavailable,
            "the transaction was cancelled for its length; it may have been committed",
        ),
        502..=504 => failure(
            Effect::Unknown,
            Kind::Unavailable,
            "the instance is not available",
        ),
        500..=599 => failure(Effect::Unknown, Kind::Unavailable, "the instance failed"),
        _ => failure(
            Effect::Unknown,
            Kind::Undecodable,
            "an answer that the Table API does not give",
        ),
    })
}

fn unanswered(operation: &str, failure: &TransportFailure) -> CallFailure {
    let (effect, trouble) = match failure {
        TransportFailure::NotSent(trouble) => (Effect::NotSent, *trouble),
        TransportFailure::Unknown(trouble) => (Effect::Unknown, *trouble),
    };
    let (kind, detail) = told(trouble);
    CallFailure::new("ServiceNow", operation, effect, kind, detail)
}

/// Counts an exchange. A rule for this user is announced with every call that it let through (servicenow-api §7); a
/// refusal is the gate's to heed.
pub(super) fn count(
    exchange: &Result<http::Response<Bytes>, TransportFailure>,
    meter: &Meter,
    now: Timestamp,
) {
    match exchange {
        Ok(response) if response.status() == http::StatusCode::TOO_MANY_REQUESTS => {}
        Ok(response) => match announced(response.headers()) {
            Some((limit, resets_at)) => meter.announced(limit, resets_at, now),
            None if response.status().is_server_error() => meter.unanswered(),
            None => {}
        },
        Err(TransportFailure::Unknown(_)) => meter.unanswered(),
        Err(TransportFailure::NotSent(_)) => {}
    }
}

/// Calls per window, and when it ends.
fn announced(headers: &http::HeaderMap) -> Option<(u64, Timestamp)> {
    let limit = number(headers, "x-ratelimit-limit").and_then(|limit| u64::try_from(limit).ok())?;
    Some((limit, resets_at(headers)?))
}

fn resets_at(headers: &http::HeaderMap) -> Option<Timestamp> {
    let seconds = number(headers, "x-ratelimit-reset")?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1000)))
}

fn number(headers: &http::HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// 429 by a rule comes with headers and a date; 429 by the semaphore comes bare (servicenow-api §7).
fn rate_limited(failure: CallFailure, headers: &http::HeaderMap, now: Timestamp) -> CallFailure {
    let reset = resets_at(headers).map(|at| at.since(now));
    match retry_after(headers, now).or(reset) {
        Some(wait) => failure.with_retry_after(wait),
        None if headers.contains_key("x-ratelimit-rule") || headers.contains_key("retry-after") => {
            failure.with_retry_after(gate::DEFAULT_WAIT)
        }
        None => CallFailure {
            kind: Kind::Busy,
            detail: "too many calls at once".to_owned(),
            ..failure
        },
    }
}

fn forbidden(body: &[u8]) -> &'static str {
    if contains(body, "Unique Key violation") {
        "a record with this key exists already"
    } else if contains(body, "Missing required api access scope") {
        "the OAuth client lacks the API access scope `useraccount`"
    } else if contains(body, "API level ACL") {
        "the integration user lacks the role `snc_platform_rest_api_access`"
    } else if contains(body, "ACL Exception") || contains(body, "security constraints") {
        "an access control rule refuses it to the integration user; the role `itil` is the least that it needs"
    } else if contains(body, "Business Rule") {
        "a business rule of the instance aborted it"
    } else if contains(body, "Data Policy")
        || contains(body, "mandatory")
        || contains(body, "read-only")
        || contains(body, "read only")
    {
        "a data policy refuses it: a mandatory field is missing, or one is read-only"
    } else {
        "the integration user may not do this"
    }
}

fn invalid(status: u16, body: &[u8]) -> &'static str {
    match status {
        413 => "the request is too large",
        400 if contains(body, "Invalid table") => "the table does not exist",
        400 if contains(body, "REST payload") => "the request is larger than the instance allows",
        400 if contains(body, "does not represent any resource") => {
            "the API does not exist on this instance"
        }
        _ => "the instance does not accept the request",
    }
}

fn hibernates(headers: &http::HeaderMap) -> bool {
    headers
        .get(http::header::LOCATION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("wu=true"))
}

/// What ServiceNow's support asks for; taken only if it looks like what it should be.
fn reference(headers: &http::HeaderMap) -> Option<String> {
    let text = headers.get("x-transaction-id")?.to_str().ok()?;
    let plain = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| text.to_owned())
}

fn contains(body: &[u8], text: &str) -> bool {
    // Known phrases stand near the beginning; a page of megabytes is not searched.
    let window = &body[..body.len().min(64 * 1024)];
    window
        .windows(text.len())
        .any(|part| part.eq_ignore_ascii_case(text.as_bytes()))
}

/// 404 for a whole table.
pub(super) fn table_missing(operation: &str) -> CallFailure {
    let detail = "the table `incident` does not exist, or the integration user may not see it";
    CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Refused,
        Kind::NotFound,
        detail,
    )
    .with_status(404)
}

/// 404 for a record that is to be written.
pub(super) fn record_missing(operation: &str) -> CallFailure {
    let detail = "the record does not exist any more, or the integration user may not see it";
    CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Refused,
        Kind::NotFound,
        detail,
    )
    .with_status(404)
}
