//! What a reply shows of a record, and of tables.

use serde_json::json;

use super::lists::five;
use super::*;

#[test]
fn the_three_ways_to_show_a_record() {
    let mut bench = Bench::new();
    let ci = bench.sn.key_of("cmdb_ci", "web01").unwrap();
    let key = bench.incident(json!({ "cmdb_ci": ci, "short_description": "x" }));
    let link = format!("https://x.example/api/now/table/cmdb_ci/{ci}");
    let with = json!({ "value": ci, "link": link });
    let shown = json!({ "display_value": "web01", "link": link });
    let both = json!({ "display_value": "web01", "value": ci, "link": link });
    let cases = [
        ("false", "false", with, json!("1"), json!("")),
        ("true", "false", shown, json!("New"), json!("")),
        (
            "all",
            "false",
            both,
            json!({ "display_value": "New", "value": "1" }),
            json!({ "display_value": "", "value": "" }),
        ),
        ("false", "true", json!(ci), json!("1"), json!("")),
        ("true", "true", json!("web01"), json!("New"), json!("")),
        (
            "all",
            "true",
            json!({ "display_value": "web01", "value": ci }),
            json!({ "display_value": "New", "value": "1" }),
            json!({ "display_value": "", "value": "" }),
        ),
    ];
    for (display, bare, reference, state, empty) in cases {
        let reply = bench.get(&format!("table/incident/{key}?sysparm_display_value={display}&sysparm_exclude_reference_link={bare}"));
        let record = reply.result();
        assert_eq!(
            (&record["cmdb_ci"], &record["state"], &record["caller_id"]),
            (&reference, &state, &empty),
            "{display} {bare}"
        );
    }
}

#[test]
fn fields_are_chosen_and_blank_means_all() {
    let mut bench = Bench::new();
    let group = bench.sn.key_of("sys_user_group", "Network").unwrap();
    let key = bench.incident(json!({ "assignment_group": group }));
    let reply = bench.get(&format!(
        "table/incident/{key}?sysparm_fields=number,assignment_group.name,nonsense"
    ));
    assert_eq!(
        *reply.result(),
        json!({ "number": "INC0010001", "assignment_group.name": "Network" })
    );
    let all = bench.get(&format!("table/incident/{key}")).json;
    assert_eq!(
        bench
            .get(&format!(
                "table/incident/{key}?sysparm_fields=&sysparm_view="
            ))
            .json,
        all
    );
    let everything_is_text = |value: &Value| value.is_string() || value["value"].is_string();
    assert!(
        all["result"]
            .as_object()
            .unwrap()
            .values()
            .all(everything_is_text),
        "{all}"
    );
}

#[test]
fn a_person_sees_times_in_the_own_zone() {
    let mut config = Config::default();
    config
        .users
        .iter_mut()
        .for_each(|user| user.utc_offset_minutes = 120);
    let mut bench = Bench::with(config);
    let key = bench.incident(json!({}));
    assert_eq!(
        bench
            .get(&format!("table/incident/{key}"))
            .text("opened_at"),
        "2026-03-01 10:00:00"
    );
    let shown = bench.get(&format!("table/incident/{key}?sysparm_display_value=true"));
    assert_eq!(shown.text("opened_at"), "2026-03-01 12:00:00");
    let local = "sys_created_on>=javascript:gs.dateGenerate('2026-03-01','12:00:01')";
    assert!(
        bench
            .get(&format!("table/incident?sysparm_query={local}"))
            .column("number")
            .is_empty()
    );
}

#[test]
fn a_parent_table_lists_its_children() {
    let mut bench = five(Config::default());
    bench.sn.insert_record("change_request", &[], NOW);
    assert_eq!(
        bench.get("table/task").result().as_array().unwrap().len(),
        6
    );
    let names = bench
        .get("table/cmdb_ci?sysparm_query=ORDERBYname")
        .column("name");
    assert_eq!(
        names,
        [
            "Online shop",
            "db01",
            "edge router",
            "file01",
            "web01",
            "web02"
        ]
    );
}

#[test]
fn the_dictionary_and_the_choices_tell_of_incidents() {
    let mut bench = Bench::new();
    let query = "nameINtask,incident^elementINshort_description,description,correlation_id";
    let reply = bench.get(&format!("table/sys_dictionary?sysparm_query={query}^ORDERBYelement&sysparm_fields=name,element,max_length"));
    assert_eq!(
        reply.column("element"),
        ["correlation_id", "description", "short_description"]
    );
    assert_eq!(reply.column("max_length"), ["100", "4000", "160"]);
    assert_eq!(reply.column("name"), ["task", "task", "task"]);
    let query = "name=incident^element=close_code^inactive=false^ORDERBYsequence";
    let codes = bench
        .get(&format!("table/sys_choice?sysparm_query={query}"))
        .column("value");
    assert_eq!(codes, super::super::choices::INCIDENT_CLOSE_CODES);
    let parent = bench
        .get("table/sys_db_object?sysparm_query=name=incident&sysparm_fields=super_class.name")
        .json;
    assert_eq!(parent["result"][0]["super_class.name"], json!("task"));
}

#[test]
fn figures_are_texts() {
    let mut bench = five(Config::default());
    let reply = bench.get("stats/incident?sysparm_count=true&sysparm_query=urgency=1&sysparm_min_fields=sys_updated_on");
    assert_eq!(
        *reply.result(),
        json!({"stats":{"count":"2","min":{"sys_updated_on":"2026-03-01 10:00:00"}}})
    );
    let reply = bench.get("stats/incident?sysparm_count=true&sysparm_group_by=urgency");
    assert_eq!(
        reply.json["result"][0],
        json!({"stats":{"count":"2"},"groupby_fields":[{"field":"urgency","value":"1"}]})
    );
}
