//! A numbered log over every state store: compare-and-swap that loses nothing, also when replies are lost.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::stores::numbered_log::{Append, Head, NumberedLog};
use itsm_connector::stores::objects::StoreTrouble;

use crate::clouds::{CLOUDS, Cloud};
use crate::odd_store::{OddStore, Oddity};
use crate::state_store::{Twice, folder, memory, objects};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn both(stores: &Twice) -> [NumberedLog; 2] {
    let log = |store| NumberedLog::new(objects(store), "slots/contoso/x".to_owned());
    [log(Arc::clone(&stores.0)), log(Arc::clone(&stores.1))]
}

/// Adds one to a counter whose head was seen a while ago; how often it lost.
async fn add_one(log: &NumberedLog, writer: &str, mut head: Option<Head<u64>>) -> usize {
    let mut lost = 0;
    loop {
        let count = head.as_ref().map_or(0, |head| head.state);
        let writer = format!("{writer}-{lost}");
        match log
            .append(head.as_ref(), &writer, NOW, &(count + 1))
            .await
            .unwrap()
        {
            Append::Won(_) => return lost,
            Append::Lost(theirs) => head = Some(theirs),
        }
        lost += 1;
    }
}

async fn sixteen_writers_at_once_lose_no_step(stores: Twice) {
    let logs = both(&stores);
    let writers = (0..16).map(|n| (&logs[n % 2], format!("w{n}")));
    let lost =
        join_all(writers.map(|(log, writer)| async move { add_one(log, &writer, None).await }));
    let lost: usize = lost.await.into_iter().sum();
    assert!(
        lost >= 15,
        "all but one of those who saw an empty log lost once: {lost}"
    );
    let head = logs[0].head::<u64>().await.unwrap().unwrap();
    assert_eq!((head.number, head.state), (15, 16));
    let newest_first: Vec<u64> = (0..16).rev().collect();
    assert_eq!(logs[1].numbers().await.unwrap(), newest_first);
}

async fn of_two_that_saw_the_same_the_loser_is_told_what_stands(stores: Twice) {
    let [one, other] = both(&stores);
    assert!(matches!(
        one.append(None, "a", NOW, &1u64).await,
        Ok(Append::Won(_))
    ));
    let Ok(Append::Lost(theirs)) = other.append(None, "b", NOW, &2u64).await else {
        panic!("both won");
    };
    assert_eq!((theirs.number, theirs.state), (0, 1));
}

async fn pruning_leaves_the_head_and_the_count(stores: Twice) {
    let [one, other] = both(&stores);
    for n in 0..9 {
        let head = one.head().await.unwrap();
        add_one(&one, &format!("w{n}"), head).await;
    }
    let later = NOW.plus(Duration::from_millis(1));
    assert_eq!(other.prune(NOW, 100).await.unwrap(), 0, "none is older");
    assert_eq!(other.prune(later, 5).await.unwrap(), 5);
    assert_eq!(other.prune(later, 100).await.unwrap(), 2);
    assert_eq!(
        one.numbers().await.unwrap(),
        [8, 0],
        "the head stays whatever is asked, and the first of all"
    );
    let head = one.head().await.unwrap();
    add_one(&one, "after", head).await;
    let head = other.head_guessing::<u64>(1).await.unwrap().unwrap();
    assert_eq!((head.number, head.state), (9, 10));
}

#[tokio::test]
async fn logs_keep_their_word_in_memory() {
    sixteen_writers_at_once_lose_no_step(memory()).await;
    of_two_that_saw_the_same_the_loser_is_told_what_stands(memory()).await;
    pruning_leaves_the_head_and_the_count(memory()).await;
}

#[tokio::test]
async fn logs_keep_their_word_in_a_folder() {
    for round in 0..3 {
        let (stores, _lives) = folder();
        match round {
            0 => sixteen_writers_at_once_lose_no_step(stores).await,
            1 => of_two_that_saw_the_same_the_loser_is_told_what_stands(stores).await,
            _ => pruning_leaves_the_head_and_the_count(stores).await,
        }
    }
}

#[tokio::test]
async fn logs_keep_their_word_over_the_servers_of_clouds() {
    for name in CLOUDS {
        // Each has a folder of its own.
        let made = || Cloud::of(name).map(|cloud| cloud.twice());
        let (Some(one), Some(other), Some(third)) = (made(), made(), made()) else {
            continue;
        };
        sixteen_writers_at_once_lose_no_step(one).await;
        of_two_that_saw_the_same_the_loser_is_told_what_stands(other).await;
        pruning_leaves_the_head_and_the_count(third).await;
    }
}

#[tokio::test]
async fn a_writer_whose_reply_was_lost_knows_that_it_won() {
    for oddity in [Oddity::LosesReplies, Oddity::TriesAgainByItself] {
        let log = NumberedLog::new(objects(OddStore::new(oddity)), "slots/x".to_owned());
        let Ok(Append::Won(head)) = log.append(None, "a", NOW, &1u64).await else {
            panic!("{oddity:?}: it won and does not know");
        };
        assert!(
            matches!(
                log.append(Some(&head), "a2", NOW, &2u64).await,
                Ok(Append::Won(_))
            ),
            "{oddity:?}"
        );
        let head = log.head::<u64>().await.unwrap().unwrap();
        assert_eq!((head.number, head.state), (1, 2), "{oddity:?}");
    }
}

#[tokio::test]
async fn a_writer_that_cannot_know_says_so() {
    let log = NumberedLog::new(objects(OddStore::new(Oddity::IsAway)), "slots/x".to_owned());
    log.append(None, "a", NOW, &1u64).await.unwrap_err();
}

#[tokio::test]
async fn a_write_of_somebody_else_that_goes_on_is_no_loss_and_no_damage() {
    let log = NumberedLog::new(
        objects(OddStore::new(Oddity::IsBusyWithAnother)),
        "slots/x".to_owned(),
    );
    let failure = log.append(None, "a", NOW, &1u64).await.unwrap_err();
    assert_eq!(failure.trouble, StoreTrouble::Unavailable);
}
