//! Every mistake in a definition gets its clear error (rows C1, C2, C5–C8, C10, C11 and C18 of the bad-input corpus).

use super::*;
use crate::domain::connection::{FieldValue, Grouping, Mode, OnRepeat};
use crate::domain::name::ActionName;

const GOOD: &str = r#"{
  "name": "contoso", "partner_type": "servicenow", "server_url": "https://contoso.service-now.com",
  "client_id": "abc", "client_secret": "hunter2canary" }"#;

const PROVANCE: &str = r#"{
  "name": "contoso", "partner_type": "provance", "server_url": "https://contoso.crm.dynamics.com",
  "client_id": "abc", "client_secret": "hunter2canary", "entra_authority": "ENTRA" }"#;

fn with(path: &str, value: serde_json::Value) -> String {
    let mut definition: serde_json::Value = serde_json::from_str(GOOD).unwrap();
    let mut place = &mut definition;
    for key in path.split('.') {
        place = &mut place[key];
    }
    *place = value;
    definition.to_string()
}

fn told(text: &str) -> String {
    parse(text.as_bytes(), &AllowedHosts::default())
        .expect_err(text)
        .to_string()
}

#[test]
fn the_shortest_definition_is_a_good_one() {
    let connection = parse(GOOD.as_bytes(), &AllowedHosts::default()).unwrap();
    assert_eq!(connection.grant, Grant::ClientCredentials);
    assert_eq!(connection.sync.days, 30);
    assert!(connection.actions.contains_key(&ActionName::default()));
    assert!(!format!("{connection:?}").contains("canary"));
}

#[test]
fn the_definition_of_the_design_is_accepted() {
    let text = r#"{ "name": "contoso", "partner_type": "servicenow", "server_url": "https://contoso.service-now.com",
      "client_id": "…", "client_secret": "…", "username": "svc-monitor",
      "sync": { "record_types": ["incident", "change_request"], "days": 30 },
      "create_configuration_items": false,
      "actions": { "default": { "work_item_type": "incident", "grouping": "alert" } } }"#;
    let connection = parse(text.as_bytes(), &AllowedHosts::default()).unwrap();
    assert_eq!(connection.grant, Grant::Password);
}

#[test]
fn every_mistake_is_told_with_path_found_expected_and_hint() {
    let cases = [
        (
            "C1",
            with("server_url", "http://contoso.service-now.com".into()),
        ),
        ("C2", with("server_url", "https://2130706433".into())),
        (
            "C5",
            with(
                "server_url",
                "https://x.service-now.com.evil.example".into(),
            ),
        ),
        (
            "C5b",
            with(
                "server_url",
                "https://x.service-now.com@evil.example".into(),
            ),
        ),
        (
            "C6",
            with(
                "server_url",
                "https://admin:hunter2canary@contoso.service-now.com".into(),
            ),
        ),
        (
            "C6b",
            with(
                "server_url",
                "https://contoso.service-now.com/a?b=c#d".into(),
            ),
        ),
        ("C7", with("partner_type", "ServiceNow".into())),
        ("C7b", with("partner_type", "jira".into())),
        ("C8", with("sync.days", 0.into())),
        ("C8b", with("sync.days", (-1).into())),
        ("C8c", with("sync.days", 121.into())),
        ("C8d", with("sync.days", 1_000_000_000.into())),
        ("C8e", with("sync.days", "all".into())),
        ("C8f", with("sync.days", 1.5.into())),
        ("C11", with("clientid", "abc".into())),
        (
            "C11b",
            GOOD.replace(
                "\"client_id\": \"abc\"",
                "\"client_id\": \"abc\", \"client_id\": \"def\"",
            ),
        ),
        (
            "C11c",
            with(
                "actions",
                serde_json::json!({"default": {"assignmentgroup": "x"}}),
            ),
        ),
        (
            "storm of a group",
            with(
                "actions",
                serde_json::json!({"default": {"grouping": "rule", "storm": {}}}),
            ),
        ),
        (
            "storm out of bounds",
            with(
                "actions",
                serde_json::json!({"default": {"storm": {"threshold": 1, "within": "2h"}}}),
            ),
        ),
        ("C18", with("client_id", "abc\r\nX-Evil: 1".into())),
        ("name", with("name", "Contoso Prod".into())),
        (
            "secret of the wrong kind",
            with("client_secret", 12_345_678.into()),
        ),
        (
            "no secret",
            GOOD.replace(", \"client_secret\": \"hunter2canary\"", ""),
        ),
        (
            "two at once",
            with("name", "A".into()).replace("https://contoso", "http://contoso"),
        ),
        (
            "field",
            with(
                "actions",
                serde_json::json!({"default": {"fields": {"sys_id": "1", "a b": "2", "ok": "{{ x }}"}}}),
            ),
        ),
        (
            "T1, T9, T10",
            with(
                "actions",
                serde_json::json!({"default": {"assignment_group": "{{ alert.rule }}", "fields": {
                    "u_a": "{{ alert.ruel }}", "u_b": "{{ alert.rule", "u_c": "{{ alert.rule | regex('x') }}", "u_d": "{{ connection }}",
                    "u_e": "x\n{% for a in range(9) %}", "impact": "0", "urgency": "9", "sys_id": "{{ alert.id }}" }}}),
            ),
        ),
        (
            "T12",
            with(
                "actions",
                serde_json::json!({"default": {"fields": {"category": "a"}}}),
            )
            .replace(
                "\"category\":\"a\"",
                "\"category\":\"a\",\"category\":\"{{ alert.rule }}\"",
            ),
        ),
        (
            "T12b",
            with(
                "actions",
                serde_json::json!({"default": {"field": {"category": "a"}}}),
            ),
        ),
        (
            "find_missed",
            with(
                "actions",
                serde_json::json!({"default": {"find_missed": true}}),
            ),
        ),
        (
            "reopen_within",
            with(
                "actions",
                serde_json::json!({"default": {"grouping": "rule", "reopen_within": "2 weeks"}}),
            ),
        ),
        (
            "ticket_configuration",
            with(
                "actions",
                serde_json::json!({"default": {
                    "ticket_configuration": {"WorkItemType": "Incident", "WorkItemData": {"impact": "1", "category": "network", "assignment_group": "a"}},
                    "grouping": "alert", "on_repeat": "new", "work_item_type": "incident", "assignment_group": "b",
                    "fields": {"category": "hardware", "u_ok": "x"}, "severity": {"Sev0": {"impact": "high", "urgency": "high"}},
                }, "problem": {"ticket_configuration": "{\"WorkItemType\":\"Problem\"}"}}),
            ),
        ),
        (
            "events",
            with(
                "actions",
                serde_json::json!({
                    "default": { "work_item_type": "event", "on_resolve": "comment", "close_code": "x", "severity": {"Sev0": {"impact": "high", "urgency": "high"}},
                        "fields": {"severity": "1", "message_key": "x", "source": "x"}, "event_severity": {"Sev0": "critical"} },
                    "incidents": { "event_severity": {"Sev0": "critical"} },
                }),
            ),
        ),
        (
            "events of another product",
            with(
                "actions",
                serde_json::json!({"default": {"work_item_type": "alert"}}),
            )
            .replace("\"servicenow\"", "\"system_center_service_manager\""),
        ),
        (
            "C4",
            with(
                "allow_networks",
                serde_json::json!(["10.0.0.0/8", "0.0.0.0/0"]),
            ),
        ),
        (
            "C17",
            with("token_url", "https://login.evil.example/token".into()),
        ),
        (
            "C5 for Cherwell",
            GOOD.replace("servicenow\"", "cherwell\""),
        ),
        (
            "Entra of another product",
            with(
                "entra_authority",
                "https://login.microsoftonline.com/contoso.com".into(),
            ),
        ),
        (
            "a mode of another product",
            with("auth_mode", "ldap".into()),
        ),
        (
            "Provance of another host",
            PROVANCE.replace("ENTRA", "https://login.evil.example/contoso.com"),
        ),
        (
            "Provance of anybody",
            PROVANCE.replace("ENTRA", "https://login.microsoftonline.com/common"),
        ),
        (
            "Provance without user and secret",
            PROVANCE.replace("client_secret", "username").replace(
                "\"username\": \"hunter2canary\"",
                "\"grant\": \"client_credentials\"",
            ),
        ),
        (
            "own authority",
            with("ca_certificate", "hunter2canary".into()),
        ),
        (
            "staging table",
            with("staging_table", "u_azure_alert".into()),
        ),
        ("import set", with("transport", "import_set".into())),
        (
            "import set of no table",
            with("transport", "import_set".into()).replace(
                "\"transport\"",
                "\"staging_table\":\"u_a/../incident\",\"transport\"",
            ),
        ),
        (
            "import set of another way",
            with("transport", "soap".into()),
        ),
        (
            "no default action",
            with("actions", serde_json::json!({"other": {}})),
        ),
        ("not JSON", GOOD.replace("\"name\":", "name:")),
        ("cut", GOOD[..60].to_owned()),
        ("array", "[]".to_owned()),
        (
            "too long",
            format!("{{\"name\": \"{}\"}}", "x".repeat(DEFINITION_BYTES_MAX)),
        ),
    ];
    let mut all = String::new();
    for (row, text) in &cases {
        let told = told(text);
        assert!(
            !told.contains("canary") && !told.contains("12345678"),
            "{row} tells a secret: {told}"
        );
        all.push_str(&format!("[{row}]\n{told}\n\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn whom_tokens_come_from_is_told_per_product() {
    let read = |text: &str| parse(text.as_bytes(), &AllowedHosts::default()).unwrap();
    let entra = "https://login.microsoftonline.com/contoso.onmicrosoft.com";
    let provance = read(&PROVANCE.replace("ENTRA", entra));
    assert_eq!(provance.authority.unwrap().to_string(), entra);
    let cherwell = read(
        r#"{ "name": "contoso", "partner_type": "cherwell", "server_url": "https://contoso.cherwellondemand.com",
        "client_id": "abc", "username": "svc", "auth_mode": "ldap" }"#,
    );
    assert_eq!(cherwell.auth_mode.as_str(), "LDAP");
    assert_eq!(cherwell.grant, Grant::Password);
}

#[test]
fn a_username_without_the_password_grant_is_fine_and_the_reverse_is_not() {
    assert!(told(&with("grant", "password".into())).starts_with("username: found nothing"));
}

#[test]
fn a_trailing_line_break_of_a_secret_is_dropped() {
    let connection = parse(
        with("client_secret", "s3cret\n".into()).as_bytes(),
        &AllowedHosts::default(),
    )
    .unwrap();
    assert_eq!(
        connection.client_secret.as_ref().map(Secret::expose),
        Some("s3cret")
    );
}

#[test]
fn c10_a_line_end_behind_a_definition_does_no_harm() {
    for end in ["\n", "\r\n", "\n\n", " \t\n"] {
        parse(format!("{GOOD}{end}").as_bytes(), &AllowedHosts::default()).unwrap();
    }
}

#[test]
fn c10_a_byte_order_mark_is_refused_by_its_name() {
    for text in [format!("\u{feff}{GOOD}"), "\u{feff}".to_owned()] {
        let told = told(&text);
        assert!(
            told.contains("byte order mark") && told.contains("BOM"),
            "{told}"
        );
    }
    // In the secret alone it is seen too, where it would be sent.
    assert!(told(&with("client_secret", "\u{feff}s3cret".into())).contains("byte order mark"));
}

#[test]
fn c10_a_definition_in_quotes_and_one_that_is_too_long_are_refused() {
    told(&serde_json::Value::from(GOOD).to_string());
    let longest = format!("{GOOD}{}", " ".repeat(DEFINITION_BYTES_MAX - GOOD.len()));
    parse(longest.as_bytes(), &AllowedHosts::default()).unwrap();
    assert!(told(&format!("{longest} ")).contains("25601 bytes"));
}

#[test]
fn microsofts_json_sets_what_an_action_says() {
    let microsofts = r#"{"PayloadRevision":0,"WorkItemType":"Incident","UseTemplate":false,"WorkItemData":"{\"category\":\"network\"}","CreateOneWIPerCI":true}"#;
    let written = serde_json::json!({ "default": {
        "ticket_configuration": microsofts, "grouping": "configuration_item", "mode": "shadow",
        "fields": { "caller_id": "monitor", "category": "network" },
    } });
    let connection = parse(
        with("actions", written).as_bytes(),
        &AllowedHosts::default(),
    )
    .unwrap();
    let action = &connection.actions[&ActionName::default()];
    assert_eq!(
        (action.grouping, action.on_repeat, action.mode),
        (Grouping::ConfigurationItem, OnRepeat::New, Mode::Shadow)
    );
    assert!(action.groups_log_alerts_only);
    let fields: Vec<&str> = action.fields.keys().map(String::as_str).collect();
    assert_eq!(fields, ["caller_id", "category"]);
}

#[test]
fn a_field_is_a_fixed_value_or_a_template_that_was_tried() {
    let written = serde_json::json!({ "default": { "fields": {
        "category": "50 % {of it}", "u_team": "{{ alert.custom_properties.team }}" } } });
    let connection = parse(
        with("actions", written).as_bytes(),
        &AllowedHosts::default(),
    )
    .unwrap();
    let fields = &connection.actions[&ActionName::default()].fields;
    assert_eq!(
        fields["category"],
        FieldValue::Fixed("50 % {of it}".to_owned())
    );
    assert!(matches!(&fields["u_team"], FieldValue::Template(_)));
    assert_eq!(fields["u_team"].sample(), "sample");
}
