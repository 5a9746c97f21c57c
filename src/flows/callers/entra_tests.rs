//! Rows J1–J11, J13 and J14 of the corpus: what a token must be. `keys` has those about the issuer's keys.

mod bed;
mod keys;

use bed::{ACTION_GROUPS, APP_URI, Bed, TENANT};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn tokens_of_both_versions_open() {
    let bed = Bed::new();
    bed.expect("v1", &bed.good(), 202).await;
    let claims = bed.claims_v2();
    let v2 = bed.issuer.entra().token(&claims).unwrap();
    bed.expect("v2", &v2, 202).await;
    let upper = ACTION_GROUPS.to_uppercase();
    bed.expect("GUIDs in any case", &bed.with("appid", json!(upper)), 202)
        .await;
    assert_eq!(bed.asked(), 1, "the keys are asked for once");
}

#[tokio::test]
async fn j1_no_token_opens_nothing() {
    let bed = Bed::new();
    let none = Shown::default();
    assert!(matches!(
        bed.callers.admit(&none).await,
        Err(NotAdmitted::NoToken("there is none"))
    ));
    bed.expect("J1", "", 401).await;
}

#[tokio::test]
async fn j2_to_j4_only_rs256_opens() {
    let bed = Bed::new();
    for alg in [
        json!("none"),
        json!("None"),
        json!("HS256"),
        json!("RS512"),
        json!("ES256"),
        json!("rs256"),
        json!(["RS256"]),
        Value::Null,
    ] {
        let token = bed.headed("alg", alg.clone());
        bed.expect(&format!("alg {alg}"), &token, 401).await;
    }
    // The signature left out altogether.
    let token = bed.headed("alg", json!("none"));
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    bed.expect("J2", &unsigned, 401).await;
    // An HMAC keyed with the public key, under its own header and under one that says RS256.
    let claims = bed.claims();
    let forged = bed.issuer.entra().forged_by_hmac(&claims).unwrap();
    bed.expect("J3", &forged, 401).await;
    let message = bed.good().rsplit_once('.').unwrap().0.to_owned();
    let forged = format!("{message}.{}", BASE64URL_NOPAD.encode(&[7; 32]));
    bed.expect("J3", &forged, 401).await;
    assert_eq!(bed.asked(), 1, "only the last needed the keys");
}

#[tokio::test]
async fn j5_to_j7_issuer_tenant_and_audience_are_ours() {
    let bed = Bed::new();
    let other = "aaaaaaaa-0002-4000-8000-000000000002";
    let issuer = |tenant: &str| json!(format!("https://sts.windows.net/{tenant}/"));
    let v2_issuer = json!(format!("https://login.microsoftonline.com/{TENANT}/v2.0"));
    for (row, name, value) in [
        ("J5", "aud", json!("api://other")),
        ("J5", "aud", json!([APP_URI, "api://other"])),
        ("J5", "aud", json!([])),
        ("J5", "aud", json!("api://itsm-connector/")),
        ("J6", "iss", issuer(other)),
        ("J6", "tid", json!(other)),
        (
            "J6",
            "iss",
            json!(format!("https://sts.windows.net/{TENANT}")),
        ),
        (
            "J6",
            "iss",
            json!(format!("https://evil.example/{TENANT}/")),
        ),
        ("J6", "tid", Value::Null),
        ("J7", "iss", v2_issuer),
        ("J7", "ver", json!("2.0")),
        ("J7", "ver", json!("3.0")),
        ("J7", "ver", Value::Null),
    ] {
        bed.expect(
            &format!("{row} {name} {value}"),
            &bed.with(name, value.clone()),
            401,
        )
        .await;
    }
    bed.expect("J5, one in a list", &bed.with("aud", json!([APP_URI])), 202)
        .await;
    let told = bed.show(&bed.with("aud", json!("api://other"))).await;
    assert!(
        matches!(told, Err(NotAdmitted::NoToken(reason)) if reason.contains("v1.0 token")),
        "{told:?}"
    );
    let told = bed
        .show(&bed.changed(bed.claims_v2(), "aud", json!(other)))
        .await;
    assert!(
        matches!(told, Err(NotAdmitted::NoToken(reason)) if reason.contains("v2.0 token")),
        "{told:?}"
    );
}

#[tokio::test]
async fn j8_to_j10_only_the_action_groups_app_with_the_role_may() {
    let bed = Bed::demanding(Some("ActionGroupsSecureWebhook"));
    bed.expect("the good one", &bed.good(), 202).await;
    for (row, name, value) in [
        ("J8", "appid", json!("cccccccc-0001-4000-8000-000000000001")),
        ("J8", "appid", Value::Null),
        ("J9", "scp", json!("user_impersonation")),
        ("J10", "roles", Value::Null),
        ("J10", "roles", json!([])),
        ("J10", "roles", json!(["ActionGroupsSecureWebhook2"])),
    ] {
        bed.expect(
            &format!("{row} {name} {value}"),
            &bed.with(name, value.clone()),
            403,
        )
        .await;
    }
    // In a token of version 1.0 `azp` says nothing, and the reverse.
    let mut claims = bed.claims();
    claims["azp"] = claims["appid"].take();
    let token = bed.issuer.entra().token(&claims).unwrap();
    bed.expect("J8", &token, 403).await;
    let without = Bed::new();
    without
        .expect("no role demanded", &without.with("roles", Value::Null), 202)
        .await;
}

#[tokio::test]
async fn j11_times_are_looked_at_with_a_minute_of_leeway() {
    let bed = Bed::new();
    let now = bed.now_ms() / 1000;
    for (name, value, status) in [
        ("exp", json!(now - 61), 401),
        ("exp", json!(now - 60), 401),
        ("exp", json!(now - 59), 202),
        ("exp", json!("2026-03-01"), 401),
        ("exp", json!((now + 60).to_string()), 401),
        ("exp", json!(1e18), 401),
        ("exp", json!(1_000_000_000_000_000_000_i64), 401),
        ("exp", json!(-1), 401),
        ("exp", Value::Null, 401),
        ("nbf", json!(now + 61), 401),
        ("nbf", json!(now + 59), 202),
        ("nbf", json!(-1), 401),
        ("nbf", Value::Null, 401),
        ("nbf", json!(i64::MAX), 401),
    ] {
        let mut claims = bed.claims();
        if name == "exp" {
            claims["nbf"] = json!(now - 3600);
        }
        let token = bed.changed(claims, name, value.clone());
        bed.expect(&format!("J11 {name} {value}"), &token, status)
            .await;
    }
}

#[tokio::test]
async fn j13_a_header_that_brings_its_own_key_is_refused_unasked() {
    let bed = Bed::new();
    for name in ["jku", "x5u", "jwk", "crit", "x5c"] {
        let token = bed.headed(name, json!(["https://evil.example/keys"]));
        bed.expect(&format!("J13 {name}"), &token, 401).await;
    }
    bed.expect("no kid", &bed.headed("kid", Value::Null), 401)
        .await;
    bed.expect("empty kid", &bed.headed("kid", json!("")), 401)
        .await;
    assert_eq!(bed.asked(), 0);
}

#[tokio::test]
async fn j14_what_has_not_the_form_of_a_token_is_not_decoded() {
    let bed = Bed::new();
    let good = bed.good();
    let two = good.rsplit_once('.').unwrap().0;
    for (row, token) in [
        ("20 KB", format!("{good}{}", "A".repeat(20_000))),
        ("3 MB", "A".repeat(3_000_000)),
        ("two parts", two.to_owned()),
        ("five parts", format!("{good}.x.y")),
        ("padding", format!("{good}=")),
        ("a blank", format!(" {good}")),
        ("JWE", bed.headed("enc", json!("A256GCM"))),
        ("no base64", good.replace('.', "!.")),
        ("NUL", format!("{good}\0")),
    ] {
        bed.expect(&format!("J14 {row}"), &token, 401).await;
    }
    let (message, signature) = good.rsplit_once('.').unwrap();
    for end in [0, 1, 10, signature.len() - 4] {
        let cut = format!("{message}.{}", &signature[..end]);
        bed.expect(&format!("cut at {end}"), &cut, 401).await;
    }
}

#[tokio::test]
async fn every_bit_of_a_token_counts() {
    let bed = Bed::new();
    let good = bed.good();
    bed.expect("whole", &good, 202).await;
    let bytes = good.as_bytes();
    for at in (0..bytes.len()).step_by(7) {
        let mut other = bytes.to_vec();
        other[at] = match other[at] {
            b'A' => b'Q',
            b'.' => b'A',
            _ => b'A',
        };
        if other != bytes {
            let other = String::from_utf8(other).unwrap();
            let status = bed.status(&other).await;
            assert_eq!(status, 401, "changed at {at}");
        }
    }
}
