//! How the vault says no, and what a fault says in its place.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::RESOURCE;
use crate::fault::{Fault, FaultBody};
use crate::machine::Delivery;

/// A no.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    inner: Option<&'static str>,
    message: String,
    wait_seconds: Option<i64>,
}

pub(super) fn refusal(
    status: u16,
    code: &'static str,
    inner: Option<&'static str>,
    message: &str,
) -> Refusal {
    Refusal {
        status,
        code,
        inner,
        message: message.to_owned(),
        wait_seconds: None,
    }
}

/// A mistake in the request.
pub(super) fn bad(message: &str) -> Refusal {
    refusal(400, "BadParameter", None, message)
}

impl Refusal {
    pub(super) fn after(mut self, seconds: i64) -> Self {
        self.wait_seconds = Some(seconds);
        self
    }

    /// With the challenge, where it is a 401: who gives tokens, and for what.
    pub(super) fn response(&self, authority: &str) -> Response<Bytes> {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(inner) = self.inner {
            error["innererror"] = json!({ "code": inner });
        }
        let mut response = json_response(self.status, &json!({ "error": error }));
        if self.status == 401 {
            let challenge = format!(r#"Bearer authorization="{authority}", resource="{RESOURCE}""#);
            put(&mut response, "www-authenticate", &challenge);
        }
        if let Some(seconds) = self.wait_seconds {
            put(&mut response, "retry-after", &seconds.to_string());
        }
        response
    }
}

fn put(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
}

/// A document.
pub(super) fn json(status: u16, document: &Value) -> Response<Bytes> {
    match status {
        204 => empty(204),
        status => json_response(status, document),
    }
}

fn empty(status: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

fn json_response(status: u16, document: &Value) -> Response<Bytes> {
    let mut response = empty(status);
    *response.body_mut() = Bytes::from(document.to_string());
    put(
        &mut response,
        "content-type",
        "application/json; charset=utf-8",
    );
    response
}

/// The headers that every answer has.
pub(super) fn dress(response: &mut Response<Bytes>, answered: u64) {
    put(response, "x-ms-keyvault-region", "westeurope");
    put(response, "x-ms-keyvault-service-version", "1.9.0.0");
    put(
        response,
        "x-ms-request-id",
        &format!("00000000-0000-4000-8000-{answered:012}"),
    );
    put(response, "cache-control", "no-cache");
}

/// What a fault answers without executing anything. None: it needs the request executed, or only its way is spoilt.
pub(super) fn instead(fault: &Fault) -> Option<(Response<Bytes>, Delivery)> {
    let response = match fault {
        Fault::Status {
            code,
            retry_after,
            body,
            ..
        } => {
            let document =
                json!({ "error": { "code": "Simulated", "message": "put in by a rule" } });
            let mut response = match body {
                FaultBody::Json => json_response(*code, &document),
                FaultBody::Html => {
                    let mut response = empty(*code);
                    *response.body_mut() = Bytes::from_static(b"<html><body>Service</body></html>");
                    put(&mut response, "content-type", "text/html");
                    response
                }
                FaultBody::Empty => empty(*code),
            };
            if let Some(wait) = retry_after {
                put(&mut response, "retry-after", wait);
            }
            response
        }
        Fault::ResetBeforeRead | Fault::DropReplyBeforeWrite => empty(500),
        Fault::Html200 => {
            let mut response = empty(200);
            *response.body_mut() = Bytes::from_static(b"<html><body>Sign in</body></html>");
            put(&mut response, "content-type", "text/html");
            response
        }
        Fault::Null200 => json_response(200, &Value::Null),
        Fault::HugeBody { bytes } => {
            let mut response = empty(200);
            *response.body_mut() = Bytes::from(vec![b' '; *bytes]);
            response
        }
        _ => return None,
    };
    Some((response, Delivery::Whole))
}
