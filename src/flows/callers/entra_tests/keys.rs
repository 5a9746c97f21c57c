//! Rows J12, J15, J16 and S6: how often the issuer is asked, and what its answers change.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::bed::Bed;
use crate::flows::callers::*;

#[tokio::test]
async fn j12_ten_thousand_random_key_ids_cost_one_fetch_in_five_minutes() {
    let bed = Bed::new();
    for n in 0..10_000 {
        let token = bed.headed_cheaply(n);
        assert_eq!(bed.status(&token).await, 401);
        if n == 5_000 {
            bed.expect("a good one in the middle", &bed.good(), 202)
                .await;
        }
    }
    assert_eq!(bed.asked(), 1);
    bed.clock.forward(FETCH_AT_MOST_EVERY);
    for n in 0..100 {
        bed.status(&bed.headed_cheaply(n)).await;
    }
    assert_eq!(bed.asked(), 2);
    // A key that came meanwhile is known after the next fetch, and the old one stays as long as it is published.
    let old = bed.good();
    bed.issuer.entra().add_key().unwrap();
    bed.expect("not yet", &bed.good(), 401).await;
    bed.clock.forward(FETCH_AT_MOST_EVERY);
    bed.expect("then", &bed.good(), 202).await;
    bed.expect("the old one", &old, 202).await;
    assert_eq!(bed.asked(), 3);
}

#[tokio::test]
async fn j15_an_answer_without_usable_keys_changes_nothing_and_counts() {
    let bed = Bed::new();
    let good = bed.good();
    bed.expect("first", &good, 202).await;
    let key = bed.issuer.entra().key_set()["keys"][0].clone();
    let changed = |name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        json!({ "keys": [key] }).to_string()
    };
    let short = BASE64URL_NOPAD.encode(&[0xff; 64]);
    for answer in [
        json!({ "keys": [] }).to_string(),
        "<html>sign in</html>".to_owned(),
        "x".repeat(10 * 1024 * 1024),
        changed("kid", json!("")),
        changed("kty", json!("EC")),
        changed("use", json!("enc")),
        changed("n", json!(short)),
        changed("n", json!("not base64url!")),
        changed("e", json!("")),
    ] {
        bed.issuer.entra().instead = Some((200, answer));
        bed.clock.forward(KEYS_FRESH_FOR);
        let before = bed.asked();
        bed.expect("J15", &bed.good(), 202).await;
        bed.expect("J15, at once again", &bed.good(), 202).await;
        assert_eq!(bed.asked(), before + 1);
    }
    let many: Vec<Value> = (0..500)
        .map(|n| {
            let mut key = key.clone();
            key["kid"] = json!(format!("k{n}"));
            key
        })
        .collect();
    let parsed = SigningKeys::parse(json!({ "keys": many }).to_string().as_bytes());
    assert!(parsed.is_none_or(|keys| keys.get("k499").is_none()));
}

#[tokio::test]
async fn j16_without_keys_it_is_our_failure_and_soon_tried_again() {
    let bed = Bed::new();
    bed.issuer.entra().is_away = true;
    bed.expect("J16", &bed.good(), 503).await;
    bed.expect("J16, at once again", &bed.good(), 503).await;
    assert_eq!(bed.asked(), 1);
    bed.issuer.entra().is_away = false;
    bed.clock.forward(FIRST_FETCH_AT_MOST_EVERY);
    bed.expect("back", &bed.good(), 202).await;
}

#[tokio::test]
async fn s6_the_last_good_keys_count_for_a_day() {
    let bed = Bed::new();
    bed.expect("first", &bed.good(), 202).await;
    bed.issuer.entra().is_away = true;
    bed.clock.forward(Duration::from_secs(23 * 3600));
    bed.expect("23 h", &bed.good(), 202).await;
    // Whether another key has come cannot be said.
    bed.expect("unknown key", &bed.headed_cheaply(1), 503).await;
    bed.clock.forward(Duration::from_secs(2 * 3600));
    bed.expect("25 h", &bed.good(), 503).await;
    bed.issuer.entra().is_away = false;
    bed.clock.forward(FIRST_FETCH_AT_MOST_EVERY);
    bed.expect("back", &bed.good(), 202).await;
}
