//! Paths, headers, media types, sizes: what is refused before a table is looked at.

use serde_json::json;

use super::super::config::{AppliesTo, RateLimit};
use super::*;

#[test]
fn every_refusal_has_its_status_and_text() {
    let cases = [
        (
            Method::GET,
            "/api/now/table/incidentx",
            "",
            400,
            "Invalid table incidentx",
        ),
        (
            Method::GET,
            "/api/now/stats/incidentx",
            "",
            400,
            "Invalid table incidentx",
        ),
        (
            Method::POST,
            "/api/now/v1/batch",
            "{}",
            400,
            "Requested URI does not represent any resource: /api/now/v1/batch",
        ),
        (
            Method::GET,
            "/api/now/table",
            "",
            400,
            "Requested URI does not represent any resource: /api/now/table",
        ),
        (
            Method::POST,
            "/api/global/em/jsonv1",
            "{}",
            400,
            "Requested URI does not represent any resource: /api/global/em/jsonv1",
        ),
        (
            Method::GET,
            "/api/now/table/incident/a/b",
            "",
            400,
            "Requested URI does not represent any resource: /api/now/table/incident/a/b",
        ),
        (
            Method::GET,
            "/api/now/table/incident/abc",
            "",
            404,
            "No Record found",
        ),
        (
            Method::POST,
            "/api/now/table/incident/abc",
            "{}",
            405,
            "Method not supported",
        ),
        (
            Method::POST,
            "/api/now/table/incident",
            "{",
            400,
            "Exception while reading request",
        ),
        (
            Method::POST,
            "/api/now/table/incident",
            "3",
            400,
            "Exception while reading request",
        ),
    ];
    for (method, path, body, status, message) in cases {
        let reply = Reply::from(Bench::new().send(method, path, &[], body));
        assert_eq!(
            (reply.status, reply.error().0.as_str()),
            (status, message),
            "{path}"
        );
        assert_eq!(reply.json["status"], json!("failure"));
    }
}

#[test]
fn headers_decide_too() {
    let table = "/api/now/table/incident";
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(Method, Headers, u16); 9] = [
        (Method::GET, &[("authorization", "Bearer nonsense")], 401),
        (
            Method::GET,
            &[("authorization", "Basic bm9ib2R5Om5vbmU=")],
            401,
        ),
        (Method::GET, &[("authorization", "nonsense")], 401),
        (Method::GET, &[("accept", "text/plain")], 406),
        (Method::GET, &[("accept", "text/html, */*;q=0.1")], 200),
        (
            Method::GET,
            &[("accept", "application/json;charset=utf-8")],
            200,
        ),
        (Method::POST, &[("content-type", "text/plain")], 415),
        (
            Method::POST,
            &[("content-type", "application/json; charset=utf-8")],
            201,
        ),
        (Method::HEAD, &[], 200),
    ];
    for (method, headers, status) in cases {
        let reply = Reply::from(Bench::new().send(method.clone(), table, headers, "{}"));
        assert_eq!(reply.status, status, "{method} {headers:?}");
        assert!(method != Method::HEAD || reply.response.body().is_empty());
    }
}

#[test]
fn a_method_override_reaches_the_record() {
    let mut bench = Bench::new();
    let key = bench.incident(json!({}));
    let headers = [("x-http-method-override", "PATCH")];
    let reply = Reply::from(bench.send(
        Method::POST,
        &format!("/api/now/table/incident/{key}"),
        &headers,
        r#"{"impact":"1"}"#,
    ));
    assert_eq!((reply.status, reply.text("impact")), (200, "1".to_owned()));
}

#[test]
fn a_client_may_want_no_body() {
    let mut bench = Bench::new();
    let headers = [("x-no-response-body", "true")];
    let reply = Reply::from(bench.send(Method::POST, "/api/now/table/incident", &headers, "{}"));
    assert_eq!((reply.status, reply.response.body().len()), (201, 0));
    assert!(reply.header("location").is_some());
}

#[test]
fn what_is_too_long_is_refused() {
    let mut bench = Bench::with(Config {
        body_bytes_max: 100,
        ..Config::default()
    });
    let reply = bench.post("table/incident", json!({ "description": "x".repeat(200) }));
    assert_eq!(
        reply.error().0,
        "Rejected large REST payload with content-length = 218 bytes. Max allowed: 100 bytes."
    );
    let query = |n: usize| {
        format!(
            "table/incident?sysparm_query=short_description={}",
            "x".repeat(n)
        )
    };
    assert_eq!(bench.get(&query(9_000)).status, 400);
    assert_eq!(
        bench
            .get(&format!(
                "{}&sysparm_suppress_pagination_header=true",
                query(9_000)
            ))
            .status,
        200
    );
    let long = bench.get(&query(20_000));
    assert_eq!(
        (long.status, long.header("content-type")),
        (414, Some("text/html;charset=UTF-8"))
    );
}

#[test]
fn replies_carry_the_headers_of_an_instance() {
    let mut bench = Bench::new();
    let reply = bench.get("table/incident");
    for (name, value) in [
        ("server", "snow_adc"),
        ("content-type", "application/json;charset=UTF-8"),
        ("x-is-logged-in", "true"),
        (
            "cache-control",
            "no-cache,no-store,must-revalidate,max-age=-1",
        ),
        ("date", "Sun, 01 Mar 2026 10:00:00 GMT"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert_eq!(reply.header("x-transaction-id").map(str::len), Some(12));
    assert!(
        reply
            .header("set-cookie")
            .unwrap()
            .starts_with("JSESSIONID=")
    );
}

#[test]
fn a_session_that_comes_back_queues_and_is_dropped() {
    let mut bench = Bench::with(Config {
        call_takes_ms: 100,
        ..Config::default()
    });
    let first = bench.get("table/incident");
    assert_eq!(
        first.delivery,
        Delivery::After(std::time::Duration::from_millis(100))
    );
    let cookie = first
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let statuses: Vec<u16> = (0..13)
        .map(|_| {
            Reply::from(bench.send(
                Method::POST,
                "/api/now/table/incident",
                &[("cookie", &cookie)],
                "{}",
            ))
            .status
        })
        .collect();
    assert_eq!(
        (&statuses[..11], &statuses[11..]),
        (&[201; 11][..], &[202, 202][..])
    );
    assert_eq!(bench.sn.incidents().len(), 11);
    assert_eq!(
        bench.get("table/incident").status,
        200,
        "without the cookie nothing queues"
    );
}

#[test]
fn a_rate_limit_rule_shows_itself_on_every_call() {
    let rule = RateLimit {
        applies_to: AppliesTo::AllUsers,
        per_hour: 2,
    };
    let mut bench = Bench::with(Config {
        rate_limits: vec![rule],
        ..Config::default()
    });
    for _ in 0..2 {
        let reply = bench.get("table/incident");
        assert_eq!(
            (
                reply.status,
                reply.header("x-ratelimit-limit"),
                reply.header("retry-after")
            ),
            (200, Some("2"), None)
        );
    }
    let refused = bench.get("table/incident");
    assert_eq!(
        (
            refused.status,
            refused.header("retry-after"),
            refused.header("x-ratelimit-reset")
        ),
        (429, Some("3600"), Some("1772362800"))
    );
    assert_eq!(
        refused.error().1,
        "Rate limit of 2 requests per hour for Table API exceeded"
    );
}

#[test]
fn tables_of_the_configuration_are_there() {
    let config: Config = serde_json::from_value(json!({
        "tables": [{ "name": "x_acme_alert", "extends": "task", "columns": ["u_key:60", "u_rank:int"], "number_prefix": "ALR" }]
    }))
    .unwrap();
    let mut bench = Bench::with(config);
    let reply = bench.post(
        "table/x_acme_alert",
        json!({ "u_key": "k".repeat(99), "u_rank": "7", "short_description": "x" }),
    );
    assert_eq!(
        (
            reply.text("u_key").len(),
            reply.text("u_rank"),
            reply.text("number")
        ),
        (60, "7".to_owned(), "ALR0010001".to_owned())
    );
    assert_eq!(
        bench.get("table/task").result().as_array().unwrap().len(),
        1
    );
}

#[test]
fn two_instances_of_one_seed_answer_the_same() {
    let run = |seed| {
        let mut bench = Bench::with(Config {
            seed,
            ..Config::default()
        });
        bench.sn.seed_incidents(20, NOW);
        let replies = [
            bench.post("table/incident", json!({})),
            bench.get("table/incident"),
            bench.get("table/incident?sysparm_display_value=all"),
        ];
        replies.map(|reply| format!("{:?}", reply.response))
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_customers_own_columns_reach_the_tables_below() {
    let config: Config = serde_json::from_value(json!({
        "tables": [{ "name": "task", "columns": ["u_alert_key:40"] }],
        "unique_fields": { "task": ["u_alert_key"] }
    }))
    .unwrap();
    let mut bench = Bench::with(config);
    let body = json!({ "u_alert_key": "k1" });
    assert_eq!(
        bench
            .post("table/incident", body.clone())
            .text("u_alert_key"),
        "k1"
    );
    assert_eq!(bench.post("table/incident", body.clone()).status, 403);
    assert_eq!(
        bench.post("table/change_request", body).status,
        403,
        "one index for all tasks"
    );
    let found = bench.get("table/sys_dictionary?sysparm_query=element=u_alert_key");
    assert_eq!(found.column("name"), ["task"]);
    assert_eq!(
        bench
            .get("table/incident?sysparm_query=u_alert_key=k1")
            .column("number")
            .len(),
        1
    );
}
