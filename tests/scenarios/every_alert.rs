//! Every form of alert that Azure Monitor sends becomes one incident, and its end, where the service sends one, resolves it.

use std::time::Duration;

use crate::bed::{Alert, State, TestBed};

/// Forms that are the end of something else, or a second message about it.
fn is_a_further_message(place: &str) -> bool {
    ["_resolved", "_without_criteria", "_updated"]
        .iter()
        .any(|end| place.ends_with(end))
}

#[tokio::test]
async fn every_form_makes_one_incident_and_its_end_resolves_it() {
    let bed = TestBed::usual().await;
    let places = Alert::places();
    let mut made = 0;
    for place in places.iter().filter(|place| !is_a_further_message(place)) {
        let fired = bed.deliver(Alert::at(place)).await;
        assert_eq!(
            (fired.status, fired.outcome.as_str()),
            (200, "created"),
            "{place}"
        );
        made += 1;
        bed.servicenow().created(made);
        let number = fired.work_items[0].clone();
        assert_eq!(bed.servicenow().state_of(&number), State::New, "{place}");

        let again = bed.deliver(Alert::at(place)).await;
        assert_eq!(
            (again.status, again.outcome.as_str()),
            (200, "duplicate"),
            "{place}"
        );

        let end = place.replace("_fired", "_resolved");
        if end != *place && places.contains(&end) {
            let resolved = bed.deliver(Alert::at(&end)).await;
            assert_eq!(
                (resolved.status, resolved.outcome.as_str()),
                (200, "resolved"),
                "{end}"
            );
            assert_eq!(resolved.work_items, [number.as_str()], "{end}");
            assert_eq!(bed.servicenow().state_of(&number), State::Resolved, "{end}");
        }
        bed.servicenow().created(made);
    }
    assert!(made > 35, "{made} forms");
    bed.end().await;
}

#[tokio::test]
async fn what_microsoft_says_about_one_incident_is_told_in_one_work_item() {
    let bed = TestBed::usual().await;
    bed.deliver("service_health_fired").await;
    let number = bed.servicenow().only_work_item().number().to_owned();
    let updated = bed.deliver("service_health_updated").await;
    assert_eq!(
        (updated.outcome.as_str(), updated.work_items),
        ("updated", vec![number.clone()])
    );
    let incident = bed.servicenow().only_work_item();
    let notes = bed.servicenow().notes_of(&incident);
    assert!(
        notes.contains("Mitigation: a fix is being rolled out"),
        "{notes}"
    );
    let again = bed.deliver("service_health_updated").await;
    assert_eq!(again.outcome, "duplicate");

    assert_eq!(
        bed.deliver("service_health_resolved").await.outcome,
        "resolved"
    );
    assert_eq!(bed.servicenow().state_of(&number), State::Resolved);
    bed.end().await;
}

#[tokio::test]
async fn a_message_that_comes_after_the_end_makes_no_second_incident() {
    let bed = TestBed::usual().await;
    bed.deliver("service_health_fired").await;
    bed.deliver("service_health_resolved").await;
    // On its way for longer than the end.
    bed.deliver("service_health_updated").await;
    let report = Alert::captured("service_health_resolved")
        .changed("/data/alertContext/properties/stage", "RCA")
        .changed(
            "/data/alertContext/properties/communicationId",
            "11000001000009",
        );
    let report = bed.deliver(report).await;
    assert_eq!(report.status, 200, "{report:?}");
    let number = bed.servicenow().only_work_item().number().to_owned();
    assert_eq!(bed.servicenow().state_of(&number), State::Resolved);
    bed.end().await;
}

#[tokio::test]
async fn an_incident_that_comes_back_after_its_end_is_not_lost() {
    let bed = TestBed::usual().await;
    bed.deliver("service_health_fired").await;
    bed.deliver("service_health_resolved").await;
    let back = Alert::captured("service_health_fired")
        .with("firedDateTime", "2199-03-01T12:00:00Z")
        .changed(
            "/data/alertContext/properties/communicationId",
            "11000001000007",
        );
    let back = bed.deliver(back).await;
    assert_eq!((back.status, back.outcome.as_str()), (200, "created"));
    bed.servicenow().created(2);
    bed.end().await;
}

#[tokio::test]
async fn the_end_of_an_incident_that_comes_first_is_remembered() {
    let bed = TestBed::usual().await;
    let first = bed.deliver("service_health_resolved").await;
    assert_eq!((first.status, first.outcome.as_str()), (202, "pending"));
    bed.servicenow().created(0);
    bed.deliver("service_health_fired").await;
    bed.pass(Duration::from_secs(120));
    bed.settle().await;
    let number = bed.servicenow().only_work_item().number().to_owned();
    assert_eq!(bed.servicenow().state_of(&number), State::Resolved);
    bed.end().await;
}

#[tokio::test]
async fn a_rule_without_alert_ids_fires_again_after_its_end() {
    let bed = TestBed::usual().await;
    bed.deliver(Alert::older("metric_near_real_time_fired"))
        .await;
    bed.deliver(Alert::older("metric_near_real_time_resolved"))
        .await;
    let at = "/data/context/timestamp";
    let again = Alert::older("metric_near_real_time_fired").changed(at, "2199-03-02T10:00:00Z");
    assert_eq!(bed.deliver(again).await.outcome, "created");
    bed.servicenow().created(2);
    let end = Alert::older("metric_near_real_time_resolved").changed(at, "2199-03-02T10:10:00Z");
    assert_eq!(bed.deliver(end).await.outcome, "resolved");
    bed.end().await;
}

#[tokio::test]
async fn a_person_who_tests_an_action_group_twice_sees_two_incidents() {
    let bed = TestBed::usual().await;
    for form in [
        "test_notification_service_health",
        "test_notification_budget",
        "test_notification_log_v1",
    ] {
        for at in ["2026-03-02T10:00:00Z", "2026-03-02T10:05:00Z"] {
            let test = Alert::captured(form).with("firedDateTime", at);
            let delivered = bed.deliver(test).await;
            assert_eq!(delivered.outcome, "created", "{form} {at}");
            let incident = bed.servicenow().incident(&delivered.work_items[0]);
            assert!(
                incident.field("short_description").starts_with("[Test] "),
                "{form}"
            );
        }
    }
    bed.servicenow().created(6);
    bed.end().await;
}
