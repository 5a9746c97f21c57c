//! What must hold of storms in the end: each of their alerts is told in one work item, which they share.

use itsm_connector::domain::identity::{EventId, ItemId, SlotId};
use itsm_connector::domain::slot::{EarlyResolve, Phase, Write};
use serde_json::Value;

use super::slots::Ending;
use super::{Snapshot, history, snapshots};
use crate::alerts::{Episode, folder_of};
use crate::counters;
use crate::product::CONNECTION;
use crate::scene::Scene;
use crate::sender::Told;

/// Counts alerts that a storm's item tells of more than once: the note was written, and whoever wrote it was not told or
/// could not write that down.
const TOLD_AGAIN: &str = "alerts of a storm told again after a lost answer";

/// The slot of the storm that an alert has joined, by the alert's own slot.
pub(super) fn joined(scene: &Scene, slot: &SlotId) -> Option<SlotId> {
    scene.swarm.shape.storm?;
    match &snapshots(scene, &folder_of(slot)).last()?.state.phase {
        Phase::Joined { storm } => Some(storm.clone()),
        _ => None,
    }
}

fn has_letter(scene: &Scene, event: &EventId) -> bool {
    scene.peek(&format!("dead/{CONNECTION}/{event}")).is_some()
}

/// An alert of a storm has no item of its own, and its own slot says what was done for it.
pub(super) fn check_member(
    scene: &Scene,
    slot: &SlotId,
    (episode, told): (&Episode, Told),
    incidents: &[Value],
) {
    let past = snapshots(scene, &folder_of(slot));
    history::check(scene, slot, &past);
    scene.ledger.count(counters::STORM_MEMBER);
    let is_own = |incident: &&Value| {
        let correlation = incident["correlation_id"].as_str().unwrap_or_default();
        ItemId::from_correlation(correlation).is_some_and(|(of, _)| of == *slot)
    };
    if let Some(own) = incidents.iter().find(is_own) {
        let seen = format!("slot {slot}: an alert of a storm has an item of its own: {own}");
        scene.ledger.accuse("storm", seen);
    }
    let kept = [
        told.fired_kept.then_some(&episode.fired),
        episode.resolved.as_ref().filter(|_| told.resolved_kept),
    ];
    let last = past.last().map(|last| &last.state);
    for message in kept.into_iter().flatten() {
        let event = &message.event;
        let is_known = last.is_some_and(|last| last.applied.contains(event));
        if !is_known && !has_letter(scene, event) {
            let seen = format!(
                "slot {slot}: {event} was answered 2xx, and nothing says what became of it"
            );
            scene.ledger.accuse("I2", seen);
        }
    }
}

/// The item lists each alert, and once for each time that somebody set out to.
pub(super) fn check_storm(ending: &Ending<'_>) {
    let scene = ending.scene;
    if scene.swarm.shape.is_shadow() {
        return;
    }
    let is_over = |item: &Value| matches!(item["state"].as_str(), Some("6" | "7" | "8"));
    if ending.episodes.len() > 1 && ending.items.iter().any(|item| is_over(item)) {
        scene.ledger.count(counters::STORM_OVER);
    }
    let key = |item: &Value| item["sys_id"].as_str().unwrap_or_default().to_owned();
    let is_touched = |item: &Value| {
        let key = key(item);
        let people = ending.people;
        people.taken_over.contains_key(&key) || people.edits.contains_key(&(key, "description"))
    };
    let is_of_this = |correlation: &String| {
        ItemId::from_correlation(correlation).is_some_and(|(slot, _)| slot == *ending.slot)
    };
    let deleted = ending.people.deleted.values().any(is_of_this);
    let misled = !scene.product().told_wrong_keys.is_empty();
    if deleted || misled || ending.items.iter().any(|item| is_touched(item)) {
        return;
    }
    let counting = ending
        .items
        .iter()
        .filter(|item| item["close_code"] != "Duplicate");
    let mut texts = String::new();
    let mut notes = String::new();
    for item in counting {
        texts.push_str(item["description"].as_str().unwrap_or_default());
        for note in scene
            .product()
            .machine_mut()
            .notes(&key(item), "work_notes")
        {
            notes.push_str(&note);
        }
    }
    for (episode, told) in ending.episodes {
        let event = &episode.fired.event;
        if !told.fired_kept || has_letter(scene, event) {
            continue;
        }
        let in_texts = texts.matches(&episode.told_as).count();
        let in_notes = notes.matches(&episode.told_as).count();
        let begun = begun(&ending.history, event);
        // Over before its turn came: there was nothing to tell any more.
        let is_of_it = |early: &EarlyResolve| early.episode == episode.id;
        let mut past = ending.history.iter();
        if in_texts + in_notes == 0 && past.any(|one| one.state.early.iter().any(is_of_it)) {
            continue;
        }
        let seen = format!(
            "slot {}: {:?} stands {in_texts} times in descriptions and {in_notes} times in notes; {begun} notes were begun",
            ending.slot, episode.told_as
        );
        // The item of a lost create may be closed by a person before anybody has adopted it: then the next one tells anew
        // (seeds 2564 and 21894).
        let items = 1 + ending
            .history
            .last()
            .map_or(0, |last| last.state.generation as usize);
        if in_texts + in_notes == 0 || in_texts > items.min(1 + begun) || in_notes > begun {
            scene.ledger.accuse("storm", seen);
        } else if in_texts + in_notes > 1 {
            scene.ledger.count(TOLD_AGAIN);
        }
        if in_notes > 0 {
            scene.ledger.count(counters::STORM_NOTED);
        }
    }
}

/// How often somebody set out to note this event on an item.
fn begun(history: &[Snapshot], event: &EventId) -> usize {
    let mut before: Option<&Phase> = None;
    let mut count = 0;
    for one in history {
        let phase = &one.state.phase;
        if let Phase::Writing {
            write: Write::Repeat | Write::Reopen,
            event: of,
            also,
            ..
        } = phase
        {
            let concerns = of == event || also.iter().any(|companion| companion.event == *event);
            count += usize::from(concerns && before != Some(phase));
        }
        before = Some(phase);
    }
    count
}
