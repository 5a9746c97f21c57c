//! `/__simulator/`: what a test in another process may look at and set.
//!
//! `GET journal`, `POST reset-journal`, `GET records/{table}`, `POST records/{table}/{id}` (`{"field": "value"}`, as a
//! person edits), `GET faults`, `POST faults` (a rule or a list of them), `DELETE faults`, `GET state`.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::fault::FaultRule;
use crate::machine::{Controls, Machine};

/// Answers a request to the control surface. None: it is one for the machine.
pub(super) fn answer<M: Machine>(
    machine: &mut M,
    request: &Request<Bytes>,
    now_ms: i64,
) -> Option<Response<Bytes>> {
    let path = request.uri().path().strip_prefix("/__simulator/")?;
    let parts: Vec<&str> = path.split('/').collect();
    let answer = match machine.controls() {
        Some(controls) => act(
            controls,
            request.method().as_str(),
            &parts,
            request.body(),
            now_ms,
        ),
        None => Err((
            StatusCode::NOT_FOUND,
            "this machine has no controls".to_owned(),
        )),
    };
    let (status, document) = match answer {
        Ok(document) => (StatusCode::OK, document),
        Err((status, text)) => (status, json!({ "error": text })),
    };
    let mut response = Response::new(Bytes::from(document.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    Some(response)
}

fn act(
    controls: &mut dyn Controls,
    method: &str,
    path: &[&str],
    body: &[u8],
    now_ms: i64,
) -> Result<Value, (StatusCode, String)> {
    let unreadable = |error: serde_json::Error| (StatusCode::BAD_REQUEST, error.to_string());
    match (method, path) {
        ("GET", ["journal"]) => Ok(json!(controls.journal().entries())),
        ("POST", ["reset-journal"]) => {
            controls.journal_mut().clear();
            Ok(json!({}))
        }
        ("GET", ["records", table]) => Ok(controls.records(table, now_ms).into()),
        ("POST", ["records", table, id]) => {
            let fields: Map<String, Value> = serde_json::from_slice(body).map_err(unreadable)?;
            for (field, value) in &fields {
                if !controls.edit(table, id, field, value.as_str().unwrap_or_default(), now_ms) {
                    return Err((StatusCode::NOT_FOUND, format!("no record {id} in {table}")));
                }
            }
            Ok(json!({}))
        }
        ("GET", ["faults"]) => Ok(json!(controls.faults_mut().rules().collect::<Vec<_>>())),
        ("POST", ["faults"]) => {
            let rules = match serde_json::from_slice(body).map_err(unreadable)? {
                Value::Array(rules) => rules,
                rule => vec![rule],
            };
            let rules: Result<Vec<FaultRule>, _> =
                rules.into_iter().map(serde_json::from_value).collect();
            rules
                .map_err(unreadable)?
                .into_iter()
                .for_each(|rule| controls.faults_mut().add(rule));
            Ok(json!({}))
        }
        ("DELETE", ["faults"]) => {
            controls.faults_mut().clear();
            Ok(json!({}))
        }
        ("GET", ["state"]) => Ok(controls.saved()),
        _ => Err((
            StatusCode::NOT_FOUND,
            format!("no {method} of {} here", path.join("/")),
        )),
    }
}
