//! What the removal of what is old must leave and must take, where that takes minutes.

use std::time::Duration;

use super::slots::Ending;
use crate::alerts::folder_of;
use crate::clock::BEGINNING_MS;
use crate::counters;
use crate::product::CONNECTION;

/// By so long after its time everything has been removed: six times the sweep has come since, and two of them suffice.
const MARGIN: Duration = Duration::from_secs(60 * 60);

/// Nothing stays for ever: the slot of one firing goes some time after it is over. And whoever ended late was found.
pub(super) fn check(ending: &Ending<'_>) {
    let scene = ending.scene;
    let folder = folder_of(ending.slot);
    let Some(ages) = scene.swarm.ages() else {
        return;
    };
    let Some(last) = ending.history.last() else {
        return;
    };
    if scene.attic.has_any(&folder)
        && !scene.names(&folder).is_empty()
        && last.state.firing.is_empty()
    {
        scene.ledger.count(counters::ENDED_LATE);
    }
    let began = itsm_connector::domain::timestamp::Timestamp::from_millis(BEGINNING_MS);
    let age = scene.elapsed().saturating_sub(last.at.since(began));
    let is_old = age > ages.done_for + MARGIN;
    let is_over = ending
        .episodes
        .iter()
        .all(|(_, told)| told.fired_kept && told.resolved_kept);
    let has_letter = ending.episodes.iter().any(|(episode, _)| {
        let messages = [Some(&episode.fired), episode.resolved.as_ref()];
        messages.into_iter().flatten().any(|message| {
            let letter = format!("dead/{CONNECTION}/{}", message.event);
            scene.peek(&letter).is_some()
        })
    });
    let goes = last.state.is_of_one_firing && is_over && !has_letter;
    if is_old && goes && !scene.names(&folder).is_empty() {
        let seen = format!(
            "slot {}: over for {} min, and still kept: {:?}",
            ending.slot,
            age.as_secs() / 60,
            last.state
        );
        scene.ledger.accuse("I19", seen);
    }
}
