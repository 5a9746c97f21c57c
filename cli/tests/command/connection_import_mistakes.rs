//! `itsmc connection import`: what it refuses, and what it says then.

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::connection_import::{
    CONTOSO, ENDPOINT, LIST, TEMPLATE, actions, both, import, out, plain, with_connections,
};

#[test]
fn a_connection_without_a_name_is_told_with_the_command_to_run_again() {
    let bed = with_connections();
    let ran = import(&bed, &[LIST, TEMPLATE], &["--connection", CONTOSO]);
    let command = "itsmc connection import";
    let ran = ran.refused(
        2,
        &[
            "bbbbbbbb-0002-4000-8000-000000000002  `itsm rows` of `shop`",
            command,
        ],
    );
    insta::assert_snapshot!(plain(&bed, &ran));
}

#[test]
fn an_action_that_somebody_gave_another_meaning_is_not_overwritten() {
    let bed = with_connections();
    both(&bed, &["--apply"]).did_it();
    let path = bed.data().join("vault/itsm-connection-contoso.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut definition: Value = serde_json::from_str(&text).unwrap();
    definition["actions"]["incident-per-rule"] =
        json!({ "grouping": "alert", "close_code": "Done" });
    std::fs::write(&path, definition.to_string()).unwrap();
    let said = "the action `incident-per-rule` of `contoso` is there and says something else";
    both(&bed, &["--apply"]).refused(2, &[said, "--replace"]);
    // What it says beside may not fit to what the import says.
    both(&bed, &["--apply", "--replace"]).refused(2, &["actions.incident-per-rule.grouping"]);
    let action = actions(&bed, "contoso")["incident-per-rule"].clone();
    assert_eq!(action, json!({ "grouping": "alert", "close_code": "Done" }));
}

#[test]
fn a_connection_that_is_not_there_yet_can_be_planned_for_and_not_written_to() {
    let bed = Bed::new();
    let ran = both(&bed, &ENDPOINT).did_it();
    assert!(
        ran.stderr
            .contains("there is no connection `contoso` in the vault yet"),
        "{}",
        ran.stderr
    );
    both(&bed, &["--apply"]).refused(
        1,
        &[
            "there is no connection `contoso`",
            "itsmc connection add contoso",
        ],
    );
    assert!(!bed.data().exists());
}

#[test]
fn bad_exports_are_told_with_their_place() {
    let bed = with_connections();
    let group = |receivers: Value| {
        json!({ "type": "Microsoft.Insights/actionGroups", "name": "ops", "location": "Global",
            "properties": { "groupShortName": "ops", "enabled": true, "itsmReceivers": receivers } })
        .to_string()
    };
    let receiver = |name: &str, value: Value| {
        let mut receiver = json!({ "name": "itsm", "workspaceId": "w", "connectionId": "aaaaaaaa-0001-4000-8000-000000000001",
            "ticketConfiguration": "{\"WorkItemType\":\"Incident\"}", "region": "westeurope" });
        receiver[name] = value;
        group(json!([receiver]))
    };
    let in_template = receiver("ticketConfiguration", "[variables('itsm')]".into());
    let in_template = format!("{{\"resources\": [{in_template}]}}");
    let cases = [
        (
            "bicep",
            "resource ops 'Microsoft.Insights/actionGroups@2023-01-01' = {".to_owned(),
        ),
        ("empty", String::new()),
        (
            "other",
            json!([{ "type": "Microsoft.Web/sites", "name": "shop" }]).to_string(),
        ),
        ("none", group(json!([]))),
        ("no-list", group(json!({ "name": "itsm" }))),
        (
            "no-text",
            receiver("ticketConfiguration", json!({ "WorkItemType": "Incident" })),
        ),
        (
            "not-json",
            receiver("ticketConfiguration", "{WorkItemType: Incident}".into()),
        ),
        (
            "problem",
            receiver(
                "ticketConfiguration",
                "{\"WorkItemType\":\"Problem\"}".into(),
            ),
        ),
        (
            "template",
            receiver(
                "ticketConfiguration",
                "{\"WorkItemType\":\"Incident\",\"UseTemplate\":true}".into(),
            ),
        ),
        ("guid", receiver("connectionId", "contoso".into())),
        ("expression", in_template),
    ];
    let mut told = String::new();
    for (name, text) in cases {
        let file = bed.write(name, &text);
        let ran = import(&bed, &[&file], &["--connection", CONTOSO, "--apply"]).refused(2, &[]);
        told.push_str(&format!("[{name}]\n{}\n", ran.stderr.replace(&file, name)));
    }
    insta::assert_snapshot!(told);
    assert_eq!(actions(&bed, "contoso"), Value::Null);
}

#[test]
fn too_much_and_too_little_are_refused() {
    let bed = with_connections();
    let long = bed.write(
        "long.json",
        &format!("[\"{}\"]", "x".repeat(10 * 1024 * 1024)),
    );
    import(&bed, &[&long], &[])
        .refused(2, &["is longer than 4 MiB", "az monitor action-group list"]);
    import(&bed, &["no-such-file"], &[]).refused(2, &["cannot be read"]);
    import(&bed, &["-", "-"], &[]).refused(2, &["standard input can be read only once"]);
    import(&bed, &[], &[]).refused(2, &["<FILE>"]);
    for (more, said) in [
        (vec!["--connection", "contoso"], "GUID=NAME"),
        (vec!["--connection", "aaaa=contoso"], "expected a GUID"),
        (
            vec![
                "--connection",
                "aaaaaaaa-0001-4000-8000-000000000001=Contoso",
            ],
            "lower-case",
        ),
        (
            vec!["--endpoint", "http://alerts.contoso.example"],
            "expected https",
        ),
        (vec!["--out", "out"], "--endpoint"),
        (
            vec![
                "--connection",
                CONTOSO,
                "--connection",
                "AAAAAAAA-0001-4000-8000-000000000001=fabrikam",
            ],
            "is named",
        ),
    ] {
        import(&bed, &[LIST], &more).refused(2, &[said]);
    }
    let input = std::fs::read_to_string(LIST).unwrap();
    let named = ["connection", "import", "-", "--connection", CONTOSO];
    bed.run_with(&named, &input, &[]).did_it();
    bed.run_with(&named, &format!("\u{feff}{input}"), &[])
        .did_it();
}

#[test]
fn a_file_that_says_something_else_is_not_overwritten() {
    let bed = with_connections();
    let out = out(&bed);
    let more = [&ENDPOINT[..], &["--out", &out]].concat();
    both(&bed, &more).did_it();
    let elsewhere = ["--endpoint", "https://other.contoso.example", "--out", &out];
    both(&bed, &elsewhere).refused(
        2,
        &[
            "action-group-shop.json` is there and says something else",
            "--replace",
        ],
    );
    both(&bed, &[&elsewhere[..], &["--replace"]].concat()).did_it();
}
