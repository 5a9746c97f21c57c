//! What must hold when everything is quiet again (reliability-security §3.1, DESIGN §1). What must hold at every moment
//! is in [`crate::watch`], and docs/simulation.md has the list of both.

use std::collections::{BTreeMap, BTreeSet};

use itsm_connector::domain::identity::{ItemId, SlotId};
use itsm_connector::domain::slot::Slot;
use itsm_connector::domain::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::alerts::{Episode, folder_of};
use crate::hosts::WEBHOOK_KEY;
use crate::people::{CLOSED_BY_HAND, OTHER_SYSTEM};
use crate::product::{CLIENT_SECRET, holds};
use crate::scene::Scene;
use crate::sender::Told;

mod adoptions;
mod ages;
mod history;
mod slots;
mod storms;

/// One snapshot of a slot, as it is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct Snapshot {
    /// When, by its writer's clock.
    pub at: Timestamp,
    /// What it says.
    pub state: Slot,
}

/// Folders that the state may have (I19).
const FOLDERS: [&str; 13] = [
    "allowances",
    "dead",
    "facts",
    "gates",
    "journal",
    "leases",
    "notices",
    "pending",
    "probe",
    "quarantine",
    "slots",
    "storms",
    "sweeps",
];

/// All snapshots that a slot has or had, the oldest first.
pub fn snapshots(scene: &Scene, folder: &str) -> Vec<Snapshot> {
    let ever = scene.ever(folder);
    ever.iter()
        .rev()
        .filter_map(|(name, content)| {
            let read = serde_json::from_slice(content);
            if read.is_err() {
                scene.ledger.accuse("I10", format!("{name} cannot be read"));
            }
            read.ok()
        })
        .collect()
}

/// Not everything was settled in time (I20).
pub fn accuse_of_waiting(scene: &Scene) {
    let waiting = scene.names("pending");
    scene.ledger.accuse(
        "I20",
        format!(
            "{} h after the beginning {} markers wait: {}",
            scene.elapsed().as_secs() / 3600,
            waiting.len(),
            waiting.join(", ")
        ),
    );
}

/// Checks everything.
pub fn check(scene: &Scene, episodes: &[Episode], told: &[Told]) {
    let now_ms = scene.now_ms();
    let incidents = scene.product().incidents(now_ms);
    let people = scene.product().people.clone();
    let mut members: BTreeMap<SlotId, Vec<(&Episode, Told)>> = BTreeMap::new();
    let mut storms = BTreeMap::new();
    for (episode, told) in episodes.iter().zip(told) {
        for slot in &episode.slots {
            let storm = storms::joined(scene, slot);
            if let Some(storm) = &storm {
                storms::check_member(scene, slot, (episode, *told), &incidents);
                storms.insert(slot.clone(), storm.clone());
            }
            let slot = storm.unwrap_or_else(|| slot.clone());
            members.entry(slot).or_default().push((episode, *told));
        }
    }
    for (slot, episodes) in &members {
        let of_this = |incident: &&Value| {
            let key = incident["sys_id"].as_str().unwrap_or_default();
            let now = incident["correlation_id"].as_str().unwrap_or_default();
            let original = people.taken_from.get(key).map_or(now, String::as_str);
            ItemId::from_correlation(original).is_some_and(|(of, _)| of == *slot)
        };
        let ending = slots::Ending {
            scene,
            slot,
            episodes,
            history: snapshots(scene, &folder_of(slot)),
            items: incidents.iter().filter(of_this).collect(),
            people: &people,
        };
        ending.check();
        if storms.values().any(|storm| storm == slot) {
            storms::check_storm(&ending);
        }
        ages::check(&ending);
    }
    let known: BTreeSet<&SlotId> = members.keys().chain(storms.keys()).collect();
    check_strangers(scene, &known, &incidents);
    check_people(scene, &incidents);
    check_secrets(scene);
    check_left_overs(scene);
}

/// Only ours is written, and nothing is made that nobody asked for.
fn check_strangers(scene: &Scene, known: &BTreeSet<&SlotId>, incidents: &[Value]) {
    let bystander = scene.product().bystander.clone();
    for incident in incidents {
        let is_bystander = incident["sys_id"] == bystander.as_str();
        if is_bystander && incident["sys_mod_count"] != "0" {
            scene.ledger.accuse(
                "only ours",
                format!("a stranger's record was changed: {incident}"),
            );
        }
        let correlation = incident["correlation_id"].as_str().unwrap_or_default();
        let is_known =
            ItemId::from_correlation(correlation).is_some_and(|(slot, _)| known.contains(&slot));
        if !is_bystander && !is_known && correlation != OTHER_SYSTEM {
            scene
                .ledger
                .accuse("P2", format!("nobody asked for this record: {incident}"));
        }
    }
}

/// What a person wrote last stands.
fn check_people(scene: &Scene, incidents: &[Value]) {
    let people = scene.product().people.clone();
    // Made again under the same key after it was deleted, a record has nothing of what was written before.
    let was_deleted = |key: &String| people.deleted.contains_key(key);
    for ((key, field), text) in people
        .edits
        .iter()
        .filter(|((key, _), _)| !was_deleted(key))
    {
        let of_this = |incident: &&Value| incident["sys_id"] == key.as_str();
        if let Some(incident) = incidents.iter().find(of_this)
            && incident[*field] != text.as_str()
        {
            scene.ledger.accuse(
                "people",
                format!("a person wrote {text:?} into {field}: {incident}"),
            );
        }
    }
    // Whoever reopens by its configuration may close again; a duplicate is one whoever closed it.
    let reopens = scene.swarm.shape.reopen_within.is_some();
    for key in people.closed.keys().filter(|_| !reopens) {
        let of_this = |incident: &&Value| incident["sys_id"] == key.as_str();
        if let Some(incident) = incidents.iter().find(of_this)
            && !people.reopened.contains_key(key)
            && !was_deleted(key)
            && incident["close_notes"] != CLOSED_BY_HAND
            && !scene.product().raced.contains(key)
        {
            scene.ledger.accuse(
                "people",
                format!("a person closed it, and somebody else's words stand there: {incident}"),
            );
        }
    }
}

/// No secret of the connection, no key of the webhook and no token is in anything that is stored (I23).
fn check_secrets(scene: &Scene) {
    let tokens = scene.product().tokens.clone();
    let secrets: Vec<&str> = tokens
        .iter()
        .map(String::as_str)
        .chain([CLIENT_SECRET, WEBHOOK_KEY])
        .collect();
    for (name, content) in scene.contents("") {
        if secrets
            .iter()
            .any(|secret| holds(&content, secret.as_bytes()))
        {
            scene.ledger.accuse("I23", format!("{name} holds a secret"));
        }
    }
}

/// Nothing lies about in a folder that nobody sweeps (I19).
fn check_left_overs(scene: &Scene) {
    for name in scene.names("") {
        let folder = name.split('/').next().unwrap_or_default();
        if !FOLDERS.contains(&folder) {
            let seen = format!("{name} is in a folder that nobody knows");
            scene.ledger.accuse("I19", seen);
        }
    }
}
