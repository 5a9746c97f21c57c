//! What an answer of the Logs Ingestion API means for the batch.

use http::{Response, StatusCode};

use bytes::Bytes;

use crate::adapters::http::answer::retry_after;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::sink_failure::SinkFailure;
use crate::domain::table::Table;
use crate::domain::timestamp::Timestamp;

/// Above this many bytes a 404 may mean that the body is too long, as it has been seen to (rule R31): half of a full one is
/// below, so that it is halved once before anybody is called.
const TOO_LARGE_404_BYTES: usize = 512 * 1024;

/// How much of an answer is looked at for names that we know.
const LOOKED_AT_BYTES: usize = 16 * 1024;

/// One arm for each status.
pub(super) fn meaning(
    table: Table,
    body_bytes: usize,
    response: &Response<Bytes>,
    now: Timestamp,
) -> Result<(), SinkFailure> {
    let status = response.status();
    let told = |effect, kind, detail: &str| {
        failure(table, effect, kind, detail).with_status(status.as_u16())
    };
    let refused =
        |kind, detail: &str| Err(SinkFailure::Refused(told(Effect::Refused, kind, detail)));
    let wait = |kind, detail: &str| {
        let failure = told(Effect::Refused, kind, detail);
        Err(SinkFailure::Wait(
            match retry_after(response.headers(), now) {
                Some(wait) => failure.with_retry_after(wait),
                None => failure,
            },
        ))
    };
    match status {
        StatusCode::NO_CONTENT => Ok(()),
        StatusCode::BAD_REQUEST => refused(Kind::Invalid, &mismatch(table, response.body())),
        StatusCode::UNAUTHORIZED => refused(
            Kind::Unauthorized,
            "Azure does not accept the token of this function's identity",
        ),
        StatusCode::FORBIDDEN => refused(
            Kind::NoRights,
            "this function's identity lacks the role `Monitoring Metrics Publisher` on the data collection rule, or has it for less than 30 minutes",
        ),
        StatusCode::NOT_FOUND if body_bytes > TOO_LARGE_404_BYTES => {
            Err(SinkFailure::TooLarge(told(
                Effect::Refused,
                Kind::NotFound,
                "there is no such rule or stream, or the body is too long",
            )))
        }
        StatusCode::NOT_FOUND => refused(
            Kind::NotFound,
            &format!(
                "the endpoint knows no such data collection rule, or the rule has no stream `{}`",
                table.stream()
            ),
        ),
        StatusCode::PAYLOAD_TOO_LARGE => Err(SinkFailure::TooLarge(told(
            Effect::Refused,
            Kind::Invalid,
            "the body is too long",
        ))),
        StatusCode::TOO_MANY_REQUESTS => wait(
            Kind::RateLimited,
            "the data collection rule takes no more now",
        ),
        StatusCode::SERVICE_UNAVAILABLE => {
            wait(Kind::Unavailable, "the endpoint takes nothing now")
        }
        StatusCode::REQUEST_TIMEOUT => Err(SinkFailure::Unknown(told(
            Effect::Unknown,
            Kind::TimedOut,
            "the endpoint did not get all of it in time",
        ))),
        status if status.is_redirection() => refused(
            Kind::Invalid,
            "the endpoint sends us elsewhere, where we do not go",
        ),
        status if status.is_client_error() => {
            refused(Kind::Invalid, "the endpoint refuses the request")
        }
        status if status.is_success() => Err(SinkFailure::Unknown(told(
            Effect::Unknown,
            Kind::Undecodable,
            "the answer is not that of the Logs Ingestion API",
        ))),
        _ => Err(SinkFailure::Unknown(told(
            Effect::Unknown,
            Kind::Unavailable,
            "the endpoint failed",
        ))),
    }
}

/// Which of our columns or streams an answer speaks of. Nothing of it is repeated: our own names are looked for in it.
fn mismatch(table: Table, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT_BYTES)]).into_owned();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .collect();
    let named: Vec<String> = table
        .columns()
        .iter()
        .filter(|(name, _)| words.contains(name))
        .map(|(name, kind)| format!("`{name}` ({})", kind.kusto()))
        .collect();
    let stream = table.stream();
    if named.is_empty() {
        format!(
            "the data collection rule does not take rows of this form for the stream `{stream}`"
        )
    } else {
        format!(
            "the stream `{stream}` of the data collection rule lacks these columns or has them with another type: {}",
            named.join(", ")
        )
    }
}

/// A failure of ours.
pub(super) fn failure(table: Table, effect: Effect, kind: Kind, detail: &str) -> CallFailure {
    let operation = format!("write rows of {}", table.name());
    CallFailure::new("Log Analytics", &operation, effect, kind, detail)
}
