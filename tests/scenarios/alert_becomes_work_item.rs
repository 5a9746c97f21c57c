//! An alert fires and resolves: an incident is made and resolved, and says what a person needs.

use std::time::Duration;

use simulators::servicenow::{Config, made_up_sys_id};

use crate::bed::{Alert, Calls, State, TestBed};

#[tokio::test]
async fn a_fired_alert_is_a_new_incident_and_a_resolved_one_resolves_it() {
    let bed = TestBed::usual().await;

    let fired = bed.deliver("metric_fired").await;
    assert_eq!((fired.status, fired.outcome.as_str()), (200, "created"));
    let number = bed.servicenow().only_work_item().number().to_owned();
    assert_eq!(fired.work_items, [number.as_str()]);
    assert_eq!(bed.servicenow().state_of(&number), State::New);

    let resolved = bed.deliver("metric_resolved").await;
    assert_eq!(
        (resolved.status, resolved.outcome.as_str()),
        (200, "resolved")
    );
    assert_eq!(resolved.work_items, [number.as_str()]);
    assert_eq!(bed.servicenow().state_of(&number), State::Resolved);
    bed.end().await;
}

#[tokio::test]
async fn a_resolved_incident_says_how_and_when() {
    let bed = TestBed::usual().await;
    bed.deliver("metric_fired").await;
    bed.deliver("metric_resolved").await;
    let incident = bed.servicenow().only_work_item();
    assert_eq!(incident.field("close_code"), "Solution provided");
    let notes = incident.field("close_notes");
    assert!(
        notes.starts_with("Azure Monitor resolved the alert at 2026-03-01T1"),
        "{notes}"
    );
    bed.end().await;
}

#[tokio::test]
async fn an_incident_says_what_where_and_how_bad() {
    let bed = TestBed::usual().await;
    bed.deliver("metric_fired").await;
    let incident = bed.servicenow().only_work_item();
    assert_eq!(
        incident.field("short_description"),
        "[Sev1] CPU over 80 % on web01"
    );
    assert_eq!(incident.field("correlation_display"), "Azure Monitor");
    assert!(incident.field("correlation_id").starts_with("azm-"));
    assert!(
        incident
            .field("description")
            .contains("Average of Percentage CPU is 93.2 %, above 80 % (Host web01).")
    );
    assert!(
        incident
            .field("description")
            .contains("runbook: https://runbooks.example/cpu")
    );
    bed.end().await;
}

#[tokio::test]
async fn severity_decides_impact_urgency_and_priority() {
    let bed = TestBed::usual().await;
    let expected = [
        ("Sev0", "1", "1", "1"),
        ("Sev1", "2", "1", "2"),
        ("Sev2", "2", "3", "4"),
        ("Sev3", "3", "3", "5"),
        ("Sev4", "3", "3", "5"),
    ];
    for (n, (severity, impact, urgency, priority)) in (1..).zip(expected) {
        let delivered = bed
            .deliver(
                Alert::captured("metric_fired")
                    .number(n)
                    .with("severity", severity),
            )
            .await;
        let incident = bed.servicenow().incident(&delivered.work_items[0]);
        let told = ["impact", "urgency", "priority"].map(|field| incident.field(field).to_owned());
        assert_eq!(told, [impact, urgency, priority], "{severity}");
    }
    bed.end().await;
}

#[tokio::test]
async fn a_long_description_is_cut_to_what_the_table_holds() {
    let bed = TestBed::usual().await;
    let targets: Vec<String> = (0..49)
        .map(|n| format!("/subscriptions/1/{}/{n}", "ä".repeat(200)))
        .collect();
    bed.deliver(Alert::captured("metric_fired").with("alertTargetIDs", targets))
        .await;
    let incident = bed.servicenow().only_work_item();
    let length = incident.field("description").chars().count();
    assert!((3990..=4000).contains(&length), "{length}");
    assert!(
        incident.field("description").ends_with(" more characters"),
        "a text that was cut says how much is missing"
    );
    bed.end().await;
}

#[tokio::test]
async fn the_address_says_which_action() {
    let group = made_up_sys_id("a group");
    let bed = TestBed::with_servicenow(Config::default())
        .action("on-call", "assignment_group", group.as_str())
        .action("on-call", "on_resolve", "ignore")
        .start()
        .await;
    bed.deliver_to("contoso/on-call", "metric_fired").await;
    assert_eq!(
        bed.servicenow().only_work_item().field("assignment_group"),
        group
    );

    let resolved = bed.deliver_to("contoso/on-call", "metric_resolved").await;
    assert_eq!(
        (resolved.status, resolved.outcome.as_str()),
        (200, "ignored")
    );
    assert_eq!(bed.servicenow().only_work_item().state(), State::New);
    bed.end().await;
}

#[tokio::test]
async fn fields_that_a_customer_makes_mandatory_come_from_the_action() {
    let mandatory = [(
        "incident".to_owned(),
        vec!["caller_id".to_owned(), "category".to_owned()],
    )];
    let config = Config {
        mandatory: mandatory.into(),
        ..Config::default()
    };
    let bed = TestBed::with_servicenow(config)
        .action(
            "default",
            "fields",
            serde_json::json!({ "caller_id": "abel.tuter", "category": "network" }),
        )
        .start()
        .await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    assert_eq!(
        bed.servicenow().only_work_item().field("category"),
        "network"
    );
    bed.end().await;
}

#[tokio::test]
async fn client_id_and_secret_may_stand_in_the_header() {
    let mut config = Config::default();
    config.clients[0].client_secret = "p+a/ss: wö%rd".to_owned();
    let bed = TestBed::with_servicenow(config)
        .defined("client_authentication", "basic")
        .start()
        .await;
    assert_eq!(bed.deliver("metric_fired").await.outcome, "created");
    bed.end().await;
}

#[tokio::test]
async fn with_the_password_grant_a_login_serves_until_its_refresh_token_ends() {
    let bed = TestBed::with_servicenow(Config::default())
        .defined("username", "svc-monitor")
        .start()
        .await;
    bed.log_in("svc-monitor-password").await;
    let stored = bed.secret("itsm-tokens-contoso").await;
    bed.servicenow().mark();

    bed.deliver(Alert::captured("metric_fired").number(1)).await;
    assert_eq!(
        bed.servicenow().calls(),
        Calls {
            creates: 1,
            ..Calls::NONE
        },
        "the stored token serves"
    );

    bed.pass(Duration::from_secs(3600));
    bed.servicenow().inside().expire_tokens();
    bed.servicenow().mark();
    let second = bed.deliver(Alert::captured("metric_fired").number(2)).await;
    assert_eq!(second.outcome, "created");
    assert_eq!(
        bed.servicenow().calls(),
        Calls {
            creates: 1,
            tokens: 1,
            ..Calls::NONE
        },
        "it was renewed once"
    );
    assert_eq!(
        bed.secret("itsm-tokens-contoso").await,
        stored,
        "only the refresher writes to the vault"
    );
    bed.end().await;
}

#[tokio::test]
async fn without_a_login_alerts_wait_and_are_made_once_somebody_has_logged_in() {
    let bed = TestBed::with_servicenow(Config::default())
        .defined("username", "svc-monitor")
        .start()
        .await;
    let early = bed.deliver("metric_fired").await;
    assert_eq!((early.status, early.outcome.as_str()), (202, "pending"));
    bed.servicenow().created(0);
    bed.log_in("svc-monitor-password").await;
    bed.settle().await;
    bed.servicenow().created(1);
    bed.end().await;
}
