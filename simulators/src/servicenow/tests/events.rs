//! Event Management: what is taken, what is refused, and what becomes an alert.

use serde_json::json;

use super::*;

fn send(bench: &mut Bench, body: &Value) -> Reply {
    let path = "/api/global/em/jsonv2";
    bench
        .send(Method::POST, path, &[], &body.to_string())
        .into()
}

fn event(more: Value) -> Value {
    let mut event = json!({ "source": "test", "message_key": "k1", "node": "web01", "severity": "1",
        "additional_info": "{\"a\":\"b\"}", "time_of_event": "2026-03-01 10:00:00" });
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    json!({ "records": [event] })
}

/// The alerts: key, state and severity.
fn alerts(bench: &mut Bench) -> Vec<[String; 3]> {
    bench.now += 5_000;
    let reply = bench.get("table/em_alert?sysparm_query=ORDERBYnumber");
    let column = |name| reply.column(name);
    let (keys, states, severities) = (column("message_key"), column("state"), column("severity"));
    let rows = keys.into_iter().zip(states).zip(severities);
    rows.map(|((key, state), severity)| [key, state, severity])
        .collect()
}

fn row(key: &str, state: &str, severity: &str) -> [String; 3] {
    [key, state, severity].map(str::to_owned)
}

#[test]
fn an_event_is_an_alert_five_seconds_later_and_one_key_is_one_alert() {
    let mut bench = Bench::new();
    let reply = send(&mut bench, &event(json!({})));
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json,
        json!({ "result": { "Default Bulk Endpoint": "1 events were inserted" } })
    );
    assert!(bench.get("table/em_alert").column("number").is_empty());
    assert_eq!(alerts(&mut bench), [row("k1", "Open", "1")]);
    send(&mut bench, &event(json!({ "severity": "4" })));
    assert_eq!(alerts(&mut bench), [row("k1", "Open", "4")]);
    send(&mut bench, &event(json!({ "severity": "0" })));
    assert_eq!(alerts(&mut bench), [row("k1", "Closed", "4")]);
    send(&mut bench, &event(json!({})));
    assert_eq!(alerts(&mut bench), [row("k1", "Reopen", "1")]);
    send(
        &mut bench,
        &event(json!({ "message_key": "k2", "severity": "0" })),
    );
    assert_eq!(alerts(&mut bench).len(), 1, "an end of nothing is nothing");
    assert_eq!(
        bench
            .get("table/em_event?sysparm_query=state=Processed")
            .column("severity")
            .len(),
        5
    );
}

#[test]
fn what_no_event_has_is_refused_and_what_means_nothing_is_an_error_later() {
    let mut bench = Bench::new();
    for (body, detail) in [
        (json!({}), "`records` is missing"),
        (json!({ "records": [] }), "no records"),
        (json!({ "records": [1] }), "a record is no object"),
        (event(json!({ "u_team": "x" })), "unknown column u_team"),
        (event(json!({ "severity": 1 })), "severity is no text"),
    ] {
        let reply = send(&mut bench, &body);
        assert_eq!((reply.status, reply.error().1.as_str()), (400, detail));
    }
    for wrong in [
        json!({ "severity": "" }),
        json!({ "severity": "9" }),
        json!({ "time_of_event": "2026-03-01T10:00:00Z" }),
        json!({ "additional_info": "a=b" }),
        json!({ "additional_info": "{\"a\":1}" }),
    ] {
        assert_eq!(send(&mut bench, &event(wrong)).status, 200);
    }
    assert!(alerts(&mut bench).is_empty());
    let states = bench.get("table/em_event").column("state");
    assert_eq!(states, ["Error"; 5]);
}

#[test]
fn sending_reading_and_the_plugin_are_rights_of_their_own() {
    let mut bench = Bench::new();
    bench.login = JOE;
    assert_eq!(send(&mut bench, &event(json!({}))).status, 403);
    assert_eq!(bench.get("table/em_alert").status, 403);
    bench.login = MONITOR;
    bench.sn.config_mut().event_management = false;
    assert_eq!(send(&mut bench, &event(json!({}))).status, 400);
}

#[test]
fn an_event_by_the_table_api_is_the_same() {
    let mut bench = Bench::new();
    let body = json!({ "message_key": "k1", "severity": "2", "source": "x", "time_of_event": "2026-03-01 10:00:00" });
    assert_eq!(bench.post("table/em_event", body).status, 201);
    assert_eq!(alerts(&mut bench), [row("k1", "Open", "2")]);
}

#[test]
fn events_that_wait_survive_a_restart() {
    let mut bench = Bench::new();
    send(&mut bench, &event(json!({})));
    let saved = bench.sn.save();
    bench.sn = ServiceNow::load(Config::default(), &saved).unwrap();
    assert_eq!(alerts(&mut bench), [row("k1", "Open", "1")]);
}
