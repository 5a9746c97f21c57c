//! State that earlier versions have written is read by this one; what cannot be read says which object it is, and is never
//! taken for missing.

use std::path::Path;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use itsm_connector::adapters::state_store;
use itsm_connector::domain::gate::Passage;
use itsm_connector::domain::identity::{BodyId, EventId, SlotId};
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::slot::{Phase, Write};
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::work_item::Uniqueness;
use itsm_connector::stores::allowances::Allowances;
use itsm_connector::stores::dead_letters::DeadLetters;
use itsm_connector::stores::facts::Facts;
use itsm_connector::stores::gates::Gates;
use itsm_connector::stores::journal::Journal;
use itsm_connector::stores::leases::Leases;
use itsm_connector::stores::looks::Looks;
use itsm_connector::stores::objects::{Objects, StoreFailure, StoreTrouble};
use itsm_connector::stores::pending::Pending;
use itsm_connector::stores::quarantine::Quarantine;
use itsm_connector::stores::renewals::Renewals;
use itsm_connector::stores::slots::SlotLog;
use itsm_connector::stores::sweeps::Sweeps;
use itsm_connector::stores::wishes::Wishes;

use crate::state_store::objects;

/// Objects as a version has written them: `v1` is the first, before any but two forms said their version.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/state");

fn contoso() -> ConnectionName {
    ConnectionName::parse("contoso").unwrap()
}

/// All objects of a version.
#[expect(clippy::disallowed_methods, reason = "this suite owns its fixtures")]
fn written_by(version: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(FIXTURES).join(version);
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap();
            let name = name.to_str().unwrap().replace('\\', "/");
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
    found.sort_unstable();
    found
}

/// A store that holds them.
async fn state_of(version: &str) -> Objects {
    let objects = objects(state_store::memory());
    for (name, content) in written_by(version) {
        objects.create(&name, content.into()).await.unwrap();
    }
    objects
}

#[tokio::test]
async fn every_slot_of_the_first_version_is_read_with_its_history() {
    let objects = state_of("v1").await;
    let mut phases = Vec::new();
    for action in ["default", "grouped"] {
        let folder = format!("slots/contoso/{action}");
        let mut slots: Vec<String> = (objects.list(&folder).await.unwrap().iter())
            .map(|name| name.split_once('/').unwrap().0.to_owned())
            .collect();
        slots.dedup();
        for slot in slots {
            let (action, slot) = (
                ActionName::parse(action).unwrap(),
                SlotId::parse(&slot).unwrap(),
            );
            let log = SlotLog::new(&objects, &contoso(), &action, &slot);
            let head = log.head().await.unwrap().unwrap();
            assert_eq!(log.history().await.unwrap().len() as u64, head.number + 1);
            assert!(
                !head.state.is_of_one_firing,
                "it did not say so, and is never removed"
            );
            phases.push(match head.state.phase {
                Phase::Vacant if head.state.early.is_empty() => "vacant",
                Phase::Vacant => "remembers",
                Phase::Creating { .. } => "creating",
                Phase::Open { .. } => "open",
                Phase::Writing {
                    write: Write::Resolve,
                    ..
                } => "writing",
                Phase::Writing { .. } => "noting",
                Phase::Done { .. } => "done",
                Phase::Joined { .. } => "joined",
                Phase::Dead { .. } => "dead",
            });
        }
    }
    phases.sort_unstable();
    assert_eq!(
        phases,
        [
            "creating",
            "dead",
            "done",
            "done",
            "open",
            "remembers",
            "vacant"
        ]
    );
}

#[tokio::test]
async fn everything_else_of_the_first_version_is_read_too() {
    let (objects, name) = (state_of("v1").await, contoso());
    let gate = Gates::new(objects.clone()).read(&name).await.unwrap().gate;
    let until = gate.closed_until.unwrap();
    assert!(matches!(gate.passage(Timestamp::UNIX_EPOCH), Passage::ClosedUntil(at) if at == until));
    assert_eq!(gate.passage(until), Passage::Probe);
    let facts = Facts::new(objects.clone()).read(&name).await.unwrap();
    assert_eq!(facts.uniqueness, Uniqueness::Enforced);
    let now = Timestamp::from_millis(1_900_000_000_000);
    let leases = Leases::new(objects.clone());
    let lease = leases.take(
        "drain-contoso",
        "me",
        now,
        std::time::Duration::from_secs(60),
    );
    assert!(lease.await.unwrap().is_some(), "it was given back");
    let (pending, journal) = (Pending::new(objects.clone()), Journal::new(objects.clone()));
    let markers = pending.list(&name).await.unwrap();
    assert_eq!(markers.len(), 3);
    for marker in &markers {
        assert!(pending.received_at(&name, marker).await.unwrap().is_some());
        let entry = journal.read(&name, &marker.event).await.unwrap().unwrap();
        assert!(entry.body.starts_with(b"{"));
    }
    let dead = DeadLetters::new(objects.clone());
    let letter = &dead.list(&name).await.unwrap()[0];
    let letter = dead.read(&name, letter).await.unwrap().unwrap();
    assert!(letter.reason.is_permanent() && !letter.hint.is_empty());
    let quarantine = Quarantine::new(objects);
    let body = &quarantine.list(&name).await.unwrap()[0];
    let body = quarantine.read(&name, body).await.unwrap().unwrap().body();
    assert_eq!(body.as_deref(), Some(&b"{\"schemaId\":"[..]));
}

type Read = fn(Objects, String) -> BoxFuture<'static, Result<bool, StoreFailure>>;

/// Each form: an object of it, and how it is read. True if it was there.
fn forms() -> Vec<(&'static str, Read)> {
    fn last(path: &str) -> &str {
        path.rsplit_once('/').map_or(path, |(_, last)| last)
    }
    fn event(path: &str) -> EventId {
        EventId::parse(last(path).rsplit('-').next().unwrap()).unwrap()
    }
    vec![
        (
            "slots/contoso/default/vo5jn3qzhy2xysfgj274kk/18446744073709551614",
            |objects, path| {
                async move {
                    let slot = SlotId::parse(path.split('/').nth(3).unwrap()).unwrap();
                    let log = SlotLog::new(&objects, &contoso(), &ActionName::default(), &slot);
                    // What is below the head is there; a head that cannot be read must not uncover it.
                    log.head()
                        .await
                        .map(|head| head.is_some_and(|head| head.number == 1))
                }
                .boxed()
            },
        ),
        ("gates/contoso/18446744073709551615", |objects, _| {
            async move { Ok(Gates::new(objects).read(&contoso()).await?.gate.closings > 0) }.boxed()
        }),
        ("leases/drain-contoso/18446744073709551614", |objects, _| {
            async move {
                let leases = Leases::new(objects.clone());
                let before = objects.list("leases").await?.len();
                let now = Timestamp::from_millis(1_900_000_000_000);
                let span = std::time::Duration::from_secs(60);
                leases.take("drain-contoso", "me", now, span).await?;
                Ok(objects.list("leases").await?.len() > before && before == 2)
            }
            .boxed()
        }),
        ("facts/contoso/18446744073709551615", |objects, _| {
            async move {
                let facts = Facts::new(objects).read(&contoso()).await?;
                Ok(facts.uniqueness == Uniqueness::Enforced)
            }
            .boxed()
        }),
        ("allowances/contoso/18446744073709551615", |objects, _| {
            async move { Ok(Allowances::new(objects).read(&contoso()).await?.is_some()) }.boxed()
        }),
        ("renewals/contoso/18446744073709551615", |objects, _| {
            async move { Ok(Renewals::new(objects).read(&contoso()).await?.is_some()) }.boxed()
        }),
        ("refresh-wanted/contoso", |objects, _| {
            async move { Ok(Wishes::new(objects).read(&contoso()).await?.is_some()) }.boxed()
        }),
        ("sweeps/contoso/18446744073709551615", |objects, _| {
            async move { Ok(Sweeps::new(objects).read(&contoso()).await?.is_some()) }.boxed()
        }),
        ("looks/contoso/18446744073709551615", |objects, _| {
            async move { Ok(Looks::new(objects).read(&contoso()).await?.is_some()) }.boxed()
        }),
        (
            "journal/contoso/govo6gf5ys5c5cam7dzc5ylyi3",
            |objects, path| {
                async move {
                    let entry = Journal::new(objects)
                        .read(&contoso(), &event(&path))
                        .await?;
                    Ok(entry.is_some())
                }
                .boxed()
            },
        ),
        (
            "pending/contoso/0/20260301/100000123Z-govo6gf5ys5c5cam7dzc5ylyi3",
            |objects, path| {
                async move {
                    let pending = Pending::new(objects);
                    let markers = pending.list(&contoso()).await?;
                    let marker = markers.iter().find(|marker| marker.event == event(&path));
                    match marker {
                        Some(marker) => {
                            Ok(pending.received_at(&contoso(), marker).await?.is_some())
                        }
                        None => Ok(false),
                    }
                }
                .boxed()
            },
        ),
        (
            "dead/contoso/gmop3dm65czk6cryb6onkrjoy5",
            |objects, path| {
                async move {
                    let letter = DeadLetters::new(objects)
                        .read(&contoso(), &event(&path))
                        .await?;
                    Ok(letter.is_some())
                }
                .boxed()
            },
        ),
        (
            "quarantine/contoso/uf7q47yyiu77cboiq5aybtjjrg",
            |objects, path| {
                async move {
                    let id = BodyId::parse(last(&path)).unwrap();
                    Ok(Quarantine::new(objects)
                        .read(&contoso(), &id)
                        .await?
                        .is_some())
                }
                .boxed()
            },
        ),
    ]
}

/// An object of forms that the first version did not have.
fn later(path: &str) -> Option<&'static [u8]> {
    match path.split('/').next() {
        Some("allowances") => Some(br#"{"writer":"a","at":"2026-03-01T10:00:00.000Z","state":{"limit":100,"resets_at":"2026-03-01T11:00:00.000Z","used":7}}"#),
        Some("renewals") => Some(br#"{"version":1,"writer":"a","at":"2026-03-01T10:00:00.000Z","state":{"phase":{"is":"calling","since":"2026-03-01T10:00:00.000Z","calls":1},"current":{"mark":"00000000000000010000000000000002","version":"a1","access_ends_at":"2026-03-01T10:09:00.000Z","has_refresh":true,"refresh_ends_at":"2026-05-30T10:00:00.000Z"}}}"#),
        Some("refresh-wanted") => Some(br#"{"version":1,"at":"2026-03-01T10:00:00.000Z"}"#),
        Some("sweeps") => Some(br#"{"version":1,"writer":"a","at":"2026-03-01T10:00:00.000Z","state":{"next_at":"2026-03-01T11:00:00.000Z","rotation_at":"2026-03-01T10:00:00.000Z","stage":"journal"}}"#),
        Some("looks") => Some(br#"{"version":1,"writer":"a","at":"2026-03-01T10:00:00.000Z","state":{"next_at":"2026-03-01T10:15:00.000Z","looked_until":"2026-03-01T09:55:00.000Z","whole_day_at":"2026-03-01T00:00:00.000Z"}}"#),
        _ => None,
    }
}

/// The state with another content for one object, or without it.
async fn state_with(path: &str, content: Option<Vec<u8>>) -> Objects {
    let objects = state_of("v1").await;
    objects.delete(path).await.unwrap();
    if let Some(content) = content {
        objects.create(path, content.into()).await.unwrap();
    }
    objects
}

#[tokio::test]
async fn of_each_form_what_cannot_be_read_is_named_and_not_taken_for_missing() {
    let all = written_by("v1");
    for (path, read) in forms() {
        let good = match later(path) {
            Some(content) => content.to_vec(),
            None => all.iter().find(|(name, _)| name == path).unwrap().1.clone(),
        };
        let text = String::from_utf8(good.clone()).unwrap();
        let newer = match text.replace("\"version\":1,\"", "\"version\":2,\"") {
            // A form without a version is of the first.
            same if same == text || path.starts_with("slots") => {
                text.replacen('{', "{\"version\":2,", 1)
            }
            newer => newer,
        };
        let look = async |content: Option<Vec<u8>>| {
            read(state_with(path, content).await, path.to_owned()).await
        };
        assert_eq!(look(Some(good.clone())).await, Ok(true), "{path}");
        assert_eq!(look(None).await, Ok(false), "{path}: missing");
        let rows = [
            (good[..good.len() / 2].to_vec(), StoreTrouble::Corrupt),
            (Vec::new(), StoreTrouble::Corrupt),
            (b"<html>".to_vec(), StoreTrouble::Corrupt),
            (b"{}".to_vec(), StoreTrouble::Corrupt),
            (newer.into_bytes(), StoreTrouble::Newer),
            (b"{\"version\":7}".to_vec(), StoreTrouble::Newer),
        ];
        for (content, trouble) in rows {
            let shown = String::from_utf8_lossy(&content).into_owned();
            let failure = look(Some(content)).await.unwrap_err();
            assert_eq!(
                (failure.path.as_str(), failure.trouble),
                (path, trouble),
                "{shown}"
            );
            assert!(failure.to_string().contains(path) && !failure.hint().is_empty());
        }
    }
}

#[test]
fn there_is_an_object_of_each_form_of_the_first_version_and_no_secret_in_any() {
    let all = written_by("v1");
    for (path, _) in forms().iter().filter(|(path, _)| later(path).is_none()) {
        assert!(all.iter().any(|(name, _)| name == path), "{path}");
    }
    for (name, content) in &all {
        let text = String::from_utf8_lossy(content);
        assert!(
            !text.contains("client_secret") && !text.contains("Bearer"),
            "{name}"
        );
    }
}
