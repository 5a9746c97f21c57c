//! Alerts of subscriptions and rules that an action does not take (row W33): kept for a person, and nothing is made.

use serde_json::json;

use crate::bed::{Alert, Fate, Service, Step, TestBed};

const OURS: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";

fn no_vault(step: &Step) -> Fate {
    match step.service {
        Service::Vault => Fate::FailsBefore,
        _ => Fate::Works,
    }
}

/// A captured alert, as another subscription would send it.
fn foreign() -> String {
    Alert::captured("metric_fired").text().replace(OURS, OTHER)
}

async fn is_kept_and_nothing_is_made(bed: &TestBed, reason: &str) {
    assert_eq!(bed.quarantined().await, 1);
    let names = bed.objects("quarantine").await;
    let kept = bed.object(&names[0]).await;
    assert!(kept.contains(&format!("\"reason\":\"{reason}\"")), "{kept}");
    assert!(bed.servicenow().incidents().is_empty());
    assert_eq!(bed.pending().await, 0);
}

#[tokio::test]
async fn w33_an_alert_of_a_subscription_that_is_not_on_the_list() {
    let bed = TestBed::with_servicenow(Default::default())
        .action("default", "subscriptions", json!([OURS]))
        .start()
        .await;
    let delivered = bed.deliver_body("contoso", foreign().as_bytes()).await;
    assert_eq!(
        (delivered.status, delivered.outcome.as_str()),
        (202, "quarantined")
    );
    is_kept_and_nothing_is_made(&bed, "foreign_subscription").await;
    let delivered = bed.deliver("metric_fired").await;
    assert_eq!(delivered.outcome, "created", "one of ours");
    bed.end().await;
}

#[tokio::test]
async fn an_alert_of_a_rule_that_is_not_on_the_list() {
    let bed = TestBed::with_servicenow(Default::default())
        .action("default", "rules", json!(["another rule"]))
        .start()
        .await;
    let delivered = bed.deliver("metric_fired").await;
    assert_eq!(delivered.outcome, "quarantined");
    is_kept_and_nothing_is_made(&bed, "foreign_rule").await;
    bed.end().await;
}

#[tokio::test]
async fn where_the_list_could_not_be_read_the_drain_reads_it() {
    let mut bed = TestBed::with_servicenow(Default::default())
        .action("default", "subscriptions", json!([OURS]))
        .start()
        .await;
    bed.restart();
    bed.fates().decide(no_vault);
    let delivered = bed.deliver_body("contoso", foreign().as_bytes()).await;
    assert_eq!(
        (delivered.status, delivered.outcome.as_str()),
        (202, "pending")
    );
    bed.fates().all_well();
    bed.settle().await;
    is_kept_and_nothing_is_made(&bed, "foreign_subscription").await;
    bed.end().await;
}
