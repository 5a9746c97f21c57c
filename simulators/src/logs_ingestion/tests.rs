//! What is accepted, what is refused and how, and what is stored.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::fault::FaultRule;

const NOW: i64 = 1_772_359_200_000; // 2026-03-01T10:00:00Z
const PATH: &str = "/dataCollectionRules/dcr-1/streams/Custom-A_CL?api-version=2023-01-01";

fn service() -> LogsIngestion {
    let columns = vec![
        ("TimeGenerated", "datetime"),
        ("Text", "string"),
        ("Count", "long"),
        ("Flag", "boolean"),
    ];
    LogsIngestion::with_rule("dcr-1", "good", [("Custom-A_CL", columns)])
}

fn post(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post(path)
        .header("authorization", "Bearer good")
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

fn ask(service: &mut LogsIngestion, request: Request<Bytes>) -> (u16, String) {
    let response = service.answer(request, NOW).response;
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), body)
}

fn gzip(raw: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(raw).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn rows_are_stored_plain_and_compressed_and_answered_with_nothing() {
    let mut service = service();
    let rows = br#"[{"Text":"a","Count":1,"Flag":true},{"Text":null}]"#;
    assert_eq!(
        ask(&mut service, post(PATH, rows.to_vec())),
        (204, String::new())
    );
    let mut request = post(PATH, gzip(rows));
    request
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(ask(&mut service, request), (204, String::new()));
    let stored = &service.rows["Custom-A_CL"];
    assert_eq!(stored.len(), 4);
    assert_eq!(stored[0]["Count"], 1);
    assert_eq!(stored[1].get("Text"), None);
    assert_eq!((service.received.calls, service.received.rows), (2, 4));
}

#[test]
fn what_is_wrong_is_refused() {
    let mut service = service();
    service.config.rules.insert(
        "dcr-2".to_owned(),
        Rule {
            role_from_ms: NOW + 1,
            ..Rule::default()
        },
    );
    let body = r#"[{"Text":"a"}]"#;
    let with = |name: &'static str, value: &str| {
        let mut request = post(PATH, body);
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let cases = [
        (404, post("/elsewhere", body)),
        (404, post(&PATH.replace("dcr-1", "dcr-9"), body)),
        (404, post(&PATH.replace("A_CL", "B_CL"), body)),
        (403, post(&PATH.replace("dcr-1", "dcr-2"), body)),
        (400, post(PATH.split('?').next().unwrap(), body)),
        (400, post(&PATH.replace("2023-01-01", "2020-01-01"), body)),
        (401, with("authorization", "Bearer bad")),
        (401, with("authorization", "good")),
        (415, with("content-type", "text/plain")),
        (415, with("content-encoding", "br")),
        (400, with("content-encoding", "gzip")),
        (400, post(PATH, r#"{"Text":"a"}"#)),
        (400, post(PATH, "[1]")),
        (400, post(PATH, &b"[{\"Text\":\"\xff\"}]"[..])),
        (400, post(PATH, r#"[{"Other":"a"}]"#)),
        (400, post(PATH, r#"[{"Text":1}]"#)),
        (400, post(PATH, r#"[{"Count":"1"}]"#)),
        (400, post(PATH, r#"[{"Count":1.5}]"#)),
        (400, post(PATH, r#"[{"TimeGenerated":"yesterday"}]"#)),
        (413, post(PATH, vec![b' '; BODY_BYTES_MAX + 1])),
    ];
    for (n, (expected, request)) in cases.into_iter().enumerate() {
        let (status, body) = ask(&mut service, request);
        assert_eq!(status, expected, "{n}: {body}");
        assert!(body.contains("\"code\""), "{n}");
    }
    assert_eq!(service.received.rows, 0);
}

#[test]
fn what_is_too_long_uncompressed_is_refused_however_short_it_came() {
    let mut service = service();
    let mut request = post(PATH, gzip(&vec![b' '; BODY_BYTES_MAX + 1]));
    request
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(ask(&mut service, request.clone()).0, 413);
    service.config.too_large_is_404 = true;
    assert_eq!(ask(&mut service, request).0, 404);
}

#[test]
fn what_stands_between_the_rows_is_not_counted() {
    let mut service = service();
    let row = json!({ "Text": "x".repeat(1000) }).to_string();
    let count = BODY_BYTES_MAX / row.len();
    let body = format!("[{}]", vec![row.as_str(); count].join(", "));
    assert!(body.len() > BODY_BYTES_MAX);
    assert_eq!(
        ask(&mut service, post(PATH, gzip(body.as_bytes()))).0,
        400,
        "not said to be gzip"
    );
    let mut request = post(PATH, gzip(body.as_bytes()));
    request
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(ask(&mut service, request).0, 204);
    let body = format!("[{}]", vec![row.as_str(); count + 1].join(", "));
    let mut request = post(PATH, gzip(body.as_bytes()));
    request
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    assert_eq!(ask(&mut service, request).0, 413);
}

#[test]
fn old_times_are_replaced_long_texts_cut_and_what_is_not_declared_dropped_where_told() {
    let mut service = service();
    service.config.mismatch = Mismatch::Drop;
    let long = "é".repeat(40_000);
    let body = json!([
        {"TimeGenerated": "2026-02-27T09:59:59Z", "Text": long, "Other": 1},
        {"TimeGenerated": "2026-02-27T10:00:01Z"},
        {"TimeGenerated": "2026-03-03T10:00:00Z"},
        {},
    ]);
    assert_eq!(ask(&mut service, post(PATH, body.to_string())).0, 204);
    let stored = &service.rows["Custom-A_CL"];
    let times: Vec<&str> = stored
        .iter()
        .map(|row| row["TimeGenerated"].as_str().unwrap())
        .collect();
    let now = "2026-03-01T10:00:00Z";
    assert_eq!(times, [now, "2026-02-27T10:00:01Z", now, now]);
    assert_eq!(stored[0]["Text"].as_str().map(str::len), Some(64 * 1024));
    assert_eq!(stored[0].get("Other"), None);
}

#[test]
fn more_than_the_limit_waits_for_the_next_minute() {
    let mut service = service();
    service.config.requests_per_minute = Some(2);
    let now = NOW + 15_000;
    let mut at = |ms: i64| service.answer(post(PATH, "[]"), ms).response;
    assert_eq!(at(now).status(), 204);
    assert_eq!(at(now).status(), 204);
    let told = at(now);
    assert_eq!(
        (told.status().as_u16(), &told.headers()["retry-after"]),
        (429, &"46".parse().unwrap())
    );
    assert_eq!(at(now + 10_000).status(), 429);
    assert_eq!(at(NOW + 60_000).status(), 204);
    assert_eq!(service.received.too_soon, 1);
}

#[test]
fn a_lost_reply_is_stored_once_and_a_reset_never() {
    let mut service = service();
    for (fault, delivery, rows) in [
        (Fault::DropReplyAfterWrite, Delivery::Lost, 1),
        (Fault::DropReplyBeforeWrite, Delivery::Lost, 1),
        (Fault::ResetBeforeRead, Delivery::NeverRead, 1),
        (
            Fault::Slow {
                by: Duration::from_secs(29),
            },
            Delivery::After(Duration::from_secs(29)),
            2,
        ),
    ] {
        service
            .faults
            .add(FaultRule::once(Kind::Create, fault.clone()));
        let answer = service.answer(post(PATH, r#"[{"Text":"a"}]"#), NOW);
        assert_eq!(answer.delivery, delivery);
        assert_eq!(service.received.rows, rows, "{fault:?}");
    }
    assert_eq!(service.journal().executed(Kind::Create), 2);
}
