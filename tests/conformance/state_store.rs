//! The state store: a create is granted once, what was written is read, and what does not do so is refused by the probe.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::state_store;
use itsm_connector::stores::objects::{Creation, Objects};
use itsm_connector::stores::probe::{Probed, probe};
use object_store::ObjectStore;

use crate::clouds::Cloud;
use crate::odd_store::{OddStore, Oddity};

/// Two openings of one store, as two processes have.
pub(crate) type Twice = (Arc<dyn ObjectStore>, Arc<dyn ObjectStore>);

/// A store as the connector sees it.
pub(crate) fn objects(store: Arc<dyn ObjectStore>) -> Objects {
    // A folder lists in no order, whoever says that it does; the others do.
    let lists_in_order = !store.to_string().contains("Folder");
    Objects::new(store, Arc::new(SystemClock::default())).listed_in_order(lists_in_order)
}

fn both(stores: &Twice) -> [Objects; 2] {
    [
        objects(Arc::clone(&stores.0)),
        objects(Arc::clone(&stores.1)),
    ]
}

async fn of_sixty_four_creates_at_once_one_wins(stores: Twice) {
    let both = both(&stores);
    for round in 0..4 {
        let path = format!("claims/{round}");
        let creates =
            (0..64u8).map(|n| both[usize::from(n % 2)].create(&path, Bytes::from(vec![n; 100])));
        let outcomes: Vec<Creation> = join_all(creates)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let winners: Vec<usize> = (0..64).filter(|&n| outcomes[n] == Creation::Made).collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        let kept = both[0].get(&path).await.unwrap().unwrap();
        assert_eq!(
            kept,
            vec![u8::try_from(winners[0]).unwrap(); 100],
            "the winner's is what is kept"
        );
    }
}

async fn what_was_created_is_read_and_listed_at_once_by_everybody(stores: Twice) {
    let [one, other] = both(&stores);
    for n in 0..20 {
        let path = format!("journal/contoso/{n:02}");
        assert_eq!(other.get(&path).await.unwrap(), None);
        one.create(&path, Bytes::from(path.clone())).await.unwrap();
        assert_eq!(other.get(&path).await.unwrap(), Some(Bytes::from(path)));
        assert_eq!(other.list("journal/contoso").await.unwrap().len(), n + 1);
    }
}

async fn nothing_is_ever_replaced(stores: Twice) {
    let [one, other] = both(&stores);
    one.create("a", Bytes::from_static(b"first")).await.unwrap();
    assert_eq!(
        other
            .create("a", Bytes::from_static(b"second"))
            .await
            .unwrap(),
        Creation::Existed
    );
    assert_eq!(
        one.get("a").await.unwrap().as_deref(),
        Some(b"first".as_slice())
    );
}

async fn names_are_listed_in_order_and_only_those_of_the_folder(stores: Twice) {
    let [objects, _] = both(&stores);
    for name in ["p/b/2", "p/a/9", "p/a/10", "pp/a", "p/c", "q"] {
        objects
            .create(name, Bytes::from_static(b"x"))
            .await
            .unwrap();
    }
    assert_eq!(
        objects.list("p").await.unwrap(),
        ["a/10", "a/9", "b/2", "c"]
    );
    assert_eq!(objects.list("p/a").await.unwrap(), ["10", "9"]);
    assert_eq!(objects.folders("p").await.unwrap(), ["a", "b"]);
    assert_eq!(objects.list("nobody").await.unwrap(), [""; 0]);
    assert_eq!(objects.folders("nobody").await.unwrap(), [""; 0]);
}

async fn what_was_deleted_is_gone_and_deleting_it_again_is_no_error(stores: Twice) {
    let [one, other] = both(&stores);
    one.create("a/b", Bytes::from_static(b"x")).await.unwrap();
    other.delete("a/b").await.unwrap();
    one.delete("a/b").await.unwrap();
    assert_eq!(one.get("a/b").await.unwrap(), None);
    assert_eq!(one.list("a").await.unwrap(), [""; 0]);
    assert_eq!(
        one.create("a/b", Bytes::new()).await.unwrap(),
        Creation::Made,
        "its name is free again"
    );
}

async fn an_object_of_a_megabyte_comes_back_whole(stores: Twice) {
    let [one, other] = both(&stores);
    let content: Bytes = (0..1_500_000u32).map(|n| n.to_le_bytes()[0]).collect();
    one.create("a", content.clone()).await.unwrap();
    assert!(other.get("a").await.unwrap().unwrap() == content);
}

async fn the_probe_passes_and_leaves_nothing_behind(stores: Twice) {
    let [objects, _] = both(&stores);
    for id in ["one", "two"] {
        assert_eq!(probe(&objects, id).await, Probed::Sound);
    }
    assert_eq!(objects.list("").await.unwrap(), [""; 0]);
}

/// As many as fill a page of any store, and some more: S3 tells of 1,000 names at once, Azure Blob of 5,000.
const MORE_THAN_A_PAGE: usize = 5_100;

async fn more_names_than_a_page_has_are_all_listed_and_in_order(stores: Twice) {
    let [one, other] = both(&stores);
    let path = |n: usize| format!("pending/contoso/{n:05}");
    // In no order, and not all at once.
    let shuffled = (0..MORE_THAN_A_PAGE).map(|n| (n * 3_701) % MORE_THAN_A_PAGE);
    futures_util::stream::iter(shuffled)
        .map(|n| {
            let (one, path) = (&one, path(n));
            async move { one.create(&path, Bytes::from_static(b"x")).await }
        })
        .buffer_unordered(24)
        .for_each(|made| async move { assert_eq!(made, Ok(Creation::Made)) })
        .await;
    let names: Vec<String> = (0..MORE_THAN_A_PAGE).map(|n| format!("{n:05}")).collect();
    assert!(other.list("pending/contoso").await.unwrap() == names);
    let mut seen: Vec<String> = Vec::new();
    loop {
        let after = seen.last().map(String::as_str);
        let page = other.list_first("pending/contoso", after, 2_000).await;
        let page = page.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert!(seen == names, "page by page");
    assert!(one.has_any("pending").await.unwrap());
    assert_eq!(one.folders("pending").await.unwrap(), ["contoso"]);
}

/// The suite for one implementation: `$made` opens an empty store twice, if it is there.
macro_rules! suite {
    ($implementation:ident, $made:expr, [$($fact:ident),* $(,)?]) => {
        mod $implementation {
            use super::*;
            $(
                #[tokio::test]
                async fn $fact() {
                    let made: Option<(Twice, _)> = $made;
                    if let Some((stores, _lives)) = made {
                        super::$fact(stores).await;
                    }
                }
            )*
        }
    };
    ($implementation:ident, $made:expr) => {
        suite!($implementation, $made, [
            of_sixty_four_creates_at_once_one_wins,
            what_was_created_is_read_and_listed_at_once_by_everybody,
            nothing_is_ever_replaced,
            names_are_listed_in_order_and_only_those_of_the_folder,
            what_was_deleted_is_gone_and_deleting_it_again_is_no_error,
            an_object_of_a_megabyte_comes_back_whole,
            the_probe_passes_and_leaves_nothing_behind,
            more_names_than_a_page_has_are_all_listed_and_in_order,
        ]);
    };
}

suite!(memory, Some((memory(), ())));
suite!(folder, Some(folder()));
suite!(
    azurite,
    Cloud::of("azurite").map(|cloud| (cloud.twice(), ()))
);
suite!(moto, Cloud::of("moto").map(|cloud| (cloud.twice(), ())));
suite!(
    ministack,
    Cloud::of("ministack").map(|cloud| (cloud.twice(), ()))
);

pub(crate) fn memory() -> Twice {
    let store = state_store::memory();
    (Arc::clone(&store), store)
}

pub(crate) fn folder() -> (Twice, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let opened = || state_store::folder(&folder.path().join("state")).unwrap();
    ((opened(), opened()), folder)
}

#[tokio::test]
async fn a_store_that_ignores_create_only_is_refused_by_the_probe() {
    let objects = objects(OddStore::new(Oddity::IgnoresCreateOnly));
    assert_eq!(probe(&objects, "one").await, Probed::IgnoresConditions);
}

#[tokio::test]
async fn a_store_that_cannot_be_probed_is_not_taken_for_sound() {
    let objects = objects(OddStore::new(Oddity::IsAway));
    assert!(matches!(probe(&objects, "one").await, Probed::Failed(_)));
}

#[tokio::test]
async fn a_create_whose_reply_was_lost_finds_itself_when_it_comes_again() {
    let store = OddStore::new(Oddity::LosesReplies);
    let objects = objects(Arc::<OddStore>::clone(&store));
    objects
        .create("a", Bytes::from_static(b"x"))
        .await
        .unwrap_err();
    assert_eq!(
        objects.create("a", Bytes::from_static(b"x")).await,
        Ok(Creation::Existed)
    );
    assert_eq!(store.puts(), 2, "nobody tries again behind our back");
}
