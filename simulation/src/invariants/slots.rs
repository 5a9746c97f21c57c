//! What must hold of a slot in the end: no alert lost, one work item that counts, and it stands as the alerts do.

use std::collections::BTreeMap;

use itsm_connector::domain::connection::AlreadyOver;
use itsm_connector::domain::identity::{EpisodeId, EventId, ItemId, SlotId};
use itsm_connector::domain::slot::{Phase, Slot};
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::work_item::WorkItemRef;
use serde_json::Value;

use super::{Snapshot, adoptions, history};
use crate::alerts::{Episode, correlation_of};
use crate::clock::BEGINNING_MS;
use crate::counters;
use crate::people::People;
use crate::product::CONNECTION;
use crate::scene::Scene;
use crate::sender::Told;
use crate::swarm::Variant;

/// What is known of a slot at the end.
pub(super) struct Ending<'a> {
    pub scene: &'a Scene,
    pub slot: &'a SlotId,
    pub episodes: &'a [(&'a Episode, Told)],
    pub history: Vec<Snapshot>,
    /// The product's records that were made for it, in the order of their making.
    pub items: Vec<&'a Value>,
    pub people: &'a People,
}

fn key(item: &Value) -> &str {
    item["sys_id"].as_str().unwrap_or_default()
}

fn is_duplicate(item: &Value) -> bool {
    item["close_code"] == "Duplicate"
}

fn is_over(item: &Value) -> bool {
    matches!(item["state"].as_str(), Some("6" | "7" | "8"))
}

impl Ending<'_> {
    fn accuse(&self, invariant: &'static str, seen: &str) {
        let states: Vec<String> = self
            .items
            .iter()
            .map(|item| {
                let duplicate = if is_duplicate(item) { " duplicate" } else { "" };
                format!("{} state {}{duplicate}", item["number"], item["state"])
            })
            .collect();
        let told: Vec<Told> = self.episodes.iter().map(|(_, told)| *told).collect();
        self.tell_history();
        self.scene.ledger.accuse(
            invariant,
            format!(
                "slot {}: {seen}; items {states:?}; told {told:?}; the slot says {:?}",
                self.slot,
                self.last().map(|slot| &slot.phase)
            ),
        );
    }

    /// Writes the slot's snapshots into the book, for whoever looks into a failure.
    fn tell_history(&self) {
        for (n, one) in self.history.iter().enumerate() {
            let slot = &one.state;
            let what = format!(
                "slot {} {n}: generation {}, {:?}, firing {:?}, applied {:?}, early {:?}, extras {}, audit {:?}, tries {}",
                self.slot,
                slot.generation,
                slot.phase,
                slot.firing,
                slot.applied,
                slot.early
                    .iter()
                    .map(|early| &early.event)
                    .collect::<Vec<_>>(),
                slot.extras.len(),
                slot.audit_at.map(|at| at.to_string()),
                slot.tries
            );
            let began = Timestamp::from_millis(BEGINNING_MS);
            self.scene
                .ledger
                .note(one.at.since(began), "as stored", what);
        }
    }

    fn last(&self) -> Option<&Slot> {
        self.history.last().map(|snapshot| &snapshot.state)
    }

    fn has_letter(&self, event: &EventId) -> bool {
        let letter = format!("dead/{CONNECTION}/{event}");
        self.scene.peek(&letter).is_some()
    }

    fn letters(&self) -> usize {
        self.episodes
            .iter()
            .flat_map(|(episode, _)| [Some(&episode.fired), episode.resolved.as_ref()])
            .flatten()
            .filter(|message| self.has_letter(&message.event))
            .count()
    }

    /// The items of each generation.
    fn generations(&self) -> BTreeMap<u32, Vec<&Value>> {
        let mut generations: BTreeMap<u32, Vec<&Value>> = BTreeMap::new();
        for item in &self.items {
            let now = item["correlation_id"].as_str().unwrap_or_default();
            let taken = self.people.taken_from.get(key(item));
            let original = taken.map_or(now, String::as_str);
            if let Some((_, generation)) = ItemId::from_correlation(original) {
                generations.entry(generation).or_default().push(item);
            }
        }
        generations
    }

    pub(super) fn check(&self) {
        history::check(self.scene, self.slot, &self.history);
        if self.scene.swarm.shape.is_shadow() {
            if !self.items.is_empty() {
                self.accuse("shadow", "a work item was made");
            }
            return;
        }
        let letters = self.letters();
        if letters > 0 {
            self.scene.ledger.count("slots with dead letters");
        }
        self.check_loss();
        self.check_burial(letters);
        for (generation, items) in &self.generations() {
            self.check_generation(*generation, items, letters);
        }
        self.check_open(letters);
        self.check_end(letters);
        adoptions::count(self.scene, &self.history, &self.items);
    }

    /// I2: who was answered 2xx is in the state, and has a work item there.
    fn check_loss(&self) {
        for (episode, told) in self.episodes {
            let event = &episode.fired.event;
            if !told.fired_kept || self.has_letter(event) {
                continue;
            }
            let has_event = |snapshot: &&Snapshot| snapshot.state.applied.contains(event);
            let Some(joined) = self.history.iter().find(has_event) else {
                self.accuse("I2", &format!("{event} was answered 2xx, and is nowhere"));
                continue;
            };
            let mut rest = self.history.iter().filter(|one| one.at >= joined.at);
            if self.is_left_out(*told) {
                self.scene.ledger.count(counters::LEFT_OUT);
                continue;
            }
            let item = joined.state.item().cloned();
            let item = item.or_else(|| rest.find_map(|one| one.state.item().cloned()));
            if !item.is_some_and(|item| self.exists_or_did(&item)) {
                let seen = format!("{event} was answered 2xx, and there is no work item");
                self.accuse("I2", &seen);
            }
        }
    }

    /// True if nothing had to be made: the action wants it so, the end was there too, and there is none.
    fn is_left_out(&self, told: Told) -> bool {
        let is_vacant = self.last().is_some_and(|last| last.phase == Phase::Vacant);
        let wants = self.scene.swarm.shape.already_over == AlreadyOver::Nothing;
        wants && told.resolved_sent && is_vacant && self.items.is_empty()
    }

    /// The item is there, was deleted by a person, or another of this slot stands for a key that a spoilt answer told.
    fn exists_or_did(&self, item: &WorkItemRef) -> bool {
        let is_it = |other: &&&Value| key(other) == item.id;
        let was_deleted = |correlation: &String| {
            ItemId::from_correlation(correlation).is_some_and(|(slot, _)| slot == *self.slot)
        };
        self.items.iter().any(|other| is_it(&other))
            || self.people.deleted.values().any(was_deleted)
            || (self.scene.product().told_wrong_keys.contains(&item.id) && !self.items.is_empty())
    }

    /// R25: whoever is given up has a dead letter that says so.
    fn check_burial(&self, letters: usize) {
        let is_buried = matches!(
            self.last().map(|slot| &slot.phase),
            Some(Phase::Dead { .. })
        );
        if is_buried && letters == 0 {
            self.accuse("R25", "the slot is buried without a dead letter");
        }
        if letters > 0 && !is_buried {
            // A false alarm and no loss: whoever gave up died, or was ended, before it could take that back.
            self.scene.ledger.count("dead letters of settled alerts");
        }
    }

    /// I4, I5, I6: of each generation one counts.
    fn check_generation(&self, generation: u32, items: &[&Value], letters: usize) {
        let counts = |item: &&&Value| {
            let by_person = self.people.closed.contains_key(key(item))
                || self.people.taken_over.contains_key(key(item));
            !is_duplicate(item) && !by_person
        };
        if items.iter().filter(counts).count() > 1 {
            self.accuse("I4", "more than one work item counts");
        }
        let correlation = correlation_of(self.slot, generation);
        let was_misled = self.scene.product().was_misled(&correlation);
        let is_lost_to_us = |item: &&&Value| {
            let key = key(item);
            self.people.taken_over.contains_key(key)
        };
        let deleted = self.people.deleted.values().any(|of| *of == correlation);
        let made = items.iter().filter(|item| !is_lost_to_us(item)).count();
        match self.scene.swarm.variant {
            Variant::Enforced if made > 1 && !deleted => {
                self.accuse("I5", "made twice although the product keeps our key unique");
            }
            Variant::BestEffort if made > 1 && !was_misled && !deleted => {
                self.accuse("I6", "made twice although nobody stood still before a send");
            }
            _ => {}
        }
        if made > 1 {
            self.scene.ledger.count("transient extra items");
        }
        // Of an item that a person gave away or deleted the others are duplicates.
        let person_took = deleted || self.people.taken_from.values().any(|of| *of == correlation);
        let all_duplicates = !items.is_empty() && items.iter().all(|item| is_duplicate(item));
        if letters == 0 && !person_took && all_duplicates {
            self.accuse("I4", "every work item was closed as a duplicate");
        }
    }

    /// P2: of all generations one is open.
    fn check_open(&self, letters: usize) {
        let is_open = |item: &&&Value| {
            let keep_open = self.people.keep_open(key(item));
            let taken = self.people.taken_over.contains_key(key(item));
            !is_over(item) && !keep_open && !taken
        };
        if letters == 0 && self.items.iter().filter(is_open).count() > 1 {
            self.accuse("P2", "more than one work item is open");
        }
    }

    /// I7: what has ended is resolved, and nothing is resolved that has not ended.
    fn check_end(&self, letters: usize) {
        let known = self.last().and_then(Slot::item);
        if let Some(known) = known
            && !self.exists_or_did(known)
        {
            self.accuse("I4", "the slot's work item does not exist");
        }
        let ends = self.scene.swarm.shape.ends_items();
        let has_ended = |(_, told): &(&Episode, Told)| !told.fired_sent || told.resolved_kept;
        let all_over = self.episodes.iter().all(has_ended);
        for item in &self.items {
            let by_person = self.people.closed.contains_key(key(item))
                || self.people.reopened.contains_key(key(item))
                || self.people.taken_over.contains_key(key(item));
            if by_person || is_duplicate(item) || self.was_made_anew(item) {
                continue;
            }
            let is_left = ends && all_over && !is_over(item) && letters == 0;
            if is_left {
                self.accuse("I7", "the alerts are over and a work item is open");
            }
            if is_over(item) {
                self.check_why_over(item, ends);
            }
        }
    }

    /// A person deleted it, and a create that was held up until then took the freed key: nobody waits for its answer any
    /// more, and a search for what was done with and taken away would go on for ever.
    fn was_made_anew(&self, item: &Value) -> bool {
        let key = key(item);
        self.people.deleted.contains_key(key) && self.scene.product().was_made_late(key)
    }

    /// Nothing is resolved before the last of those who hold it open has ended.
    fn check_why_over(&self, item: &Value, ends: bool) {
        let holders: Vec<&EpisodeId> = self
            .history
            .iter()
            .filter(|one| one.state.item().is_some_and(|known| known.id == key(item)))
            .flat_map(|one| &one.state.firing)
            .collect();
        let goes_on = |(episode, told): &&(&Episode, Told)| {
            holders.contains(&&episode.id) && !told.resolved_sent
        };
        let is_early = !ends || self.episodes.iter().any(|one| goes_on(&one));
        if is_early {
            self.accuse("I7", "a work item was resolved and nobody said so");
        }
    }
}
