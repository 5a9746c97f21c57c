//! What each fault does to an answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Call, form};
use super::ids;
use super::instance::Instance;
use super::instance::bearer;
use super::limits::{rate_headers, rate_limited, too_many_at_once};
use super::reply::{Body, Reply, error_document};
use super::rules::{aborted, data_policy};
use super::table::refused_by_acl;
use crate::fault::{Fault, FaultBody, Forbidden};
use crate::journal::Kind;
use crate::machine::Delivery;

/// The text of a transaction that took too long.
const TOOK_TOO_LONG: &str = "Transaction cancelled: maximum execution time exceeded";

/// What comes instead of executing the call. None: the fault needs the call executed.
pub(super) fn instead(
    instance: &mut Instance,
    fault: &Fault,
    call: &Call,
    kind: Kind,
    now_ms: i64,
) -> Option<(Option<Reply>, Delivery)> {
    let seed = instance.config.seed;
    let reply = match fault {
        Fault::ResetBeforeRead => return Some((None, Delivery::NeverRead)),
        Fault::DropReplyBeforeWrite => return Some((None, Delivery::Lost)),
        Fault::Status {
            code,
            retry_after,
            rate_headers,
            body,
        } => status(seed, now_ms, *code, retry_after, *rate_headers, *body),
        Fault::Html200 => Reply::new(200, Body::Html(MAINTENANCE)),
        Fault::Hibernating => Reply::new(200, Body::Html(HIBERNATING)),
        Fault::HibernatingRedirect => Reply::new(302, Body::Empty).with(
            "location",
            "https://developer.servicenow.com/dev.do#!/home?wu=true",
        ),
        Fault::ErrorBodyWith200 => Reply::error(200, TOOK_TOO_LONG, Some(TOOK_TOO_LONG)),
        Fault::Empty202 => Reply::new(202, Body::Empty),
        Fault::TokenExpiredEarly => {
            if let Some(token) = call.header("authorization").and_then(bearer) {
                instance.tokens.revoke(token);
            }
            refused_login(kind)
        }
        Fault::Unauthorized401 => refused_login(kind),
        Fault::Forbidden403(why) => forbidden(instance, *why, call),
        Fault::RateLimit429 => {
            let (reset_s, rule) = next_hour(seed, now_ms);
            let wait_s = reset_s - now_ms.div_euclid(1000);
            rate_limited(100, rate_headers(100, reset_s, &rule))
                .with("retry-after", wait_s.to_string())
        }
        Fault::Semaphore429 => too_many_at_once(),
        Fault::EchoSecrets => echo(call, kind),
        _ => return None,
    };
    Some((Some(reply), Delivery::Whole))
}

/// What becomes of the reply of an executed call.
pub(super) fn spoil(fault: &Fault, reply: &mut Reply, seed: u64) -> Option<Delivery> {
    match fault {
        Fault::DropReplyAfterWrite => return Some(Delivery::Lost),
        Fault::CutBody { after_bytes } => return Some(Delivery::Cut(*after_bytes)),
        Fault::Drip { every } => return Some(Delivery::Drip(*every)),
        Fault::CommitThen500 => *reply = Reply::error(500, TOOK_TOO_LONG, Some(TOOK_TOO_LONG)),
        Fault::Null200 => *reply = Reply::new(200, Body::Json(Value::Null)),
        Fault::HugeBody { bytes } => reply.body = Body::Raw(huge(*bytes)),
        Fault::BrokenJsonWith200 => {
            reply.status = 200;
            reply.body = Body::Raw(broken(result(reply)).into());
        }
        Fault::BareList200 => {
            let list = match result(reply) {
                Some(Value::Array(list)) => list,
                Some(other) => vec![other],
                None => Vec::new(),
            };
            reply.status = 200;
            reply.body = Body::Json(list.into());
        }
        Fault::EmptyResult => {
            let empty = if matches!(result(reply), Some(Value::Object(_))) {
                json!({})
            } else {
                json!([])
            };
            reply.body = Body::Json(json!({ "result": empty }));
        }
        Fault::ForeignRecord => {
            let other = ids::sys_id(seed, "foreign", "record");
            if let Some(Value::Array(list)) = result_mut(reply)
                && list.is_empty()
            {
                list.push(json!({ "sys_id": "", "number": "", "correlation_id": "", "state": "2", "active": "true" }));
            }
            each_record(reply, |row| {
                put(row, "sys_id", &other);
                put(row, "number", "INC0099999");
                put(row, "correlation_id", "of-another-alert");
            });
        }
        Fault::NoCorrelationEcho => each_record(reply, |row| put(row, "correlation_id", "")),
        Fault::WrongSysId => {
            let other = ids::sys_id(seed, "wrong", "sys_id");
            each_record(reply, |row| put(row, "sys_id", &other));
        }
        _ => {}
    }
    None
}

/// How much longer than usual the call takes.
pub(super) fn extra(fault: Option<&Fault>) -> Duration {
    match fault {
        Some(Fault::Slow { by }) => *by,
        _ => Duration::ZERO,
    }
}

fn status(
    seed: u64,
    now_ms: i64,
    code: u16,
    retry_after: &Option<String>,
    with_rate: bool,
    body: FaultBody,
) -> Reply {
    let status = http::StatusCode::from_u16(code).ok();
    let reason = status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unexpected");
    let mut reply = match body {
        FaultBody::Json => Reply::error(code, reason, Some("Put in by a fault rule")),
        FaultBody::Html => Reply::new(code, Body::Html(GATEWAY)),
        FaultBody::Empty => Reply::new(code, Body::Empty),
    };
    if with_rate {
        let (reset_s, rule) = next_hour(seed, now_ms);
        reply.headers.extend(rate_headers(100, reset_s, &rule));
    }
    match retry_after {
        Some(text) => reply.with("retry-after", text.clone()),
        None => reply,
    }
}

fn next_hour(seed: u64, now_ms: i64) -> (i64, String) {
    (
        (now_ms.div_euclid(3_600_000) + 1) * 3_600,
        ids::sys_id(seed, "rule", "fault"),
    )
}

fn refused_login(kind: Kind) -> Reply {
    match kind {
        Kind::Token => Reply::new(
            401,
            Body::Json(json!({ "error_description": "access_denied", "error": "server_error" })),
        ),
        _ => Reply::unauthorized(),
    }
}

fn forbidden(instance: &Instance, why: Forbidden, call: &Call) -> Reply {
    let table = call
        .route()
        .and_then(|route| route.table)
        .unwrap_or("incident");
    match why {
        Forbidden::Acl => refused_by_acl(match call.kind() {
            Kind::Create => super::acl::Operation::Create,
            Kind::Delete => super::acl::Operation::Delete,
            Kind::Update => super::acl::Operation::Write,
            _ => super::acl::Operation::Read,
        }),
        Forbidden::BusinessRule => aborted(table, "Customer rule", instance.config.seed),
        Forbidden::DataPolicy => data_policy(&["Caller".to_owned()]),
    }
}

/// An error that repeats what should be nobody's to see.
fn echo(call: &Call, kind: Kind) -> Reply {
    let mut secrets: Vec<String> = call
        .header("authorization")
        .map(str::to_owned)
        .into_iter()
        .collect();
    if let Some((name, password)) = call.header("authorization").and_then(super::oauth::basic) {
        secrets.push(format!("{name} {password}"));
    }
    let body = form(&call.body);
    let told = |name: &str| {
        matches!(
            name,
            "client_secret" | "password" | "refresh_token" | "token" | "assertion"
        )
    };
    secrets.extend(
        body.iter()
            .chain(&call.params)
            .filter(|(name, _)| told(name))
            .map(|(name, value)| format!("{name}={value}")),
    );
    let text = format!("could not handle the request with {}", secrets.join("; "));
    match kind {
        Kind::Token => Reply::new(
            401,
            Body::Json(json!({ "error": "server_error", "error_description": text })),
        ),
        _ => Reply::error(500, &text, Some(&text)),
    }
}

fn result(reply: &Reply) -> Option<Value> {
    match &reply.body {
        Body::Json(document) => document.get("result").cloned(),
        _ => None,
    }
}

fn result_mut(reply: &mut Reply) -> Option<&mut Value> {
    match &mut reply.body {
        Body::Json(document) => document.get_mut("result"),
        _ => None,
    }
}

fn each_record(reply: &mut Reply, change: impl Fn(&mut Value)) {
    match result_mut(reply) {
        Some(Value::Array(rows)) => rows.iter_mut().for_each(change),
        Some(row @ Value::Object(_)) => change(row),
        _ => {}
    }
}

/// Sets a field in whatever form of display the row has; a field that is not there stays away.
fn put(row: &mut Value, field: &str, text: &str) {
    match row.get_mut(field) {
        Some(Value::Object(pair)) => pair.values_mut().for_each(|value| *value = text.into()),
        Some(value) => *value = text.into(),
        None => {}
    }
}

/// Half of the rows, an `error` member, and no end.
fn broken(result: Option<Value>) -> String {
    let half = match result {
        Some(Value::Array(mut rows)) => {
            rows.truncate(rows.len().div_ceil(2));
            Value::Array(rows)
        }
        other => other.unwrap_or(Value::Null),
    };
    let error = error_document(TOOK_TOO_LONG, Some(TOOK_TOO_LONG));
    format!("{{\"result\":{half},\"error\":{}", error["error"])
}

fn huge(bytes: usize) -> bytes::Bytes {
    let (head, tail) = ("{\"result\":{\"padding\":\"", "\"}}");
    let padding = bytes.saturating_sub(head.len() + tail.len());
    let mut body = Vec::with_capacity(bytes);
    body.extend_from_slice(head.as_bytes());
    body.resize(head.len() + padding, b'x');
    body.extend_from_slice(tail.as_bytes());
    body.into()
}

const MAINTENANCE: &str = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>The instance is \
     undergoing maintenance</h1><p>Please try again later.</p></body></html>";

const HIBERNATING: &str = "<!DOCTYPE html><html><head><title>Instance Hibernating page</title></head><body><div \
     class=\"instance-hibernating-page\"><h1>Your instance is hibernating</h1><p>Sign in to the developer site to wake \
     it up.</p></div></body></html>";

const GATEWAY: &str = "<html><head><title>Service unavailable</title></head><body><center><h1>The request could not be \
     served</h1></center><hr><center>snow_adc</center></body></html>";
