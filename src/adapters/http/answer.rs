//! What every client reads of an answer, and the words for what came instead of one.

use std::time::Duration;

use crate::domain::failure::Kind;
use crate::domain::timestamp::Timestamp;
use crate::ports::TransportTrouble;

/// True if the body says that it is JSON.
pub(in crate::adapters) fn is_json(headers: &http::HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().contains("json"))
}

/// `Retry-After` in seconds or as a date; `None` if it is missing or nonsense.
pub(in crate::adapters) fn retry_after(
    headers: &http::HeaderMap,
    now: Timestamp,
) -> Option<Duration> {
    let text = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    Timestamp::parse_http_date(text).map(|when| when.since(now))
}

/// A transport's trouble in words.
pub(in crate::adapters) fn told(trouble: TransportTrouble) -> (Kind, &'static str) {
    match trouble {
        TransportTrouble::Unreachable => (Kind::Unreachable, "the host cannot be reached"),
        TransportTrouble::Forbidden => (
            Kind::Forbidden,
            "the host's address is private or without TLS, and neither the connection nor the list of allowed hosts allows it",
        ),
        TransportTrouble::Certificate => (
            Kind::Unreachable,
            "the host's certificate is not to be trusted, or TLS could not be set up",
        ),
        TransportTrouble::TimedOut => (Kind::TimedOut, "no answer in the time allowed"),
        TransportTrouble::Broken => (Kind::ConnectionLost, "the connection broke"),
        TransportTrouble::TooLong => (
            Kind::TooLong,
            "the answer is longer than any answer should be",
        ),
        TransportTrouble::Malformed => (Kind::Invalid, "the request could not be built"),
    }
}
