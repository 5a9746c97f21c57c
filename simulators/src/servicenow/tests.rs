//! The behaviour of an instance as its clients see it: requests in, replies out, no socket.

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::Value;

use super::{Config, ServiceNow};
use crate::machine::{Answer, Delivery, Machine};

mod events;
mod faults;
mod imports;
mod late;
mod lists;
mod oauth;
mod protocol;
mod rendering;
mod restart;
mod rules;
mod writes;

/// 2026-03-01 10:00:00 UTC.
const NOW: i64 = 1_772_359_200_000;
const ADMIN: &str = "Basic YWRtaW46YWRtaW4tcGFzc3dvcmQ=";
const MONITOR: &str = "Basic c3ZjLW1vbml0b3I6c3ZjLW1vbml0b3ItcGFzc3dvcmQ=";
const JOE: &str = "Basic am9lLmVtcGxveWVlOmpvZS5lbXBsb3llZS1wYXNzd29yZA==";

/// An instance, and who asks.
struct Bench {
    sn: ServiceNow,
    now: i64,
    login: &'static str,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self {
            sn: ServiceNow::new(config),
            now: NOW,
            login: MONITOR,
        }
    }

    fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://x.example{}", escaped(path)));
        let given = |name: &str| {
            headers
                .iter()
                .any(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        if !given("authorization") {
            request = request.header("authorization", self.login);
        }
        if !given("content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sn.answer(
            request.body(Bytes::from(body.to_owned())).unwrap(),
            self.now,
        )
    }

    fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, &format!("/api/now/{path}"), &[], "")
            .into()
    }

    fn post(&mut self, path: &str, body: Value) -> Reply {
        self.send(
            Method::POST,
            &format!("/api/now/{path}"),
            &[],
            &body.to_string(),
        )
        .into()
    }

    fn patch(&mut self, path: &str, body: Value) -> Reply {
        self.send(
            Method::PATCH,
            &format!("/api/now/{path}"),
            &[],
            &body.to_string(),
        )
        .into()
    }

    fn delete(&mut self, path: &str) -> Reply {
        self.send(Method::DELETE, &format!("/api/now/{path}"), &[], "")
            .into()
    }

    fn form(&mut self, path: &str, body: &str) -> Reply {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", ""),
        ];
        self.send(Method::POST, path, &headers, body).into()
    }

    /// A fresh incident; its key.
    fn incident(&mut self, body: Value) -> String {
        let reply = self.post("table/incident", body);
        assert_eq!(reply.status, 201, "{}", reply.json);
        reply.text("sys_id")
    }
}

/// Blanks and quotes as a client would escape them.
fn escaped(path: &str) -> String {
    path.replace(' ', "%20")
        .replace('>', "%3E")
        .replace('<', "%3C")
        .replace('^', "%5E")
        .replace('"', "%22")
}

/// An answer, read.
struct Reply {
    status: u16,
    response: Response<Bytes>,
    json: Value,
    delivery: Delivery,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let json = serde_json::from_slice(answer.response.body()).unwrap_or(Value::Null);
        Self {
            status: answer.response.status().as_u16(),
            json,
            delivery: answer.delivery,
            response: answer.response,
        }
    }
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    fn result(&self) -> &Value {
        &self.json["result"]
    }

    /// A field of the one record.
    fn text(&self, field: &str) -> String {
        self.result()[field]
            .as_str()
            .unwrap_or_else(|| panic!("no text {field} in {}", self.json))
            .to_owned()
    }

    /// A field of every row.
    fn column(&self, field: &str) -> Vec<String> {
        let rows = self
            .result()
            .as_array()
            .unwrap_or_else(|| panic!("no list in {}", self.json));
        rows.iter()
            .map(|row| row[field].as_str().unwrap().to_owned())
            .collect()
    }

    /// Message and detail of an error.
    fn error(&self) -> (String, String) {
        let text = |name: &str| {
            self.json["error"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        (text("message"), text("detail"))
    }
}
