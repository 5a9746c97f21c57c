//! A set in the vault, what a renewal makes of it, and what may be revoked.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

fn at(minute: u32) -> Timestamp {
    Timestamp::from_millis(1_772_359_200_000).plus(minute * MINUTE)
}

fn issued(access: &str, refresh: Option<&str>, minute: u32) -> Issued {
    Issued {
        access: AccessToken {
            secret: Secret::from(access),
            obtained_at: Some(at(minute)),
            expires_at: at(minute + 60),
        },
        refresh: refresh.map(Secret::from),
        refresh_expires_at: None,
    }
}

fn mark(n: u64) -> Mark {
    Mark::of_dice(0, n)
}

fn login(access: &str, refresh: &str, minute: u32) -> TokenSet {
    let mark = mark(u64::from(minute));
    TokenSet::of_login(
        issued(access, Some(refresh), minute),
        at(minute),
        LIFE,
        mark,
    )
}

fn to_revoke(set: &TokenSet, minute: u32) -> Vec<&str> {
    set.to_revoke(at(minute))
        .map(|old| old.secret.expose())
        .collect()
}

#[test]
fn survives_the_vault_and_prints_no_token() {
    let set = login("canary-a2", "canary-r2", 10).in_place_of(&login("canary-a", "canary-r", 0));
    let back = TokenSet::from_vault_text(&set.to_vault_text()).unwrap();
    assert_eq!(
        back.to_vault_text().expose(),
        set.to_vault_text().expose(),
        "nothing is lost on the way"
    );
    assert_eq!(back.mark(), set.mark());
    assert_eq!(to_revoke(&back, 10), ["canary-a", "canary-r"]);
    assert!(!format!("{back:?} {:?}", back.access).contains("canary"));
    assert!(TokenSet::from_vault_text(&Secret::from("{\"canary\":")).is_err());
}

#[test]
fn a_set_of_the_first_version_is_read_and_is_known_by_its_login() {
    let text = r#"{"version":1,"access_token":"a","access_expires_at":"2026-03-01T10:30:00.000Z","refresh_token":"r","refresh_expires_at":"2026-05-30T10:00:00.000Z","logged_in_at":"2026-03-01T10:00:00.000Z"}"#;
    let set = TokenSet::from_vault_text(&Secret::from(text)).unwrap();
    assert_eq!(set.mark().as_str(), "login-20260301t100000000z");
    assert_eq!(set.access.as_ref().and_then(AccessToken::life), None);
    assert_eq!(set.refresh.as_ref().map(Secret::expose), Some("r"));
    assert!(set.superseded.is_empty());
    assert_eq!(
        set.to_vault_text().expose(),
        text,
        "and written as it was, so that an earlier version reads it"
    );
}

#[test]
fn a_refresh_token_that_stays_is_not_prolonged_and_one_that_is_replaced_lives_anew() {
    let before = login("a1", "r1", 0);
    let kept = before.renewed(issued("a2", None, 50), false, LIFE, mark(7));
    assert_eq!(kept.refresh.as_ref().map(Secret::expose), Some("r1"));
    assert_eq!(kept.refresh_expires_at, Some(at(0).plus(LIFE)));
    let same = before.renewed(issued("a2", Some("r1"), 50), false, LIFE, mark(7));
    assert_eq!(same.refresh_expires_at, Some(at(0).plus(LIFE)));
    let replaced = before.renewed(issued("a2", Some("r2"), 50), true, LIFE, mark(7));
    assert_eq!(replaced.refresh_expires_at, Some(at(50).plus(LIFE)));
    assert_eq!(replaced.logged_in_at, at(0));
    let mut telling = issued("a2", Some("r2"), 50);
    telling.refresh_expires_at = Some(at(70));
    let told = before.renewed(telling, true, LIFE, mark(7));
    assert_eq!(told.refresh_expires_at, Some(at(70)));
}

#[test]
fn only_values_that_differ_from_every_current_one_are_revoked() {
    let before = login("a1", "r1", 0);
    let kept = before.renewed(issued("a2", Some("r1"), 20), false, LIFE, mark(7));
    assert_eq!(to_revoke(&kept, 20), ["a1"]);
    let replaced = before.renewed(issued("a2", Some("r2"), 20), true, LIFE, mark(7));
    assert_eq!(to_revoke(&replaced, 20), ["a1", "r1"]);
    assert_eq!(to_revoke(&replaced, 45), ["r1"], "a1 is left to run out");
    // A login inside the life of a token gives the same ones again.
    let again = login("a1", "r1", 5).in_place_of(&before);
    assert_eq!(to_revoke(&again, 5), [""; 0]);
    // What was superseded once and comes back is current.
    let back = TokenSet {
        superseded: replaced.superseded.clone(),
        ..login("a1", "r1", 6)
    };
    assert_eq!(to_revoke(&back, 6), [""; 0]);
}

#[test]
fn what_could_not_be_revoked_goes_on_to_the_next_set_within_bounds() {
    let mut set = login("a0", "r", 0);
    for n in 1..40 {
        set = set.renewed(issued(&format!("a{n}"), None, n), false, LIFE, mark(7));
    }
    assert_eq!(set.superseded.len(), SUPERSEDED_MAX);
    assert_eq!(to_revoke(&set, 39).last(), Some(&"a38"));
}

#[test]
fn a_token_is_looked_after_ahead_of_its_end_and_not_by_all_at_once() {
    let token = |life: u32| AccessToken {
        secret: Secret::from("a"),
        obtained_at: Some(at(0)),
        expires_at: at(life),
    };
    assert_eq!(token(60).renews_at(0), at(55));
    assert_eq!(token(10).renews_at(0), at(8));
    let earliest = (0..200_000).map(|dice| token(60).renews_at(dice)).min();
    assert_eq!(earliest, Some(at(55).minus(MINUTE * 5 / 2)));
    assert!(token(10).is_fresh(at(9)));
    assert!(!token(10).is_fresh(at(9).plus(MINUTE / 2)));
}
