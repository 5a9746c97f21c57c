//! What each fault does to the client, and to the records.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::fault::{Fault, FaultBody, FaultRule, Forbidden};
use crate::journal::{Execution, Kind};

const SECOND: Duration = Duration::from_secs(1);

fn status(code: u16) -> Fault {
    Fault::Status {
        code,
        retry_after: None,
        rate_headers: false,
        body: FaultBody::Json,
    }
}

#[test]
fn every_fault_of_a_create_says_whether_it_was_executed() {
    use Delivery::{After, Cut, Drip, Lost, NeverRead, Whole};
    let cases = [
        (status(503), 503, Whole, false),
        (Fault::ResetBeforeRead, 500, NeverRead, false),
        (Fault::DropReplyAfterWrite, 201, Lost, true),
        (Fault::DropReplyBeforeWrite, 500, Lost, false),
        (Fault::Slow { by: SECOND }, 201, After(SECOND), true),
        (Fault::Drip { every: SECOND }, 201, Drip(SECOND), true),
        (Fault::CutBody { after_bytes: 9 }, 201, Cut(9), true),
        (Fault::Html200, 200, Whole, false),
        (Fault::Hibernating, 200, Whole, false),
        (Fault::HibernatingRedirect, 302, Whole, false),
        (Fault::ErrorBodyWith200, 200, Whole, false),
        (Fault::BrokenJsonWith200, 200, Whole, true),
        (Fault::Null200, 200, Whole, true),
        (Fault::BareList200, 200, Whole, true),
        (Fault::Empty202, 202, Whole, false),
        (Fault::EmptyResult, 201, Whole, true),
        (Fault::ForeignRecord, 201, Whole, true),
        (Fault::NoCorrelationEcho, 201, Whole, true),
        (Fault::WrongSysId, 201, Whole, true),
        (Fault::TokenExpiredEarly, 401, Whole, false),
        (Fault::Unauthorized401, 401, Whole, false),
        (Fault::Forbidden403(Forbidden::Acl), 403, Whole, false),
        (
            Fault::Forbidden403(Forbidden::BusinessRule),
            403,
            Whole,
            false,
        ),
        (
            Fault::Forbidden403(Forbidden::DataPolicy),
            403,
            Whole,
            false,
        ),
        (Fault::HugeBody { bytes: 5000 }, 201, Whole, true),
        (Fault::RateLimit429, 429, Whole, false),
        (Fault::Semaphore429, 429, Whole, false),
        (Fault::CommitThen500, 500, Whole, true),
        (Fault::SamePageTwice, 201, Whole, true),
        (Fault::EchoSecrets, 500, Whole, false),
        (Fault::ClockOff { by: -1000 }, 201, Whole, true),
        (Fault::StaleSearch { by: SECOND }, 201, Whole, true),
    ];
    for (fault, status, delivery, executed) in cases {
        let mut bench = Bench::new();
        bench
            .sn
            .faults_mut()
            .add(FaultRule::once(Kind::Create, fault.clone()));
        let reply = bench.post("table/incident", json!({ "correlation_id": "azm-1" }));
        assert_eq!(
            (reply.status, reply.delivery),
            (status, delivery),
            "{fault:?}"
        );
        assert_eq!(
            bench.sn.incidents().len(),
            usize::from(executed),
            "{fault:?}"
        );
        let entry = bench.sn.journal().last().unwrap();
        let expected = if executed {
            Execution::Executed
        } else {
            Execution::Not
        };
        assert_eq!(
            (entry.execution, entry.fault.as_deref()),
            (expected, Some(fault.name().as_str())),
            "{fault:?}"
        );
        assert_eq!(
            bench.post("table/incident", json!({})).status,
            201,
            "only once: {fault:?}"
        );
    }
}

#[test]
fn bodies_are_broken_as_documented() {
    let body = |fault: Fault| {
        let mut bench = Bench::new();
        bench.sn.seed_incidents(4, NOW);
        bench
            .sn
            .faults_mut()
            .add(FaultRule::once(Kind::Query, fault));
        let reply = bench.get("table/incident?sysparm_fields=sys_id,number,correlation_id");
        (
            String::from_utf8(reply.response.body().to_vec()).unwrap(),
            reply,
        )
    };
    let (text, _) = body(Fault::BrokenJsonWith200);
    assert!(serde_json::from_str::<Value>(&text).is_err());
    assert!(
        text.starts_with("{\"result\":[{")
            && text.contains("],\"error\":{")
            && text.contains("maximum execution time exceeded"),
        "{text}"
    );
    assert_eq!(
        text.matches("sys_id").count(),
        2,
        "half of the rows: {text}"
    );
    let (text, reply) = body(Fault::Hibernating);
    assert!(
        text.contains("<div class=\"instance-hibernating-page\">")
            && text.contains("Your instance is hibernating"),
        "{text}"
    );
    assert_eq!(
        reply.header("content-type"),
        Some("text/html;charset=UTF-8")
    );
    assert_eq!(body(Fault::Null200).0, "null");
    assert_eq!(body(Fault::BareList200).1.json.as_array().unwrap().len(), 4);
    assert_eq!(body(Fault::EmptyResult).1.json, json!({ "result": [] }));
    assert_eq!(body(Fault::Empty202).0, "");
    assert!(
        body(Fault::ErrorBodyWith200)
            .1
            .error()
            .0
            .starts_with("Transaction cancelled")
    );
    assert!(
        body(Fault::ForeignRecord)
            .1
            .column("correlation_id")
            .iter()
            .all(|id| id == "of-another-alert")
    );
    let (text, reply) = body(Fault::HugeBody { bytes: 100_000 });
    assert_eq!((text.len(), reply.json.is_object()), (100_000, true));
    let location = body(Fault::HibernatingRedirect)
        .1
        .header("location")
        .map(str::to_owned);
    assert_eq!(
        location.as_deref(),
        Some("https://developer.servicenow.com/dev.do#!/home?wu=true")
    );
}

#[test]
fn a_reply_about_the_wrong_record_keeps_the_right_one_in_the_database() {
    for (fault, field) in [
        (Fault::ForeignRecord, "correlation_id"),
        (Fault::NoCorrelationEcho, "correlation_id"),
        (Fault::WrongSysId, "sys_id"),
    ] {
        let mut bench = Bench::new();
        bench
            .sn
            .faults_mut()
            .add(FaultRule::once(Kind::Create, fault.clone()));
        let reply = bench.post("table/incident", json!({ "correlation_id": "azm-1" }));
        assert_ne!(
            json!(reply.text(field)),
            bench.sn.incidents()[0][field],
            "{fault:?}"
        );
        assert_eq!(bench.sn.incidents()[0]["correlation_id"], json!("azm-1"));
    }
    let mut bench = Bench::new();
    bench
        .sn
        .faults_mut()
        .add(FaultRule::once(Kind::Query, Fault::ForeignRecord));
    let reply = bench.get("table/incident?sysparm_query=correlation_id=azm-1");
    assert_eq!(
        reply.column("correlation_id"),
        ["of-another-alert"],
        "also where nothing was found"
    );
}

#[test]
fn statuses_carry_what_the_rule_says() {
    let mut bench = Bench::new();
    let fault = Fault::Status {
        code: 503,
        retry_after: Some("Fri, 01 Jan 2100 00:00:00 GMT".into()),
        rate_headers: true,
        body: FaultBody::Html,
    };
    bench.sn.faults_mut().add(FaultRule::once(Kind::Any, fault));
    let reply = bench.get("table/incident");
    assert_eq!(
        (reply.status, reply.header("retry-after")),
        (503, Some("Fri, 01 Jan 2100 00:00:00 GMT"))
    );
    assert!(
        reply.header("x-ratelimit-reset").is_some()
            && reply
                .header("content-type")
                .unwrap()
                .starts_with("text/html")
    );
    bench
        .sn
        .faults_mut()
        .add(FaultRule::once(Kind::Any, Fault::RateLimit429));
    let reply = bench.get("table/incident");
    assert_eq!(
        (
            reply.header("retry-after"),
            reply.header("x-ratelimit-limit")
        ),
        (Some("3600"), Some("100"))
    );
    bench
        .sn
        .faults_mut()
        .add(FaultRule::once(Kind::Any, Fault::Semaphore429));
    let reply = bench.get("table/incident");
    assert_eq!(
        (
            reply.status,
            reply.header("retry-after"),
            reply.header("x-ratelimit-limit")
        ),
        (429, None, None)
    );
}

#[test]
fn a_token_that_expires_early_stays_expired() {
    let mut bench = Bench::new();
    let form = "grant_type=client_credentials&client_id=d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f&client_secret=demo-client-secret";
    let ask = |bench: &mut Bench, fault: Option<Fault>| {
        bench.sn.faults_mut().clear();
        fault.into_iter().for_each(|fault| {
            bench
                .sn
                .faults_mut()
                .add(FaultRule::once(Kind::Query, fault))
        });
        let access = bench.form("/oauth_token.do", form).json["access_token"]
            .as_str()
            .unwrap()
            .to_owned();
        let bearer = format!("Bearer {access}");
        let mut statuses = [0; 2];
        for status in &mut statuses {
            *status = bench
                .send(
                    Method::GET,
                    "/api/now/table/incident",
                    &[("authorization", &bearer)],
                    "",
                )
                .response
                .status()
                .as_u16();
        }
        statuses
    };
    assert_eq!(ask(&mut bench, Some(Fault::Unauthorized401)), [401, 200]);
    assert_eq!(ask(&mut bench, Some(Fault::TokenExpiredEarly)), [401, 401]);
    assert_eq!(ask(&mut bench, None), [200, 200], "and a new one is given");
}

#[test]
fn faults_of_the_token_endpoint() {
    let form = "grant_type=password&client_id=a&client_secret=s3cret&username=u&password=hidden&refresh_token=r3fresh";
    let mut bench = Bench::new();
    bench
        .sn
        .faults_mut()
        .add(FaultRule::once(Kind::Token, Fault::EchoSecrets));
    let reply = bench.form("/oauth_token.do", form);
    let text = reply.json["error_description"].as_str().unwrap();
    assert!(
        ["s3cret", "hidden", "r3fresh"]
            .iter()
            .all(|secret| text.contains(secret)),
        "{text}"
    );
    for (fault, status) in [
        (Fault::Html200, 200),
        (status(500), 500),
        (Fault::Unauthorized401, 401),
    ] {
        bench
            .sn
            .faults_mut()
            .add(FaultRule::once(Kind::Token, fault));
        assert_eq!(bench.form("/oauth_token.do", form).status, status);
    }
}

#[test]
fn the_echo_repeats_the_bearer_token() {
    let mut bench = Bench::new();
    bench.login = "Bearer very-secret";
    bench
        .sn
        .faults_mut()
        .add(FaultRule::once(Kind::Query, Fault::EchoSecrets));
    assert!(
        bench
            .get("table/incident")
            .error()
            .0
            .contains("Bearer very-secret")
    );
}

#[test]
fn the_same_page_twice() {
    let mut bench = Bench::new();
    bench.sn.seed_incidents(6, NOW);
    bench
        .sn
        .faults_mut()
        .add(FaultRule::once(Kind::Query, Fault::SamePageTwice).nth(2));
    let mut page = |offset: usize| {
        bench
            .get(&format!(
                "table/incident?sysparm_query=ORDERBYnumber&sysparm_limit=2&sysparm_offset={offset}"
            ))
            .column("number")
    };
    let (first, second, third) = (page(0), page(2), page(2));
    assert_eq!(first, second);
    assert_ne!(second, third);
}
