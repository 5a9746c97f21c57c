//! `itsmc connection schema`, read by a small validator of our own: the keywords that the schema uses and no others.

use serde_json::{Value, json};

use crate::bed::Bed;

#[test]
fn the_schema_takes_the_demo_and_refuses_what_the_command_refuses() {
    let bed = Bed::new();
    let schema = bed.run(&["connection", "schema"]).did_it().json();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    bed.run(&["up", "--listen", "127.0.0.1:0", "--once"])
        .did_it();
    let text = std::fs::read_to_string(bed.data().join("vault/itsm-connection-demo.json")).unwrap();
    let demo: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(mistakes(&schema, &demo), [""; 0]);

    let cases = [
        ("/pasword", json!("x"), "pasword"),
        ("/partner_type", json!("jira"), "partner_type"),
        ("/sync", json!({ "days": "many" }), "sync.days"),
        (
            "/actions/default/grouping",
            json!(7),
            "actions.default.grouping",
        ),
        ("/server_url", Value::Null, "server_url"),
        (
            "/actions/default/ticket_configuration",
            json!({ "workItemType": "Incident" }),
            "actions.default.ticket_configuration",
        ),
    ];
    for (pointer, value, place) in cases {
        let mut definition = demo.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = definition.pointer_mut(parent).unwrap();
        parent[name] = value;
        let found = mistakes(&schema, &definition);
        assert!(found.iter().any(|at| at == place), "{place}: {found:?}");
    }
    for microsofts in [
        json!("{\"WorkItemType\":\"Incident\"}"),
        json!({ "PayloadRevision": null, "WorkItemType": "Incident", "WorkItemData": { "impact": 3 }, "CreateOneWIPerCI": true }),
        json!({ "PayloadRevision": 0, "WorkItemType": "Incident", "WorkItemData": "{}", "CreateOneWIPerLog": false }),
    ] {
        let mut definition = demo.clone();
        definition["actions"]["default"] = json!({ "ticket_configuration": microsofts });
        assert_eq!(mistakes(&schema, &definition), [""; 0]);
    }
    let mut without = demo;
    without.as_object_mut().unwrap().remove("client_id");
    assert_eq!(mistakes(&schema, &without), ["client_id"]);
}

/// The places where a value is not what the schema says.
fn mistakes(schema: &Value, value: &Value) -> Vec<String> {
    let mut places = Vec::new();
    look(schema, schema, value, "", &mut places);
    places
}

fn look(root: &Value, schema: &Value, value: &Value, at: &str, places: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().into_iter().flatten() {
        let fits = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" | "$defs" | "properties" | "format" => {
                true
            }
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                look(root, root.pointer(pointer).unwrap(), value, at, places);
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_a(one, value)),
                one => is_a(one, value),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "anyOf" | "oneOf" => rule.as_array().unwrap().iter().any(|one| {
                let mut inner = Vec::new();
                look(root, one, value, at, &mut inner);
                inner.is_empty()
            }),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    look(root, rule, item, at, places);
                }
                true
            }
            "required" => {
                let missing = rule.as_array().unwrap().iter().filter_map(Value::as_str);
                places.extend(
                    missing
                        .filter(|name| value.get(name).is_none())
                        .map(|name| below(at, name)),
                );
                true
            }
            "additionalProperties" => true,
            other => panic!("the schema uses `{other}`: teach it to this validator"),
        };
        if !fits {
            places.push(at.to_owned());
        }
    }
    let properties = schema.get("properties");
    for (name, inner) in value.as_object().into_iter().flatten() {
        let known = properties.and_then(|properties| properties.get(name));
        match (known, schema.get("additionalProperties")) {
            (Some(known), _) => look(root, known, inner, &below(at, name), places),
            (None, Some(Value::Bool(false))) => places.push(below(at, name)),
            (None, Some(rule)) => look(root, rule, inner, &below(at, name), places),
            (None, None) => {}
        }
    }
}

fn below(at: &str, name: &str) -> String {
    format!("{at}.{name}").trim_start_matches('.').to_owned()
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the schema has the type `{other}`: teach it to this validator"),
    }
}
