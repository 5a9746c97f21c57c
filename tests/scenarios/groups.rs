//! Several alerts share an incident while it is open; what was given up is tried again when a person says so.

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::{explain, redrive};
use serde_json::Value;
use simulators::fault::{Fault, FaultRule, Forbidden};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Alert, CONNECTION, Calls, State, TestBed};

async fn grouped_by(grouping: &str) -> TestBed {
    TestBed::with_servicenow(Config::default())
        .action("default", "grouping", grouping)
        .start()
        .await
}

fn fired(n: u32) -> Alert {
    Alert::captured("metric_fired").number(n)
}

fn resolved(n: u32) -> Alert {
    Alert::captured("metric_resolved").number(n)
}

#[tokio::test]
async fn alerts_of_a_rule_share_an_incident_until_the_last_resolves() {
    let bed = grouped_by("rule").await;
    let first = bed.deliver(fired(1)).await;
    let second = bed.deliver(fired(2)).await;
    assert_eq!(
        (first.outcome.as_str(), second.outcome.as_str()),
        ("created", "updated")
    );
    assert_eq!(first.work_items, second.work_items);
    let notes = bed
        .servicenow()
        .notes_of(&bed.servicenow().only_work_item());
    assert!(notes.contains("web01"), "{notes}");
    assert_eq!(bed.deliver(resolved(1)).await.outcome, "ignored");
    assert_eq!(bed.servicenow().only_work_item().state(), State::New);
    assert_eq!(bed.deliver(resolved(2)).await.outcome, "resolved");
    assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
    assert_eq!(bed.deliver(fired(3)).await.outcome, "created");
    bed.servicenow().created(2);
    bed.end().await;
}

#[tokio::test]
async fn an_alert_about_two_configuration_items_has_two_incidents() {
    let bed = grouped_by("configuration_item").await;
    let both = bed.deliver("metric_several_resources_fired").await;
    assert_eq!(
        (both.outcome.as_str(), both.work_items.len()),
        ("created", 2)
    );
    let again = bed.deliver(fired(7)).await;
    assert_eq!(
        (again.outcome.as_str(), again.work_items.len()),
        ("updated", 1)
    );
    bed.servicenow().created(2);
    bed.end().await;
}

#[tokio::test]
async fn each_alert_can_have_incidents_of_its_own_for_its_configuration_items() {
    let bed = TestBed::with_servicenow(Config::default())
        .action("default", "grouping", "configuration_item")
        .action("default", "on_repeat", "new")
        .start()
        .await;
    let both = Alert::captured("metric_several_resources_fired");
    let first = bed.deliver(both.clone().number(1)).await;
    let second = bed.deliver(both.clone().number(2)).await;
    assert_eq!((first.work_items.len(), second.work_items.len()), (2, 2));
    bed.servicenow().created(4);
    let resolved = bed.deliver(both.number(2).with("monitorCondition", "Resolved"));
    assert_eq!(resolved.await.work_items, second.work_items);
    assert_eq!(bed.servicenow().open().len(), 2);
    bed.end().await;
}

#[tokio::test]
async fn a_resolved_that_names_no_configuration_item_resolves_those_of_its_fired() {
    let bed = grouped_by("configuration_item").await;
    let both = Alert::captured("metric_several_resources_fired");
    let fired = bed.deliver(both.clone()).await;
    let bare = both
        .with("monitorCondition", "Resolved")
        .with("configurationItems", Value::Null)
        .with("alertTargetIDs", Value::Null);
    assert_eq!(bed.deliver(bare).await.work_items, fired.work_items);
    assert_eq!(bed.servicenow().open().len(), 0);
    bed.end().await;
}

#[tokio::test]
async fn with_microsofts_configuration_only_log_alerts_of_a_rule_share_an_incident() {
    let bed = TestBed::with_servicenow(Config::default())
        .action(
            "default",
            "ticket_configuration",
            r#"{"PayloadRevision":0,"WorkItemType":"Incident","WorkItemData":"{\"category\":\"network\"}"}"#,
        )
        .start()
        .await;
    let log = |n| Alert::captured("log_v2_fired").number(n);
    assert_eq!(bed.deliver(log(1)).await.outcome, "created");
    assert_eq!(bed.deliver(log(2)).await.outcome, "updated");
    assert_eq!(
        bed.servicenow().only_work_item().field("category"),
        "network"
    );
    assert_eq!(bed.deliver(fired(3)).await.outcome, "created");
    assert_eq!(bed.deliver(fired(4)).await.outcome, "created");
    bed.servicenow().created(3);
    bed.end().await;
}

#[tokio::test]
async fn an_incident_that_was_resolved_a_moment_ago_is_reopened() {
    let bed = TestBed::with_servicenow(Config::default())
        .action("default", "grouping", "rule")
        .action("default", "reopen_within", "1h")
        .start()
        .await;
    for alert in [fired(1), resolved(1), fired(2)] {
        bed.deliver(alert).await;
    }
    assert_eq!(bed.servicenow().only_work_item().state(), State::InProgress);
    bed.end().await;
}

#[tokio::test]
async fn in_the_shadow_nobody_is_called() {
    let bed = TestBed::with_servicenow(Config::default())
        .action("default", "mode", "shadow")
        .start()
        .await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    assert_eq!(bed.deliver("metric_resolved").await.outcome, "resolved");
    assert_eq!(bed.servicenow().calls(), Calls::NONE);
    bed.end().await;
}

#[tokio::test]
async fn what_was_given_up_is_tried_again_and_its_story_is_told() {
    let refuses = Fault::Forbidden403(Forbidden::Acl);
    let bed = TestBed::with_servicenow(Config::default())
        .fault(FaultRule::once(Kind::Create, refuses))
        .start()
        .await;
    let given_up = bed.deliver("metric_fired").await;
    assert_eq!(given_up.outcome, "quarantined");
    assert_eq!(bed.dead_letters().await.len(), 1);

    let connection = ConnectionName::parse(CONNECTION).unwrap();
    redrive::run(
        bed.core(),
        &connection,
        given_up.answer.json()["event"].as_str().unwrap(),
    )
    .await
    .unwrap();
    bed.drain().await;
    assert_eq!(bed.dead_letters().await.len(), 0);
    let number = bed.servicenow().only_work_item().number().to_owned();
    let story = explain::run(bed.core(), &connection, &number)
        .await
        .unwrap();
    let told: Vec<&str> = story.steps.iter().map(|step| step.what.as_str()).collect();
    assert!(told.contains(&"given up"), "{told:?}");
    assert_eq!(told.last(), Some(&format!("{number} is open").as_str()));
    bed.end().await;
}
