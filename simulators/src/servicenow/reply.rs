//! Replies: the documents and headers of an instance.

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::{ids, stamp};

/// What ServiceNow adds where it says nothing.
pub(super) const CHECK_LOGS: &str = "Check logs for error trace or enable glide.rest.debug property to verify REST request processing";

/// A reply before it is written out, so that a fault can still spoil it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Empty,
    Json(Value),
    Html(&'static str),
    /// Sent as JSON as it is, however broken.
    Raw(Bytes),
}

impl Reply {
    pub(super) fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// `{"result": ..}`.
    pub(super) fn result(status: u16, result: Value) -> Self {
        Self::new(status, Body::Json(json!({ "result": result })))
    }

    pub(super) fn error(status: u16, message: &str, detail: Option<&str>) -> Self {
        Self::new(status, Body::Json(error_document(message, detail)))
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn unauthorized() -> Self {
        Self::error(
            401,
            "User Not Authenticated",
            Some("Required to provide Auth information"),
        )
        .with("www-authenticate", "BEARER realm=\"Service-now\"")
    }

    pub(super) fn no_such_resource(path: &str) -> Self {
        Self::error(
            400,
            &format!("Requested URI does not represent any resource: {path}"),
            None,
        )
    }

    pub(super) fn no_record() -> Self {
        Self::error(
            404,
            "No Record found",
            Some("Record doesn't exist or ACL restricts the record retrieval"),
        )
    }

    /// What an error says.
    pub(super) fn told(&self) -> String {
        match &self.body {
            Body::Json(body) => {
                let error = &body["error"];
                let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                format!("{} {}", text("message"), text("detail"))
            }
            _ => String::new(),
        }
    }

    pub(super) fn failed(detail: &str) -> Self {
        Self::error(403, "Operation Failed", Some(detail))
    }

    /// Writes it out with the headers that every reply has.
    pub(super) fn written(self, seed: u64, transaction: u64, now_ms: i64) -> Response<Bytes> {
        let (media, body) = match self.body {
            Body::Empty => (None, Bytes::new()),
            Body::Json(value) => (Some(JSON), Bytes::from(value.to_string())),
            Body::Html(text) => (
                Some("text/html;charset=UTF-8"),
                Bytes::from_static(text.as_bytes()),
            ),
            Body::Raw(bytes) => (Some(JSON), bytes),
        };
        let mut response = Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(self.status)
            .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(media) = media {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        }
        for (name, value) in USUAL_HEADERS {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let hash = ids::sys_id(seed, "transaction", &transaction.to_string());
        let mut changing = vec![
            ("x-transaction-id", hash.chars().take(12).collect()),
            ("x-is-logged-in", (self.status != 401).to_string()),
        ];
        changing.extend(stamp::http_date(now_ms).map(|date| ("date", date)));
        for (name, value) in changing.into_iter().chain(self.headers) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// `{"error": .., "status": "failure"}`.
pub(super) fn error_document(message: &str, detail: Option<&str>) -> Value {
    json!({ "error": { "message": message, "detail": detail }, "status": "failure" })
}

/// The cookies of a session that is handed out.
pub(super) fn cookies(seed: u64, transaction: u64) -> Vec<(&'static str, String)> {
    let hash = ids::sys_id(seed, "session", &transaction.to_string()).to_uppercase();
    vec![
        (
            "set-cookie",
            format!("JSESSIONID={hash}; Path=/; HttpOnly; SameSite=None; Secure"),
        ),
        (
            "set-cookie",
            format!(
                "glide_user_route=glide.{}; Max-Age=2147483647; Path=/; HttpOnly; Secure",
                hash.to_lowercase()
            ),
        ),
        (
            "set-cookie",
            format!("glide_session_store={hash}; Max-Age=1800; Path=/; HttpOnly; Secure"),
        ),
    ]
}

const JSON: &str = "application/json;charset=UTF-8";

const USUAL_HEADERS: [(&str, &str); 7] = [
    ("server", "snow_adc"),
    ("server-timing", "wall;dur=12"),
    ("pragma", "no-store,no-cache"),
    (
        "cache-control",
        "no-cache,no-store,must-revalidate,max-age=-1",
    ),
    ("expires", "0"),
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
];
