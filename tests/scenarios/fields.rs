//! The fields of a work item are what its action's templates make of the alert; a template that fails costs its field and
//! never the alert (rows T of the bad-input corpus, over the wire).

use std::time::Duration;

use serde_json::{Value, json};
use simulators::servicenow::{Config, GenericTable};

use crate::bed::{Alert, Overheard, TestBed};

/// An instance whose incidents have columns of its owner's, and an action that fills them so.
async fn bed(fields: Value) -> TestBed {
    let columns = ["u_team", "u_text", "u_more"];
    let config = Config {
        tables: vec![GenericTable {
            name: "incident".to_owned(),
            columns: columns.map(|name| format!("{name}:text(4000)")).to_vec(),
            ..GenericTable::default()
        }],
        ..Config::default()
    };
    let bed = TestBed::with_servicenow(config);
    bed.action("default", "fields", fields).start().await
}

fn with_properties(properties: Value) -> Alert {
    Alert::captured("metric_fired").beside("customProperties", properties)
}

#[tokio::test]
async fn a_custom_property_and_a_title_of_ones_own_reach_their_fields() {
    let bed = bed(json!({
        "u_team": "{{ alert.custom_properties.team | upper }}",
        "short_description": "{{ alert.target_name }}: {{ alert.metric }} is {{ alert.value }}",
        "urgency": "{% if alert.severity == 'Sev1' %}1{% else %}3{% endif %}",
    }))
    .await;
    bed.deliver(with_properties(json!({ "team": "blue" })))
        .await;
    let incident = bed.servicenow().only_work_item();
    assert_eq!(incident.field("u_team"), "BLUE");
    assert_eq!(
        incident.field("short_description"),
        "web01: Percentage CPU is 93.2"
    );
    assert_eq!(incident.field("urgency"), "1");
    assert!(!incident.field("description").contains("Note:"));
    bed.end().await;
}

#[tokio::test]
async fn t1_t2_and_t9_an_alert_that_a_template_is_not_made_for_is_an_incident_all_the_same() {
    let heard = Overheard::listen();
    let bed = bed(json!({
        "u_team": "{{ alert.custom_properties.team }}",
        "u_more": "{% for a in alert.targets %}{% for b in alert.targets %}{{ b }}{% endfor %}{% endfor %}",
        "urgency": "{{ alert.custom_properties.urgency | default('9') }}",
    }))
    .await;
    let targets: Vec<String> = (0..2000).map(|n| format!("/subscriptions/1/{n}")).collect();
    let fired = with_properties(json!({})).with("alertTargetIDs", targets);
    assert_eq!(bed.deliver(fired).await.outcome, "created");
    let incident = bed.servicenow().only_work_item();
    let description = incident.field("description");
    for told in [
        "the field `u_team` could not be used: it needs something that this alert does not have",
        "the field `u_more` could not be used: it takes too many steps",
        "the field `urgency` made no number from 1 to 5",
    ] {
        assert!(description.contains(told), "{told}: {description}");
        assert!(heard.text().contains(told), "{told} is not in the log");
    }
    assert!(description.encode_utf16().count() <= 4000);
    assert_eq!(
        (incident.field("u_team"), incident.field("urgency")),
        ("", "1")
    );
    bed.end().await;
}

#[tokio::test]
async fn t3_t6_and_t11_what_an_alert_says_arrives_as_it_is_and_does_nothing() {
    let said = "{{ 7*7 }} {% include 'x' %} \"}], <script>alert(1)</script> \u{1F469}\u{200D}\u{1F680}\nnext line";
    let bed = bed(json!({ "u_text": "{{ alert.custom_properties.said }}" })).await;
    bed.deliver(with_properties(json!({ "said": said }))).await;
    assert_eq!(bed.servicenow().only_work_item().field("u_text"), said);
    bed.end().await;
}

#[tokio::test]
async fn t7_and_t11_markup_formulas_and_turned_text_reach_the_instance_as_text() {
    let bed = bed(json!({ "u_text": "{{ alert.rule }}" })).await;
    let rule = "=cmd|x [code]<b>y[/code] JavaScript:alert(1) \u{202e}txt\u{200b}";
    bed.deliver(
        with_properties(json!({}))
            .with("alertRule", rule)
            .with("severity", Value::Null),
    )
    .await;
    let incident = bed.servicenow().only_work_item();
    assert_eq!(
        incident.field("u_text"),
        "'=cmd|x [ code]<b>y[ /code] JavaScript :alert(1) txt"
    );
    let title = incident.field("short_description");
    assert!(
        title.starts_with("'=cmd|x [ code]<b>y[ /code] JavaScript :alert(1)"),
        "{title}"
    );
    bed.end().await;
}

#[tokio::test]
async fn t10_and_t12_a_definition_with_a_bad_template_changes_nothing_while_the_old_one_is_known() {
    let bed = bed(json!({ "u_team": "{{ alert.rule }}" })).await;
    bed.deliver(Alert::captured("metric_fired").number(1)).await;
    for (n, template) in (2..).zip([
        "{{ alert.rule",
        "{{ alert.missing }}",
        &"x{{ 1 }}".repeat(2000),
    ]) {
        bed.defines(|definition| {
            definition["actions"]["default"]["fields"]["u_team"] = template.into();
        })
        .await;
        bed.pass(Duration::from_secs(721));
        let fired = bed.deliver(Alert::captured("metric_fired").number(n)).await;
        assert_eq!(fired.outcome, "created", "{template:.20}");
        let incident = bed.servicenow().incident(&fired.work_items[0]);
        assert_eq!(incident.field("u_team"), "CPU over 80 %");
    }
    // A process that never knew a good one keeps its alerts until there is one.
    let mut bed = bed;
    bed.restart();
    let waiting = bed.deliver(Alert::captured("metric_fired").number(9)).await;
    assert_eq!(waiting.outcome, "pending");
    bed.defines(|_| {}).await;
    bed.settle().await;
    bed.servicenow().created(5);
    bed.end().await;
}

#[tokio::test]
async fn t14_what_looks_like_a_secret_reaches_neither_the_instance_nor_the_log() {
    let heard = Overheard::listen();
    let bed = bed(json!({
        "u_text": "{{ alert.custom_properties.note }}",
        "u_more": "{{ alert.custom_properties.db_password }}",
    }))
    .await;
    let secrets = [
        "hunter2canary",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln",
        "AKIAIOSFODNN7EXAMPLE",
    ];
    let note = format!(
        "password={}; token {} and {}",
        secrets[0], secrets[1], secrets[2]
    );
    let properties = json!({ "note": note, "db_password": secrets[0] });
    bed.deliver(with_properties(properties)).await;
    let incident = bed.servicenow().only_work_item();
    for field in ["description", "u_text", "u_more"] {
        assert!(incident.field(field).contains("********"), "{field}");
    }
    let everything = format!("{incident:?} {}", heard.text());
    for secret in secrets {
        assert!(!everything.contains(secret), "{secret}");
    }
    bed.end().await;
}

#[tokio::test]
async fn a_cut_title_and_a_cut_text_say_so_and_keep_letters_whole() {
    let bed = bed(json!({ "u_text": "{{ alert.description }}" })).await;
    let families = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}".repeat(1000);
    let fired = with_properties(json!({}))
        .with("alertRule", families.as_str())
        .with("description", families.as_str());
    bed.deliver(fired).await;
    let incident = bed.servicenow().only_work_item();
    for (field, limit) in [("short_description", 160), ("u_text", 4000)] {
        let text = incident.field(field);
        assert!(text.encode_utf16().count() <= limit, "{field}");
        assert!(text.ends_with("\u{1F467} […]"), "{field}: {text}");
    }
    bed.end().await;
}
