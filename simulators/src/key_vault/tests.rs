//! What the vault answers, rule by rule.

use std::sync::OnceLock;

use serde_json::json;

use super::*;
use crate::fault::FaultRule;
use crate::jwt::SigningKey;
use crate::machine::Machine as _;

const NOW: i64 = 1_772_359_200_000;

/// A fresh cloud. Its keys are the same each time: making them takes longer than the test.
fn cloud() -> KeyVaultCloud {
    static KEYS: OnceLock<[SigningKey; 2]> = OnceLock::new();
    let key = |name: &str| SigningKey::generate(name.to_owned()).unwrap();
    let keys = KEYS.get_or_init(|| [key("entra-1"), key("sts-1")]);
    KeyVaultCloud::with_keys(&Config::default(), keys.clone())
}

struct Bed {
    cloud: KeyVaultCloud,
    token: String,
}

impl Bed {
    fn new() -> Self {
        let config = Config::default();
        let cloud = cloud();
        let claims = cloud.entra.claims_v1(RESOURCE, &config.app.client_id, NOW);
        let token = cloud.entra.token(&claims).unwrap();
        Self { cloud, token }
    }

    fn at(&mut self, now_ms: i64, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = match body {
            Value::Null => Bytes::new(),
            body => Bytes::from(body.to_string()),
        };
        let between = if path.contains('?') { "&" } else { "?" };
        let uri = format!("https://v.example{path}{between}api-version=7.6");
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", format!("Bearer {}", self.token))
            .body(body)
            .unwrap();
        let response = self.cloud.answer(request, now_ms).response;
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_slice(response.body()).unwrap_or_default(),
        )
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.at(NOW, method, path, body)
    }

    fn set(&mut self, name: &str, value: &str) -> String {
        let (status, bundle) = self.ask(
            "PUT",
            &format!("/secrets/{name}"),
            &json!({ "value": value }),
        );
        assert_eq!(status, 200, "{bundle}");
        bundle["id"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    }
}

fn code(document: &Value) -> (&str, &str) {
    let error = &document["error"];
    let inner = error["innererror"]["code"].as_str().unwrap_or_default();
    (error["code"].as_str().unwrap_or_default(), inner)
}

#[test]
fn whoever_shows_no_token_is_told_where_there_are_some() {
    let mut bed = Bed::new();
    let request = Request::get("https://v.example/secrets/a?api-version=7.6")
        .body(Bytes::new())
        .unwrap();
    let response = bed.cloud.answer(request, NOW).response;
    assert_eq!(response.status(), 401);
    let challenge = response.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        challenge.contains(r#"resource="https://vault.azure.net""#),
        "{challenge}"
    );
    bed.token = "forged.forged.forged".to_owned();
    assert_eq!(bed.ask("GET", "/secrets/a", &Value::Null).0, 401);
    let config = Config::default();
    let other =
        bed.cloud
            .entra
            .claims_v1("https://graph.microsoft.com", &config.app.client_id, NOW);
    bed.token = bed.cloud.entra.token(&other).unwrap();
    assert_eq!(bed.ask("GET", "/secrets/a", &Value::Null).0, 401);
}

#[test]
fn versions_are_kept_and_a_disabled_one_is_not_given() {
    let mut bed = Bed::new();
    let old = bed.set("a", "one");
    let newest = bed.set("a", "two");
    assert_eq!(
        bed.ask("GET", "/secrets/A/", &Value::Null).1["value"],
        "two"
    );
    assert_eq!(
        bed.ask("GET", &format!("/secrets/a/{old}"), &Value::Null).1["value"],
        "one"
    );
    let off = json!({ "attributes": { "enabled": false } });
    assert_eq!(bed.ask("PATCH", &format!("/secrets/a/{old}"), &off).0, 200);
    assert_eq!(bed.ask("GET", "/secrets/a", &Value::Null).1["value"], "two");
    bed.ask("PATCH", &format!("/secrets/a/{newest}"), &off);
    let (status, error) = bed.ask("GET", "/secrets/a", &Value::Null);
    assert_eq!(
        (status, code(&error)),
        (403, ("Forbidden", "SecretDisabled"))
    );
    assert_eq!(
        bed.ask("GET", "/secrets/a/versions", &Value::Null).1["value"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn what_is_removed_holds_its_name_until_it_is_recovered_or_purged() {
    let mut bed = Bed::new();
    bed.set("a", "one");
    let (status, deleted) = bed.ask("DELETE", "/secrets/a", &Value::Null);
    assert_eq!(
        (status, &deleted["recoveryId"]),
        (200, &json!("https://v.example/deletedsecrets/a"))
    );
    assert_eq!(
        code(&bed.ask("GET", "/secrets/a", &Value::Null).1).0,
        "SecretNotFound"
    );
    let (status, error) = bed.ask("PUT", "/secrets/a", &json!({ "value": "two" }));
    assert_eq!(
        (status, code(&error).1),
        (409, "ObjectIsDeletedButRecoverable")
    );
    assert_eq!(
        bed.ask("POST", "/deletedsecrets/a/recover", &Value::Null).0,
        200
    );
    assert_eq!(bed.ask("GET", "/secrets/a", &Value::Null).1["value"], "one");
    bed.ask("DELETE", "/secrets/a", &Value::Null);
    assert_eq!(bed.ask("DELETE", "/deletedsecrets/a", &Value::Null).0, 204);
    bed.set("a", "three");
    bed.ask("DELETE", "/secrets/a", &Value::Null);
    let later = NOW + 91 * 24 * 60 * 60 * 1000;
    let claims = bed
        .cloud
        .entra
        .claims_v1(RESOURCE, &Config::default().app.client_id, later);
    bed.token = bed.cloud.entra.token(&claims).unwrap();
    assert_eq!(
        bed.at(later, "GET", "/deletedsecrets/a", &Value::Null).0,
        404,
        "purged by itself"
    );
}

#[test]
fn lists_come_in_pages_that_name_the_next() {
    let mut bed = Bed::new();
    for n in 0..60 {
        bed.set(&format!("s-{n:02}"), "x");
    }
    let (mut path, mut names) = ("/secrets?maxresults=25".to_owned(), Vec::new());
    loop {
        let page = bed.ask("GET", &path, &Value::Null).1;
        let entries = page["value"].as_array().unwrap();
        assert!(entries.iter().all(|entry| entry.get("value").is_none()));
        names.extend(
            entries
                .iter()
                .map(|entry| entry["id"].as_str().unwrap().to_owned()),
        );
        match page["nextLink"].as_str() {
            Some(next) => {
                path = next
                    .strip_prefix("https://v.example")
                    .unwrap()
                    .replace("api-version=7.6&", "");
            }
            None => break,
        }
    }
    assert_eq!(names.len(), 60);
    assert_eq!(
        bed.ask("GET", "/secrets?maxresults=26", &Value::Null).0,
        400
    );
}

#[test]
fn mistakes_are_refused() {
    let mut bed = Bed::new();
    let long = "x".repeat(25 * 1024 + 1);
    let cases = [
        ("PUT", "/secrets/a_b", json!({ "value": "x" })),
        ("PUT", "/secrets/a", json!({ "value": long })),
        ("PUT", "/secrets/a", json!({ "value": 1 })),
        ("PUT", "/secrets/a", json!({ "val": "x" })),
        ("PUT", "/secrets/a", json!({})),
        (
            "PUT",
            "/secrets/a",
            json!({ "value": "x", "attributes": { "nbf": 2, "exp": 1 } }),
        ),
        ("GET", "/secrets?top=1", Value::Null),
    ];
    for (method, path, body) in cases {
        let (status, error) = bed.ask(method, path, &body);
        assert_eq!(
            (status, code(&error).0),
            (400, "BadParameter"),
            "{method} {path}"
        );
    }
    assert_eq!(bed.ask("POST", "/secrets/a/backup", &Value::Null).0, 404);
    let request = |query: &str| {
        Request::get(format!("https://v.example/secrets{query}"))
            .header("authorization", format!("Bearer {}", bed.token))
            .body(Bytes::new())
            .unwrap()
    };
    let (none, old) = (request(""), request("?api-version=2015-06-01"));
    assert_eq!(bed.cloud.answer(none, NOW).response.status(), 400);
    assert_eq!(bed.cloud.answer(old, NOW).response.status(), 400);
}

#[test]
fn too_many_calls_are_told_to_wait() {
    let mut bed = Bed::new();
    bed.cloud.vault.throttle = Some(Throttle {
        calls: 2,
        seconds: 10,
    });
    bed.set("a", "x");
    bed.set("a", "y");
    let (status, error) = bed.ask("GET", "/secrets/a", &Value::Null);
    assert_eq!((status, code(&error).0), (429, "Throttled"));
    assert_eq!(
        bed.at(NOW + 10_001, "GET", "/secrets/a", &Value::Null).0,
        200
    );
}

#[test]
fn a_lost_reply_leaves_the_write_done_and_rights_are_looked_at() {
    let mut bed = Bed::new();
    bed.cloud
        .vault
        .faults
        .add(FaultRule::once(Kind::Create, Fault::DropReplyAfterWrite));
    bed.set("a", "one");
    assert_eq!(bed.cloud.vault.value("a"), Some("one"));
    bed.cloud
        .vault
        .faults
        .add(FaultRule::once(Kind::Create, Fault::DropReplyBeforeWrite));
    bed.ask("PUT", "/secrets/a", &json!({ "value": "two" }));
    assert_eq!(bed.cloud.vault.value("a"), Some("one"));
    let app = Config::default().app.client_id;
    bed.cloud
        .vault
        .rights
        .insert(app, BTreeSet::from([Right::Get]));
    assert_eq!(bed.ask("GET", "/secrets/a", &Value::Null).0, 200);
    let (status, error) = bed.ask("PUT", "/secrets/a", &json!({ "value": "x" }));
    assert_eq!(
        (status, code(&error)),
        (403, ("Forbidden", "ForbiddenByRbac"))
    );
}
