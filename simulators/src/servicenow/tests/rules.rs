//! What policies and rules refuse, and what they set by themselves.

use serde_json::json;

use super::super::config::BusinessRule;
use super::*;

fn refusal(reply: &Reply) -> String {
    assert_eq!(
        (reply.status, reply.error().0.as_str()),
        (403, "Operation Failed"),
        "{}",
        reply.json
    );
    reply.error().1
}

#[test]
fn resolving_needs_a_code_that_exists_and_notes() {
    let mut bench = Bench::new();
    let key = bench.incident(json!({}));
    let path = format!("table/incident/{key}");
    for body in [
        json!({ "state": "6" }),
        json!({ "state": "6", "close_code": "Solution provided" }),
        json!({ "state": "6", "close_code": "Solved (Permanently)", "close_notes": "done" }),
    ] {
        let text = refusal(&bench.patch(&path, body.clone()));
        assert!(text.contains("mandatory: Resolution"), "{body}: {text}");
    }
    assert_eq!(bench.get(&path).text("state"), "1");
    bench.now += 1000;
    let reply = bench.patch(
        &path,
        json!({ "state": "6", "close_code": "Solution provided", "close_notes": "done" }),
    );
    assert_eq!(
        (
            reply.status,
            reply.text("active"),
            reply.text("resolved_at")
        ),
        (200, "true".into(), "2026-03-01 10:00:01".into())
    );
    let again = bench.patch(&path, json!({ "state": "2" }));
    assert_eq!(
        (again.text("resolved_at"), again.text("reopen_count")),
        (String::new(), "1".to_owned())
    );
}

#[test]
fn the_close_codes_are_the_customers() {
    let mut config = Config::default();
    config.closing.incident_close_codes = vec!["Solved (Permanently)".into()];
    let mut bench = Bench::with(config);
    let key = bench.incident(json!({}));
    let body = json!({ "state": "6", "close_code": "Solved (Permanently)", "close_notes": "done" });
    assert_eq!(
        bench.patch(&format!("table/incident/{key}"), body).status,
        200
    );
    let choices = bench
        .get("table/sys_choice?sysparm_query=name=incident^element=close_code")
        .column("value");
    assert_eq!(choices, ["Solved (Permanently)"]);
}

#[test]
fn closing_needs_a_role_and_is_final() {
    let mut config = Config::default();
    config.users[0].roles = vec!["itil".into()];
    let mut bench = Bench::with(config);
    let key = bench.incident(json!({}));
    let path = format!("table/incident/{key}");
    let close = json!({ "state": "7", "close_code": "Duplicate", "close_notes": "done" });
    assert_eq!(
        refusal(&bench.patch(&path, close.clone())),
        "ACL Exception Update Failed due to security constraints"
    );
    bench.sn.config_mut().users[0]
        .roles
        .push("itil_admin".into());
    let closed = bench.patch(&path, close);
    assert_eq!(
        (closed.text("active"), closed.text("closed_at")),
        ("false".to_owned(), "2026-03-01 10:00:00".to_owned())
    );
    assert!(
        refusal(&bench.patch(&path, json!({ "state": "2" }))).contains("aborted by Business Rule")
    );
    assert_eq!(
        bench
            .patch(&path, json!({ "work_notes": "still open to words" }))
            .status,
        200
    );
}

#[test]
fn a_change_request_takes_one_step_at_a_time() {
    let mut bench = Bench::new();
    let key = bench
        .post("table/change_request", json!({ "short_description": "x" }))
        .text("sys_id");
    let path = format!("table/change_request/{key}");
    assert!(
        refusal(&bench.patch(&path, json!({ "state": "-1" })))
            .contains("Change Model: Check State Transition")
    );
    for state in ["-4", "-3", "-2", "-1", "0"] {
        assert_eq!(
            bench.patch(&path, json!({ "state": state })).text("state"),
            state
        );
    }
    assert!(refusal(&bench.patch(&path, json!({ "state": "3" }))).contains("mandatory"));
    let closed = bench.patch(
        &path,
        json!({ "state": "3", "close_code": "successful", "close_notes": "ok" }),
    );
    assert_eq!(closed.text("active"), "false");
}

#[test]
fn the_customers_own_policies_and_rules_refuse() {
    let mut config = Config::default();
    config.mandatory.insert(
        "incident".into(),
        vec!["short_description".into(), "caller_id".into()],
    );
    config.business_rules.push(BusinessRule {
        name: "No tests".into(),
        table: "incident".into(),
        condition: "short_descriptionLIKEtest".into(),
    });
    let mut bench = Bench::with(config);
    let text = refusal(&bench.post("table/incident", json!({ "short_description": "x" })));
    assert!(text.ends_with("mandatory: Caller id"), "{text}");
    let joe = bench.sn.key_of("sys_user", "joe.employee").unwrap();
    let text = refusal(&bench.post(
        "table/incident",
        json!({ "short_description": "a test", "caller_id": joe }),
    ));
    assert!(
        text.starts_with(
            "Operation against file 'incident' was aborted by Business Rule 'No tests^"
        ),
        "{text}"
    );
    assert_eq!(
        bench
            .post(
                "table/incident",
                json!({ "short_description": "x", "caller_id": joe })
            )
            .status,
        201
    );
    assert_eq!(bench.sn.journal().executed(crate::journal::Kind::Create), 1);
}

#[test]
fn roles_decide_who_writes() {
    let mut bench = Bench::new();
    let key = bench.incident(json!({}));
    bench.login = JOE;
    assert_eq!(
        refusal(&bench.post("table/incident", json!({}))),
        "ACL Exception Insert Failed due to security constraints"
    );
    assert_eq!(
        refusal(&bench.patch(&format!("table/incident/{key}"), json!({}))),
        "ACL Exception Update Failed due to security constraints"
    );
    assert_eq!(bench.post("table/em_event", json!({})).status, 403);
    assert_eq!(bench.get("table/incident").status, 200);
}

#[test]
fn the_group_follows_the_configuration_item() {
    let mut bench = Bench::new();
    let (ci, group) = (
        bench.sn.key_of("cmdb_ci", "web01").unwrap(),
        bench
            .sn
            .key_of("sys_user_group", "Cloud Operations")
            .unwrap(),
    );
    let network = bench.sn.key_of("sys_user_group", "Network").unwrap();
    let of = |reply: Reply| reply.json["result"]["assignment_group"]["value"].clone();
    assert_eq!(
        of(bench.post("table/incident", json!({ "cmdb_ci": ci }))),
        json!(group)
    );
    assert_eq!(
        of(bench.post(
            "table/incident",
            json!({ "cmdb_ci": ci, "assignment_group": network })
        )),
        json!(network)
    );
}

#[test]
fn people_edit_and_close_past_all_checks() {
    let mut bench = Bench::new();
    let key = bench.incident(json!({}));
    assert!(bench.sn.set_field(
        "incident",
        &key,
        "short_description",
        "by hand",
        NOW + 5_000
    ));
    let record = bench.sn.record(&key).unwrap();
    assert_eq!(
        (&record["sys_updated_by"], &record["sys_mod_count"]),
        (&json!("abel.tuter"), &json!("1"))
    );
    assert!(bench.sn.close_by_person(&key, NOW + 9_000));
    let record = bench.sn.record(&key).unwrap();
    assert_eq!(
        (&record["state"], &record["active"], &record["closed_at"]),
        (&json!("7"), &json!("false"), &json!("2026-03-01 10:00:09"))
    );
    assert!(bench.sn.delete_by_person("incident", &key, NOW));
    assert!(!bench.sn.set_field("incident", &key, "state", "1", NOW));
    assert_eq!(bench.sn.records("sys_audit_delete").len(), 1);
}
