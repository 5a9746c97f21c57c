//! What must hold when everything is quiet again (reliability-security §3.1, DESIGN §1).

use itsm_connector::domain::slot::{Phase, Slot};
use itsm_connector::domain::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use simulators::journal::{Entry, Execution, Kind};

use crate::alerts::Episode;
use crate::counters;
use crate::product::{CLIENT_SECRET, CONNECTION, holds};
use crate::scene::Scene;
use crate::sender::Told;
use crate::swarm::Variant;

mod history;

/// One snapshot of a slot, as it is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct Snapshot {
    /// When, by its writer's clock.
    pub at: Timestamp,
    /// What it says.
    pub state: Slot,
}

/// All snapshots of a slot, the oldest first.
pub fn snapshots(scene: &Scene, folder: &str) -> Vec<Snapshot> {
    let names = scene.names(folder);
    names
        .iter()
        .rev()
        .filter_map(|name| {
            let content = scene.peek(name)?;
            let read = serde_json::from_slice(&content);
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

/// What is known of an episode at the end.
struct Ending<'a> {
    scene: &'a Scene,
    episode: &'a Episode,
    told: Told,
    history: Vec<Snapshot>,
    /// The product's records with its correlation id, in the order of their making.
    items: Vec<&'a Value>,
}

/// Checks everything.
pub fn check(scene: &Scene, episodes: &[Episode], told: &[Told]) {
    let now_ms = scene.now_ms();
    let incidents = scene.product().incidents(now_ms);
    for (episode, told) in episodes.iter().zip(told) {
        let is_of = |incident: &&Value| incident["correlation_id"] == episode.correlation.as_str();
        let ending = Ending {
            scene,
            episode,
            told: *told,
            history: snapshots(scene, &episode.slot_folder),
            items: incidents.iter().filter(is_of).collect(),
        };
        ending.check();
    }
    check_strangers(scene, episodes, &incidents);
    check_secrets(scene);
}

/// Only ours is written, and nothing is made that nobody asked for.
fn check_strangers(scene: &Scene, episodes: &[Episode], incidents: &[Value]) {
    let bystander = scene.product().bystander.clone();
    for incident in incidents {
        let is_bystander = incident["sys_id"] == bystander.as_str();
        if is_bystander && incident["sys_mod_count"] != "0" {
            scene.ledger.accuse(
                "only ours",
                format!("a stranger's record was changed: {incident}"),
            );
        }
        let is_known = episodes
            .iter()
            .any(|episode| incident["correlation_id"] == episode.correlation.as_str());
        if !is_bystander && !is_known {
            scene
                .ledger
                .accuse("P2", format!("nobody asked for this record: {incident}"));
        }
    }
}

/// No secret of the connection, and no token, is in anything that is stored (I23).
fn check_secrets(scene: &Scene) {
    let tokens = scene.product().tokens.clone();
    let secrets: Vec<&str> = tokens
        .iter()
        .map(String::as_str)
        .chain([CLIENT_SECRET])
        .collect();
    for name in scene.names("") {
        let Some(content) = scene.peek(&name) else {
            continue;
        };
        if secrets
            .iter()
            .any(|secret| holds(&content, secret.as_bytes()))
        {
            scene.ledger.accuse("I23", format!("{name} holds a secret"));
        }
    }
}

impl Ending<'_> {
    fn accuse(&self, invariant: &'static str, seen: &str) {
        let states: Vec<&str> = self
            .items
            .iter()
            .filter_map(|item| item["state"].as_str())
            .collect();
        self.scene.ledger.accuse(
            invariant,
            format!(
                "{}: {seen}; items {states:?}, told {:?}, slot {:?}",
                self.episode.correlation,
                self.told,
                self.last().map(|slot| &slot.phase)
            ),
        );
    }

    fn last(&self) -> Option<&Slot> {
        self.history.last().map(|snapshot| &snapshot.state)
    }

    fn is_dead(&self, is_resolved: bool) -> bool {
        self.episode.message(is_resolved).is_some_and(|message| {
            let letter = format!("dead/{CONNECTION}/{}", message.event);
            self.scene.peek(&letter).is_some()
        })
    }

    fn check(&self) {
        self.check_counts();
        self.check_resolution();
        history::check(self.scene, &self.episode.correlation, &self.history);
        self.count_adoptions();
    }

    /// I2, I4, I5, I6.
    fn check_counts(&self) {
        if self.told.fired_kept && self.items.is_empty() && !self.is_dead(false) {
            self.accuse(
                "I2",
                "answered 2xx, and there is no work item and no dead letter",
            );
        }
        let counting = |item: &&&Value| !is_duplicate(item) && !self.was_closed_by_person(item);
        if self.items.iter().filter(counting).count() > 1 {
            self.accuse("I4", "more than one work item counts");
        }
        let made = self.items.len();
        match self.scene.swarm.variant {
            Variant::Enforced if made > 1 => {
                self.accuse("I5", "made twice although the product keeps our key unique");
            }
            Variant::BestEffort
                if made > 1 && !self.scene.product().was_misled(&self.episode.correlation) =>
            {
                self.accuse("I6", "made twice although nobody stood still before a send");
            }
            _ => {}
        }
        if made > 1 {
            self.scene.ledger.count("transient extra items");
        }
        let with_letter = self.is_dead(false) || self.is_dead(true);
        let is_buried = matches!(
            self.last().map(|slot| &slot.phase),
            Some(Phase::Dead { .. })
        );
        if with_letter {
            self.scene.ledger.count("dead letters");
        }
        if with_letter && !is_buried {
            // A false alarm and no loss: whoever gave up died, or was ended, before it could take that back.
            self.scene.ledger.count("dead letters of settled alerts");
        }
        if is_buried && !with_letter {
            self.accuse("R25", "the slot is buried without a dead letter");
        }
    }

    /// I7: what has ended is resolved, and nothing is resolved that has not ended.
    fn check_resolution(&self) {
        let with_letter = self.is_dead(false) || self.is_dead(true);
        if !self.items.is_empty()
            && self.items.iter().all(|item| is_duplicate(item))
            && !with_letter
        {
            self.accuse("I4", "every work item was closed as a duplicate");
        }
        let known = self.last().and_then(Slot::item);
        let is_known =
            |item: &&&Value| known.is_none_or(|known| item["sys_id"] == known.id.as_str());
        let Some(kept) = self.items.iter().find(is_known) else {
            if known.is_some() {
                self.accuse("I4", "the slot's work item does not exist");
            }
            return;
        };
        let is_over = matches!(kept["state"].as_str(), Some("6" | "7" | "8"));
        if self.told.fired_kept && self.told.resolved_kept && !is_over && !with_letter {
            self.accuse("I7", "the alert is over and its work item is open");
        }
        if is_over && !self.told.resolved_sent && !self.was_closed_by_person(kept) {
            self.accuse("I7", "the work item was resolved and nobody said so");
        }
    }

    fn was_closed_by_person(&self, item: &Value) -> bool {
        let key = item["sys_id"].as_str();
        key.is_some_and(|key| self.scene.product().closed_by_person.contains(key))
    }

    /// What the product's journal shows of how the item came to be known.
    fn count_adoptions(&self) {
        let Some(item) = self.last().and_then(Slot::item) else {
            return;
        };
        let product = self.scene.product();
        let of_ours = |entry: &&Entry| {
            entry.kind == Kind::Create && entry.sys_id.as_deref() == Some(&item.id)
        };
        let creates: Vec<&Entry> = product.journal().iter().filter(of_ours).collect();
        let counts = &self.scene.ledger;
        if creates
            .iter()
            .any(|entry| entry.execution == Execution::Late)
        {
            counts.count(counters::ADOPTED_LATE);
        }
        let lost = [
            "drop_reply_after_write",
            "commit_then500",
            "slow",
            "cut_body",
            "broken_json_with200",
        ];
        let was_lost = |entry: &Entry| {
            entry.execution == Execution::Executed
                && entry
                    .fault
                    .as_deref()
                    .is_some_and(|fault| lost.contains(&fault))
        };
        if self.scene.swarm.variant == Variant::BestEffort
            && creates.iter().any(|entry| was_lost(entry))
        {
            counts.count(counters::ADOPTED_BY_SEARCH);
        }
        let refused = |entry: &Entry| {
            entry.kind == Kind::Create && entry.status == 403 && entry.fault.is_none()
        };
        if self.scene.swarm.variant == Variant::Enforced && product.journal().iter().any(refused) {
            counts.count(counters::ADOPTED_REFUSED);
        }
    }
}

fn is_duplicate(item: &Value) -> bool {
    item["close_code"] == "Duplicate"
}
