//! The same alert on every host: the same incident, the same answer, the same bytes in the journal (rows W39 and W40).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use itsm_connector::hosts::intake::Intake;
use itsm_connector::hosts::{azure_functions, lambda};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bed::{Alert, FunctionsHost, LOOPBACK, TestBed, pause, request};

const PATH: &str = "/api/create-work-item/contoso";
const KEY: &str = "key of the webhook";
const LEFT: Duration = Duration::from_secs(10);

/// Ticks until a lease that somebody else has must be free.
const TICKS_MAX: usize = 100;

/// A bed that is open to a key alone, as every cloud's is.
async fn bed() -> TestBed {
    TestBed::with_servicenow(Default::default())
        .key(KEY)
        .start()
        .await
}

async fn journal(bed: &TestBed) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for name in bed.objects("journal").await {
        let content = bed.object(&name).await;
        all.insert(name, content);
    }
    assert_eq!(all.len(), 2, "a fired and a resolved alert");
    all
}

fn body(alert: &str) -> String {
    Alert::captured(alert).text()
}

fn headers() -> Value {
    json!({ "content-type": "application/json; charset=utf-8", "host": "x", "X-Itsmc-Key": KEY })
}

/// Payload format 2.0: a function URL, or an HTTP API.
fn version_2(alert: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": PATH, "rawQueryString": "",
        "headers": headers(),
        "requestContext": {
            "accountId": "anonymous", "apiId": "x", "domainName": "x.lambda-url.eu-west-1.on.aws",
            "http": { "method": "POST", "path": PATH, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "IcMBroadcaster/1.0" },
            "requestId": "x", "routeKey": "$default", "stage": "$default", "timeEpoch": 1_772_359_200_000_u64,
        },
        "body": body(alert), "isBase64Encoded": false,
    })
}

/// Payload format 1.0: a REST API.
fn version_1(alert: &str) -> Value {
    json!({
        "version": "1.0", "resource": "/{proxy+}", "path": PATH, "httpMethod": "POST",
        "headers": headers(),
        "multiValueHeaders": { "content-type": ["application/json"], "X-Itsmc-Key": [KEY] },
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": { "proxy": "x" }, "stageVariables": null,
        "requestContext": {
            "accountId": "1", "apiId": "x", "httpMethod": "POST", "path": format!("/prod{PATH}"), "stage": "prod",
            "protocol": "HTTP/1.1", "requestId": "x", "resourceId": "x", "resourcePath": "/{proxy+}",
            "identity": { "sourceIp": "192.0.2.1", "userAgent": "x" },
        },
        "body": body(alert), "isBase64Encoded": false,
    })
}

fn with(mut event: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        event[*name] = value.clone();
    }
    event
}

async fn invoke(bed: &TestBed, event: &Value) -> Result<Value, String> {
    let answered = lambda::invoke(bed.intake(), &event.to_string(), LEFT).await;
    answered
        .map(|raw| serde_json::from_str(raw.get()).unwrap())
        .map_err(|error| error.to_string())
}

/// What the desk keeps of a fired and a resolved alert.
async fn at_the_desk() -> BTreeMap<String, String> {
    let bed = bed().await;
    for (alert, outcome) in [("metric_fired", "created"), ("metric_resolved", "resolved")] {
        let key = format!("contoso?key={}", KEY.replace(' ', "+"));
        let delivered = bed.deliver_to(&key, alert).await;
        assert_eq!(
            (delivered.status, delivered.outcome.as_str()),
            (200, outcome)
        );
    }
    let kept = journal(&bed).await;
    bed.end().await;
    kept
}

#[tokio::test]
async fn every_shape_of_a_lambda_event_is_the_same_alert() {
    let expected = at_the_desk().await;
    let base64 = |alert: &str| json!(BASE64.encode(body(alert).as_bytes()));
    let marked = |alert: &str| json!(format!("\u{feff}{}", body(alert)));
    type Shape<'a> = (&'a str, Box<dyn Fn(&str) -> Value>);
    let shapes: Vec<Shape<'_>> = vec![
        ("function URL", Box::new(version_2)),
        ("REST API", Box::new(version_1)),
        (
            "base64",
            Box::new(move |alert| {
                with(
                    version_2(alert),
                    &[("body", base64(alert)), ("isBase64Encoded", json!(true))],
                )
            }),
        ),
        (
            "a flag that lies",
            Box::new(|alert| with(version_2(alert), &[("isBase64Encoded", json!(true))])),
        ),
        (
            "a byte order mark",
            Box::new(move |alert| with(version_2(alert), &[("body", marked(alert))])),
        ),
        (
            "a stage with a name",
            Box::new(|alert| {
                let mut event = with(
                    version_2(alert),
                    &[("rawPath", json!(format!("/prod{PATH}")))],
                );
                event["requestContext"]["stage"] = json!("prod");
                event
            }),
        ),
        (
            "a key in the query, format 2.0",
            Box::new(|alert| {
                let query = json!("key=key+of%20the+webhook");
                with(
                    version_2(alert),
                    &[
                        ("rawQueryString", query),
                        ("headers", json!({ "content-type": "application/json" })),
                    ],
                )
            }),
        ),
        (
            "a key in the query, format 1.0",
            Box::new(|alert| {
                with(
                    version_1(alert),
                    &[
                        ("queryStringParameters", json!({ "key": KEY })),
                        ("multiValueQueryStringParameters", json!({ "key": [KEY] })),
                        (
                            "multiValueHeaders",
                            json!({ "content-type": ["application/json"] }),
                        ),
                    ],
                )
            }),
        ),
        (
            "direct invocation",
            Box::new(|alert| {
                let alert: Value = serde_json::from_str(&body(alert)).unwrap();
                json!({ "connection": "contoso", "alert": alert })
            }),
        ),
    ];
    for (shape, event) in shapes {
        let bed = bed().await;
        for (alert, outcome) in [("metric_fired", "created"), ("metric_resolved", "resolved")] {
            let answer = invoke(&bed, &event(alert)).await.unwrap();
            if shape == "direct invocation" {
                assert_eq!(answer["outcome"], outcome, "{shape}: {answer}");
            } else {
                assert_eq!(answer["statusCode"], 200, "{shape}: {answer}");
                assert_eq!(answer["headers"]["content-type"], "application/json");
                let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
                assert_eq!(body["outcome"], outcome, "{shape}: {body}");
            }
        }
        let kept = journal(&bed).await;
        if shape == "direct invocation" {
            // The test wrote the alert anew, so that its bytes are others; its event is the same.
            assert!(kept.keys().eq(expected.keys()), "{shape}");
        } else {
            assert_eq!(kept, expected, "{shape}");
        }
        bed.end().await;
    }
}

#[tokio::test]
async fn an_event_that_is_none_of_ours_is_an_error_and_leaves_nothing() {
    let bed = bed().await;
    for event in [
        json!({}),
        json!([]),
        json!("x"),
        json!({ "Records": [{ "eventSource": "aws:sqs", "body": "x" }] }),
        json!({ "alert": {} }),
        json!({ "connection": "../x", "alert": {} }),
        json!({ "connection": "contoso", "action": "A B", "alert": {} }),
    ] {
        let refused = invoke(&bed, &event).await.unwrap_err();
        assert!(
            refused.contains("the event is no request"),
            "{event}: {refused}"
        );
    }
    let unknown = json!({ "connection": "nobody", "alert": {} });
    let refused = invoke(&bed, &unknown).await.unwrap_err();
    assert!(
        refused.starts_with("No such connection or action (status 404)")
            && refused.contains("; hint: `itsmc connection list`"),
        "{refused}"
    );
    let key = json!({ "content-type": "application/json", "x-itsmc-key": "another" });
    let answer = invoke(&bed, &with(version_2("metric_fired"), &[("headers", key)]))
        .await
        .unwrap();
    assert_eq!(answer["statusCode"], 401);
    // Nothing but the notice of a connection that is missing.
    let left = bed.objects("").await;
    assert!(
        left.len() == 1 && left[0].starts_with("notices/"),
        "{left:?}"
    );
    bed.end().await;
}

#[tokio::test]
async fn with_no_time_left_an_alert_is_kept_and_waits() {
    let bed = bed().await;
    let event = version_2("metric_fired").to_string();
    let left = Duration::from_secs(1);
    let answered = lambda::invoke(bed.intake(), &event, left).await.unwrap();
    let answer: Value = serde_json::from_str(answered.get()).unwrap();
    assert_eq!(answer["statusCode"], 202, "{answer}");
    bed.settle().await;
    assert_eq!(bed.servicenow().incidents().len(), 1);
    bed.end().await;
}

#[tokio::test]
async fn a_schedule_finishes_what_is_pending() {
    let bed = bed().await;
    let event = version_2("metric_fired").to_string();
    let short = Duration::from_secs(1);
    lambda::invoke(bed.intake(), &event, short).await.unwrap();
    let tick = json!({
        "version": "0", "id": "x", "detail-type": "Scheduled Event", "source": "aws.events", "account": "1",
        "time": "2026-03-01T10:00:00Z", "region": "eu-west-1", "resources": [], "detail": {},
    });
    let left = Duration::from_secs(55);
    for _ in 0..TICKS_MAX {
        let done = lambda::invoke(bed.intake(), &tick.to_string(), left)
            .await
            .unwrap();
        assert_eq!(done.get(), "{\"outcome\":\"drained\"}");
        if !bed.servicenow().incidents().is_empty() {
            break;
        }
        pause(Duration::from_millis(100)).await;
    }
    assert_eq!(bed.servicenow().incidents().len(), 1);
    bed.end().await;
}

/// Runs the custom handler beside what the host does with it.
async fn under_the_functions_host<T>(
    bed: &TestBed,
    visit: impl AsyncFnOnce(&FunctionsHost) -> T,
) -> T {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let host = FunctionsHost::of(listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let function = Arc::<Intake>::clone(bed.shared_intake());
    let serving = azure_functions::serve_until(function, listener, async {
        let _ = stopped.await;
    });
    let visiting = async {
        host.wait_until_it_is_there().await;
        let seen = visit(&host).await;
        let _ = stop.send(());
        seen
    };
    futures_util::future::join(serving, visiting).await.1
}

#[tokio::test]
async fn the_custom_handler_takes_what_is_forwarded() {
    let expected = at_the_desk().await;
    let bed = bed().await;
    under_the_functions_host(&bed, async |host| {
        for (alert, outcome) in [("metric_fired", "created"), ("metric_resolved", "resolved")] {
            let key = format!("X-ITSMC-KEY: {KEY}");
            let answer = host
                .forward("POST", PATH, &[&key], body(alert).as_bytes())
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.json()["outcome"], outcome);
        }
        assert_eq!(host.forward("POST", PATH, &[], b"{}").await.status, 401);
        assert_eq!(host.forward("GET", "/api/live", &[], b"").await.status, 200);
        assert_eq!(
            host.forward("GET", "/api/other", &[], b"").await.status,
            404
        );
    })
    .await;
    assert_eq!(journal(&bed).await, expected);
    bed.end().await;
}

#[tokio::test]
async fn a_chunked_body_that_the_host_takes_away_is_asked_for_again() {
    let bed = bed().await;
    under_the_functions_host(&bed, async |host| {
        let key = format!("X-Itsmc-Key: {KEY}");
        // `enableForwardingHttpRequest` leaves nothing of it; the other setting leaves it whole.
        let answer = host.forward("POST", PATH, &[&key], b"").await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("5"));
        let alert = body("metric_fired");
        let answer = host.forward_chunked(PATH, &[&key], alert.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    })
    .await;
    assert_eq!(bed.objects("quarantine").await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn the_custom_handler_takes_envelopes() {
    let expected = at_the_desk().await;
    type Bodies<'a> = (&'a str, Box<dyn Fn(String) -> Value>);
    let bodies: Vec<Bodies<'_>> = vec![
        ("a string", Box::new(|body| json!(body))),
        (
            "a string in a string",
            Box::new(|body| json!(json!(body).to_string())),
        ),
    ];
    for (shape, of) in bodies {
        let bed = bed().await;
        under_the_functions_host(&bed, async |host| {
            for (alert, outcome) in [("metric_fired", "created"), ("metric_resolved", "resolved")] {
                let headers = json!({ "Content-Type": ["application/json"], "x-ITSMC-key": [KEY], "Content-Length": ["1"] });
                let response = host.trigger_http(PATH, &headers, &of(body(alert))).await;
                assert_eq!(response["statusCode"], 200, "{shape}: {response}");
                let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
                assert_eq!(body["outcome"], outcome, "{shape}");
            }
            let nobody = json!({ "Content-Type": ["application/json"] });
            let response = host.trigger_http(PATH, &nobody, &json!("{}")).await;
            assert_eq!(response["statusCode"], 401);
        })
        .await;
        assert_eq!(journal(&bed).await, expected, "{shape}");
        bed.end().await;
    }
}

#[tokio::test]
async fn an_envelope_that_is_not_understood_is_no_success() {
    let bed = bed().await;
    under_the_functions_host(&bed, async |host| {
        for envelope in [
            "",
            "{}",
            "[]",
            "{\"Data\":7}",
            "{\"Metadata\":{}}",
            "no json",
        ] {
            let answer = host.post("/create-work-item", envelope.as_bytes()).await;
            assert_eq!(answer.status, 400, "{envelope}: {answer:?}");
        }
        // A request without what makes one: the alert in it must not be taken for a tick.
        for req in [
            json!({ "Url": "not an address", "Method": "POST", "Body": "{}" }),
            json!({ "Url": "http://x/api/create-work-item/contoso" }),
            json!({ "Headers": {}, "Body": "{}" }),
        ] {
            let envelope = json!({ "Data": { "req": req }, "Metadata": {} });
            let answer = host
                .post("/create-work-item", envelope.to_string().as_bytes())
                .await;
            assert_eq!(
                answer.json()["Outputs"]["res"]["statusCode"],
                503,
                "{req}: {answer:?}"
            );
        }
    })
    .await;
    assert_eq!(bed.objects("").await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn the_hosts_timer_finishes_what_is_pending() {
    let bed = bed().await;
    let event = version_2("metric_fired").to_string();
    let short = Duration::from_secs(1);
    lambda::invoke(bed.intake(), &event, short).await.unwrap();
    assert!(bed.servicenow().incidents().is_empty());
    under_the_functions_host(&bed, async |host| {
        // The desk's own timer may have the lease at the first tick, as another instance may.
        for _ in 0..TICKS_MAX {
            host.tick("drain").await;
            if !bed.servicenow().incidents().is_empty() {
                return;
            }
            pause(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert_eq!(bed.servicenow().incidents().len(), 1);
    bed.end().await;
}

#[tokio::test]
async fn a_request_by_another_way_finds_nothing() {
    let bed = bed().await;
    under_the_functions_host(&bed, async |host| {
        for (method, path) in [("GET", "/admin"), ("PUT", "/drain")] {
            let answer = host
                .send(&request(method, path, &["Connection: close"], b""))
                .await;
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    })
    .await;
    bed.end().await;
}
