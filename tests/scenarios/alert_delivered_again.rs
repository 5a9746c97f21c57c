//! Azure delivers an alert again, also at once: there is one incident, and asking twice costs the instance nothing.

use futures_util::future::join_all;
use simulators::servicenow::Config;

use crate::bed::{Alert, Calls, Service, State, TestBed};

#[tokio::test]
async fn an_alert_delivered_fifty_times_at_once_is_one_incident() {
    let bed = TestBed::with_servicenow(Config::default())
        .state_in_a_folder()
        .start()
        .await;
    let delivered = join_all((0..50).map(|_| bed.deliver("metric_fired"))).await;
    assert!(
        delivered.iter().all(|one| matches!(one.status, 200 | 202)),
        "{delivered:#?}"
    );
    let makers = delivered
        .iter()
        .filter(|one| one.outcome == "created")
        .count();
    assert_eq!(makers, 1, "one delivery makes it, the others find it");
    bed.servicenow().created(1);
    assert_eq!(bed.servicenow().calls().creates, 1);
    bed.end().await;
}

#[tokio::test]
async fn fifty_alerts_at_once_are_fifty_incidents_and_one_token() {
    let bed = TestBed::usual().await;
    let alert = |n| Alert::captured("metric_fired").number(n);
    let delivered = join_all((0..50).map(|n| bed.deliver(alert(n)))).await;
    assert!(
        delivered.iter().all(|one| one.outcome == "created"),
        "{delivered:#?}"
    );
    bed.servicenow().created(50);
    assert_eq!(bed.servicenow().calls().tokens, 1);
    bed.end().await;
}

#[tokio::test]
async fn an_alert_delivered_after_its_incident_was_made_gets_its_number_and_asks_nobody() {
    let bed = TestBed::usual().await;
    let first = bed.deliver("metric_fired").await;
    bed.drain().await;
    bed.servicenow().mark();
    let second = bed.deliver("metric_fired").await;
    assert_eq!((second.status, second.outcome.as_str()), (200, "duplicate"));
    assert_eq!(second.work_items, first.work_items);
    assert_eq!(bed.servicenow().calls(), Calls::NONE);
    bed.end().await;
}

#[tokio::test]
async fn a_resolve_delivered_again_changes_nothing() {
    let bed = TestBed::usual().await;
    bed.deliver("metric_fired").await;
    bed.deliver("metric_resolved").await;
    bed.servicenow().mark();
    let again = bed.deliver("metric_resolved").await;
    assert_eq!((again.status, again.outcome.as_str()), (200, "duplicate"));
    let late = bed.deliver("metric_fired").await;
    assert_eq!((late.status, late.outcome.as_str()), (200, "duplicate"));
    assert_eq!(bed.servicenow().calls(), Calls::NONE);
    assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
    bed.end().await;
}

#[tokio::test]
async fn when_warm_a_new_alert_is_one_call_and_a_resolve_two_and_the_vault_is_not_read() {
    let bed = TestBed::usual().await;
    bed.deliver(Alert::captured("metric_fired").number(1)).await;
    bed.servicenow().mark();
    bed.fates().take_steps();

    bed.deliver("metric_fired").await;
    assert_eq!(
        bed.servicenow().calls(),
        Calls {
            creates: 1,
            ..Calls::NONE
        }
    );
    bed.servicenow().mark();
    bed.deliver("metric_resolved").await;
    assert_eq!(
        bed.servicenow().calls(),
        Calls {
            reads: 1,
            updates: 1,
            ..Calls::NONE
        }
    );

    let asked = bed.fates().take_steps();
    assert!(
        !asked.iter().any(|step| step.service == Service::Vault),
        "{asked:#?}"
    );
    bed.end().await;
}

#[tokio::test]
async fn after_a_restart_the_same_alert_is_still_known() {
    let mut bed = TestBed::with_servicenow(Config::default())
        .state_in_a_folder()
        .start()
        .await;
    let first = bed.deliver("metric_fired").await;
    bed.restart();
    let second = bed.deliver("metric_fired").await;
    assert_eq!(
        (second.outcome.as_str(), second.work_items),
        ("duplicate", first.work_items)
    );
    bed.servicenow().created(1);
    bed.end().await;
}

#[tokio::test]
async fn a_resolve_that_comes_first_waits_for_its_alert() {
    let bed = TestBed::usual().await;
    let early = bed.deliver("metric_resolved").await;
    assert_eq!((early.status, early.outcome.as_str()), (202, "pending"));
    let fired = bed.deliver("metric_fired").await;
    assert_eq!(fired.status, 200);
    assert_eq!(bed.servicenow().only_work_item().state(), State::Resolved);
    bed.end().await;
}
