//! The address names something that is not there, cannot be read, or cannot be asked for.

use std::time::Duration;

use simulators::servicenow::Config;

use crate::bed::{Alert, Fate, Service, Step, TestBed};

fn no_vault(step: &Step) -> Fate {
    match step.service {
        Service::Vault => Fate::FailsBefore,
        _ => Fate::Works,
    }
}

fn no_product(step: &Step) -> Fate {
    match step.service {
        Service::Product => Fate::FailsBefore,
        _ => Fate::Works,
    }
}

#[tokio::test]
async fn an_alert_for_a_connection_that_does_not_exist_is_refused_and_not_kept() {
    let bed = TestBed::usual().await;
    let delivered = bed.deliver_to("fabrikam", "metric_fired").await;
    assert_eq!(delivered.status, 404);
    assert!(
        delivered.answer.body.contains("no-such-connection"),
        "{}",
        delivered.answer.body
    );
    // Only what is to become a row of the connector's own messages, which has nothing of the alert.
    let left = bed.objects("").await;
    let is_notice = |path: &String| path.starts_with("notices/fabrikam.missing_connector.");
    assert!(left.len() == 1 && left.iter().all(is_notice), "{left:?}");
    bed.end().await;
}

#[tokio::test]
async fn an_alert_for_an_action_that_does_not_exist_is_refused_and_not_kept() {
    let bed = TestBed::usual().await;
    assert_eq!(
        bed.deliver_to("contoso/on-call", "metric_fired")
            .await
            .status,
        404
    );
    assert_eq!(bed.objects("").await, [""; 0]);
    bed.end().await;
}

#[tokio::test]
async fn an_alert_is_kept_while_the_vault_cannot_be_asked_and_its_incident_is_made_later() {
    for place in ["contoso", "contoso/on-call"] {
        let bed = TestBed::with_servicenow(Config::default())
            .action("on-call", "work_item_type", "incident")
            .start()
            .await;
        bed.fates().decide(no_vault);
        let delivered = bed.deliver_to(place, "metric_fired").await;
        assert_eq!(
            (delivered.status, delivered.outcome.as_str()),
            (202, "pending"),
            "{place}"
        );
        bed.drain().await;
        bed.servicenow().created(0);
        bed.fates().all_well();
        bed.settle().await;
        bed.servicenow().created(1);
        bed.end().await;
    }
}

#[tokio::test]
async fn an_alert_for_nobody_that_was_kept_while_the_vault_was_away_is_given_up_after_a_day() {
    let bed = TestBed::usual().await;
    bed.fates().decide(no_vault);
    assert_eq!(bed.deliver_to("fabrikam", "metric_fired").await.status, 202);
    assert_eq!(
        bed.deliver_to("contoso/on-call", "metric_fired")
            .await
            .status,
        202
    );
    bed.fates().all_well();
    bed.pass(Duration::from_secs(23 * 3600));
    bed.drain().await;
    assert_eq!(
        bed.pending_of("fabrikam").await,
        1,
        "somebody may be renaming it"
    );
    assert_eq!(
        bed.dead_letters().await.len(),
        1,
        "the connection is there, and has no such action"
    );
    bed.pass(Duration::from_secs(2 * 3600));
    bed.drain().await;
    assert_eq!(bed.objects("dead/fabrikam").await.len(), 1);
    bed.end().await;
}

#[tokio::test]
async fn a_vault_that_goes_away_is_not_missed_for_a_day() {
    let bed = TestBed::usual().await;
    bed.deliver(Alert::captured("metric_fired").number(1)).await;
    bed.fates().decide(no_vault);
    bed.pass(Duration::from_secs(23 * 3600));
    assert_eq!(
        bed.deliver(Alert::captured("metric_fired").number(2))
            .await
            .outcome,
        "created"
    );
    bed.pass(Duration::from_secs(2 * 3600));
    assert_eq!(
        bed.deliver(Alert::captured("metric_fired").number(3))
            .await
            .outcome,
        "pending"
    );
    bed.end().await;
}

#[tokio::test]
async fn a_definition_with_mistakes_keeps_its_alerts_waiting_until_it_is_mended() {
    let bed = TestBed::usual().await;
    bed.defines(|definition| definition["partner_typ"] = "servicenow".into())
        .await;
    let delivered = bed.deliver("metric_fired").await;
    assert_eq!(
        (delivered.status, delivered.outcome.as_str()),
        (202, "pending")
    );
    bed.drain().await;
    bed.servicenow().created(0);

    bed.defines(|_| {}).await;
    bed.settle().await;
    bed.servicenow().created(1);
    bed.end().await;
}

#[tokio::test]
async fn a_definition_that_is_changed_is_noticed_within_twelve_minutes() {
    let bed = TestBed::usual().await;
    bed.deliver(Alert::captured("metric_fired").number(1)).await;
    bed.defines(|definition| {
        definition["actions"]["default"]["fields"]["category"] = "network".into()
    })
    .await;
    bed.pass(Duration::from_secs(721));
    let later = bed.deliver(Alert::captured("metric_fired").number(2)).await;
    assert_eq!(
        bed.servicenow()
            .incident(&later.work_items[0])
            .field("category"),
        "network"
    );
    bed.end().await;
}

#[tokio::test]
async fn an_action_that_is_new_is_found_although_the_definition_was_read_before() {
    let bed = TestBed::usual().await;
    bed.deliver(Alert::captured("metric_fired").number(1)).await;
    bed.defines(|definition| definition["actions"]["on-call"] = serde_json::json!({}))
        .await;
    bed.pass(Duration::from_secs(31));
    let second = Alert::captured("metric_fired").number(2);
    bed.fates().decide(no_vault);
    let delivered = bed.deliver_to("contoso/on-call", &second).await;
    assert_eq!(
        (delivered.status, delivered.outcome.as_str()),
        (202, "pending"),
        "nobody could say that there is none"
    );
    bed.drain().await;
    assert_eq!(bed.dead_letters().await.len(), 0);
    bed.fates().all_well();
    // A vault that has failed is left alone for a while.
    bed.pass(Duration::from_secs(31));
    let third = Alert::captured("metric_fired").number(3);
    let delivered = bed.deliver_to("contoso/on-call", third).await;
    assert_eq!(delivered.outcome, "created");
    bed.settle().await;
    bed.servicenow().created(3);
    bed.end().await;
}

#[tokio::test]
async fn the_drain_of_a_process_with_an_older_definition_gives_nothing_up() {
    let bed = TestBed::usual().await;
    let other = bed.another_core();
    bed.deliver(Alert::captured("metric_fired").number(1)).await;
    bed.drains_with(&other).await;
    bed.defines(|definition| definition["actions"]["on-call"] = serde_json::json!({}))
        .await;
    bed.pass(Duration::from_secs(31));
    bed.fates().decide(no_product);
    let second = Alert::captured("metric_fired").number(2);
    let delivered = bed.deliver_to("contoso/on-call", second).await;
    assert_eq!(delivered.outcome, "pending");
    bed.fates().all_well();
    bed.pass(Duration::from_secs(60));
    bed.drains_with(&other).await;
    assert_eq!(bed.dead_letters().await.len(), 0);
    bed.settle().await;
    bed.servicenow().created(2);
    bed.end().await;
}
