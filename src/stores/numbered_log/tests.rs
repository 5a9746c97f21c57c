//! The numbered log, over a store in memory and a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::memory::InMemory;

use super::*;
use crate::stores::test_clock::{TestClock, in_memory};

fn log() -> NumberedLog {
    NumberedLog::new(in_memory(), "slots/x".to_owned())
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// Appends one after the other, one a second; the last.
async fn filled(log: &NumberedLog, states: impl IntoIterator<Item = u32>) -> Head<u32> {
    let mut head = log.head().await.unwrap();
    for state in states {
        let moment = at(i64::from(state) * 1000);
        match log
            .append(head.as_ref(), &format!("w{state}"), moment, &state)
            .await
        {
            Ok(Append::Won(won)) => head = Some(won),
            other => panic!("nobody else writes: {other:?}"),
        }
    }
    head.unwrap()
}

#[tokio::test]
async fn the_newest_is_the_head_and_lists_first() {
    let log = log();
    assert_eq!(log.head::<u32>().await.unwrap(), None);
    filled(&log, 0..12).await;
    let head = log.head::<u32>().await.unwrap().unwrap();
    assert_eq!((head.number, head.at, head.state), (11, at(11_000), 11));
    for guess in [1, 11] {
        let guessed = log.head_guessing::<u32>(guess).await.unwrap();
        assert_eq!(guessed.map(|head| head.state), Some(11));
    }
}

#[tokio::test]
async fn what_was_succeeded_long_ago_is_removed_and_never_the_head() {
    let log = log();
    filled(&log, 0..12).await;
    // The snapshot of second 4 was succeeded in second 5, that of second 5 in second 6.
    assert_eq!(log.prune(at(5_500), 100).await.unwrap(), 4);
    assert_eq!(log.numbers().await.unwrap(), [11, 10, 9, 8, 7, 6, 5, 0]);
    assert_eq!(log.prune(at(5_500), 100).await.unwrap(), 0);
    assert_eq!(log.prune(at(1_000_000), 2).await.unwrap(), 2);
    assert_eq!(
        log.numbers().await.unwrap(),
        [11, 10, 9, 8, 7, 0],
        "a bounded share of the work, the oldest first"
    );
    assert_eq!(log.prune(at(1_000_000), 100).await.unwrap(), 4);
    assert_eq!(log.prune(at(1_000_000), 100).await.unwrap(), 0);
    assert_eq!(log.numbers().await.unwrap(), [11, 0]);
    assert_eq!(filled(&log, 12..13).await.number, 12, "it counts on");
}

#[tokio::test]
async fn who_takes_a_pruned_log_for_empty_is_told_what_stands() {
    let log = log();
    filled(&log, 0..9).await;
    log.prune(at(1_000_000), 100).await.unwrap();
    let appended = log.append(None, "blind", at(9), &99).await.unwrap();
    assert!(matches!(appended, Append::Lost(head) if head.state == 8));
}

#[tokio::test]
async fn of_two_that_saw_the_same_head_one_wins() {
    let log = log();
    let first = log.append(None, "a", at(0), &1).await.unwrap();
    let second = log.append(None, "b", at(0), &2).await.unwrap();
    assert!(matches!(first, Append::Won(_)));
    let Append::Lost(head) = second else {
        panic!("both won");
    };
    assert_eq!((head.number, head.state), (0, 1));
}

#[tokio::test]
async fn a_writer_that_finds_its_own_id_has_won() {
    let log = log();
    log.append(None, "a", at(0), &1).await.unwrap();
    let again = log.append(None, "a", at(0), &1).await.unwrap();
    assert!(
        matches!(again, Append::Won(_)),
        "its first answer was lost: {again:?}"
    );
}

/// A writer has seen a head; while it stands still, others go on and what it saw is removed.
async fn after_a_standstill(stands_still: impl FnOnce(&TestClock)) -> Append<u32> {
    let clock = Arc::new(TestClock::default());
    let objects = Objects::new(Arc::new(InMemory::new()), Arc::<TestClock>::clone(&clock));
    let log = NumberedLog::new(objects, "slots/x".to_owned());
    let seen = filled(&log, 0..2).await;
    filled(&log, 2..6).await;
    log.prune(at(1_000_000), 100).await.unwrap();
    stands_still(&clock);
    log.append(Some(&seen), "late", at(1_000), &99)
        .await
        .unwrap()
}

#[tokio::test]
async fn who_stood_still_while_the_log_went_on_and_was_pruned_has_lost() {
    let long = STANDSTILL_MAX + Duration::from_secs(1);
    for appended in [
        after_a_standstill(|clock| clock.stop_for(long)).await,
        after_a_standstill(|clock| clock.sleep_through(long)).await,
    ] {
        let Append::Lost(head) = appended else {
            panic!("it believes that it won: {appended:?}");
        };
        assert_eq!((head.number, head.state), (5, 5));
    }
}

#[tokio::test]
async fn who_stood_still_while_nothing_happened_has_won() {
    let clock = Arc::new(TestClock::default());
    let objects = Objects::new(Arc::new(InMemory::new()), Arc::<TestClock>::clone(&clock));
    let log = NumberedLog::new(objects, "slots/x".to_owned());
    let seen = filled(&log, 0..2).await;
    clock.stop_for(10 * STANDSTILL_MAX);
    let appended = log.append(Some(&seen), "late", at(9), &9).await.unwrap();
    assert!(matches!(appended, Append::Won(head) if head.number == 2));
}

#[tokio::test]
async fn an_empty_log_that_was_looked_at_long_ago_is_looked_at_again() {
    let clock = Arc::new(TestClock::default());
    let objects = Objects::new(Arc::new(InMemory::new()), Arc::<TestClock>::clone(&clock));
    let late = NumberedLog::new(objects.clone(), "slots/x".to_owned());
    let log = NumberedLog::new(objects, "slots/x".to_owned());
    filled(&log, 0..3).await;
    log.prune(at(1_000_000), 100).await.unwrap();
    clock.stop_for(2 * STANDSTILL_MAX);
    let appended = late.append(None, "late", at(9), &9).await.unwrap();
    assert!(matches!(appended, Append::Lost(head) if head.state == 2));
}

#[tokio::test]
async fn corrupt_is_not_missing_and_neither_is_what_a_newer_version_wrote() {
    let rows: [(&[u8], &str); 3] = [
        (b"{\"writer\":", "what is stored cannot be read"),
        (
            br#"{"version":2,"writer":"a","at":"2026-03-01T10:00:00Z","state":1}"#,
            "it was written by a newer version of this program",
        ),
        (
            br#"{"version":3,"pages":[]}"#,
            "it was written by a newer version of this program",
        ),
    ];
    for (content, why) in rows {
        let objects = in_memory();
        let log = NumberedLog::new(objects.clone(), "slots/x".to_owned());
        objects
            .create(&log.path(0), Bytes::from_static(content))
            .await
            .unwrap();
        let failure = log.head::<u32>().await.unwrap_err();
        assert_eq!(
            failure.to_string(),
            format!("state store: `read` of `slots/x/18446744073709551615`: {why}")
        );
    }
}
