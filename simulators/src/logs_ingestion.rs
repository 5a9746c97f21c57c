//! Azure Monitor's Logs Ingestion API in front of a workspace: data collection rules, their streams, and the rows that are stored.
//!
//! Written from the reference of the API and its limits, and from what its own clients send. Where the pages are silent it is
//! strict: a property that the stream does not declare, or of another type, is refused. [`Mismatch::Drop`] is the other way
//! that has been seen.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::fault::{Fault, Faults};
use crate::journal::{Entry, Execution, Journal, Kind};
use crate::machine::{Answer, Controls, Delivery, Machine};

mod body;
mod throttle;

use throttle::Throttle;

/// Versions that the service knows.
const VERSIONS: [&str; 2] = ["2023-01-01", "2021-11-01-preview"];

/// Longest body, compressed and not: 1 MB, which the service's own client for Python reads as 2^20, and as that of its rows: it
/// does not count what stands between them, and is served.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What stands between two rows in the bodies of that client.
const BETWEEN_ROWS: usize = 2;

/// Longest text of a field; the rest is dropped without a word.
const FIELD_BYTES_MAX: usize = 64 * 1024;

/// How old and how far ahead a `TimeGenerated` may be before it is replaced by the time of receipt.
const OLDEST_MS: i64 = 2 * 24 * 3600 * 1000;
const NEWEST_MS: i64 = 24 * 3600 * 1000;

/// What becomes of a property that a stream does not declare so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mismatch {
    /// 400, with its name.
    #[default]
    Refuse,
    /// It is dropped.
    Drop,
}

/// What the service is told at its start.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data collection rules, by their immutable ids.
    pub rules: BTreeMap<String, Rule>,
    /// The tokens that are accepted.
    pub tokens: Vec<String>,
    /// What becomes of properties that a stream does not declare so.
    pub mismatch: Mismatch,
    /// Whether an over-long body is answered 404 in place of 413.
    pub too_large_is_404: bool,
    /// Requests that a rule takes per minute; the service's own 12,000 if it is not said.
    pub requests_per_minute: Option<u32>,
    /// Whether rows are counted and not kept: a million of them would be.
    pub forgets_rows: bool,
}

/// A data collection rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its streams: columns and their types (`string`, `datetime`, `int`, `long`, `real`, `boolean`, `dynamic`).
    pub streams: BTreeMap<String, BTreeMap<String, String>>,
    /// From when on the caller's role is effective, Unix milliseconds.
    #[serde(default)]
    pub role_from_ms: i64,
}

/// What came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Calls that were accepted.
    pub calls: usize,
    /// Their rows.
    pub rows: usize,
    /// Their bytes, uncompressed.
    pub bytes: usize,
    /// The most of one call, uncompressed.
    pub bytes_most: usize,
    /// Calls that came within the time that a 429 had named.
    pub too_soon: usize,
}

/// The service.
#[derive(Debug)]
pub struct LogsIngestion {
    /// What it was told.
    pub config: Config,
    /// What came in.
    pub received: Received,
    /// The stored rows by stream, as a query would see them.
    pub rows: BTreeMap<String, Vec<Map<String, Value>>>,
    /// What will go wrong.
    pub faults: Faults,
    journal: Journal,
    throttle: Throttle,
}

/// The stream, the rows as they are stored, and the body's length uncompressed.
type Accepted = (String, Vec<Map<String, Value>>, usize);

/// Status, code and message of a refusal.
type Refusal = (u16, &'static str, String);

impl LogsIngestion {
    /// With these rules.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            received: Received::default(),
            rows: BTreeMap::new(),
            faults: Faults::new(1),
            journal: Journal::default(),
            throttle: Throttle::default(),
        }
    }

    /// With one rule whose streams have these columns, and one token.
    pub fn with_rule<'a>(
        rule: &str,
        token: &str,
        streams: impl IntoIterator<Item = (&'a str, Vec<(&'a str, &'a str)>)>,
    ) -> Self {
        let columns = |columns: Vec<(&str, &str)>| {
            let own = |(name, kind): (&str, &str)| (name.to_owned(), kind.to_owned());
            columns.into_iter().map(own).collect()
        };
        let streams = streams
            .into_iter()
            .map(|(name, its)| (name.to_owned(), columns(its)))
            .collect();
        let role_from_ms = 0;
        Self::new(Config {
            rules: BTreeMap::from([(
                rule.to_owned(),
                Rule {
                    streams,
                    role_from_ms,
                },
            )]),
            tokens: vec![token.to_owned()],
            ..Config::default()
        })
    }

    /// What was asked so far.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The checks in the service's order; the stream and its rows if all is well.
    fn accepted(&mut self, request: &Request<Bytes>, now_ms: i64) -> Result<Accepted, Refusal> {
        let refuse = |status, code, message: &str| Err((status, code, message.to_owned()));
        let segments: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let ["dataCollectionRules", rule_id, "streams", stream] = segments.as_slice() else {
            return refuse(404, "NotFound", "There is nothing at this address.");
        };
        if request.method() != http::Method::POST {
            return refuse(405, "MethodNotAllowed", "Only POST is.");
        }
        let version = url::form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes())
            .find(|(name, _)| name == "api-version");
        match version {
            None => {
                return refuse(
                    400,
                    "MissingApiVersionParameter",
                    "api-version is required.",
                );
            }
            Some((_, version)) if !VERSIONS.contains(&&*version) => {
                return refuse(400, "InvalidApiVersionParameter", "Unknown api-version.");
            }
            Some(_) => {}
        }
        let header = |name: http::HeaderName| {
            let value = request.headers().get(name);
            value.and_then(|value| value.to_str().ok()).unwrap_or("")
        };
        let token = header(http::header::AUTHORIZATION).strip_prefix("Bearer ");
        if !token.is_some_and(|token| self.config.tokens.iter().any(|known| known == token)) {
            return refuse(401, "InvalidToken", "The token is not accepted.");
        }
        let Some(rule) = self.config.rules.get(*rule_id) else {
            let message = format!("Data collection rule with immutable Id '{rule_id}' not found.");
            return refuse(404, "NotFound", &message);
        };
        if now_ms < rule.role_from_ms {
            let message = format!(
                "The authentication token provided does not have access to ingest data for the data collection rule with immutable Id '{rule_id}'."
            );
            return refuse(403, "OperationFailed", &message);
        }
        let Some(columns) = rule.streams.get(*stream) else {
            let message = format!("Stream '{stream}' is not declared by the rule.");
            return refuse(404, "InvalidStream", &message);
        };
        let raw = body::raw(
            header(http::header::CONTENT_TYPE),
            header(http::header::CONTENT_ENCODING),
            request.body(),
        )
        .map_err(|refusal| self.too_large_told(refusal))?;
        let bytes = raw.len();
        let rows = body::rows(&raw, columns, self.config.mismatch, now_ms)
            .map_err(|refusal| self.too_large_told(refusal))?;
        Ok(((*stream).to_owned(), rows, bytes))
    }

    fn too_large_told(&self, refusal: Refusal) -> Refusal {
        match refusal.0 {
            413 if self.config.too_large_is_404 => (404, "NotFound", refusal.2),
            _ => refusal,
        }
    }

    fn store(&mut self, stream: String, rows: Vec<Map<String, Value>>, bytes: usize) {
        self.received.calls += 1;
        self.received.rows += rows.len();
        self.received.bytes += bytes;
        self.received.bytes_most = self.received.bytes_most.max(bytes);
        if !self.config.forgets_rows {
            self.rows.entry(stream).or_default().extend(rows);
        }
    }

    fn executed(&mut self, request: &Request<Bytes>, now_ms: i64) -> Response<Bytes> {
        let limit = self.config.requests_per_minute;
        if let Some(seconds) = self.throttle.wait(now_ms, limit) {
            self.received.too_soon += usize::from(self.throttle.was_told(now_ms));
            self.throttle.tell(now_ms, seconds);
            let message = "The rule's limit of requests per minute is reached.";
            let mut response = refusal(429, "TooManyRequests", message);
            response
                .headers_mut()
                .insert(http::header::RETRY_AFTER, seconds.into());
            return response;
        }
        match self.accepted(request, now_ms) {
            Ok((stream, rows, bytes)) => {
                self.store(stream, rows, bytes);
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Err((status, code, message)) => refusal(status, code, &message),
        }
    }

    /// What a fault makes of a request; whether it was executed, and how the answer travels.
    fn spoilt(
        &mut self,
        fault: &Fault,
        request: &Request<Bytes>,
        now_ms: i64,
    ) -> (Response<Bytes>, bool, Delivery) {
        match fault {
            Fault::Status {
                code, retry_after, ..
            } => {
                let mut response = refusal(*code, "Fault", "A fault was asked for.");
                let value = retry_after.as_deref().and_then(|text| text.parse().ok());
                if let Some(value) = value {
                    response
                        .headers_mut()
                        .insert(http::header::RETRY_AFTER, value);
                }
                (response, false, Delivery::Whole)
            }
            Fault::ResetBeforeRead => (refusal(500, "", ""), false, Delivery::NeverRead),
            Fault::DropReplyBeforeWrite => (refusal(500, "", ""), false, Delivery::Lost),
            Fault::DropReplyAfterWrite => (self.executed(request, now_ms), true, Delivery::Lost),
            Fault::Slow { by } => (self.executed(request, now_ms), true, Delivery::After(*by)),
            Fault::EchoSecrets => {
                let said = format!("{:?}", request.headers());
                (refusal(400, "Echo", &said), false, Delivery::Whole)
            }
            other => {
                let message = format!("This service knows no fault `{}`.", other.name());
                (refusal(501, "Fault", &message), false, Delivery::Whole)
            }
        }
    }
}

fn refusal(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let document = json!({ "error": { "code": code, "message": message } });
    let mut response = Response::new(Bytes::from(document.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

impl Machine for LogsIngestion {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        let stream = request.uri().path().rsplit('/').next().map(str::to_owned);
        let fault = self.faults.strike(Kind::Create, stream.as_deref());
        let (response, is_executed, delivery) = match &fault {
            Some(fault) => self.spoilt(fault, &request, now_ms),
            None => (self.executed(&request, now_ms), true, Delivery::Whole),
        };
        let status = response.status().as_u16();
        self.journal.push(Entry {
            at_ms: now_ms,
            kind: Kind::Create,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            status,
            fault: fault.as_ref().map(Fault::name),
            execution: match is_executed && status == 204 {
                true => Execution::Executed,
                false => Execution::Not,
            },
            sys_id: None,
            correlation_id: None,
            user: None,
        });
        Answer { response, delivery }
    }

    fn controls(&mut self) -> Option<&mut dyn Controls> {
        Some(self)
    }
}

impl Controls for LogsIngestion {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    fn records(&mut self, table: &str, _now_ms: i64) -> Vec<Value> {
        let rows = self.rows.get(table).into_iter().flatten();
        rows.cloned().map(Value::Object).collect()
    }

    fn edit(&mut self, _: &str, _: &str, _: &str, _: &str, _: i64) -> bool {
        // Nobody edits a log.
        false
    }

    fn saved(&self) -> Value {
        json!({ "config": self.config, "rows": self.rows })
    }
}

#[cfg(test)]
mod tests;
