//! The sender's side: alerts delivered as Azure Monitor does, and bytes as nobody should.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::wire::{self, Answer, request};
use super::{Alert, CONNECTION, TestBed};

/// What came back for an alert.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub(crate) status: u16,
    pub(crate) outcome: String,
    /// The numbers of the work items.
    pub(crate) work_items: Vec<String>,
    pub(crate) answer: Answer,
}

impl From<Answer> for Delivered {
    fn from(answer: Answer) -> Self {
        let body = answer.json();
        let items = body["work_items"].as_array().cloned().unwrap_or_default();
        let number = |item: &Value| item["number"].as_str().unwrap_or_default().to_owned();
        Self {
            status: answer.status,
            outcome: body["outcome"].as_str().unwrap_or_default().to_owned(),
            work_items: items.iter().map(number).collect(),
            answer,
        }
    }
}

impl TestBed {
    /// Where the webhook listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.process().address
    }

    /// Delivers an alert to the default action.
    pub(crate) async fn deliver(&self, alert: impl Into<Alert>) -> Delivered {
        self.deliver_to(CONNECTION, alert).await
    }

    /// Delivers an alert to `CONNECTION` or `CONNECTION/ACTION`, with a query if there is one.
    pub(crate) async fn deliver_to(&self, place: &str, alert: impl Into<Alert>) -> Delivered {
        self.deliver_body(place, alert.into().text().as_bytes())
            .await
    }

    /// Delivers any body, labelled as JSON.
    pub(crate) async fn deliver_body(&self, place: &str, body: &[u8]) -> Delivered {
        let path = format!("/api/create-work-item/{place}");
        let headers = ["Content-Type: application/json", "Connection: close"];
        let answer = self.send(&request("POST", &path, &headers, body)).await;
        answer
            .map(Delivered::from)
            .expect("every delivery is answered")
    }

    /// Sends bytes as they are; `None` if nothing like an answer came back.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Option<Answer> {
        wire::exchange(self.process().address, bytes).await
    }

    /// Sends bytes, then more of them one by one.
    pub(crate) async fn send_slowly(
        &self,
        at_once: &[u8],
        slowly: &[u8],
        interval: Duration,
    ) -> Option<Answer> {
        wire::exchange_slowly(self.process().address, at_once, slowly, interval).await
    }

    /// Sends bytes and goes away, as soon as they have been read.
    pub(crate) async fn send_and_hang_up(&self, bytes: &[u8]) {
        wire::send_and_hang_up(self.process().address, bytes).await;
    }

    pub(crate) async fn health(&self) -> Answer {
        let get = request("GET", "/api/health", &["Connection: close"], b"");
        self.send(&get).await.expect("health is answered")
    }
}
