//! A store that ignores create-only writes is refused, whoever it says it is; and an answer that is lost on its way from
//! a real server costs nothing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, StatusCode};
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::entropy::OsEntropy;
use itsm_connector::adapters::file_vault::FileVault;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::adapters::state_store;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::webhook_auth::WebhookAuth;
use itsm_connector::flows::{Core, Outside};
use itsm_connector::hosts::intake::{Head, Intake, Opened};
use itsm_connector::hosts::reply::Reply;
use itsm_connector::ports::{Clock, Vault};
use itsm_connector::stores::numbered_log::{Append, NumberedLog};
use itsm_connector::stores::objects::{Creation, Objects, StoreFailure, StoreTrouble};
use itsm_connector::stores::probe::{Probed, probe};
use itsm_connector::stores::soundness::{Backend, Soundness};
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
        let now = NOW.plus(Duration::from_secs(hours * 60 * 60));
        of(&store, "s3://a").prove_when_due(id, now).await.unwrap();
        assert_eq!(findings().await.len(), expected, "after {hours} hours");
    }
}

/// An intake over a store of this name; `None` for one that is trusted.
fn intake(store: &Arc<dyn ObjectStore>, name: Option<&str>) -> Intake {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let vault: Arc<dyn Vault> = Arc::new(FileVault::new("Cargo.toml/no-folder".into()));
    let transport = Arc::new(HttpTransport::new(AllowedHosts::default()));
    let products = ItsmProducts::new(transport, Arc::clone(&vault), Arc::clone(&clock));
    let outside = Outside {
        store: Arc::clone(store),
        vault,
        products: Arc::new(products),
        clock,
        entropy: Arc::new(OsEntropy),
        allowed: AllowedHosts::default(),
    };
    let backend = Backend {
        to_be_proven: name.map(str::to_owned),
        lists_in_order: true,
    };
    Intake::new(Core::over(outside, backend), WebhookAuth::Open)
}

/// An alert, to a connection that the vault cannot be asked for now: it is kept if it can be.
async fn deliver(intake: &Intake) -> Reply {
    let head = Head {
        method: &Method::POST,
        path: "/api/create-work-item/contoso",
        query: None,
        headers: &HeaderMap::new(),
    };
    let Opened::Body(accepted) = intake.open(head).await else {
        panic!("it is not let in");
    };
    let alert = include_str!("../fixtures/common_alert_schema/metric_fired.json");
    intake
        .take(*accepted, Bytes::from_static(alert.as_bytes()))
        .await
}

const A_RUN: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_alert_is_answered_503_until_the_store_is_proven_and_kept_from_then_on() {
    let store = state_store::memory();
    let webhook = intake(&store, Some("s3://a at https://s3.corp.example"));
    let early = deliver(&webhook).await;
    assert_eq!(early.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(early.headers.iter().any(|(name, _)| *name == "retry-after"));
    assert_eq!(webhook.core().objects.list("").await.unwrap(), [""; 0]);

    // The timer may run in another process.
    intake(&store, Some("s3://a at https://s3.corp.example"))
        .drain(A_RUN)
        .await;
    assert_ne!(
        deliver(&webhook).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        webhook.core().objects.list("journal").await.unwrap().len(),
        1
    );

    let trusted = state_store::memory();
    let reply = deliver(&intake(&trusted, None)).await;
    assert_ne!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_store_that_ignores_conditions_gets_no_alert_and_says_why() {
    let odd: Arc<dyn ObjectStore> = OddStore::new(Oddity::IgnoresCreateOnly);
    let webhook = intake(&odd, Some("s3://a at https://s3.corp.example"));
    webhook.drain(A_RUN).await;
    assert_eq!(
        deliver(&webhook).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(
        webhook.core().objects.list("journal").await.unwrap(),
        [""; 0]
    );
    assert_eq!(
        webhook.core().objects.list("leases").await.unwrap(),
        [""; 0]
    );
    let failure = webhook.core().soundness.relied_on().await.unwrap_err();
    let unproven = of(&state_store::memory(), "s3://b")
        .relied_on()
        .await
        .unwrap_err();
    let told = [failure, unproven].map(|failure| format!("{failure}\n  hint: {}", failure.hint()));
    insta::assert_snapshot!(told.join("\n"));
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
