//! Faults of time: writes that come late, searches that are behind, clocks that are off.

use std::time::Duration;

use serde_json::json;

use super::super::made_up_sys_id;
use super::*;
use crate::fault::{Fault, FaultRule};
use crate::journal::{Execution, Kind};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_late_write_comes_when_its_time_comes_and_not_before() {
    let mut bench = Bench::new();
    bench.sn.faults_mut().add(FaultRule::once(
        Kind::Create,
        Fault::ExecuteLate { after: 30 * SECOND },
    ));
    assert_eq!(
        bench
            .post("table/incident", json!({ "correlation_id": "azm-1" }))
            .delivery,
        Delivery::Lost
    );
    assert_eq!(
        bench.sn.journal().last().unwrap().execution,
        Execution::Late
    );
    let find = "table/incident?sysparm_query=correlation_id=azm-1";
    bench.now += 29_999;
    assert!(bench.get(find).column("number").is_empty());
    assert_eq!(bench.sn.late_calls(), (1, Some(NOW + 30_000)));
    bench.now += 5_000;
    assert_eq!(
        bench.get(find).column("sys_created_on"),
        ["2026-03-01 10:00:30"]
    );
    let entry = &bench.sn.journal().entries()[0];
    assert_eq!(
        (entry.status, entry.correlation_id.as_deref()),
        (201, Some("azm-1"))
    );
}

#[test]
fn a_late_write_whose_key_was_taken_meanwhile_fails_silently() {
    let mut bench = Bench::new();
    let body = json!({ "sys_id": made_up_sys_id("a"), "short_description": "x" });
    bench.sn.faults_mut().add(FaultRule::once(
        Kind::Create,
        Fault::ExecuteLate { after: 30 * SECOND },
    ));
    bench.post("table/incident", body.clone());
    assert_eq!(bench.post("table/incident", body).status, 201);
    bench.sn.settle(NOW + 30_000);
    assert_eq!(bench.sn.incidents().len(), 1);
    assert_eq!(bench.sn.journal().entries()[0].execution, Execution::Not);
}

#[test]
fn a_late_call_that_nobody_lets_in_is_no_call() {
    let mut bench = Bench::new();
    bench.login = "Bearer nonsense";
    bench.sn.faults_mut().add(FaultRule::once(
        Kind::Create,
        Fault::ExecuteLate { after: SECOND },
    ));
    bench.post("table/incident", json!({}));
    assert_eq!(bench.sn.late_calls(), (0, None));
    bench.sn.settle(NOW + 1000);
    assert!(bench.sn.incidents().is_empty());
    assert_eq!(bench.sn.journal().entries()[0].execution, Execution::Not);
}

#[test]
fn a_search_may_be_behind() {
    let mut bench = Bench::new();
    bench.incident(json!({ "correlation_id": "azm-1" }));
    bench.sn.faults_mut().add(FaultRule::times(
        Kind::Query,
        2,
        Fault::StaleSearch { by: 10 * SECOND },
    ));
    let find = "table/incident?sysparm_query=correlation_id=azm-1";
    bench.now += 5_000;
    assert!(bench.get(find).column("number").is_empty());
    bench.now += 5_000;
    assert_eq!(bench.get(find).column("number").len(), 1);
}

#[test]
fn a_clock_that_is_off_stamps_and_dates() {
    let mut bench = Bench::new();
    bench.sn.faults_mut().add(FaultRule::once(
        Kind::Create,
        Fault::ClockOff { by: -3_600_000 },
    ));
    let reply = bench.post("table/incident", json!({}));
    assert_eq!(
        (reply.text("sys_created_on"), reply.header("date")),
        (
            "2026-03-01 09:00:00".to_owned(),
            Some("Sun, 01 Mar 2026 09:00:00 GMT")
        )
    );
    assert_eq!(bench.sn.journal().last().unwrap().at_ms, NOW);
}
