//! One rule that fires for half of the servers: one incident that lists them, in place of one each.

use std::time::Duration;

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::redrive;
use serde_json::json;
use simulators::fault::{Fault, FaultRule, Forbidden};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Alert, Builder, CONNECTION, State, TestBed};

/// More than five alerts of a rule within a minute are a storm.
fn bed() -> Builder {
    TestBed::with_servicenow(Config::default()).action(
        "default",
        "storm",
        json!({ "threshold": 5, "within": "1m" }),
    )
}

fn target(n: u32) -> String {
    format!(
        "/subscriptions/1/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm-{n:03}"
    )
}

fn fired(n: u32) -> Alert {
    let alert = Alert::captured("metric_fired").number(n);
    alert.with("alertTargetIDs", json!([target(n)]))
}

fn resolved(n: u32) -> Alert {
    let alert = Alert::captured("metric_resolved").number(n);
    alert.with("alertTargetIDs", json!([target(n)]))
}

async fn deliver(bed: &TestBed, alerts: impl Iterator<Item = Alert>) {
    for alert in alerts {
        assert_eq!(bed.deliver(alert).await.outcome, "pending");
    }
}

#[tokio::test]
async fn its_alerts_share_one_incident_that_lists_each_of_them() {
    let bed = bed().start().await;
    deliver(&bed, (1..=12).map(fired)).await;
    bed.servicenow().created(0);
    bed.drain().await;
    let incident = bed.servicenow().only_work_item();
    assert!(incident.field("short_description").contains("12 alerts"));
    for n in 1..=12 {
        let name = format!("vm-{n:03}");
        assert!(incident.field("description").contains(&name), "{name}");
    }

    // What comes while it goes on is told by one note, and the last to end ends it.
    bed.servicenow().mark();
    deliver(&bed, (13..=15).map(fired)).await;
    bed.drain().await;
    let notes = bed
        .servicenow()
        .notes_of(&bed.servicenow().only_work_item());
    assert!(notes.contains("3 more alerts") && notes.contains("vm-014"));
    deliver(&bed, (1..=14).map(resolved)).await;
    bed.drain().await;
    assert_eq!(bed.servicenow().only_work_item().state(), State::New);
    deliver(&bed, std::iter::once(resolved(15))).await;
    bed.drain().await;
    assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
    let calls = bed.servicenow().calls();
    assert_eq!((calls.creates, calls.reads, calls.updates), (0, 2, 2));
    bed.end().await;
}

#[tokio::test]
async fn fewer_alerts_than_that_have_an_incident_each() {
    let bed = bed().start().await;
    deliver(&bed, (1..=5).map(fired)).await;
    bed.drain().await;
    bed.servicenow().created(5);
    // One more within the minute is the storm; the five stay as they are.
    deliver(&bed, std::iter::once(fired(6))).await;
    bed.drain().await;
    bed.servicenow().created(6);
    deliver(&bed, (1..=6).map(resolved)).await;
    bed.settle().await;
    assert!(bed.servicenow().open().is_empty());
    bed.end().await;
}

#[tokio::test]
async fn an_alert_of_a_storm_that_comes_again_changes_nothing() {
    // More than the storm's slot remembers by name.
    const ALERTS: u32 = 300;
    let bed = bed().start().await;
    deliver(&bed, (1..=ALERTS).map(fired)).await;
    deliver(&bed, (1..=ALERTS).map(resolved)).await;
    bed.settle().await;
    bed.servicenow().mark();
    let again = (1..=ALERTS).flat_map(|n| [fired(n), resolved(n)]);
    deliver(&bed, again).await;
    bed.settle().await;
    let calls = bed.servicenow().calls();
    assert_eq!((calls.creates, calls.reads, calls.updates), (0, 0, 0));
    assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
    bed.end().await;
}

#[tokio::test]
async fn more_alerts_than_one_text_takes_are_all_listed() {
    let bed = bed().start().await;
    deliver(&bed, (1..=150).map(fired)).await;
    bed.settle().await;
    let incident = bed.servicenow().only_work_item();
    let told = format!(
        "{} {}",
        incident.field("description"),
        bed.servicenow().notes_of(&incident)
    );
    for n in 1..=150 {
        let count = told.matches(&format!("vm-{n:03}")).count();
        assert_eq!(count, 1, "vm-{n:03}");
    }
    assert!(bed.servicenow().calls().updates <= 5);
    bed.end().await;
}

#[tokio::test]
async fn a_lost_reply_makes_no_second_incident_and_loses_no_alert() {
    for fault in [
        Fault::DropReplyAfterWrite,
        Fault::DropReplyBeforeWrite,
        Fault::Html200,
    ] {
        for (kind, unique) in [
            (Kind::Create, true),
            (Kind::Create, false),
            (Kind::Update, false),
        ] {
            let rule = FaultRule::once(kind, fault.clone());
            let bed = bed().keys_are_unique(unique).fault(rule).start().await;
            deliver(&bed, (1..=7).map(fired)).await;
            bed.settle().await;
            deliver(&bed, (1..=7).map(resolved)).await;
            bed.settle().await;
            let incident = bed.servicenow().only_work_item();
            assert_eq!(incident.state(), State::Resolved, "{fault:?} {kind:?}");
            bed.end().await;
        }
    }
}

#[tokio::test]
async fn after_a_person_has_closed_it_the_next_alerts_get_another() {
    let bed = bed().start().await;
    deliver(&bed, (1..=7).map(fired)).await;
    bed.drain().await;
    let first = bed.servicenow().only_work_item();
    let key = first.field("sys_id");
    assert!(bed.servicenow().inside().close_by_person(key, 0));
    deliver(&bed, (8..=9).map(fired)).await;
    bed.drain().await;
    bed.servicenow().created(2);
    assert_eq!(bed.servicenow().open().len(), 1);
    bed.end().await;
}

#[tokio::test]
async fn a_storm_that_is_refused_is_given_up_and_redriven_alert_by_alert() {
    let refuses = Fault::Forbidden403(Forbidden::Acl);
    let bed = bed()
        .fault(FaultRule::once(Kind::Create, refuses))
        .start()
        .await;
    deliver(&bed, (1..=7).map(fired)).await;
    bed.settle().await;
    bed.servicenow().created(0);
    let dead = bed.objects("dead").await;
    assert_eq!(dead.len(), 7, "{dead:?}");
    let name = ConnectionName::parse(CONNECTION).unwrap();
    for letter in dead {
        let event = letter.rsplit('/').next().unwrap().to_owned();
        redrive::run(bed.core(), &name, &event).await.unwrap();
    }
    bed.settle().await;
    bed.servicenow().created(1);
    assert!(bed.objects("dead").await.is_empty());
    bed.end().await;
}

#[tokio::test]
async fn an_alert_that_came_and_went_before_the_drain_is_left_out_of_it_if_so_wanted() {
    let bed = bed()
        .action("default", "already_over", "nothing")
        .start()
        .await;
    deliver(&bed, (1..=9).map(fired)).await;
    deliver(&bed, (1..=2).map(resolved)).await;
    bed.settle().await;
    let incident = bed.servicenow().only_work_item();
    assert!(incident.field("short_description").contains("7 alerts"));
    assert!(!incident.field("description").contains("vm-001"));
    bed.end().await;
}

#[tokio::test]
async fn two_drains_at_once_make_one_incident() {
    let bed = bed().start().await;
    deliver(&bed, (1..=20).map(fired)).await;
    let other = bed.another_core();
    tokio::join!(bed.drain(), bed.drains_with(&other));
    bed.pass(Duration::from_secs(120));
    bed.settle().await;
    bed.servicenow().created(1);
    bed.end().await;
}
