//! Work items that are events: the instance is told of an alert under one key, makes one alert of it, and is told of its
//! end; whatever is lost or dies in between.

use std::time::Duration;

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::explain;
use serde_json::{Value, json};
use simulators::fault::{Fault, FaultRule, Forbidden};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Alert, Calls, Fate, TestBed};

/// A bed whose instance processes events as soon as it is asked the next thing.
async fn bed(kind: &str) -> TestBed {
    let config = Config {
        events_take_ms: 0,
        ..Config::default()
    };
    TestBed::with_servicenow(config)
        .action("default", "work_item_type", kind)
        .in_a_hurry()
        .start()
        .await
}

fn alerts(bed: &TestBed) -> Vec<Value> {
    bed.servicenow().catches_up_with(i64::MAX / 2);
    bed.servicenow().inside().records("em_alert")
}

fn events(bed: &TestBed) -> Vec<Value> {
    bed.servicenow().catches_up_with(i64::MAX / 2);
    bed.servicenow().inside().records("em_event")
}

fn only_alert(bed: &TestBed) -> Value {
    let mut alerts = alerts(bed);
    assert_eq!(alerts.len(), 1, "{alerts:#?}\n{}", bed.servicenow());
    alerts.remove(0)
}

fn severities(bed: &TestBed) -> Vec<String> {
    let severity = |event: &Value| event["severity"].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<String> = events(bed).iter().map(severity).collect();
    all.sort();
    all
}

#[tokio::test]
async fn an_alert_is_an_event_in_one_call_and_its_end_a_clear_in_one_more() {
    let bed = bed("event").await;
    bed.deliver(Alert::captured("metric_fired").number(9)).await;
    bed.servicenow().mark();
    let fired = bed.deliver("metric_fired").await;
    assert_eq!((fired.status, fired.outcome.as_str()), (200, "created"));
    let one = Calls {
        creates: 1,
        ..Calls::NONE
    };
    assert_eq!(bed.servicenow().calls(), one);
    let key = fired.work_items[0].clone();
    let is_it = |alert: &Value| alert["message_key"] == key.as_str();
    let made = alerts(&bed).into_iter().find(is_it).unwrap();
    assert_eq!(made["state"], "Open");

    bed.servicenow().mark();
    let resolved = bed.deliver("metric_resolved").await;
    assert_eq!(resolved.outcome, "resolved");
    assert_eq!(resolved.work_items, [key.as_str()]);
    assert_eq!(bed.servicenow().calls(), one);
    let ended = alerts(&bed).into_iter().find(is_it).unwrap();
    assert_eq!(ended["state"], "Closed");

    bed.servicenow().mark();
    assert_eq!(bed.deliver("metric_fired").await.outcome, "duplicate");
    assert_eq!(bed.servicenow().calls(), Calls::NONE);
    bed.servicenow().created(0);
    bed.end().await;
}

#[tokio::test]
async fn an_event_says_what_where_how_bad_and_since_when() {
    let bed = bed("event").await;
    bed.deliver("metric_fired").await;
    bed.deliver("metric_resolved").await;
    let told: Vec<String> = events(&bed)
        .iter()
        .map(|event| {
            assert_eq!(event["state"], "Processed", "{event:#}");
            let names = [
                "source",
                "event_class",
                "node",
                "resource",
                "metric_name",
                "type",
                "severity",
                "resolution_state",
                "time_of_event",
                "description",
                "additional_info",
            ];
            let line =
                |name: &&str| format!("{name}: {}", event[*name].as_str().unwrap_or_default());
            let lines: Vec<String> = names.iter().map(line).collect();
            lines.join("\n")
        })
        .collect();
    let mut told = told;
    told.sort();
    // The end has the time at which it was told.
    let ours = told
        .iter()
        .position(|event| event.contains("severity: 2"))
        .unwrap();
    insta::assert_snapshot!(told[ours]);
    let end = &told[1 - ours];
    assert!(
        end.contains("severity: 0\nresolution_state: Closing"),
        "{end}"
    );
    assert!(
        end.contains("Azure Monitor resolved the alert at 2026-03-01T1"),
        "{end}"
    );
    bed.end().await;
}

#[tokio::test]
async fn severity_follows_the_alert_or_the_action() {
    let expected = [
        ("Sev0", "1"),
        ("Sev1", "2"),
        ("Sev2", "3"),
        ("Sev3", "4"),
        ("Sev4", "5"),
    ];
    let bed = bed("event").await;
    bed.defines(|definition| {
        definition["actions"]["default"]["event_severity"] = json!({ "Sev2": "minor" });
    })
    .await;
    for (n, (severity, number)) in (1..).zip(expected) {
        let fired = Alert::captured("metric_fired")
            .number(n)
            .with("severity", severity);
        let key = bed.deliver(fired).await.work_items[0].clone();
        let mut alerts = alerts(&bed);
        alerts.retain(|alert| alert["message_key"] == key.as_str());
        assert_eq!(alerts[0]["severity"], number, "{severity}");
    }
    bed.end().await;
}

#[tokio::test]
async fn fields_of_an_event_go_where_events_have_them_and_the_rest_into_additional_info() {
    let bed = bed("event").await;
    bed.defines(|definition| {
        definition["actions"]["default"]["assignment_group"] = "operations".into();
        definition["actions"]["default"]["fields"] = json!({
            "source": "Azure of Contoso", "node": "{{ alert.target_name | upper }}", "u_team": "{{ alert.custom_properties.runbook }}",
            "u_none": "{{ alert.custom_properties.none }}" });
    })
    .await;
    bed.deliver("metric_fired").await;
    let alert = only_alert(&bed);
    assert_eq!(
        (&alert["source"], &alert["node"]),
        (&"Azure of Contoso".into(), &"WEB01".into())
    );
    let info: Value = serde_json::from_str(alert["additional_info"].as_str().unwrap()).unwrap();
    assert_eq!(info["assignment_group"], "operations");
    assert_eq!(info["u_team"], "https://runbooks.example/cpu");
    assert!(info["resource_id"].as_str().unwrap().ends_with("/web01"));
    let description = alert["description"].as_str().unwrap();
    assert!(
        description.contains("\nNote: The template of the field `u_none`"),
        "{description}"
    );
    bed.end().await;
}

#[tokio::test]
async fn an_alert_is_told_by_its_key_and_gets_its_number_from_the_drain() {
    let config = Config {
        events_take_ms: 5_000,
        ..Config::default()
    };
    let bed = TestBed::with_servicenow(config)
        .action("default", "work_item_type", "alert")
        .start()
        .await;
    let fired = bed.deliver("metric_fired").await;
    assert_eq!(fired.outcome, "created");
    assert!(
        fired.work_items[0].starts_with("azm-"),
        "{:?}",
        fired.work_items
    );
    bed.settle().await;
    let number = only_alert(&bed)["number"].as_str().unwrap().to_owned();
    assert!(number.starts_with("Alert"), "{number}");
    bed.servicenow().mark();
    let resolved = bed.deliver("metric_resolved").await;
    assert_eq!(resolved.outcome, "resolved");
    assert_eq!(resolved.work_items, [number]);
    assert_eq!(only_alert(&bed)["state"], "Closed");
    assert_eq!(bed.servicenow().calls().creates, 1);
    bed.end().await;
}

#[tokio::test]
async fn whoever_may_not_read_alerts_has_events_without_their_numbers() {
    let mut config = Config {
        events_take_ms: 0,
        ..Config::default()
    };
    config.users[0].roles = ["itil", "evt_mgmt_integration"].map(str::to_owned).to_vec();
    let bed = TestBed::with_servicenow(config)
        .action("default", "work_item_type", "alert")
        .start()
        .await;
    let fired = bed.deliver("metric_fired").await;
    bed.servicenow().mark();
    bed.settle().await;
    assert_eq!(
        bed.servicenow().calls().finds,
        1,
        "it is asked once, not for ever"
    );
    let resolved = bed.deliver("metric_resolved").await;
    assert_eq!(resolved.work_items, fired.work_items);
    assert_eq!(only_alert(&bed)["state"], "Closed");
    bed.end().await;
}

#[tokio::test]
async fn a_lost_reply_is_told_again_at_once_and_is_still_one_alert() {
    for kind in ["event", "alert"] {
        for fault in [
            Fault::DropReplyAfterWrite,
            Fault::DropReplyBeforeWrite,
            Fault::CommitThen500,
        ] {
            let bed = bed(kind).await;
            bed.servicenow()
                .fault(FaultRule::once(Kind::Create, fault.clone()));
            let fired = bed.deliver("metric_fired").await;
            assert_eq!(fired.outcome, "created", "{fault:?}");
            assert_eq!(only_alert(&bed)["state"], "Open");
            bed.servicenow().fault(FaultRule::once(Kind::Create, fault));
            bed.deliver("metric_resolved").await;
            bed.settle().await;
            assert_eq!(only_alert(&bed)["state"], "Closed");
            bed.end().await;
        }
    }
}

#[tokio::test]
async fn an_instance_that_takes_no_events_says_what_to_do() {
    let bed = bed("event").await;
    bed.servicenow().fault(FaultRule::always(
        Kind::Create,
        Fault::Forbidden403(Forbidden::Acl),
    ));
    assert_eq!(
        bed.deliver(Alert::captured("metric_fired").number(1))
            .await
            .status,
        202
    );
    let letter = bed.dead_letters().await.remove(0);
    assert!(letter.contains("evt_mgmt_integration"), "{letter}");
    bed.servicenow().heals();
    bed.servicenow().inside().config_mut().event_management = false;
    assert_eq!(
        bed.deliver(Alert::captured("metric_fired").number(2))
            .await
            .status,
        202
    );
    let letters = bed.dead_letters().await.concat();
    assert!(
        letters.contains("Event Management may not be installed"),
        "{letters}"
    );
    bed.end().await;
}

#[tokio::test]
async fn an_alert_that_was_over_before_it_could_be_told_is_told_and_cleared_in_one_call() {
    let bed = bed("event").await;
    bed.deliver("metric_resolved").await;
    bed.servicenow().mark();
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    assert_eq!(bed.servicenow().calls().creates, 1);
    assert_eq!(only_alert(&bed)["state"], "Closed");
    assert_eq!(severities(&bed), ["0", "2"]);
    bed.end().await;
}

#[tokio::test]
async fn alerts_of_a_rule_are_one_alert_until_the_last_is_over_and_then_another() {
    let bed = bed("event").await;
    bed.defines(|definition| definition["actions"]["default"]["grouping"] = "rule".into())
        .await;
    let fired = |n| Alert::captured("metric_fired").number(n);
    let over = |n| fired(n).with("monitorCondition", "Resolved");
    assert_eq!(bed.deliver(fired(1)).await.outcome, "created");
    assert_eq!(bed.deliver(fired(2)).await.outcome, "updated");
    bed.deliver(over(1)).await;
    assert_eq!(only_alert(&bed)["state"], "Open");
    assert_eq!(bed.deliver(over(2)).await.outcome, "resolved");
    assert_eq!(only_alert(&bed)["state"], "Closed");
    assert_eq!(bed.deliver(fired(3)).await.outcome, "created");
    assert_eq!(alerts(&bed).len(), 2);
    bed.end().await;
}

#[tokio::test]
async fn each_row_is_an_event_of_its_own() {
    let bed = bed("event").await;
    bed.defines(|definition| definition["actions"]["default"]["grouping"] = "row".into())
        .await;
    let accounts = ["alice", "bob"].map(str::to_owned);
    bed.deliver(Alert::captured("simple_log_fired").rows(accounts))
        .await;
    assert_eq!(alerts(&bed).len(), 2);
    bed.deliver("simple_log_resolved").await;
    assert!(alerts(&bed).iter().all(|alert| alert["state"] == "Closed"));
    bed.end().await;
}

#[tokio::test]
async fn a_gate_that_an_event_closes_is_waited_for() {
    let bed = bed("event").await;
    bed.servicenow()
        .fault(FaultRule::once(Kind::Create, Fault::RateLimit429));
    assert_eq!(bed.deliver("metric_fired").await.outcome, "pending");
    bed.pass(Duration::from_secs(2 * 3600));
    bed.settle().await;
    assert_eq!(only_alert(&bed)["state"], "Open");
    bed.end().await;
}

/// The process ends before or after any of its calls; the alert is sent again.
async fn wherever_it_dies(kind: &str, name: &str, state: &str) {
    for fate in [Fate::StopsBefore, Fate::StopsAfter] {
        for nth in 1.. {
            assert!(nth < 100, "it dies for ever");
            let bed = bed(kind).await;
            if name == "metric_resolved" {
                bed.deliver("metric_fired").await;
            }
            let core = bed.another_core();
            let finished = bed.dies_at(nth, fate, bed.handle(&core, name)).await;
            bed.deliver(name).await;
            bed.settle().await;
            assert_eq!(only_alert(&bed)["state"], state, "{name} {nth} {fate:?}");
            bed.end().await;
            if finished.is_some() {
                assert!(nth > 5, "the story is shorter than it should be");
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_event_is_one_alert_wherever_the_process_dies() {
    wherever_it_dies("event", "metric_fired", "Open").await;
}

#[tokio::test]
async fn an_alert_with_a_number_is_one_wherever_the_process_dies() {
    wherever_it_dies("alert", "metric_fired", "Open").await;
}

#[tokio::test]
async fn the_end_of_an_event_is_told_wherever_the_process_dies() {
    wherever_it_dies("event", "metric_resolved", "Closed").await;
}

#[tokio::test]
async fn a_test_of_the_connection_sends_an_event_and_clears_it() {
    for kind in ["event", "alert"] {
        let bed = bed(kind).await;
        let steps = bed.tests_the_connection_by_writing().await;
        assert!(steps.iter().all(|step| step.works), "{steps:#?}");
        assert_eq!(only_alert(&bed)["state"], "Closed");
        bed.servicenow().created(0);
        bed.end().await;
    }
}

#[tokio::test]
async fn the_story_of_an_event_is_told_by_its_key_and_that_of_an_alert_by_its_number() {
    for kind in ["event", "alert"] {
        let bed = bed(kind).await;
        let key = bed.deliver("metric_fired").await.work_items[0].clone();
        bed.settle().await;
        let number = match kind {
            "event" => key,
            _ => only_alert(&bed)["number"].as_str().unwrap().to_owned(),
        };
        let connection = ConnectionName::parse("contoso").unwrap();
        let story = explain::run(bed.core(), &connection, &number)
            .await
            .unwrap();
        assert_eq!(story.work_item.number, number);
        assert!(
            story.steps.last().unwrap().what.ends_with("is open"),
            "{story:?}"
        );
        bed.end().await;
    }
}
