//! `itsmc connection import`: from exported action groups to actions of connections and templates with webhooks.

use serde_json::{Value, json};

use crate::bed::{Bed, Ran};

pub(crate) const LIST: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/action_groups/az_list.json"
);
pub(crate) const TEMPLATE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/fixtures/action_groups/exported_template.json"
);

/// The connections of the exports, by the names that they get here.
pub(crate) const CONTOSO: &str = "aaaaaaaa-0001-4000-8000-000000000001=contoso";
const FABRIKAM: &str = "bbbbbbbb-0002-4000-8000-000000000002=fabrikam";

pub(crate) const ENDPOINT: [&str; 2] = ["--endpoint", "https://alerts.contoso.example"];

/// A bed whose vault has both connections.
pub(crate) fn with_connections() -> Bed {
    let bed = Bed::new();
    for name in ["contoso", "fabrikam"] {
        let url = format!("https://{name}.service-now.com");
        let add = [
            "connection",
            "add",
            name,
            "--server-url",
            &url,
            "--client-id",
            "id",
        ];
        let add = [&add[..], &["--client-secret-stdin", "--no-test"]].concat();
        bed.run_with(&add, "canary-secret\n", &[]).did_it();
    }
    bed
}

pub(crate) fn import(bed: &Bed, files: &[&str], more: &[&str]) -> Ran {
    bed.run(&[&["connection", "import"], files, more].concat())
}

pub(crate) fn both(bed: &Bed, more: &[&str]) -> Ran {
    let names = ["--connection", CONTOSO, "--connection", FABRIKAM];
    import(bed, &[LIST, TEMPLATE], &[&names, more].concat())
}

/// What was printed, without the names of this machine's folders.
pub(crate) fn plain(bed: &Bed, ran: &Ran) -> String {
    let text = format!("{}---\n{}", ran.stdout, ran.stderr);
    let folder = bed.data().parent().unwrap().display().to_string();
    text.replace(LIST, "az_list.json")
        .replace(TEMPLATE, "exported_template.json")
        .replace(&folder, "FOLDER")
}

pub(crate) fn actions(bed: &Bed, connection: &str) -> Value {
    let shown = bed
        .run(&["connection", "show", connection, "--json"])
        .did_it()
        .json();
    shown["definition"]["actions"].clone()
}

pub(crate) fn out(bed: &Bed) -> String {
    bed.data()
        .parent()
        .unwrap()
        .join("out")
        .display()
        .to_string()
}

#[test]
fn nothing_is_written_without_being_asked_for() {
    let bed = with_connections();
    let before = bed.files();
    let ran = both(&bed, &ENDPOINT).did_it();
    assert_eq!(bed.files(), before);
    insta::assert_snapshot!(plain(&bed, &ran));
}

#[test]
fn the_actions_and_the_templates_are_written_and_twice_changes_nothing() {
    let bed = with_connections();
    let out = out(&bed);
    let more = [&ENDPOINT[..], &["--out", &out, "--apply"]].concat();
    let first = both(&bed, &more).did_it();
    let mut files = String::new();
    for (path, text) in bed.files() {
        if path.starts_with(&out) {
            files = format!("{}\n{text}{files}", path.file_name().unwrap().display());
        }
    }
    let told = format!(
        "{}---\n{:#}\n{:#}",
        plain(&bed, &first),
        actions(&bed, "contoso"),
        actions(&bed, "fabrikam")
    );
    insta::assert_snapshot!("written_to_the_vault", told);
    assert!(!files.contains("canary"));

    let before = bed.files();
    let second = both(&bed, &more).did_it();
    assert_eq!(bed.files(), before);
    assert!(
        second.stderr.contains("had all of these actions already"),
        "{}",
        second.stderr
    );
    for name in ["ops-on-call", "shop"] {
        let file = format!("{out}/action-group-{name}.json");
        insta::assert_snapshot!(
            format!("template_of_{name}"),
            std::fs::read_to_string(file).unwrap()
        );
    }
    insta::assert_snapshot!(
        "table",
        std::fs::read_to_string(format!("{out}/connections.json")).unwrap()
    );
}

#[test]
fn the_order_of_files_and_what_else_is_imported_changes_no_name() {
    let bed = with_connections();
    both(&bed, &["--apply"]).did_it();
    let before = bed.files();
    let names = ["--connection", CONTOSO, "--connection", FABRIKAM, "--apply"];
    import(&bed, &[TEMPLATE, LIST], &names).did_it();
    import(&bed, &[TEMPLATE], &names).did_it();
    assert_eq!(bed.files(), before);
}

#[test]
fn taking_the_place_of_microsofts_connector_is_a_change_that_must_be_said() {
    let bed = with_connections();
    let out = out(&bed);
    let more = [&ENDPOINT[..], &["--out", &out, "--apply"]].concat();
    both(&bed, &more).did_it();
    let before = bed.files();
    let alone = [&more[..], &["--remove-itsm-receivers"]].concat();
    both(&bed, &alone).refused(
        2,
        &[
            "the action `incident-per-rule` of `contoso` is `shadow`, and the import says `live`",
            "--replace",
        ],
    );
    assert_eq!(bed.files(), before);

    both(&bed, &[&alone[..], &["--replace"]].concat()).did_it();
    assert_eq!(
        actions(&bed, "contoso")["incident-per-rule"]["mode"],
        "live"
    );
    let template = std::fs::read_to_string(format!("{out}/action-group-shop.json")).unwrap();
    assert!(template.contains("\"itsmReceivers\": []"), "{template}");
    let twice = both(&bed, &["--mode", "live", "--replace"]).did_it();
    assert!(
        twice.stderr.contains("each alert will have two"),
        "{}",
        twice.stderr
    );
}

#[test]
fn what_a_person_made_of_an_action_is_known_again_and_kept() {
    let bed = with_connections();
    both(&bed, &["--apply"]).did_it();
    let path = bed.data().join("vault/itsm-connection-contoso.json");
    let mut definition: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let mut renamed = definition["actions"]
        .as_object_mut()
        .unwrap()
        .remove("incident-per-rule")
        .unwrap();
    renamed["close_code"] = json!("Solved by monitoring");
    definition["actions"]["platform"] = renamed;
    std::fs::write(&path, definition.to_string()).unwrap();

    let again = both(&bed, &[&ENDPOINT[..], &["--apply", "--json"]].concat())
        .did_it()
        .json();
    assert_eq!(
        actions(&bed, "contoso")["platform"]["close_code"],
        "Solved by monitoring"
    );
    assert!(actions(&bed, "contoso").get("incident-per-rule").is_none());
    let template = again["action_groups"][0]["template"].to_string();
    assert!(
        template.contains("/api/create-work-item/contoso/platform?key="),
        "{template}"
    );
}

#[test]
fn a_secure_webhook_needs_no_key() {
    let bed = with_connections();
    let entra = [
        "--entra-object-id",
        "cccccccc-0003-4000-8000-000000000003",
        "--entra-identifier-uri",
        "api://contoso-itsm",
        "--entra-tenant-id",
        "dddddddd-0004-4000-8000-000000000004",
    ];
    let said = both(&bed, &[&ENDPOINT[..], &entra, &["--json"]].concat())
        .did_it()
        .json();
    let template = &said["action_groups"][1]["template"];
    assert_eq!(
        template["resources"][0]["properties"]["webhookReceivers"][1],
        json!({
            "name": "itsmc-incident-per-row",
            "serviceUri": "https://alerts.contoso.example/api/create-work-item/fabrikam/incident-per-row",
            "useCommonAlertSchema": true,
            "useAadAuth": true,
            "objectId": "cccccccc-0003-4000-8000-000000000003",
            "identifierUri": "api://contoso-itsm",
            "tenantId": "dddddddd-0004-4000-8000-000000000004",
        })
    );
    assert!(
        !template.to_string().contains("itsmcWebhookKey"),
        "{template}"
    );
    both(&bed, &[&ENDPOINT[..], &entra[..2]].concat()).refused(2, &["--entra-identifier-uri"]);
}

#[test]
fn a_group_that_has_its_webhook_gets_no_second_and_its_key_goes_nowhere() {
    let bed = with_connections();
    let mut groups: Value = serde_json::from_str(&std::fs::read_to_string(LIST).unwrap()).unwrap();
    let deployed =
        "https://alerts.contoso.example/api/create-work-item/contoso/incident-per-rule?key=canary";
    let hook = json!({ "name": "mine", "serviceUri": deployed, "useCommonAlertSchema": true });
    groups[0]["webhookReceivers"]
        .as_array_mut()
        .unwrap()
        .push(hook);
    groups[0]["smsReceivers"] = json!([{ "name": "ITSMC-incident-per-configuration-item-4xacqs", "countryCode": "1", "phoneNumber": "5550100" }]);
    let file = bed.write("again.json", &groups.to_string());
    let names = ["--connection", CONTOSO];
    let said = import(
        &bed,
        &[&file],
        &[&names[..], &ENDPOINT, &["--json"]].concat(),
    )
    .did_it();
    assert!(!said.stdout.contains("canary"), "{}", said.stdout);
    let hooks = said.json()["action_groups"][0]["template"]["resources"][0]["properties"]["webhookReceivers"].clone();
    let names: Vec<&str> = hooks
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|hook| hook["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "chat",
            "mine",
            "itsmc-incident-per-configuration-item-4xacqs-2"
        ]
    );
}

#[test]
fn two_itsm_actions_that_say_the_same_are_one_webhook_and_ten_are_enough() {
    let bed = with_connections();
    let mut groups: Value = serde_json::from_str(&std::fs::read_to_string(LIST).unwrap()).unwrap();
    let mut same = groups[0]["itsmReceivers"][0].clone();
    same["name"] = json!("the same again");
    groups[0]["itsmReceivers"] = json!([groups[0]["itsmReceivers"][0], same]);
    let names = ["--connection", CONTOSO, "--json"];
    let more = [&names[..], &ENDPOINT].concat();
    let file = bed.write("same.json", &groups.to_string());
    let said = import(&bed, &[&file], &more).did_it().json();
    let hooks =
        &said["action_groups"][0]["template"]["resources"][0]["properties"]["webhookReceivers"];
    assert_eq!(hooks.as_array().map(Vec::len), Some(2), "{hooks}");

    let hook =
        |n| json!({ "name": format!("hook{n}"), "serviceUri": "https://chat.contoso.example" });
    groups[0]["webhookReceivers"] = (0..10).map(hook).collect();
    let file = bed.write("many.json", &groups.to_string());
    let told = import(&bed, &[&file], &more);
    assert_eq!(told.code, 2);
    assert!(
        told.stderr
            .contains("would have 11 webhooks, and may have 10"),
        "{}",
        told.stderr
    );
}
