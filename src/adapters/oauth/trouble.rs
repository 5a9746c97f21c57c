//! Why no token answer came, before the `oauth2` crate has anything to read.

use std::time::Duration;

use crate::adapters::http::answer::told;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::ports::TransportFailure;

/// Why no token answer came.
#[derive(Debug, thiserror::Error)]
#[error("no token answer")]
pub(super) enum TokenTrouble {
    Transport(TransportFailure),
    RateLimited(Option<Duration>),
    Status(u16),
    Refused(u16),
    NotJson,
}

impl TokenTrouble {
    pub(super) fn into_failure(self, service: &str, operation: &str) -> CallFailure {
        let failure = |kind, detail: &str| {
            CallFailure::new(service, operation, Effect::NotSent, kind, detail)
        };
        match self {
            Self::Transport(
                TransportFailure::NotSent(trouble) | TransportFailure::Unknown(trouble),
            ) => {
                let (kind, detail) = told(trouble);
                failure(kind, detail)
            }
            Self::RateLimited(wait) => {
                let failure = failure(Kind::RateLimited, "the issuer's quota of calls is used up")
                    .with_status(429);
                match wait {
                    Some(wait) => failure.with_retry_after(wait),
                    None => failure,
                }
            }
            Self::Status(status @ 300..=399) => failure(
                Kind::Undecodable,
                "the issuer sends elsewhere; redirects are not followed",
            )
            .with_status(status),
            Self::Status(status) => {
                failure(Kind::Unavailable, "the issuer failed").with_status(status)
            }
            Self::Refused(status) => failure(
                Kind::Unauthorized,
                "the issuer refused, with a page in place of a reason",
            )
            .with_status(status),
            Self::NotJson => failure(
                Kind::Maintenance,
                "the issuer answered with a page in place of a token",
            )
            .with_status(200),
        }
    }
}
