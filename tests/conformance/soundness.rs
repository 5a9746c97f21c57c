//! A store that ignores create-only writes is refused, whoever it says it is; and an answer that is lost on its way from
//! a real server costs nothing.

use std::sync::Arc;

use bytes::Bytes;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::state_store;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::stores::numbered_log::{Append, NumberedLog};
use itsm_connector::stores::objects::{Creation, Objects, StoreFailure, StoreTrouble};
use itsm_connector::stores::probe::{Probed, probe};
use itsm_connector::stores::soundness::Soundness;
use object_store::ObjectStore;

use crate::clouds::{CLOUDS, Cloud};
use crate::odd_store::{OddStore, Oddity};
use crate::state_store::objects;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn of(store: &Arc<dyn ObjectStore>, name: &str) -> Soundness {
    let objects = Objects::new(Arc::clone(store), Arc::new(SystemClock::default()));
    Soundness::new(objects, Some(name.to_owned()))
}

fn trouble(relied_on: Result<(), StoreFailure>) -> Option<StoreTrouble> {
    relied_on.err().map(|failure| failure.trouble)
}

#[tokio::test]
async fn what_nobody_has_seen_is_not_relied_on_and_what_a_timer_has_seen_everybody_relies_on() {
    let store = state_store::memory();
    let webhook = of(&store, "s3://a");
    assert_eq!(
        trouble(webhook.relied_on().await),
        Some(StoreTrouble::NotProven)
    );
    of(&store, "s3://a")
        .prove_when_due("one", NOW)
        .await
        .unwrap();
    assert_eq!(webhook.relied_on().await, Ok(()));
    assert_eq!(
        trouble(of(&store, "s3://b").relied_on().await),
        Some(StoreTrouble::NotProven),
        "a copy of the state elsewhere is another store"
    );
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused_until_it_is_seen_to_honour_them() {
    let odd: Arc<dyn ObjectStore> = OddStore::new(Oddity::IgnoresCreateOnly);
    let refused = of(&odd, "s3://a").prove_when_due("one", NOW).await;
    assert_eq!(trouble(refused), Some(StoreTrouble::IgnoresConditions));
    assert_eq!(
        trouble(of(&odd, "s3://a").relied_on().await),
        Some(StoreTrouble::IgnoresConditions),
        "it is written down for the webhook"
    );

    let store = state_store::memory();
    let written_down = of(&odd, "s3://a");
    assert_eq!(
        written_down.prove("two", NOW).await,
        Probed::IgnoresConditions
    );
    let mended = of(&store, "s3://a");
    assert_eq!(mended.prove("three", NOW).await, Probed::Sound);
    assert_eq!(of(&store, "s3://a").relied_on().await, Ok(()));
}

#[tokio::test]
async fn a_timer_probes_once_a_day_and_a_trusted_store_is_asked_nothing() {
    let store = OddStore::new(Oddity::IsAway);
    let trusted = Soundness::new(objects(Arc::<OddStore>::clone(&store)), None);
    assert_eq!(trusted.relied_on().await, Ok(()));
    assert_eq!(trusted.prove_when_due("one", NOW).await, Ok(()));
    assert_eq!(store.puts(), 0);

    let store = state_store::memory();
    let findings = async || objects(Arc::clone(&store)).list("soundness").await.unwrap();
    for (hours, id, expected) in [(0, "a", 1), (23, "b", 1), (25, "c", 2), (26, "d", 2)] {
        let now = NOW.plus(std::time::Duration::from_secs(hours * 60 * 60));
        of(&store, "s3://a").prove_when_due(id, now).await.unwrap();
        assert_eq!(findings().await.len(), expected, "after {hours} hours");
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_conditions_is_found_out() {
    for name in ["moto", "ministack"] {
        let Some(cloud) = Cloud::of(name) else {
            continue;
        };
        let (cloud, proxy) = cloud.behind_a_proxy().await;
        let store = cloud.open();
        assert_eq!(of(&store, name).prove("one", NOW).await, Probed::Sound);
        proxy.takes_conditions_away();
        let probed = of(&store, name).prove("two", NOW).await;
        assert_eq!(probed, Probed::IgnoresConditions, "{name}");
        assert_eq!(
            trouble(of(&store, name).relied_on().await),
            Some(StoreTrouble::IgnoresConditions),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_for_our_own() {
    for name in CLOUDS {
        let Some(cloud) = Cloud::of(name) else {
            continue;
        };
        let (cloud, proxy) = cloud.behind_a_proxy().await;
        let objects = objects(cloud.open());
        let log = NumberedLog::new(objects.clone(), "slots/contoso/x".to_owned());
        // One lost answer is made good by the retry, which finds the object; three are not, and the log looks.
        let mut head = None;
        for (lost, writer) in [(1, "a"), (3, "b"), (0, "c")] {
            proxy.loses_answers(lost);
            let appended = log.append(head.as_ref(), writer, NOW, &lost).await;
            let Ok(Append::Won(won)) = appended else {
                panic!("{name}, {lost} lost: {appended:?}");
            };
            proxy.loses_answers(0);
            head = Some(won);
        }
        assert_eq!(log.numbers().await.unwrap(), [2, 1, 0], "{name}");

        proxy.loses_answers(1);
        let kept = objects.keep("journal/x", Bytes::from_static(b"x")).await;
        assert_eq!(kept, Ok(Creation::Existed), "{name}");
        proxy.loses_answers(1);
        assert_eq!(probe(&objects, "one").await, Probed::Sound, "{name}");
    }
}

#[tokio::test]
async fn a_page_is_all_that_a_page_costs_where_names_come_in_order() {
    for name in ["moto", "ministack"] {
        let Some(cloud) = Cloud::of(name) else {
            continue;
        };
        let (cloud, proxy) = cloud.behind_a_proxy().await;
        let objects = objects(cloud.open());
        for thousand in 0..2 {
            let creates = (0..1_000).map(|n| {
                let objects = &objects;
                async move {
                    let path = format!("p/{:04}", thousand * 1_000 + n);
                    objects.create(&path, Bytes::from_static(b"x")).await
                }
            });
            use futures_util::StreamExt as _;
            let made: Vec<_> = futures_util::stream::iter(creates)
                .buffer_unordered(24)
                .collect()
                .await;
            assert!(made.iter().all(Result::is_ok), "{name}");
        }
        let before = proxy.requests();
        let first = objects.list_first("p", None, 5).await.unwrap();
        assert_eq!(first, ["0000", "0001", "0002", "0003", "0004"], "{name}");
        assert_eq!(proxy.requests() - before, 1, "{name}: two pages are there");
    }
}
