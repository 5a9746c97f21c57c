//! What the answer to the one cheap call means by which a token is proven, where the product's own client is not there yet: one
//! table, a test per row.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION};

use crate::adapters::http::answer::{is_json, retry_after, told};
use crate::domain::connection::Connection;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::ports::{Clock, Transport, TransportFailure};

const OPERATION: &str = "prove token";

/// Gets `path` of a connection's instance with exactly this token.
pub(super) async fn get(
    transport: &dyn Transport,
    clock: &dyn Clock,
    connection: &Connection,
    path: &str,
    access: &Secret,
    within: Duration,
) -> Result<(), CallFailure> {
    let service = connection.partner_type.product();
    let not_sent =
        |detail| CallFailure::new(service, OPERATION, Effect::NotSent, Kind::Invalid, detail);
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", access.expose()))
        .map_err(|_| not_sent("the access token has characters that no header may have"))?;
    authorization.set_sensitive(true);
    let request = http::Request::get(connection.server.join(path).as_str())
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, authorization)
        .extension(Arc::clone(&connection.egress))
        .body(Bytes::new())
        .map_err(|_| not_sent("the request could not be built"))?;
    let exchange = transport.send(request, within).await;
    of(service, exchange, clock.now())
}

fn of(
    service: &str,
    exchange: Result<http::Response<Bytes>, TransportFailure>,
    now: Timestamp,
) -> Result<(), CallFailure> {
    let response = exchange.map_err(|failure| {
        let (effect, trouble) = match failure {
            TransportFailure::NotSent(trouble) => (Effect::NotSent, trouble),
            TransportFailure::Unknown(trouble) => (Effect::Unknown, trouble),
        };
        let (kind, detail) = told(trouble);
        CallFailure::new(service, OPERATION, effect, kind, detail)
    })?;
    let status = response.status().as_u16();
    let json = is_json(response.headers());
    let failure = |effect, kind, detail: &str| {
        CallFailure::new(service, OPERATION, effect, kind, detail).with_status(status)
    };
    Err(match status {
        200..=299 if json => return Ok(()),
        200..=299 => failure(
            Effect::Unknown,
            Kind::Maintenance,
            "a page in place of an answer: maintenance, or a proxy's",
        ),
        300..=399 => failure(
            Effect::Unknown,
            Kind::Undecodable,
            "sent elsewhere; redirects are not followed",
        ),
        401 => failure(
            Effect::Refused,
            Kind::Unauthorized,
            "the access token is not accepted",
        ),
        403 => failure(
            Effect::Refused,
            Kind::NoRights,
            "the token is good, and whom it is for may not use the API: a role is missing, or Dataverse has no such application user",
        ),
        404 => failure(
            Effect::Refused,
            Kind::NotFound,
            "there is no such API; `server_url` may be another application",
        ),
        429 => {
            let failure = failure(
                Effect::Refused,
                Kind::RateLimited,
                "the quota of calls is used up",
            );
            match retry_after(response.headers(), now) {
                Some(wait) => failure.with_retry_after(wait),
                None => failure,
            }
        }
        400..=499 => failure(Effect::Refused, Kind::Invalid, "the request was refused"),
        503 if !json => failure(
            Effect::Unknown,
            Kind::Maintenance,
            "a page in place of an answer: maintenance, or a proxy's",
        ),
        500..=599 => failure(Effect::Unknown, Kind::Unavailable, "the instance failed"),
        _ => failure(
            Effect::Unknown,
            Kind::Undecodable,
            "an answer that no API gives",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::TransportTrouble;

    fn told_by(status: u16, media: &str) -> Option<(Effect, Kind)> {
        let response = http::Response::builder()
            .status(status)
            .header("content-type", media)
            .header("retry-after", "30")
            .body(Bytes::from_static(b"canary"))
            .unwrap();
        let failure = of("Cherwell", Ok(response), Timestamp::UNIX_EPOCH).err()?;
        assert!(!failure.to_string().contains("canary"));
        assert_eq!(failure.status, Some(status));
        assert_eq!(failure.retry_after().is_some(), status == 429);
        Some((failure.effect, failure.kind))
    }

    #[test]
    fn every_status_has_a_meaning() {
        use Effect::{Refused, Unknown};
        let (json, html) = ("application/json; charset=utf-8", "text/html");
        for (status, media, expected) in [
            (200, json, None),
            (200, html, Some((Unknown, Kind::Maintenance))),
            (302, html, Some((Unknown, Kind::Undecodable))),
            (400, json, Some((Refused, Kind::Invalid))),
            (401, json, Some((Refused, Kind::Unauthorized))),
            (403, json, Some((Refused, Kind::NoRights))),
            (404, html, Some((Refused, Kind::NotFound))),
            (429, json, Some((Refused, Kind::RateLimited))),
            (500, json, Some((Unknown, Kind::Unavailable))),
            (503, html, Some((Unknown, Kind::Maintenance))),
            (503, json, Some((Unknown, Kind::Unavailable))),
            (600, json, Some((Unknown, Kind::Undecodable))),
        ] {
            assert_eq!(told_by(status, media), expected, "{status} {media}");
        }
    }

    #[test]
    fn no_answer_is_told_as_what_is_known_of_it() {
        for (failure, effect) in [
            (
                TransportFailure::NotSent(TransportTrouble::Unreachable),
                Effect::NotSent,
            ),
            (
                TransportFailure::Unknown(TransportTrouble::Broken),
                Effect::Unknown,
            ),
        ] {
            let told = of("Cherwell", Err(failure), Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!(told.effect, effect);
        }
    }
}
