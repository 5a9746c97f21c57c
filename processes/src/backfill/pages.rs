//! A ServiceNow table of incidents whose pages are rendered ahead: so many records that making them would take longer than
//! reading them. It knows the queries of a walk by (changed at, `sys_id`) and nothing else; that those are ServiceNow's own
//! is shown elsewhere, by its simulator.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use itsm_connector::domain::timestamp::Timestamp;
use serde_json::{Value, json};
use simulators::machine::{Answer, Machine};

/// Different records. More than a batch holds, so that compressing meets no text twice.
const DIFFERENT: u64 = 2_000;

/// What is written into a row when it is served, and as long.
const ID: &str = "00000000000000000000000000000000";
const NUMBER: &str = "INC@@@@@@@";
const CHANGED: &str = "2000-01-01 00:00:00";
const CREATED: &str = "2000-01-02 00:00:00";

/// How long before its last change a record was made, seconds.
const AGE_S: i64 = 3_600;

/// What is filled in.
#[derive(Debug, Clone, Copy)]
enum Blank {
    Id,
    Number,
    Changed,
    Created,
}

/// A row with blanks.
#[derive(Debug)]
struct Row {
    text: Vec<u8>,
    blanks: Vec<(usize, Blank)>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Pages {
    records: u64,
    first_ms: i64,
    span_ms: i64,
    fields: String,
    rows: Vec<Row>,
    /// Pages that were asked for.
    pub(super) calls: u64,
}

impl Pages {
    /// So many records, changed evenly over a span that begins at a moment.
    pub(super) fn new(records: u64, from: Timestamp, span_ms: i64) -> Self {
        Self {
            records,
            first_ms: from.as_millis() / 1000 * 1000,
            span_ms,
            fields: String::new(),
            rows: Vec::new(),
            calls: 0,
        }
    }

    /// The number in a record's `number`.
    pub(super) fn place(number: &str) -> Option<usize> {
        number.strip_prefix("INC")?.parse().ok()
    }

    fn changed_ms(&self, record: u64) -> i64 {
        let records = i128::from(self.records.max(1));
        let within = i128::from(self.span_ms) * i128::from(record) / records;
        self.first_ms + i64::try_from(within).unwrap_or(0) / 1000 * 1000
    }

    /// The first record that was changed at a moment or later.
    fn first_from(&self, moment_ms: i64) -> u64 {
        let (mut low, mut high) = (0, self.records);
        while low < high {
            let middle = low.midpoint(high);
            match self.changed_ms(middle) < moment_ms {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    fn page(&mut self, query: &str, fields: &str, limit: u64) -> Option<(u64, Vec<u8>)> {
        let (mut from, mut until) = (i64::MIN, i64::MAX);
        for condition in query.split("^NQ").next()?.split('^') {
            if let Some(time) = condition.strip_prefix("sys_updated_on>=") {
                from = millis(time)?;
            } else if let Some(time) = condition.strip_prefix("sys_updated_on>") {
                from = millis(time)? + 1;
            } else if let Some(time) = condition.strip_prefix("sys_updated_on<") {
                until = millis(time)?;
            } else if !condition.starts_with("ORDERBY") {
                return None;
            }
        }
        if self.fields != fields {
            self.rows = (0..DIFFERENT).map(|n| Row::new(n, fields)).collect();
            fields.clone_into(&mut self.fields);
        }
        let (first, end) = (self.first_from(from), self.first_from(until));
        let total = end.saturating_sub(first);
        let last = end.min(first.saturating_add(limit));
        let mut body = b"{\"result\":[".to_vec();
        for record in first..last {
            if record > first {
                body.push(b',');
            }
            self.write(record, &mut body);
        }
        body.extend_from_slice(b"]}");
        Some((total, body))
    }

    fn write(&self, record: u64, body: &mut Vec<u8>) {
        let row = &self.rows[usize::try_from(record % DIFFERENT).unwrap_or(0)];
        let began = body.len();
        body.extend_from_slice(&row.text);
        let changed_ms = self.changed_ms(record);
        let spread = u128::from(record + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        for (at, blank) in &row.blanks {
            let text = match blank {
                Blank::Id => format!("{spread:032x}"),
                Blank::Number => format!("INC{record:07}"),
                Blank::Changed => stamp(changed_ms),
                Blank::Created => stamp(changed_ms - AGE_S * 1000),
            };
            body[began + at..began + at + text.len()].copy_from_slice(text.as_bytes());
        }
    }
}

fn stamp(millis: i64) -> String {
    let text = Timestamp::from_millis(millis).to_string();
    text.replace('T', " ").chars().take(CHANGED.len()).collect()
}

fn millis(text: &str) -> Option<i64> {
    let moment = Timestamp::parse_lenient(&format!("{}Z", text.replace(' ', "T")));
    moment.map(Timestamp::as_millis)
}

impl Row {
    fn new(n: u64, fields: &str) -> Self {
        let cells = fields.split(',').map(|field| {
            let (value, shown) = cell(field, n);
            let cell = json!({ "display_value": shown, "value": value });
            (field.to_owned(), cell)
        });
        let text = Value::Object(cells.collect()).to_string().into_bytes();
        let blanks = [
            (ID, Blank::Id),
            (NUMBER, Blank::Number),
            (CHANGED, Blank::Changed),
            (CREATED, Blank::Created),
        ];
        let blanks = blanks
            .iter()
            .flat_map(|(mark, blank)| places(&text, mark.as_bytes()).map(|at| (at, *blank)))
            .collect();
        Self { text, blanks }
    }
}

fn places(text: &[u8], mark: &[u8]) -> impl Iterator<Item = usize> {
    let found = text.windows(mark.len()).enumerate();
    found
        .filter(move |(_, window)| *window == mark)
        .map(|(at, _)| at)
}

/// What is stored in a field, and what a person reads.
fn cell(field: &str, n: u64) -> (Cow<'static, str>, Cow<'static, str>) {
    let same = |text: &'static str| (Cow::from(text), Cow::from(text));
    let own = |text: String| (Cow::from(text.clone()), Cow::from(text));
    let reference = |shown: String| (Cow::from(format!("{n:032x}")), Cow::from(shown));
    match field {
        "sys_id" => same(ID),
        "number" => same(NUMBER),
        "sys_updated_on" => same(CHANGED),
        "sys_created_on" | "opened_at" => same(CREATED),
        "sys_mod_count" => own((n % 17).to_string()),
        "state" => ("2".into(), "In Progress".into()),
        "urgency" | "impact" => ("2".into(), "2 - Medium".into()),
        "priority" => ("3".into(), "3 - Moderate".into()),
        "escalation" => ("0".into(), "Normal".into()),
        "contact_type" => ("phone".into(), "Phone".into()),
        "category" => ("software".into(), "Software".into()),
        "opened_by" => reference(format!("Person {}", n % 997)),
        "assigned_to" => reference(format!("Agent {}", n % 61)),
        "cmdb_ci" => reference(format!("web{:04}", n % 2_003)),
        "short_description" => own(words(n, 9)),
        "description" => own(words(n + DIFFERENT, 60)),
        _ => same(""),
    }
}

/// Words in an order of their own for each record.
fn words(n: u64, count: usize) -> String {
    const WORDS: &str = "the server does not answer since this morning users see an error after login please look at disk space and memory of the application pool restart did not help";
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut dice = n + 1;
    let drawn = (0..count).map(|_| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        words[usize::try_from(dice >> 33).unwrap_or(0) % words.len()]
    });
    drawn.collect::<Vec<_>>().join(" ")
}

impl Machine for Pages {
    fn answer(&mut self, request: Request<Bytes>, _now_ms: i64) -> Answer {
        let json = |status: StatusCode, body: Vec<u8>, total: Option<u64>| {
            let mut response = Response::new(Bytes::from(body));
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(
                http::header::CONTENT_TYPE,
                http::HeaderValue::from_static("application/json;charset=UTF-8"),
            );
            if let Some(total) = total {
                headers.insert("x-total-count", total.into());
            }
            Answer::whole(response)
        };
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes())
                .into_owned()
                .collect();
        let parameter = |name: &str| {
            let found = query.iter().find(|(known, _)| known == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/oauth_token.do") => {
                let token = json!({ "access_token": "backfill", "token_type": "Bearer", "expires_in": 1_799 });
                json(StatusCode::OK, token.to_string().into_bytes(), None)
            }
            (&Method::GET, "/api/now/table/incident") => {
                self.calls += 1;
                let limit = parameter("sysparm_limit").parse().unwrap_or(0);
                let fields = parameter("sysparm_fields").to_owned();
                match self.page(parameter("sysparm_query"), &fields, limit) {
                    Some((total, body)) => json(StatusCode::OK, body, Some(total)),
                    None => json(StatusCode::BAD_REQUEST, b"{}".to_vec(), None),
                }
            }
            (&Method::GET, "/api/now/table/sys_audit_delete") => {
                json(StatusCode::OK, b"{\"result\":[]}".to_vec(), Some(0))
            }
            _ => json(StatusCode::NOT_FOUND, b"{}".to_vec(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "sys_id,number,sys_updated_on,short_description";

    fn pages() -> Pages {
        Pages::new(
            2_500,
            Timestamp::from_millis(1_700_000_000_000),
            250_000_000,
        )
    }

    fn rows(body: &[u8]) -> Vec<Value> {
        let body: Value = serde_json::from_slice(body).unwrap();
        body["result"].as_array().unwrap().clone()
    }

    #[test]
    fn a_walk_meets_every_record_once() {
        let mut pages = pages();
        let mut query = "sys_updated_on>=2023-11-14 22:13:20^sys_updated_on<2024-11-14 22:13:20^ORDERBYsys_updated_on^ORDERBYsys_id".to_owned();
        let mut met = Vec::new();
        loop {
            let (total, body) = pages.page(&query, FIELDS, 1_000).unwrap();
            let rows = rows(&body);
            assert_eq!(total, 2_500 - met.len() as u64);
            let Some(last) = rows.last() else { break };
            let (at, id) = (&last["sys_updated_on"]["value"], &last["sys_id"]["value"]);
            let (at, id) = (at.as_str().unwrap(), id.as_str().unwrap());
            query = format!(
                "sys_updated_on>{at}^sys_updated_on<2024-11-14 22:13:20^NQsys_updated_on={at}^sys_id>{id}^ORDERBYsys_updated_on^ORDERBYsys_id"
            );
            let places = rows
                .iter()
                .map(|row| Pages::place(row["number"]["value"].as_str().unwrap()).unwrap());
            met.extend(places);
        }
        assert_eq!(met, (0..2_500).collect::<Vec<_>>());
    }

    #[test]
    fn a_query_that_it_does_not_know_is_refused() {
        assert!(pages().page("active=true", FIELDS, 10).is_none());
    }
}
