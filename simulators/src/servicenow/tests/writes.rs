//! Inserts, updates and deletes: what of a body is kept.

use serde_json::json;

use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn an_insert_answers_201_with_the_place_and_the_record() {
    let mut bench = Bench::new();
    let reply = bench.post(
        "table/incident",
        json!({ "short_description": "Disk full", "correlation_id": "azm-1" }),
    );
    assert_eq!(reply.status, 201);
    let key = reply.text("sys_id");
    let place = format!("https://x.example/api/now/table/incident/{key}");
    assert_eq!(reply.header("location"), Some(place.as_str()));
    for (field, value) in [
        ("number", "INC0010001"),
        ("state", "1"),
        ("active", "true"),
        ("priority", "5"),
        ("correlation_id", "azm-1"),
        ("sys_created_by", "svc-monitor"),
        ("sys_mod_count", "0"),
        ("sys_updated_on", "2026-03-01 10:00:00"),
        ("sys_class_name", "incident"),
    ] {
        assert_eq!(reply.text(field), value, "{field}");
    }
    assert_eq!(
        bench.post("table/incident", json!({})).text("number"),
        "INC0010002"
    );
    assert_eq!(
        bench.post("table/change_request", json!({})).text("number"),
        "CHG0030001"
    );
    let entry = bench.sn.journal().entries()[0].clone();
    assert_eq!(
        (entry.sys_id, entry.correlation_id.as_deref()),
        (Some(key), Some("azm-1"))
    );
}

#[test]
fn a_chosen_key_is_kept_and_unique() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.incident(json!({ "sys_id": KEY, "short_description": "first" })),
        KEY
    );
    let refused = bench.post(
        "table/incident",
        json!({ "sys_id": KEY, "short_description": "second" }),
    );
    assert_eq!(refused.status, 403);
    let detail = format!(
        "Unique Key violation detected by database (Duplicate entry '{KEY}' for key 'PRIMARY')"
    );
    assert_eq!(refused.error(), ("Operation Failed".to_owned(), detail));
    assert_eq!(
        bench
            .post("table/change_request", json!({ "sys_id": KEY }))
            .status,
        403,
        "tasks share their key"
    );
    assert_eq!(
        bench
            .post("table/em_event", json!({ "sys_id": KEY }))
            .status,
        201,
        "events are another table"
    );
    assert_eq!(
        bench
            .get(&format!("table/incident/{KEY}"))
            .text("short_description"),
        "first"
    );
    assert_eq!(bench.sn.incidents().len(), 1);

    bench.sn.config_mut().shows_unique_key_detail = false;
    let silent = bench.post("table/incident", json!({ "sys_id": KEY }));
    assert!(silent.status == 403 && !silent.error().1.contains("Unique Key"));
    assert_ne!(bench.incident(json!({ "sys_id": "no key" })), "no key");
    bench.sn.config_mut().accepts_chosen_sys_id = false;
    assert_ne!(bench.incident(json!({ "sys_id": KEY })), KEY);
}

#[test]
fn fields_of_the_configuration_are_unique_too() {
    let mut config = Config::default();
    config
        .unique_fields
        .insert("incident".into(), vec!["correlation_id".into()]);
    let mut bench = Bench::with(config);
    bench.incident(json!({ "correlation_id": "a" }));
    let other = bench.incident(json!({ "correlation_id": "b" }));
    bench.incident(json!({}));
    bench.incident(json!({}));
    assert_eq!(
        bench
            .post("table/incident", json!({ "correlation_id": "a" }))
            .status,
        403
    );
    assert_eq!(
        bench
            .patch(
                &format!("table/incident/{other}"),
                json!({ "correlation_id": "a" })
            )
            .status,
        403
    );
    assert_eq!(
        bench
            .patch(
                &format!("table/incident/{other}"),
                json!({ "correlation_id": "b", "impact": "1" })
            )
            .status,
        200
    );
}

#[test]
fn what_a_field_cannot_hold_is_not_kept() {
    let mut bench = Bench::new();
    let long = "ä".repeat(200);
    let key = bench.incident(json!({
        "short_description": long, "urgency": 1, "impact": "9", "category": "Nonsense", "nonsense": "x",
        "number": "INC1", "sys_created_by": "me", "priority": "1", "opened_at": "yesterday", "active": null
    }));
    let reply = bench.get(&format!("table/incident/{key}"));
    assert_eq!(reply.text("short_description").chars().count(), 160);
    for (field, value) in [
        ("urgency", "1"),
        ("impact", "3"),
        ("category", "inquiry"),
        ("number", "INC0010001"),
        ("sys_created_by", "svc-monitor"),
        ("priority", "3"),
        ("opened_at", "2026-03-01 10:00:00"),
        ("active", "true"),
    ] {
        assert_eq!(reply.text(field), value, "{field}");
    }
    assert!(reply.result().get("nonsense").is_none());
    bench.sn.config_mut().allows_unknown_choice = true;
    bench.patch(
        &format!("table/incident/{key}"),
        json!({ "category": "Nonsense" }),
    );
    assert_eq!(
        bench.get(&format!("table/incident/{key}")).text("category"),
        "Nonsense"
    );
}

#[test]
fn names_are_resolved_on_demand_only() {
    let mut bench = Bench::new();
    let group = bench.sn.key_of("sys_user_group", "Network").unwrap();
    let body =
        json!({ "assignment_group": "Network", "state": "In Progress", "urgency": "1 - High" });
    let by_name = bench.post(
        "table/incident?sysparm_input_display_value=true",
        body.clone(),
    );
    assert_eq!(
        (
            by_name.json["result"]["assignment_group"]["value"].clone(),
            by_name.text("state"),
            by_name.text("urgency")
        ),
        (json!(group), "2".to_owned(), "1".to_owned())
    );
    let raw = bench.post("table/incident", body);
    assert_eq!(
        (
            raw.json["result"]["assignment_group"]["value"].clone(),
            raw.text("state")
        ),
        (json!("Network"), "1".to_owned())
    );
}

#[test]
fn updates_are_partial_and_counted() {
    let mut bench = Bench::new();
    let key = bench.incident(json!({ "short_description": "x", "correlation_id": "azm-1" }));
    bench.now += 61_500;
    let reply = bench.patch(
        &format!("table/incident/{key}"),
        json!({ "impact": "1", "sys_id": KEY }),
    );
    assert_eq!((reply.status, reply.text("sys_id")), (200, key.clone()));
    assert_eq!(
        (reply.text("sys_mod_count"), reply.text("sys_updated_on")),
        ("1".to_owned(), "2026-03-01 10:01:01".to_owned())
    );
    assert_eq!(
        (reply.text("short_description"), reply.text("priority")),
        ("x".to_owned(), "3".to_owned())
    );
    bench.now += 60_000;
    assert_eq!(
        bench
            .patch(&format!("table/incident/{key}"), json!({ "impact": "1" }))
            .text("sys_mod_count"),
        "1",
        "nothing changed"
    );
    let put = bench.send(
        Method::PUT,
        &format!("/api/now/table/incident/{key}"),
        &[],
        r#"{"correlation_id":""}"#,
    );
    assert_eq!(Reply::from(put).text("correlation_id"), "");
    assert_eq!(
        bench.patch("table/incident/nonsense", json!({})).status,
        404
    );
}

#[test]
fn journals_are_written_and_not_read() {
    let mut bench = Bench::new();
    let key = bench.incident(json!({ "work_notes": "first" }));
    bench.now += 1000;
    let reply = bench.patch(
        &format!("table/incident/{key}"),
        json!({ "work_notes": "second", "comments": "hello" }),
    );
    assert_eq!(
        (reply.text("work_notes"), reply.text("sys_mod_count")),
        (String::new(), "1".to_owned())
    );
    assert_eq!(bench.sn.notes(&key, "work_notes"), ["first", "second"]);
    let query = format!("element_id={key}^element=comments");
    let read = bench.get(&format!(
        "table/sys_journal_field?sysparm_query={query}&sysparm_fields=value,name"
    ));
    assert_eq!(read.column("value"), ["hello"]);
}

#[test]
fn a_delete_is_filed_under_the_real_class() {
    let mut bench = Bench::new();
    let key = bench.incident(json!({}));
    let refused = bench.delete(&format!("table/incident/{key}"));
    assert_eq!(
        refused.error(),
        (
            "Operation Failed".to_owned(),
            "ACL Exception Delete Failed due to security constraints".to_owned()
        )
    );
    bench.login = ADMIN;
    assert_eq!(bench.delete(&format!("table/task/{key}")).status, 204);
    assert_eq!(bench.delete(&format!("table/incident/{key}")).status, 404);
    let filed = bench.get("table/sys_audit_delete?sysparm_query=sys_created_on>=2026-03-01 10:00:00^tablenameINincident");
    assert_eq!(
        (filed.column("documentkey"), filed.column("display_value")),
        (vec![key], vec!["INC0010001".to_owned()])
    );
    bench.login = MONITOR;
    let refused = bench.get("table/sys_audit_delete");
    assert_eq!(
        (refused.status, refused.error().0.as_str()),
        (403, "Insufficient rights to query records")
    );
}

#[test]
fn of_several_records_the_first_is_made() {
    let mut bench = Bench::new();
    let reply = bench.post(
        "table/incident",
        json!([{ "short_description": "a" }, { "short_description": "b" }]),
    );
    assert_eq!(
        (reply.status, reply.text("short_description")),
        (201, "a".to_owned())
    );
    assert_eq!(bench.sn.incidents().len(), 1);
}

#[test]
fn a_class_may_be_chosen_below_the_table() {
    let mut bench = Bench::new();
    let body = json!({ "name": "vm9", "sys_class_name": "cmdb_ci_vm_instance", "object_id": "/subscriptions/9" });
    let reply = bench.post("table/cmdb_ci", body);
    assert_eq!(reply.text("sys_class_name"), "cmdb_ci_vm_instance");
    assert_eq!(
        bench
            .get("table/cmdb_ci_vm_instance?sysparm_query=object_id=/subscriptions/9")
            .column("name"),
        ["vm9"]
    );
}
