//! Each row of a log alert has an incident of its own, and the alert's end is theirs.

use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind;
use simulators::servicenow::Config;

use crate::bed::{Alert, State, TestBed};

async fn one_per_row() -> TestBed {
    TestBed::with_servicenow(Config::default())
        .action("default", "grouping", "row")
        .start()
        .await
}

fn accounts(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|n| format!("account{n}"))
}

#[tokio::test]
async fn a_log_alert_with_three_rows_has_three_incidents_however_often_it_comes() {
    let bed = one_per_row().await;
    let first = bed.deliver("log_v1_fired").await;
    assert_eq!(
        (first.outcome.as_str(), first.work_items.len()),
        ("created", 3)
    );
    let again = bed.deliver("log_v1_fired").await;
    assert_eq!(
        (again.outcome.as_str(), &again.work_items),
        ("duplicate", &first.work_items)
    );
    bed.servicenow().created(3);
    let told = bed.servicenow().descriptions();
    for computer in ["web01", "web02", "web03"] {
        let row = format!("Row:\n  Computer: {computer}\n");
        let of_it = told.iter().filter(|text| text.starts_with(&row)).count();
        assert_eq!(of_it, 1, "{told:#?}");
    }
    bed.end().await;
}

#[tokio::test]
async fn the_same_rows_in_another_order_are_the_same_incidents() {
    let bed = one_per_row().await;
    let alert = Alert::captured("simple_log_fired");
    bed.deliver(alert.clone().rows(accounts(0..4))).await;
    let turned: Vec<String> = accounts(0..4).collect();
    bed.deliver(alert.rows(turned.into_iter().rev())).await;
    bed.servicenow().created(4);
    bed.end().await;
}

#[tokio::test]
async fn the_next_firing_makes_incidents_of_its_own() {
    let bed = one_per_row().await;
    let alert = Alert::captured("simple_log_fired");
    bed.deliver(alert.clone().number(1).rows(accounts(0..3)))
        .await;
    let next = bed.deliver(alert.number(2).rows(accounts(0..4))).await;
    assert_eq!(next.work_items.len(), 4);
    bed.servicenow().created(7);
    bed.end().await;
}

#[tokio::test]
async fn a_resolved_without_rows_resolves_those_of_its_fired() {
    let bed = one_per_row().await;
    let fired = bed.deliver("simple_log_fired").await;
    let other = Alert::captured("simple_log_fired").number(9);
    bed.deliver(other).await;
    let resolved = bed.deliver("simple_log_resolved").await;
    assert_eq!(
        (resolved.outcome.as_str(), &resolved.work_items),
        ("resolved", &fired.work_items)
    );
    let states = bed.servicenow().states();
    assert_eq!(states[..3], [State::Resolved; 3]);
    assert_eq!(states[3..], [State::New; 3]);
    bed.end().await;
}

#[tokio::test]
async fn a_resolved_that_comes_first_resolves_the_rows_once_they_are_there() {
    let bed = one_per_row().await;
    let early = bed.deliver("simple_log_resolved").await;
    assert_eq!(early.outcome, "pending");
    bed.settle().await;
    assert_eq!(bed.pending().await, 0, "nobody waits for it");
    assert_eq!(bed.deliver("simple_log_fired").await.outcome, "created");
    bed.settle().await;
    assert_eq!(bed.servicenow().states(), [State::Resolved; 3]);
    bed.end().await;
}

#[tokio::test]
async fn an_alert_that_brings_no_rows_has_one_incident() {
    let bed = one_per_row().await;
    let fired = bed.deliver("log_v2_fired").await;
    assert_eq!(
        (fired.outcome.as_str(), fired.work_items.len()),
        ("created", 1)
    );
    assert_eq!(bed.deliver("log_v2_resolved").await.outcome, "resolved");
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    let told = bed.servicenow().descriptions();
    assert!(told[0].contains("brings no rows with it"), "{}", told[0]);
    assert!(!told[1].contains("brings no rows"), "{}", told[1]);
    bed.end().await;
}

#[tokio::test]
async fn five_thousand_rows_make_a_hundred_incidents_that_say_so() {
    let bed = one_per_row().await;
    let alert = Alert::captured("simple_log_fired").rows(accounts(0..5000));
    bed.deliver(alert.clone()).await;
    bed.settle().await;
    bed.servicenow().created(100);
    bed.deliver(alert).await;
    bed.settle().await;
    bed.servicenow().created(100);
    for told in bed.servicenow().descriptions() {
        let beyond = "The alert has 5000 rows; 4900 of them have no work item";
        assert!(told.contains(beyond), "{told}");
    }
    bed.end().await;
}

#[tokio::test]
async fn an_instance_that_asks_for_a_rest_is_not_called_for_the_next_row() {
    let bed = TestBed::with_servicenow(Config::default())
        .action("default", "grouping", "row")
        .fault(FaultRule::once(Kind::Create, Fault::RateLimit429))
        .start()
        .await;
    let fired = bed.deliver("simple_log_fired").await;
    assert_eq!(fired.outcome, "pending");
    assert_eq!(bed.servicenow().calls().creates, 1);
    bed.settle().await;
    bed.servicenow().created(3);
    bed.end().await;
}
