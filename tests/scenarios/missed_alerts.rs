//! Alerts that Azure fired and no webhook brought (rule R5): found in Azure's own list, under the keys that the webhook
//! would have given them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use itsm_connector::adapters::alerts_management::AlertsManagement;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::domain::failure::CallFailure;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::ports::AzureIdentity;
use serde_json::{Value, json};
use simulators::alerts_management as azure;
use simulators::server::Server;

use crate::bed::{Alert, Builder, Fate, LOOPBACK, Service, State, Step, TestBed};

const OURS: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";
const TOKEN: &str = "a token for the management of Azure";

const MINUTE: Duration = Duration::from_secs(60);

/// An identity that has its token.
struct Known;

#[async_trait]
impl AzureIdentity for Known {
    async fn token(&self, scope: &str, _: Duration) -> Result<Secret, CallFailure> {
        assert_eq!(scope, "https://127.0.0.1/.default");
        Ok(Secret::from(TOKEN))
    }
}

#[expect(clippy::disallowed_methods, reason = "Azure's clock is the machine's")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// Azure with its list, and a bed that may read it.
struct Scene {
    azure: Server<azure::AlertsManagement>,
    bed: TestBed,
    passed: Duration,
}

impl Scene {
    async fn start(builder: Builder) -> Self {
        let machine = azure::AlertsManagement {
            tokens: vec![TOKEN.to_owned()],
            readable: vec![OURS.to_owned()],
            ..Default::default()
        };
        let azure = Server::start(machine, LOOPBACK, None).await.unwrap();
        let allowed = AllowedHosts::default().with(&azure.address().to_string());
        let history = AlertsManagement::new(
            Arc::new(HttpTransport::new(allowed)),
            Arc::new(Known),
            Arc::new(SystemClock::default()),
            url::Url::parse(&azure.url()).unwrap(),
        );
        let bed = builder.alert_history(Arc::new(history)).start().await;
        Self {
            azure,
            bed,
            passed: Duration::ZERO,
        }
    }

    /// With an action that names the subscription.
    async fn usual() -> Self {
        Self::start(ours()).await
    }

    fn pass(&mut self, span: Duration) {
        self.passed += span;
        self.bed.pass(span);
        self.azure.lock().ahead_ms = i64::try_from(self.passed.as_millis()).unwrap();
    }

    fn now_ms(&self) -> i64 {
        now_ms() + i64::try_from(self.passed.as_millis()).unwrap()
    }

    /// An alert fires now.
    fn fires(&self, n: u32) -> azure::FiredAlert {
        let alert = azure::FiredAlert {
            subscription: OURS.to_owned(),
            instance: format!("bbbbbbbb-0001-4000-8000-{n:012}"),
            rule: "CPU over 80 %".to_owned(),
            severity: "Sev1".to_owned(),
            machine: format!("web{n:02}"),
            fired_ms: self.now_ms(),
            ended_ms: None,
            is_suppressed: false,
            context: json!({}),
        };
        self.azure.lock().alerts.push(alert.clone());
        alert
    }

    fn ends(&self, alert: &azure::FiredAlert) {
        let now_ms = self.now_ms();
        self.azure.lock().resolve(&alert.instance, now_ms);
    }

    fn numbers(&self) -> usize {
        self.bed.servicenow().incidents().len()
    }

    async fn end(self) {
        self.bed.end().await;
        self.azure.stop().await;
    }
}

fn ours() -> Builder {
    TestBed::with_servicenow(Default::default()).action("default", "subscriptions", json!([OURS]))
}

/// The alert as its webhook brings it, `late_ms` later than the list says.
fn webhook(alert: &azure::FiredAlert, condition: &str, late_ms: i64) -> Alert {
    let moment = |ms: i64| {
        let at = itsm_connector::domain::timestamp::Timestamp::from_millis(ms).to_string();
        Value::from(at.replace('Z', "4567Z"))
    };
    let id = format!(
        "/subscriptions/{}/providers/Microsoft.AlertsManagement/alerts/{}",
        alert.subscription, alert.instance
    );
    let captured = Alert::captured("metric_fired")
        .with("alertId", id)
        .with("monitorCondition", condition)
        .with("firedDateTime", moment(alert.fired_ms + late_ms));
    match alert.ended_ms {
        Some(ended_ms) => captured.with("resolvedDateTime", moment(ended_ms)),
        None => captured,
    }
}

#[tokio::test]
async fn an_hour_without_our_endpoint_loses_no_alert() {
    let mut scene = Scene::usual().await;
    let mut fired = Vec::new();
    for n in 0..60 {
        fired.push(scene.fires(n));
        scene.pass(MINUTE);
    }
    scene.pass(6 * MINUTE);
    scene.bed.settle().await;
    assert_eq!(scene.numbers(), 60);
    let web07 = fired[7].clone();
    scene.ends(&web07);
    // It is on no list of an hour any more: those that are, are asked for one by one, 25 at a time.
    for _ in 0..3 {
        scene.pass(20 * MINUTE);
        scene.bed.settle().await;
    }
    let incidents = scene.bed.servicenow().incidents();
    let resolved = incidents
        .iter()
        .filter(|one| one.state() == State::Resolved);
    assert_eq!(resolved.count(), 1, "its end was missed as well, and found");
    assert_eq!(scene.numbers(), 60, "nothing is made twice");
    scene.end().await;
}

#[tokio::test]
async fn an_alert_whose_webhook_came_is_not_made_again() {
    let mut scene = Scene::usual().await;
    let alert = scene.fires(1);
    let delivered = scene.bed.deliver(&webhook(&alert, "Fired", 0)).await;
    assert_eq!(delivered.outcome, "created");
    for _ in 0..5 {
        scene.pass(16 * MINUTE);
        scene.bed.settle().await;
    }
    assert_eq!(scene.numbers(), 1);
    scene.end().await;
}

#[tokio::test]
async fn not_even_where_the_list_tells_another_time_than_the_webhook() {
    let mut scene = Scene::usual().await;
    let alert = scene.fires(1);
    let delivered = scene.bed.deliver(&webhook(&alert, "Fired", 1500)).await;
    assert_eq!(delivered.outcome, "created");
    scene.ends(&alert);
    scene.pass(16 * MINUTE);
    scene.bed.settle().await;
    let only = scene.bed.servicenow().only_work_item();
    assert_eq!(
        only.state(),
        State::Resolved,
        "its end is of the same alert"
    );
    scene.end().await;
}

#[tokio::test]
async fn a_webhook_that_may_still_come_is_waited_for() {
    let mut scene = Scene::usual().await;
    scene.pass(16 * MINUTE);
    scene.fires(1);
    scene.pass(MINUTE);
    scene.bed.drain().await;
    assert_eq!(scene.numbers(), 0);
    scene.pass(16 * MINUTE);
    scene.bed.drain().await;
    assert_eq!(scene.numbers(), 1);
    scene.end().await;
}

#[tokio::test]
async fn a_missed_end_resolves_what_the_webhook_made() {
    let mut scene = Scene::usual().await;
    let mut alert = scene.fires(1);
    scene.bed.deliver(&webhook(&alert, "Fired", 0)).await;
    scene.pass(10 * MINUTE);
    scene.ends(&alert);
    scene.pass(16 * MINUTE);
    scene.bed.settle().await;
    assert_eq!(
        scene.bed.servicenow().only_work_item().state(),
        State::Resolved
    );
    // It comes after all, and changes nothing.
    alert.ended_ms = Some(scene.now_ms());
    let delivered = scene.bed.deliver(&webhook(&alert, "Resolved", 0)).await;
    assert_eq!(delivered.status, 200);
    scene.bed.settle().await;
    assert_eq!(scene.numbers(), 1);
    scene.end().await;
}

#[tokio::test]
async fn the_end_of_an_alert_that_was_found_is_followed_for_days() {
    let mut scene = Scene::usual().await;
    let alert = scene.fires(1);
    scene.pass(16 * MINUTE);
    scene.bed.settle().await;
    assert_eq!(scene.numbers(), 1);
    for _ in 0..3 {
        scene.pass(24 * 60 * MINUTE);
        scene.bed.settle().await;
    }
    scene.ends(&alert);
    scene.pass(16 * MINUTE);
    scene.bed.settle().await;
    assert_eq!(
        scene.bed.servicenow().only_work_item().state(),
        State::Resolved
    );
    scene.end().await;
}

#[tokio::test]
async fn foreign_and_suppressed_alerts_are_left_alone() {
    let mut scene = Scene::start(ours().action("default", "rules", json!(["cpu over 80 %"]))).await;
    scene.azure.lock().readable.push(OTHER.to_owned());
    let ours = scene.fires(1);
    for (n, change) in [(2, "subscription"), (3, "rule"), (4, "suppressed")] {
        scene.fires(n);
        let mut azure = scene.azure.lock();
        let alert = azure.alerts.last_mut().unwrap();
        match change {
            "subscription" => alert.subscription = OTHER.to_owned(),
            "rule" => alert.rule = "another rule".to_owned(),
            _ => alert.is_suppressed = true,
        }
    }
    scene.pass(16 * MINUTE);
    scene.bed.settle().await;
    let only = scene.bed.servicenow().only_work_item();
    assert!(
        only.field("short_description").contains(&ours.rule),
        "{only:?}"
    );
    assert_eq!(scene.bed.quarantined().await, 0);
    scene.end().await;
}

#[tokio::test]
async fn without_subscriptions_or_where_it_is_switched_off_azure_is_not_asked() {
    let plain = TestBed::with_servicenow(Default::default());
    for builder in [plain, ours().action("default", "find_missed", false)] {
        let mut scene = Scene::start(builder).await;
        scene.fires(1);
        scene.pass(16 * MINUTE);
        scene.bed.settle().await;
        assert_eq!(scene.azure.lock().asked, 0);
        assert_eq!(scene.numbers(), 0);
        scene.end().await;
    }
}

#[tokio::test]
async fn azure_is_asked_four_times_an_hour_and_by_one_process() {
    let mut scene = Scene::usual().await;
    let alert = scene.fires(1);
    scene.bed.deliver(&webhook(&alert, "Fired", 0)).await;
    let another = scene.bed.another_core();
    scene.bed.drain().await;
    scene.bed.drains_with(&another).await;
    let first = scene.azure.lock().asked;
    assert_eq!(first, 1);
    for _ in 0..60 {
        scene.pass(MINUTE);
        scene.bed.drain().await;
        scene.bed.drains_with(&another).await;
    }
    let asked = scene.azure.lock().asked - first;
    assert!((3..=5).contains(&asked), "{asked}");
    scene.end().await;
}

#[tokio::test]
async fn a_long_list_is_gone_over_page_by_page() {
    let mut scene = Scene::usual().await;
    for n in 0..130 {
        scene.fires(n);
    }
    scene.pass(16 * MINUTE);
    scene.bed.drain().await;
    assert_eq!(scene.azure.lock().asked, 6, "25 a page");
    scene.bed.settle().await;
    assert_eq!(scene.numbers(), 130);
    scene.end().await;
}

#[tokio::test]
async fn what_azure_refuses_is_told_with_what_to_do_and_tried_again() {
    let mut scene = Scene::usual().await;
    scene.fires(1);
    scene.azure.lock().readable.clear();
    scene.pass(16 * MINUTE);
    scene.bed.settle().await;
    assert_eq!(scene.numbers(), 0);
    let health = scene.bed.health().await;
    assert!(health.body.contains("Monitoring Reader"), "{}", health.body);
    // Not a day later: the list of what was not looked at is asked for as far back as it lies.
    scene.azure.lock().readable.push(OURS.to_owned());
    for (status, times) in [(429, 1), (503, 2)] {
        scene.azure.lock().instead = Some((status, times));
        scene.pass(16 * MINUTE);
        scene.bed.settle().await;
    }
    for _ in 0..2 {
        scene.pass(16 * MINUTE);
        scene.bed.settle().await;
    }
    assert_eq!(scene.numbers(), 1);
    scene.end().await;
}

#[tokio::test]
async fn a_store_that_fails_between_marker_and_journal_loses_nothing() {
    let mut scene = Scene::usual().await;
    scene.fires(1);
    scene.pass(16 * MINUTE);
    scene.bed.fates().decide(
        |step: &Step| match step.is(Service::Store, "create", "journal/") {
            true => Fate::FailsBefore,
            false => Fate::Works,
        },
    );
    scene.bed.drain().await;
    scene.bed.fates().all_well();
    assert_eq!(scene.numbers(), 0);
    for _ in 0..3 {
        scene.pass(16 * MINUTE);
        scene.bed.settle().await;
    }
    assert_eq!(scene.numbers(), 1);
    scene.end().await;
}
