//! Alerts that an authentic sender may send, and that are odd. The numbers are rows of the design's corpus of bad input:
//! what can be understood becomes an incident, what cannot is kept for a person, and nobody is told 4xx or 5xx.

use serde_json::{Value, json};

use crate::bed::{Alert, Delivered, TestBed};

/// The alert number `n`, so that each is another one.
fn alert(n: u32) -> Alert {
    Alert::captured("metric_fired").number(n)
}

async fn is_made(bed: &TestBed, row: &str, alert: &Alert) -> Delivered {
    let delivered = bed.deliver(alert).await;
    assert_eq!(
        (delivered.status, delivered.outcome.as_str()),
        (200, "created"),
        "{row}"
    );
    delivered
}

async fn is_quarantined(bed: &TestBed, row: &str, reason: &str, body: &str) {
    let before = (bed.quarantined().await, bed.objects("journal").await.len());
    let delivered = bed.deliver_body("contoso", body.as_bytes()).await;
    assert_eq!(
        (delivered.status, delivered.outcome.as_str()),
        (202, "quarantined"),
        "{row}"
    );
    let after = (bed.quarantined().await, bed.objects("journal").await.len());
    assert_eq!(after, (before.0 + 1, before.1), "{row}");
    let event = delivered.answer.json()["event"]
        .as_str()
        .unwrap()
        .to_owned();
    let kept = bed.object(&format!("quarantine/contoso/{event}")).await;
    assert!(
        kept.contains(&format!("\"reason\":\"{reason}\"")),
        "{row}: {kept}"
    );
}

#[tokio::test]
async fn w17_schemas_that_are_missing_unknown_or_older() {
    let bed = TestBed::usual().await;
    is_made(&bed, "missing", &alert(1).without("/schemaId")).await;
    is_made(
        &bed,
        "unknown",
        &alert(2).changed("/schemaId", "azureMonitorCommonAlertSchema2"),
    )
    .await;
    is_made(
        &bed,
        "the name of an older one",
        &alert(3).changed("/schemaId", "AzureMonitorMetricAlert"),
    )
    .await;
    let older = is_made(&bed, "older", &Alert::older("metric_near_real_time_fired")).await;
    let incident = bed.servicenow().incident(&older.work_items[0]);
    assert!(
        incident
            .field("description")
            .contains("switch on \"common alert schema\"")
    );
    bed.servicenow().created(4);
    // What has no shape that is known is no alert, whatever it calls itself.
    is_quarantined(
        &bed,
        "a form to come",
        "schema",
        r#"{"schemaId":"azureMonitorSomethingNew","data":{"title":"x"}}"#,
    )
    .await;
    is_quarantined(&bed, "nothing", "schema", "{}").await;
    bed.end().await;
}

#[tokio::test]
async fn w18_the_same_key_twice() {
    let bed = TestBed::usual().await;
    let twice = alert(1).text().replacen(
        "\"alertId\":",
        "\"alertId\":\"/one/another\",\"alertId\":",
        1,
    );
    is_quarantined(&bed, "W18", "duplicate_field", &twice).await;
    bed.servicenow().created(0);
    bed.end().await;
}

#[tokio::test]
async fn w19_alert_ids_that_are_none() {
    let bed = TestBed::usual().await;
    let odd = [
        Value::Null,
        "".into(),
        " ".into(),
        "not a resource id".into(),
        format!("/{}", "x".repeat(10_000)).into(),
        7.into(),
    ];
    for id in odd {
        is_quarantined(
            &bed,
            &format!("{id:.40}"),
            "alert_id",
            &alert(1).with("alertId", id).text(),
        )
        .await;
    }
    let missing = alert(1).without("/data/essentials/alertId");
    is_quarantined(&bed, "missing", "alert_id", &missing.text()).await;
    bed.servicenow().created(0);
    bed.end().await;
}

#[tokio::test]
async fn w20_alert_ids_that_mean_something_to_a_store() {
    let bed = TestBed::with_servicenow(Default::default())
        .state_in_a_folder()
        .start()
        .await;
    let odd = [
        "/../../etc/passwd",
        "/a\u{0}b",
        "/a\\b:c",
        "/а/lооk-alike",
        "//",
        "/%2e%2e/",
        "/con",
        "/a?b#c*",
    ];
    for id in odd {
        is_made(&bed, id, &alert(1).with("alertId", id)).await;
    }
    bed.servicenow().created(odd.len());
    for name in bed.objects("journal").await {
        let last = name.rsplit('/').next().unwrap();
        assert!(
            last.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')),
            "{name}"
        );
    }
    bed.end().await;
}

#[tokio::test]
async fn w21_conditions() {
    let bed = TestBed::usual().await;
    for (n, word) in (1..).zip(["fired", "FIRED", " Fired "]) {
        is_made(&bed, word, &alert(n).with("monitorCondition", word)).await;
    }
    for word in [json!("Exploded"), json!(""), Value::Null, json!(1)] {
        is_quarantined(
            &bed,
            &word.to_string(),
            "condition",
            &alert(9).with("monitorCondition", word.clone()).text(),
        )
        .await;
    }
    bed.servicenow().created(3);
    bed.end().await;
}

#[tokio::test]
async fn w22_an_end_without_a_beginning() {
    let bed = TestBed::usual().await;
    for form in [
        "metric_resolved",
        "log_v2_resolved",
        "prometheus_resolved",
        "service_health_resolved",
    ] {
        let delivered = bed.deliver(form).await;
        assert_eq!(
            (delivered.status, delivered.outcome.as_str()),
            (202, "pending"),
            "{form}"
        );
    }
    bed.servicenow().created(0);
    bed.end().await;
}

#[tokio::test]
async fn w23_times_of_firing() {
    let bed = TestBed::usual().await;
    let odd = [
        Value::Null,
        "".into(),
        "0001-01-01T00:00:00Z".into(),
        "9999-12-31T23:59:60Z".into(),
        "01.03.2026 10:00".into(),
        "3/1/2026 10:00:00 AM".into(),
        "2026-03-01T10:00:00.123456789Z".into(),
        "2026-03-01T10:00:00".into(),
        "2199-03-01T10:00:00+14:00".into(),
        1_772_359_200.into(),
    ];
    for (n, at) in (1..).zip(odd) {
        let delivered = is_made(
            &bed,
            &at.to_string(),
            &alert(n).with("firedDateTime", at.clone()),
        )
        .await;
        let incident = bed.servicenow().incident(&delivered.work_items[0]);
        let is_read = at
            .as_str()
            .is_some_and(|at| at.contains("T1") || at.starts_with("0001"));
        let is_marked = incident.field("description").contains("could not be read");
        assert_eq!(is_marked, !is_read, "{at}");
    }
    is_made(
        &bed,
        "missing",
        &alert(99).without("/data/essentials/firedDateTime"),
    )
    .await;
    bed.end().await;
}

#[tokio::test]
async fn w24_severities() {
    let bed = TestBed::usual().await;
    for (n, severity, told) in [
        (1, json!("Sev9"), "default was used"),
        (2, json!(3), "Sev3 (Informational)"),
        (3, json!("3"), "Sev3"),
        (4, Value::Null, "Since:"),
        (5, json!("sev0"), "Sev0 (Critical)"),
    ] {
        let delivered = is_made(
            &bed,
            &severity.to_string(),
            &alert(n).with("severity", severity.clone()),
        )
        .await;
        let incident = bed.servicenow().incident(&delivered.work_items[0]);
        assert!(
            incident.field("description").contains(told),
            "{severity}: {}",
            incident.field("description")
        );
    }
    bed.end().await;
}

#[tokio::test]
async fn w25_five_thousand_targets_and_configuration_items() {
    let bed = TestBed::usual().await;
    let many: Vec<String> = (0..5_000).map(|n| format!("/t/web{n}")).collect();
    is_made(
        &bed,
        "W25",
        &alert(1)
            .with("alertTargetIDs", many.clone())
            .with("configurationItems", many),
    )
    .await;
    let incident = bed.servicenow().only_work_item();
    assert_eq!(
        incident.field("short_description"),
        "[Sev1] CPU over 80 % on web0 and 4999 more"
    );
    let description = incident.field("description");
    let listed = description
        .lines()
        .filter(|line| line.starts_with("Resource: "))
        .count();
    assert_eq!(listed, 50);
    assert!(description.contains("… and 4950 more"), "{description}");
    bed.end().await;
}

#[tokio::test]
async fn w26_custom_properties_reach_no_field() {
    let bed = TestBed::usual().await;
    let names = [
        "__proto__",
        "sys_id",
        "state",
        "assigned_to",
        "constructor",
        "number",
        "correlation_id",
    ];
    let mut properties: serde_json::Map<String, Value> = (0..1_000)
        .map(|n| (format!("key{n}"), "v".into()))
        .collect();
    for name in names {
        properties.insert(name.to_owned(), "7".into());
    }
    properties.insert("long".to_owned(), "x".repeat(64 * 1024).into());
    let delivered = is_made(
        &bed,
        "W26",
        &alert(1).changed("/data/customProperties", Value::from(properties)),
    )
    .await;
    let incident = bed.servicenow().incident(&delivered.work_items[0]);
    assert_eq!(incident.number(), delivered.work_items[0]);
    assert_ne!(incident.field("sys_id"), "7");
    assert_ne!(incident.field("state"), "7");
    assert_eq!(incident.field("assigned_to"), "");
    assert!(incident.field("correlation_id").starts_with("azm-"));
    bed.end().await;
}

#[tokio::test]
async fn w27_hostile_texts_stay_text() {
    let bed = TestBed::usual().await;
    let hostile =
        "<script>alert(1)</script> ${7*7} {{7*7}} =cmd()\r\n\u{1b}[31mred\u{202e}desrever";
    for (n, field) in (1..).zip(["description", "alertRule", "monitoringService"]) {
        let delivered = is_made(&bed, field, &alert(n).with(field, hostile)).await;
        let incident = bed.servicenow().incident(&delivered.work_items[0]);
        let told = format!(
            "{}{}",
            incident.field("short_description"),
            incident.field("description")
        );
        assert!(
            told.contains("{{7*7}}") && !told.contains("49"),
            "{field}: {told}"
        );
        assert!(!told.contains(['\u{1b}', '\u{202e}']), "{field}: {told}");
        assert!(
            !incident.field("short_description").contains('\n'),
            "{field}"
        );
    }
    bed.end().await;
}

#[tokio::test]
async fn w28_names_of_five_thousand_characters() {
    let bed = TestBed::usual().await;
    for (n, piece) in (1..).zip(["x", "ä", "👩‍👩‍👧‍👦", "e\u{301}", "\u{1d54f}"]) {
        let delivered = is_made(
            &bed,
            piece,
            &alert(n).with("alertRule", piece.repeat(5_000)),
        )
        .await;
        let incident = bed.servicenow().incident(&delivered.work_items[0]);
        let title = incident.field("short_description");
        assert!(
            (100..=160).contains(&title.encode_utf16().count()),
            "{title}"
        );
    }
    bed.end().await;
}

#[tokio::test]
async fn w29_numbers_that_there_cannot_be() {
    let bed = TestBed::usual().await;
    let text = alert(1).text();
    for (row, number, reason) in [
        ("1e999", "1e999", "number_too_large"),
        ("-1e999", "-1e999", "number_too_large"),
        ("NaN", "NaN", "not_json"),
        ("Infinity", "Infinity", "not_json"),
    ] {
        is_quarantined(&bed, row, reason, &text.replacen("93.2", number, 1)).await;
    }
    let digits = "1234567890".repeat(4);
    let body = text.replacen("93.2", &digits, 1);
    assert_eq!(
        bed.deliver_body("contoso", body.as_bytes()).await.outcome,
        "created"
    );
    let incident = bed.servicenow().only_work_item();
    assert!(
        incident
            .field("description")
            .contains(&format!("is {digits} %"))
    );
    bed.end().await;
}

#[tokio::test]
async fn w30_one_event_fifty_times_at_once() {
    let bed = TestBed::usual().await;
    let alert = alert(1);
    let all = futures_util::future::join_all((0..50).map(|_| bed.deliver(&alert))).await;
    for delivered in all {
        assert!(matches!(delivered.status, 200 | 202), "{delivered:?}");
    }
    bed.settle().await;
    bed.servicenow().created(1);
    assert_eq!(bed.objects("journal").await.len(), 1);
    bed.end().await;
}

#[tokio::test]
async fn w31_the_same_event_with_other_words() {
    let bed = TestBed::usual().await;
    is_made(&bed, "first", &alert(1)).await;
    let other = bed
        .deliver(alert(1).with("description", "Something else."))
        .await;
    assert_eq!((other.status, other.outcome.as_str()), (200, "duplicate"));
    bed.servicenow().created(1);
    let incident = bed.servicenow().only_work_item();
    assert!(
        incident
            .field("description")
            .contains("The web servers are too busy."),
        "the first counts"
    );
    bed.end().await;
}

#[tokio::test]
async fn w32_a_link_is_text_and_nobody_follows_it() {
    let bed = TestBed::usual().await;
    let link = format!("{}/follow-me", bed.servicenow().url());
    let result = "/data/alertContext/condition/allOf/0";
    let alert = Alert::captured("log_v2_fired")
        .with("investigationLink", link.as_str())
        .changed(
            &format!("{result}/linkToSearchResultsAPI"),
            "http://169.254.169.254/latest/meta-data",
        )
        .changed(
            &format!("{result}/linkToFilteredSearchResultsUI"),
            link.as_str(),
        );
    is_made(&bed, "W32", &alert).await;
    let incident = bed.servicenow().only_work_item();
    assert!(
        incident
            .field("description")
            .contains(&format!("Investigate: {link}"))
    );
    assert!(
        !format!("{}", bed.servicenow()).contains("follow-me"),
        "{}",
        bed.servicenow()
    );
    bed.end().await;
}

#[tokio::test]
async fn w34_test_notifications_are_marked_as_tests() {
    let bed = TestBed::usual().await;
    for place in Alert::places()
        .iter()
        .filter(|place| place.contains("test_notification"))
    {
        let delivered = is_made(&bed, place, &Alert::at(place)).await;
        let incident = bed.servicenow().incident(&delivered.work_items[0]);
        assert!(
            incident.field("short_description").starts_with("[Test] "),
            "{place}"
        );
        assert!(
            incident.field("description").contains("Nothing is wrong."),
            "{place}"
        );
    }
    let resource = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/test-RG/providers/microsoft.insights/metricAlerts/test";
    let older = Alert::older("metric_near_real_time_fired").changed("/data/context/id", resource);
    let delivered = is_made(&bed, "an older schema", &older).await;
    let incident = bed.servicenow().incident(&delivered.work_items[0]);
    assert!(incident.field("short_description").starts_with("[Test] "));
    bed.end().await;
}
