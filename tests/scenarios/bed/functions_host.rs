//! The host of Azure Functions as its custom handler meets it, strict where the real one is: written from its documented
//! contract (azure-platform §5), because it cannot be had here.

use std::net::SocketAddr;
use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::wire::{self, Answer, pause, request};

/// How often the host asks whether the handler is there.
const POLL_EVERY: Duration = Duration::from_millis(25);

/// The host.
pub(crate) struct FunctionsHost {
    handler: SocketAddr,
}

impl FunctionsHost {
    pub(crate) fn of(handler: SocketAddr) -> Self {
        Self { handler }
    }

    /// Asks for `/` until anything answers.
    pub(crate) async fn wait_until_it_is_there(&self) {
        for _ in 0..400 {
            let get = request("GET", "/", &["Connection: close"], b"");
            if wire::exchange(self.handler, &get).await.is_some() {
                return;
            }
            pause(POLL_EVERY).await;
        }
        panic!("the handler does not answer at its port");
    }

    pub(crate) async fn send(&self, bytes: &[u8]) -> Answer {
        let answer = wire::exchange(self.handler, bytes).await;
        answer.expect("the handler answers")
    }

    /// A request as it came, with what the host adds.
    pub(crate) async fn forward(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Answer {
        let mut all = vec![
            "Connection: close",
            "Content-Type: application/json; charset=utf-8",
            "User-Agent: Azure-Functions-Host/4.1040.0",
            "X-Azure-Functions-InvocationId: 99999999-0001-4000-8000-000000000001",
            "X-Azure-Functions-HostVersion: 4.1040.0",
        ];
        all.extend(headers);
        self.send(&request(method, path, &all, body)).await
    }

    /// The same as `enableProxyingHttpRequest` sends it: streamed.
    pub(crate) async fn forward_chunked(
        &self,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Answer {
        let mut text = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\
             X-Azure-Functions-InvocationId: 99999999-0001-4000-8000-000000000001\r\n"
        );
        for header in headers {
            text.push_str(&format!("{header}\r\n"));
        }
        let mut bytes = format!("{text}\r\n").into_bytes();
        for chunk in body.chunks(500) {
            bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        self.send(&bytes).await
    }

    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Answer {
        let headers = ["Connection: close", "Content-Type: application/json"];
        self.send(&request("POST", path, &headers, body)).await
    }

    /// An HTTP trigger in an envelope; what its output says.
    pub(crate) async fn trigger_http(&self, path: &str, headers: &Value, body: &Value) -> Value {
        let data = json!({ "req": {
            "Url": format!("https://contoso-func.azurewebsites.net{path}"), "Method": "POST", "Query": {},
            "Headers": headers, "Params": { "connection": "contoso" }, "Identities": [], "Body": body,
        } });
        let outputs = self.trigger("create-work-item", &data).await;
        outputs["res"].clone()
    }

    /// A timer's tick.
    pub(crate) async fn tick(&self, function: &str) {
        let timer = json!({ "Schedule": { "AdjustForDST": true }, "ScheduleStatus": null, "IsPastDue": false });
        let outputs = self.trigger(function, &json!({ "timer": timer })).await;
        assert_eq!(outputs, json!({}), "a timer has no outputs");
    }

    /// Any trigger but a forwarded request. Only a 2xx with JSON counts as a success.
    async fn trigger(&self, function: &str, data: &Value) -> Value {
        let envelope = json!({
            "Data": data,
            "Metadata": { "sys": { "MethodName": function, "UtcNow": "2026-03-01T10:00:00Z", "RandGuid": "99999999-0001-4000-8000-000000000001" } },
        });
        let answer = self
            .post(&format!("/{function}"), envelope.to_string().as_bytes())
            .await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let answer = answer.json();
        assert!(answer["Logs"].is_array(), "{answer}");
        not_taken_for_base64(&answer["Outputs"]);
        answer["Outputs"].clone()
    }
}

/// A string that happens to be base64 is decoded by the host (azure-platform §5.3).
fn not_taken_for_base64(outputs: &Value) {
    match outputs {
        Value::String(text) => assert!(
            text.is_empty() || BASE64.decode(text.as_bytes()).is_err(),
            "the host would decode {text:?}"
        ),
        Value::Object(members) => {
            // Headers are not decoded, only what is written as output.
            let written = members.iter().filter(|(name, _)| *name != "headers");
            written.for_each(|(_, value)| not_taken_for_base64(value));
        }
        _ => {}
    }
}
