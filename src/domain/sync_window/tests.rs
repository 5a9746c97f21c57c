//! Where windows begin and end, and when a walk is over.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn position(seconds: i64, id: &str) -> Position {
    Position {
        at: at(seconds),
        id: id.to_owned(),
    }
}

const DAY: i64 = 24 * 60 * 60;

#[test]
fn a_live_window_ends_before_now_and_begins_before_the_last_one_ended() {
    let rules = Rules::default();
    let window = rules
        .live_window(at(10_000), Timestamp::from_millis(10_360_999))
        .unwrap();
    assert_eq!((window.from, window.until), (at(9_700), at(10_300)));
    assert_eq!(rules.live_window(at(10_300), at(10_360)), None);
    assert_eq!(
        rules.live_window(at(10_300), at(9_000)),
        None,
        "the clock went back"
    );
}

#[test]
fn slices_go_back_from_the_newest_and_leave_no_gap() {
    let rules = Rules::default();
    let mut backfill = Backfill::begin(at(10 * DAY), at(7 * DAY + 7 * 3600), at(10 * DAY), "r");
    let mut slices = Vec::new();
    while backfill.open_next(&rules) {
        slices.push(backfill.open.clone().unwrap().window);
        backfill.finished(&rules);
    }
    let edges: Vec<(i64, i64)> = slices
        .iter()
        .map(|slice| {
            (
                slice.from.as_millis() / 1000,
                slice.until.as_millis() / 1000,
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            (9 * DAY, 10 * DAY),
            (8 * DAY, 9 * DAY),
            (7 * DAY + 7 * 3600, 8 * DAY)
        ]
    );
}

#[test]
fn the_first_live_window_begins_where_the_backfill_ends() {
    let rules = Rules::default();
    let mut live = Live::begin(&rules, at(100_000), "r");
    assert!(live.open_next(&rules, at(100_000)));
    let first = live.open.unwrap().window;
    assert_eq!((first.from, first.until), (live.began_at, at(99_940)));
    assert_eq!(live.complete_until, live.began_at, "nothing is there yet");
}

#[test]
fn a_walk_ends_where_the_product_says_so_and_never_on_a_short_page() {
    let rules = Rules {
        page: 10,
        ..Rules::default()
    };
    let window = Window {
        from: at(0),
        until: at(100),
    };
    let ask = rules.first(window, Some(position(1, "a")));
    let found = |rows, last: Option<&str>, behind| Found {
        rows,
        last: last.map(|id| position(5, id)),
        behind,
    };
    let next = |after: &str| Some(rules.first(window, Some(position(5, after))));
    let wide = |skip| {
        Some(Ask {
            skip,
            limit: 40,
            ..ask.clone()
        })
    };
    use Behind::{NotTold, Nothing, Something};
    let cases = [
        (
            "all that it counts was given",
            ask.clone(),
            found(3, Some("b"), Nothing),
            None,
        ),
        (
            "a full page",
            ask.clone(),
            found(10, Some("b"), Something),
            next("b"),
        ),
        (
            "a short page",
            ask.clone(),
            found(1, Some("b"), Something),
            next("b"),
        ),
        (
            "a short page of a silent product",
            ask.clone(),
            found(1, Some("b"), NotTold),
            next("b"),
        ),
        (
            "an empty page of a silent product",
            ask.clone(),
            found(0, None, NotTold),
            None,
        ),
        (
            "an empty page with nothing behind",
            ask.clone(),
            found(0, None, Nothing),
            None,
        ),
        (
            "an empty page with more behind it",
            ask.clone(),
            found(0, None, Something),
            wide(0),
        ),
        (
            "an empty wide page with more behind it",
            wide(0).unwrap(),
            found(0, None, Something),
            wide(30),
        ),
        (
            "and again",
            wide(30).unwrap(),
            found(0, None, Something),
            wide(60),
        ),
        (
            "a wide page with something on it",
            wide(30).unwrap(),
            found(1, Some("b"), Something),
            next("b"),
        ),
        (
            "rows that cannot be read",
            ask.clone(),
            found(10, None, Something),
            wide(0),
        ),
        (
            "and of a silent product",
            ask.clone(),
            found(10, None, NotTold),
            wide(0),
        ),
    ];
    for (what, asked, found, expected) in cases {
        assert_eq!(rules.onward(&asked, found), expected, "{what}");
    }
}

#[test]
fn what_was_sent_is_remembered_as_far_as_the_next_window_reaches() {
    let rules = Rules::default();
    let mut live = Live::begin(&rules, at(10_000), "r");
    assert!(live.open_next(&rules, at(11_060)));
    let until = live.open.as_ref().unwrap().window.until;
    assert_eq!(until, at(11_000));
    let sent = [
        (position(10_000, "old"), 1),
        (position(10_700, "edge"), 1),
        (position(10_900, "young"), 3),
    ];
    live.accepted(&rules, position(10_900, "young"), &sent, "r");
    live.finished(&rules);
    assert_eq!(live.complete_until, at(11_000));
    assert!(!live.seen.contains("old", at(10_000), 1));
    assert!(live.seen.contains("edge", at(10_700), 1));
    assert!(live.seen.contains("young", at(10_900), 3));
    assert!(!live.seen.contains("young", at(10_900), 4), "changed again");
    let written = serde_json::to_string(&live).unwrap();
    assert_eq!(serde_json::from_str::<Live>(&written).unwrap(), live);
    assert!(serde_json::from_str::<Live>(&written.replace("seen\":\"", "seen\":\"A")).is_err());
}

#[test]
fn what_was_sent_is_not_forgotten_while_the_next_window_is_at_it() {
    let rules = Rules::default();
    let mut live = Live::begin(&rules, at(10_000), "r");
    live.open_next(&rules, at(10_160));
    live.accepted(
        &rules,
        position(10_090, "b"),
        &[(position(10_090, "b"), 1)],
        "r",
    );
    live.finished(&rules);
    // A long pause: the next window reaches far, and its overlap still holds `b`.
    live.open_next(&rules, at(20_000));
    live.accepted(
        &rules,
        position(10_050, "a"),
        &[(position(10_050, "a"), 1)],
        "r",
    );
    assert!(live.seen.contains("b", at(10_090), 1));
    live.accepted(
        &rules,
        position(10_500, "c"),
        &[(position(10_500, "c"), 1)],
        "r",
    );
    assert!(live.seen.is_empty(), "passed, and not of the next overlap");
}

#[test]
fn memory_is_bounded_and_forgets_the_oldest() {
    let mut seen = Seen::default();
    for n in 0..20_100 {
        seen.insert("a", at(n), 1);
    }
    assert_eq!(seen.len(), 20_000);
    assert!(!seen.contains("a", at(99), 1) && seen.contains("a", at(100), 1));
}
