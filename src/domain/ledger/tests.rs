//! What a ledger finds, and what it cannot.

use super::days::DAY_MS;
use super::*;

fn counted(records: u64, revisions: i64) -> RecordCount {
    RecordCount {
        records,
        revisions: Some(revisions),
    }
}

fn days(from: i64, until: i64) -> Days {
    Days {
        from: Day(from),
        until: Day(until),
    }
}

/// A ledger of so many days with one record each, of revision 2.
fn ledger(of: i64) -> Ledger {
    let mut ledger = Ledger::default();
    for n in 0..of {
        let mut day = DayLedger::default();
        day.note(&format!("r{n}"), n * DAY_MS, 2);
        ledger.sums_up(Day(n), &day);
    }
    ledger
}

/// Counts as a product would that has these figures for a day, until nothing is left; which days did not agree, and how
/// many counts it took.
fn count_all(ledger: &mut Ledger, product: impl Fn(i64) -> (u64, i64)) -> (Vec<i64>, u64) {
    let mut differ = Vec::new();
    while let Some(asked) = ledger.next() {
        let each = (asked.from.0..asked.until.0).map(&product);
        let (records, revisions) = each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if let Some(day) = ledger.counted(counted(records, revisions)) {
            differ.push(day.0);
            ledger.done();
        }
    }
    (differ, ledger.check.as_ref().unwrap().counts)
}

#[test]
fn a_quiet_product_costs_one_count() {
    let mut ledger = ledger(120);
    ledger.begin(days(0, 120), Timestamp::UNIX_EPOCH);
    assert_eq!(count_all(&mut ledger, |_| (1, 2)), (vec![], 1));
}

#[test]
fn days_that_do_not_agree_are_found_by_halving_the_newest_first() {
    let mut all = ledger(120);
    all.begin(days(0, 120), Timestamp::UNIX_EPOCH);
    let product = |day| match day {
        7 => (2, 4),
        100 => (1, 3),
        _ => (1, 2),
    };
    let (differ, counts) = count_all(&mut all, product);
    assert_eq!(differ, [100, 7]);
    assert!(counts <= 29, "{counts}");
}

#[test]
fn what_makes_up_for_what_is_missing_is_seen_a_level_below() {
    // One record more on one day and one less on another: the sum of both is right.
    let mut ledger = ledger(2);
    ledger.begin(days(0, 2), Timestamp::UNIX_EPOCH);
    let product = |day| if day == 0 { (2, 2) } else { (0, 2) };
    // The product's figures agree as a whole: counts alone cannot see it, and this is said in docs/sync.md.
    assert_eq!(count_all(&mut ledger, product), (vec![], 1));
}

#[test]
fn of_two_versions_the_later_stays_in_whatever_order_they_come() {
    let mut day = DayLedger::default();
    day.note("a", 1000, 3);
    day.note("a", 1000, 2);
    day.note("a", 900, 7);
    assert!(day.has("a", 1000, 3) && day.has("a", 1000, 2) && day.has("a", 999, 9));
    assert!(!day.has("a", 1000, 4) && !day.has("a", 1001, 1) && !day.has("b", 0, 0));
    assert_eq!(
        day.figures(),
        Figures {
            records: 1,
            revisions: 3
        }
    );
}

#[test]
fn what_was_sent_as_deleted_is_taken_out_of_its_day_once() {
    let mut ledger = Ledger::default();
    let mut day = DayLedger::default();
    day.note("a", 1, 1);
    day.note("b", 1, 1);
    ledger.hears_of(
        ["a".to_owned(), "of another day".to_owned()],
        Timestamp::UNIX_EPOCH,
    );
    ledger.takes_out_the_gone(&mut day);
    assert_eq!(day.figures().records, 1);
    assert_eq!(ledger.gone.keys().collect::<Vec<_>>(), ["of another day"]);
    let many = (0..GONE_MAX + 5).map(|n| format!("{n}"));
    ledger.hears_of(many, Timestamp::from_millis(5));
    assert_eq!(ledger.gone.len(), GONE_MAX);
    assert!(!ledger.gone.contains_key("of another day"));
    ledger.begin(days(0, 1), Timestamp::from_millis(6));
    ledger.hears_of(["later".to_owned()], Timestamp::from_millis(7));
    assert!(ledger.end().is_some() && ledger.check.is_none());
    assert_eq!(ledger.gone.keys().collect::<Vec<_>>(), ["later"]);
}

#[test]
fn absent_is_what_was_settled_and_is_not_seen() {
    let mut day = DayLedger::default();
    for (id, at) in [("seen", 1), ("absent", 1), ("just changed", 50)] {
        day.note(id, at, 0);
    }
    let seen = BTreeSet::from(["seen".to_owned()]);
    assert_eq!(day.absent(&seen, Timestamp::from_millis(50)), ["absent"]);
}

#[test]
fn a_day_holds_so_many_and_what_it_does_not_show_counts_too() {
    let mut day = DayLedger::default();
    for n in 0..=DAY_RECORDS_MAX {
        day.note(&n.to_string(), 0, 0);
    }
    assert_eq!(day.figures().records, 50_000);
    let mut small = DayLedger {
        unseen: Figures {
            records: 2,
            revisions: 9,
        },
        ..DayLedger::default()
    };
    small.note("a", 0, 1);
    assert!(small.figures().agree(counted(3, 10)));
    assert!(!small.figures().agree(counted(3, 11)));
    let without_sums = RecordCount {
        records: 3,
        revisions: None,
    };
    assert!(small.figures().agree(without_sums));
}

#[test]
fn it_is_read_as_it_was_written() {
    let mut ledger = ledger(3);
    ledger.begin(days(1, 3), Timestamp::from_millis(5));
    ledger.hears_of(["x".to_owned()], Timestamp::from_millis(7));
    let text = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
    let mut day = DayLedger::default();
    day.note("a", 5, 6);
    let text = serde_json::to_string(&day).unwrap();
    assert_eq!(serde_json::from_str::<DayLedger>(&text).unwrap(), day);
    let news = News {
        sent: vec![Sent("a".to_owned(), Day(1), 2, 3)],
        gone: vec!["b".to_owned()],
    };
    let text = serde_json::to_string(&news).unwrap();
    assert_eq!(text, r#"{"sent":[["a",1,2,3]],"gone":["b"]}"#);
    assert_eq!(serde_json::from_str::<News>(&text).unwrap(), news);
}

#[test]
fn the_last_day_ends_where_all_is_there() {
    let settled = Timestamp::from_millis(3 * DAY_MS + 1000);
    assert_eq!(days(3, 4).window(settled).until, settled);
    assert_eq!(days(1, 2).window(settled).until, Day(2).start());
    let later = days(4, 5).window(settled);
    assert_eq!(
        later.from, later.until,
        "an empty one, not one turned round"
    );
}

#[test]
fn what_was_sent_as_deleted_is_looked_for_before_anything_is_counted() {
    let mut ledger = ledger(4);
    ledger.hears_of(["r2".to_owned()], Timestamp::UNIX_EPOCH);
    ledger.begin(days(1, 4), Timestamp::UNIX_EPOCH);
    assert_eq!(ledger.sweep(), Some(Day(3)));
    assert_eq!(ledger.sweep(), Some(Day(2)));
    let mut day = DayLedger::default();
    day.note("r2", 0, 2);
    ledger.takes_out_the_gone(&mut day);
    ledger.sums_up(Day(2), &day);
    assert_eq!(ledger.sweep(), None, "all are found");
    assert_eq!(ledger.figures(days(1, 4)).records, 2);
    // A record of which no day knows is looked for in all of them.
    ledger.hears_of(["of before".to_owned()], Timestamp::UNIX_EPOCH);
    ledger.begin(days(1, 4), Timestamp::UNIX_EPOCH);
    let swept: Vec<_> = std::iter::from_fn(|| ledger.sweep()).collect();
    assert_eq!(swept, [Day(3), Day(2), Day(1)]);
}

#[test]
fn what_was_half_seen_of_a_day_is_never_taken_for_another_day_s() {
    let mut ledger = ledger(2);
    ledger.begin(days(0, 2), Timestamp::UNIX_EPOCH);
    ledger.counted(counted(3, 9));
    assert_eq!(ledger.counted(counted(2, 7)), Some(Day(1)));
    ledger.check.as_mut().unwrap().open =
        Some(HalfSeen::nothing(counted(2, 7), Timestamp::UNIX_EPOCH));
    // With the next run what was missing is there.
    assert_eq!(ledger.counted(counted(1, 2)), None);
    let check = ledger.check.as_ref().unwrap();
    assert_eq!((ledger.next(), &check.open), (Some(days(0, 1)), &None));
}

#[test]
fn a_day_that_changed_while_it_was_looked_through_is_looked_through_again() {
    let mut ledger = ledger(2);
    ledger.begin(days(0, 2), Timestamp::UNIX_EPOCH);
    ledger.counted(counted(3, 6));
    assert_eq!(ledger.counted(counted(2, 4)), Some(Day(1)));
    ledger.looked_through(Day(1), false);
    assert_eq!(ledger.counted(counted(1, 2)), None);
    ledger.end();
    // What came meanwhile makes up for what is gone since: the figures agree.
    ledger.begin(days(0, 2), Timestamp::UNIX_EPOCH);
    assert_eq!(ledger.counted(counted(2, 4)), None);
    assert_eq!(ledger.counted(counted(1, 2)), Some(Day(1)));
    ledger.looked_through(Day(1), true);
    assert_eq!(ledger.counted(counted(1, 2)), None);
    ledger.end();
    ledger.begin(days(0, 2), Timestamp::UNIX_EPOCH);
    assert_eq!(ledger.counted(counted(2, 4)), None);
    assert_eq!(ledger.next(), None, "once is enough");
}
