//! Delivers an alert over HTTP, as an action group would, and reads the answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::hosts::intake::KEY_HEADER;
use itsm_connector::ports::{Transport as _, TransportFailure, TransportTrouble};
use serde_json::Value;
use url::Url;

use crate::failure::Failure;
use crate::output::harmless;

/// Azure gives up after ten seconds; a person may wait a little longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What the webhook answered.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The status.
    pub(crate) status: u16,
    /// The body; null if it was no JSON.
    pub(crate) body: Value,
}

impl Answered {
    /// The work item that it names first.
    pub(crate) fn work_item(&self) -> Option<&Value> {
        self.body.get("work_items")?.get(0)
    }

    /// A text of the body, harmless for a terminal.
    pub(crate) fn text(&self, key: &str) -> String {
        said(&self.body, key)
    }
}

/// A text of an object, harmless for a terminal; empty if it is not there.
pub(crate) fn said(object: &Value, key: &str) -> String {
    harmless(object.get(key).and_then(Value::as_str).unwrap_or_default())
}

/// Posts an alert. The person named the address, so that it may be private or without TLS.
pub(crate) async fn deliver(
    webhook: &Url,
    alert: Bytes,
    key: Option<&Secret>,
) -> Result<Answered, Failure> {
    let (host, port) = (
        webhook.host_str().unwrap_or_default(),
        webhook.port_or_known_default().unwrap_or(0),
    );
    let transport = HttpTransport::new(AllowedHosts::default().with(&format!("{host}:{port}")));
    let mut request =
        http::Request::post(webhook.as_str()).header(CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        let mut value = http::HeaderValue::from_str(key.expose()).map_err(|_| {
            Failure::wrong_usage(
                "the key has characters that no header can carry",
                "copy it again: a key is one line of visible ASCII characters",
            )
        })?;
        value.set_sensitive(true);
        request = request.header(KEY_HEADER, value);
    }
    let request = request.body(alert).map_err(|_| {
        Failure::wrong_usage(
            "the address cannot be used",
            "give it as `http://HOST:PORT`",
        )
    })?;
    let place = format!("{}://{host}:{port}", webhook.scheme());
    let response = transport
        .send(request, ANSWER_WITHIN)
        .await
        .map_err(|failure| no_answer(&place, &failure))?;
    let body = serde_json::from_slice(response.body()).unwrap_or_default();
    Ok(Answered {
        status: response.status().as_u16(),
        body,
    })
}

fn no_answer(place: &str, failure: &TransportFailure) -> Failure {
    let (TransportFailure::NotSent(trouble) | TransportFailure::Unknown(trouble)) = failure;
    let why = match trouble {
        TransportTrouble::Unreachable => "nobody listens there",
        TransportTrouble::TimedOut => "no answer in time; the alert may have been kept",
        TransportTrouble::Certificate => "its certificate is not to be trusted",
        TransportTrouble::Broken => "the connection broke; the alert may have been kept",
        TransportTrouble::TooLong => "the answer is longer than any answer should be",
        TransportTrouble::Forbidden | TransportTrouble::Malformed => "it cannot be called",
    };
    Failure::does_not_work(
        format!("the alert was not answered by {place}: {why}"),
        "`itsmc up` starts a webhook here; `--url` names another; the same alert can be sent again",
    )
}
