//! What was done long ago is removed by our own hand, and nothing that anybody still needs is.

use std::time::Duration;

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::explain;
use simulators::fault::{Fault, FaultRule, Forbidden};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Alert, CONNECTION, Fate, Service, State, TestBed};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An alert that fires now, as far as its body says.
fn fired(bed: &TestBed, n: u32) -> Alert {
    let now = bed.core().clock.now().to_string();
    Alert::captured("metric_fired")
        .number(n)
        .with("firedDateTime", now)
}

/// The same alert, over.
fn resolved(bed: &TestBed, fired: &Alert) -> Alert {
    let now = bed.core().clock.now().to_string();
    Alert::captured("metric_resolved")
        .with("alertId", fired.essential("alertId"))
        .with("firedDateTime", fired.essential("firedDateTime"))
        .with("resolvedDateTime", now)
}

/// Fires and resolves an alert, and drains what is left.
async fn come_and_go(bed: &TestBed, n: u32) -> Alert {
    let alert = fired(bed, n);
    bed.deliver(&alert).await;
    let over = bed.deliver(resolved(bed, &alert)).await;
    assert_eq!(over.outcome, "resolved");
    bed.drain().await;
    alert
}

/// So many days pass, and everything that may go has its chance to.
async fn days_pass(bed: &TestBed, days: u32) {
    bed.pass(days * DAY - Duration::from_secs(2 * 3660));
    for _ in 0..3 {
        bed.drain().await;
        bed.pass(Duration::from_secs(3660));
    }
}

fn contoso() -> ConnectionName {
    ConnectionName::parse(CONNECTION).unwrap()
}

#[tokio::test]
async fn an_alert_and_its_slot_go_thirty_days_after_it_was_done() {
    let bed = TestBed::usual().await;
    come_and_go(&bed, 1).await;
    days_pass(&bed, 29).await;
    assert_eq!(bed.objects("journal").await.len(), 2);
    assert_eq!(
        bed.objects("slots").await.len(),
        2,
        "its beginning and its end"
    );
    days_pass(&bed, 3).await;
    assert_eq!(bed.objects("journal").await, [""; 0]);
    assert_eq!(bed.objects("slots").await, [""; 0]);
    bed.servicenow().created(1);
    bed.end().await;
}

#[tokio::test]
async fn a_group_counts_on_for_ever() {
    let bed = TestBed::with_servicenow(Config::default())
        .action("default", "grouping", "rule")
        .start()
        .await;
    come_and_go(&bed, 1).await;
    let head = bed.objects("slots").await.into_iter().min();
    days_pass(&bed, 100).await;
    assert_eq!(bed.objects("slots").await.first(), head.as_ref());
    assert_eq!(bed.objects("slots").await.len(), 2);
    assert_eq!(bed.objects("journal").await, [""; 0]);
    come_and_go(&bed, 2).await;
    let mut made: Vec<String> = (bed.servicenow().incidents().iter())
        .map(|incident| incident.field("correlation_id").to_owned())
        .collect();
    made.dedup();
    assert_eq!(made.len(), 2, "no key is used twice");
    bed.end().await;
}

#[tokio::test]
async fn an_open_incident_is_resolved_after_a_hundred_days() {
    let bed = TestBed::usual().await;
    let alert = fired(&bed, 1);
    bed.deliver(&alert).await;
    bed.drain().await;
    days_pass(&bed, 100).await;
    assert_eq!(bed.objects("slots").await.len(), 2);
    assert_eq!(
        bed.objects("journal").await,
        [""; 0],
        "its slot knows all that counts"
    );
    assert_eq!(
        bed.deliver(&alert).await.outcome,
        "duplicate",
        "a claim that is made without looking meets the first one"
    );
    let over = bed.deliver(resolved(&bed, &alert)).await;
    assert_eq!(over.outcome, "resolved");
    assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
    bed.end().await;
}

#[tokio::test]
async fn what_waits_is_kept_however_long_it_waits() {
    let bed = TestBed::usual().await;
    bed.fates().decide(|step| match step.service {
        Service::Vault => Fate::FailsBefore,
        _ => Fate::Works,
    });
    assert_eq!(bed.deliver(fired(&bed, 1)).await.status, 202);
    days_pass(&bed, 100).await;
    assert_eq!(
        (bed.pending().await, bed.objects("journal").await.len()),
        (1, 1)
    );
    bed.fates().all_well();
    bed.settle().await;
    bed.servicenow().created(1);
    bed.end().await;
}

#[tokio::test]
async fn what_a_person_should_see_is_kept_for_ninety_days() {
    let acl = Fault::Forbidden403(Forbidden::Acl);
    let bed = TestBed::with_servicenow(Config::default())
        .fault(FaultRule::always(Kind::Create, acl))
        .start()
        .await;
    bed.deliver(fired(&bed, 1)).await;
    bed.deliver_body(CONNECTION, b"{").await;
    let kept = async || {
        let folders = ["dead", "quarantine", "journal", "slots"];
        let mut kept = Vec::new();
        for folder in folders {
            kept.push(bed.objects(folder).await.len());
        }
        kept
    };
    days_pass(&bed, 89).await;
    assert_eq!(kept().await, [1, 1, 1, 2]);
    for _ in 0..3 {
        days_pass(&bed, 2).await;
    }
    assert_eq!(kept().await, [0; 4]);
    bed.end().await;
}

#[tokio::test]
async fn what_cannot_be_read_stays_and_the_rest_goes() {
    let bed = TestBed::usual().await;
    come_and_go(&bed, 1).await;
    come_and_go(&bed, 2).await;
    let names = bed.objects("slots").await;
    let sick = names.iter().min().unwrap();
    bed.spoil(sick, b"{\"version\":".to_vec()).await;
    let entry = bed.objects("journal").await.remove(0);
    bed.spoil(&entry, Vec::new()).await;
    days_pass(&bed, 40).await;
    let folder = sick.rsplit_once('/').unwrap().0;
    let left = bed.objects("slots").await;
    assert!(
        left.contains(sick) && left.iter().all(|name| name.starts_with(folder)),
        "{left:#?}"
    );
    bed.end().await;
}

#[tokio::test]
async fn the_story_of_an_incident_says_that_its_middle_was_removed() {
    let bed = TestBed::usual().await;
    come_and_go(&bed, 1).await;
    let number = bed.servicenow().only_work_item().number().to_owned();
    let story = explain::run(bed.core(), &contoso(), &number).await.unwrap();
    assert!(!story.some_removed && story.steps.len() == 4, "{story:#?}");
    days_pass(&bed, 8).await;
    let story = explain::run(bed.core(), &contoso(), &number).await.unwrap();
    assert!(story.some_removed && story.steps.len() == 2, "{story:#?}");
    days_pass(&bed, 31).await;
    let forgotten = explain::run(bed.core(), &contoso(), &number).await;
    assert_eq!(forgotten.unwrap_err(), explain::NotExplained::Forgotten);
    bed.end().await;
}

#[tokio::test]
async fn an_idle_connection_costs_the_store_little() {
    let bed = TestBed::usual().await;
    come_and_go(&bed, 1).await;
    bed.pass(Duration::from_secs(2 * 3600));
    bed.drain().await;
    let mut calls = Vec::new();
    for _ in 0..120 {
        bed.fates().take_steps();
        bed.drain().await;
        calls.push(bed.fates().take_steps().len());
        bed.pass(Duration::from_secs(60));
    }
    let (most, total) = (calls.iter().max().unwrap(), calls.iter().sum::<usize>());
    println!("store calls of 120 drains: {total}, of one at most {most}");
    let busy = calls.iter().filter(|calls| **calls > 1).count();
    assert!((1..=2).contains(&busy), "once an hour: {calls:?}");
    assert!(*most <= 30, "{calls:?}");
    bed.end().await;
}

#[tokio::test]
async fn a_great_deal_is_removed_share_by_share() {
    let bed = TestBed::with_servicenow(Config::default())
        .action("default", "mode", "shadow")
        .start()
        .await;
    for n in 0..900 {
        let alert = fired(&bed, n);
        bed.handle(bed.core(), &alert).await;
        bed.handle(bed.core(), resolved(&bed, &alert)).await;
    }
    while bed.pending().await > 0 {
        bed.drain().await;
    }
    assert_eq!(bed.objects("journal").await.len(), 1800);
    bed.pass(31 * DAY);
    let (mut hours, mut most) = (0, 0);
    while !(bed.objects("slots").await.is_empty() && bed.objects("journal").await.is_empty()) {
        bed.fates().take_steps();
        bed.drain().await;
        most = most.max(bed.fates().take_steps().len());
        bed.pass(Duration::from_secs(3660));
        hours += 1;
        assert!(hours < 50, "{} left", bed.objects("journal").await.len());
    }
    println!("{hours} hours, at most {most} store calls in one");
    assert!(
        (2..10).contains(&hours) && most < 10_000,
        "{hours} hours, {most} calls"
    );
    bed.end().await;
}

#[tokio::test]
async fn what_a_removed_connection_was_told_goes_too() {
    let bed = TestBed::usual().await;
    come_and_go(&bed, 1).await;
    bed.removes_the_connection().await;
    days_pass(&bed, 32).await;
    assert_eq!(bed.objects("journal").await, [""; 0]);
    assert_eq!(bed.objects("slots").await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn of_several_processes_one_removes() {
    let bed = TestBed::usual().await;
    come_and_go(&bed, 1).await;
    bed.pass(31 * DAY);
    let (one, other) = (bed.another_core(), bed.another_core());
    bed.fates().take_steps();
    futures_util::future::join(bed.drains_with(&one), bed.drains_with(&other)).await;
    let steps = bed.fates().take_steps();
    let mut gone: Vec<String> = (steps.into_iter())
        .filter(|step| step.is(Service::Store, "delete", "slots/"))
        .map(|step| step.path)
        .collect();
    let count = gone.len();
    gone.sort_unstable();
    gone.dedup();
    assert!(count > 0 && gone.len() == count, "{count}: {gone:#?}");
    bed.end().await;
}

#[tokio::test]
async fn an_alert_whose_rows_have_open_incidents_is_kept_for_its_resolved() {
    let bed = TestBed::with_servicenow(Config::default())
        .action("default", "grouping", "row")
        .start()
        .await;
    let now = bed.core().clock.now().to_string();
    let alert = Alert::captured("simple_log_fired").with("firedDateTime", now);
    bed.deliver(&alert).await;
    days_pass(&bed, 40).await;
    days_pass(&bed, 2).await;
    let now = bed.core().clock.now().to_string();
    let over = Alert::captured("simple_log_resolved")
        .with("alertId", alert.essential("alertId"))
        .with("firedDateTime", alert.essential("firedDateTime"))
        .with("resolvedDateTime", now);
    assert_eq!(bed.deliver(over).await.outcome, "resolved");
    assert!(bed.servicenow().open().is_empty());
    bed.end().await;
}
