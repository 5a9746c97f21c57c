//! Outcomes and errors as HTTP: the only place with statuses (DESIGN §4).
//!
//! Azure retries a webhook only on 408, 429, 503, 504 or no answer, so everything that a retry can mend is 503 and
//! nothing is ever 500 or 502.

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;

use crate::flows::callers::NotAdmitted;
use crate::flows::create_work_item::{Answer, NotKept, Outcome};

/// What a sender is asked to wait after 503: Azure has its own times, others may listen.
const RETRY_AFTER_SECONDS: &str = "5";

/// An answer, ready for any host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Headers beside the content type.
    pub headers: Vec<(&'static str, &'static str)>,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// A problem by RFC 9457. It holds our own words only.
#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    hint: &'static str,
}

impl Reply {
    /// JSON with a status.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self {
            status,
            headers: Vec::new(),
            content_type: "application/json",
            body: body.into(),
        }
    }

    /// Title, detail and hint of a problem; empty for what is none.
    pub fn told(&self) -> [String; 3] {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        ["title", "detail", "hint"]
            .map(|name| problem[name].as_str().unwrap_or_default().to_owned())
    }

    fn problem(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: &'static str,
        hint: &'static str,
    ) -> Self {
        let problem = Problem {
            kind,
            title,
            status: status.as_u16(),
            detail,
            hint,
        };
        Self {
            content_type: "application/problem+json",
            ..Self::json(status, &problem)
        }
    }

    /// The alert is kept: 200 if its work items are there, 202 if it waits.
    pub fn answer(answer: &Answer) -> Self {
        let status = match answer.outcome {
            Outcome::Created | Outcome::Updated | Outcome::Resolved | Outcome::Ignored => {
                StatusCode::OK
            }
            Outcome::Duplicate if !answer.work_items.is_empty() => StatusCode::OK,
            Outcome::Duplicate | Outcome::Pending | Outcome::Quarantined => StatusCode::ACCEPTED,
        };
        Self::json(status, answer)
    }

    /// The alert is not kept.
    pub fn not_kept(reason: &NotKept) -> Self {
        match reason {
            NotKept::NoSuchConnection => Self::problem(
                StatusCode::NOT_FOUND,
                "urn:itsm-connector:no-such-connection",
                "No such connection or action",
                "the address names a connection that the vault does not have, or an action that the connection does not have",
                "`itsmc connection list` shows the names; correct the address in the action group",
            ),
            NotKept::NotJson => Self::problem(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "urn:itsm-connector:not-json",
                "Not an alert",
                "the body is no alert and is not labelled as JSON",
                "send Azure Monitor's Common Alert Schema as `application/json`",
            ),
            NotKept::NotDurable(_) => Self::unavailable(
                "urn:itsm-connector:not-durable",
                "The alert could not be kept",
                "the state store did not take the alert",
            ),
        }
    }

    /// Something that a retry can mend.
    fn unavailable(kind: &'static str, title: &'static str, detail: &'static str) -> Self {
        let mut reply = Self::problem(
            StatusCode::SERVICE_UNAVAILABLE,
            kind,
            title,
            detail,
            "send it again; the function's log says more",
        );
        reply.headers.push(("retry-after", RETRY_AFTER_SECONDS));
        reply
    }

    /// A fault of ours.
    pub fn panicked() -> Self {
        Self::unavailable(
            "urn:itsm-connector:fault",
            "A fault of the connector",
            "the connector failed while it handled the alert",
        )
    }

    /// Too many connections.
    pub fn busy() -> Self {
        Self::unavailable(
            "urn:itsm-connector:busy",
            "Busy",
            "too many requests at once",
        )
    }

    /// The caller is not one of those who may call, or that could not be found out.
    pub fn not_admitted(reason: &NotAdmitted) -> Self {
        match reason {
            NotAdmitted::NoKey => Self::not_verified(
                "the request shows no valid key",
                "add `?key=KEY` to the address in the action group; its SHA-256 hash stands in `ITSMC_WEBHOOK_KEYS`",
                "ItsmcKey",
            ),
            NotAdmitted::NoToken(_) => Self::not_verified(
                "the request shows no valid token of Microsoft Entra ID",
                "make the action group's webhook a secure webhook for this app; the function's log says what is wrong with the token",
                "Bearer",
            ),
            NotAdmitted::NotAllowed(_) => Self::problem(
                StatusCode::FORBIDDEN,
                "urn:itsm-connector:not-allowed",
                "Not allowed",
                "the token proves a caller that may not call",
                "only Azure Monitor's action groups may; the function's log says what is missing",
            ),
            NotAdmitted::Unknown(_) => Self::unavailable(
                "urn:itsm-connector:caller-unknown",
                "The caller could not be checked",
                "the keys of Microsoft Entra ID could not be fetched",
            ),
        }
    }

    fn not_verified(detail: &'static str, hint: &'static str, scheme: &'static str) -> Self {
        let mut reply = Self::problem(
            StatusCode::UNAUTHORIZED,
            "urn:itsm-connector:not-verified",
            "Not verified",
            detail,
            hint,
        );
        reply.headers.push(("www-authenticate", scheme));
        reply
    }

    /// The request itself is not one.
    pub fn bad_request() -> Self {
        Self::problem(
            StatusCode::BAD_REQUEST,
            "urn:itsm-connector:bad-request",
            "Bad request",
            "the request is broken off or not HTTP",
            "look at what stands between the sender and this address",
        )
    }

    /// The host took the body away. It is worth another try: settings may be mended meanwhile.
    pub fn body_lost() -> Self {
        Self::unavailable(
            "urn:itsm-connector:body-lost",
            "The body did not arrive",
            "the Functions host sent the request on without its body",
        )
    }

    /// The path is not ours.
    pub fn unknown_path() -> Self {
        Self::problem(
            StatusCode::NOT_FOUND,
            "urn:itsm-connector:unknown-path",
            "Unknown path",
            "there is nothing at this path",
            "alerts go to `/api/create-work-item/CONNECTION` or `/api/create-work-item/CONNECTION/ACTION`",
        )
    }

    /// The path is ours, by another method.
    pub fn wrong_method(allow: &'static str) -> Self {
        let mut reply = Self::problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "urn:itsm-connector:wrong-method",
            "Wrong method",
            "this path takes another method",
            "the header `Allow` names it",
        );
        reply.headers.push(("allow", allow));
        reply
    }

    /// The head has more headers than we read.
    pub fn head_too_large() -> Self {
        Self::problem(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "urn:itsm-connector:head-too-large",
            "Head too large",
            "the request has more than 100 headers",
            "look at what stands between the sender and this address",
        )
    }

    /// The body is longer than we read.
    pub fn too_large() -> Self {
        Self::problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "urn:itsm-connector:too-large",
            "Body too large",
            "the body is longer than 1 MiB",
            "an alert of the Common Alert Schema is at most 256 KB; this is none",
        )
    }

    /// The body is compressed.
    pub fn compressed() -> Self {
        Self::problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "urn:itsm-connector:compressed",
            "Compressed body",
            "the body is compressed",
            "send it without `Content-Encoding`",
        )
    }

    /// The body did not come in time.
    pub fn too_slow() -> Self {
        Self::problem(
            StatusCode::REQUEST_TIMEOUT,
            "urn:itsm-connector:too-slow",
            "Body too slow",
            "the body did not arrive within ten seconds",
            "look at what stands between the sender and this address",
        )
    }
}
