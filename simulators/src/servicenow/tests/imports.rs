//! Import sets: what is taken, what a 201 says of each map, and who may.

use serde_json::json;

use super::super::config::{ImportSet, TransformMap};
use super::*;

fn bench(set: ImportSet) -> Bench {
    Bench::with(Config {
        import_sets: vec![set],
        ..Config::default()
    })
}

const PATH: &str = "import/u_azure_alert";

#[test]
fn a_row_is_inserted_then_updated_by_its_coalesce_field() {
    let mut bench = bench(ImportSet::default());
    let row = json!({ "correlation_id": "k1", "short_description": "a", "sys_id": "ignored", "u_x": "ignored" });
    let reply = bench.post(PATH, row);
    assert_eq!(reply.status, 201);
    let made = &reply.result()[0];
    assert_eq!(
        (&made["status"], &made["table"], &made["display_value"]),
        (&json!("inserted"), &json!("incident"), &json!("INC0010001"))
    );
    let again = bench.post(
        PATH,
        json!({ "correlation_id": "K1", "short_description": "b" }),
    );
    assert_eq!(again.result()[0]["status"], "updated");
    assert_eq!(again.result()[0]["sys_id"], made["sys_id"]);
    assert_eq!(
        bench.get("table/incident").column("short_description"),
        ["b"]
    );
}

#[test]
fn a_refused_row_is_a_201_with_an_error_in_it() {
    let mut bench = bench(ImportSet::default());
    let reply = bench.post(PATH, json!({ "correlation_id": "k1", "state": "6" }));
    assert_eq!(reply.status, 201);
    assert_eq!(reply.result()[0]["status"], "error");
    let why = reply.result()[0]["error_message"].as_str().unwrap();
    assert!(why.contains("Data Policy"), "{why}");
    assert!(bench.get("table/incident").column("number").is_empty());
}

#[test]
fn maps_take_what_they_name_and_ignore_what_their_script_says() {
    let of = |columns: &[&str], ignores| TransformMap {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        ignores,
        ..TransformMap::default()
    };
    let mut bench = bench(ImportSet {
        maps: vec![of(&[], true), of(&["short_description"], false)],
        ..ImportSet::default()
    });
    let reply = bench.post(
        PATH,
        json!({ "correlation_id": "k1", "short_description": "a" }),
    );
    let statuses: Vec<&Value> = reply
        .result()
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["status"])
        .collect();
    assert_eq!(statuses, ["ignored", "inserted"]);
    assert_eq!(bench.get("table/incident").column("correlation_id"), [""]);
}

#[test]
fn tables_texts_roles_and_silence() {
    let mut bench = bench(ImportSet {
        is_readable: false,
        ..ImportSet::default()
    });
    assert_eq!(bench.post("import/u_other", json!({})).status, 400);
    assert_eq!(bench.post(PATH, json!({ "impact": 1 })).status, 400);
    assert_eq!(bench.get(PATH).status, 405);
    let reply = bench.post(PATH, json!({ "short_description": "a" }));
    assert_eq!((reply.status, reply.response.body().len()), (201, 0));
    bench.login = JOE;
    assert_eq!(bench.post(PATH, json!({})).status, 403);
}
