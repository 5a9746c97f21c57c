//! What survives a restart.

use serde_json::json;

use super::*;
use crate::fault::{Fault, FaultRule};
use crate::journal::Kind;

#[test]
fn records_tokens_numbers_and_late_calls_survive() {
    let mut bench = Bench::new();
    let form = "grant_type=client_credentials&client_id=d0c5a3e1b7f84c0a9e2b6d4f8a1c3e5f&client_secret=demo-client-secret";
    let access = bench.form("/oauth_token.do", form).json["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = bench.incident(json!({ "short_description": "before" }));
    let after = std::time::Duration::from_secs(60);
    bench
        .sn
        .faults_mut()
        .add(FaultRule::once(Kind::Create, Fault::ExecuteLate { after }));
    bench.post("table/incident", json!({ "short_description": "late" }));

    let saved: Value = serde_json::from_str(&bench.sn.save().to_string()).unwrap();
    let mut again = Bench {
        sn: ServiceNow::load(Config::default(), &saved).unwrap(),
        ..bench
    };
    assert_eq!(again.sn.save(), saved);
    assert_eq!(
        again
            .get(&format!("table/incident/{key}"))
            .text("short_description"),
        "before"
    );
    let bearer = format!("Bearer {access}");
    assert_eq!(
        again
            .send(
                Method::GET,
                "/api/now/table/incident",
                &[("authorization", &bearer)],
                ""
            )
            .response
            .status(),
        200
    );
    again.now += 60_000;
    assert_eq!(
        again
            .get("table/incident?sysparm_query=short_description=late")
            .column("number"),
        ["INC0010002"]
    );
    assert_eq!(
        again.post("table/incident", json!({})).text("number"),
        "INC0010003"
    );
}

#[test]
fn a_foreign_file_is_refused() {
    let error = ServiceNow::load(Config::default(), &json!({ "store": 3 })).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the saved state is not one of this simulator"),
        "{error}"
    );
}
