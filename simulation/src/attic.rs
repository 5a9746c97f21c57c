//! What the sweep has removed: the invariants judge a slot by all that it ever was, and whoever removes what is still
//! needed is seen at once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use itsm_connector::domain::slot::Phase;

use crate::counters;
use crate::invariants::Snapshot;
use crate::product::CONNECTION;
use crate::scene::Scene;

/// Counts snapshots that somebody who stood still wrote below a head.
const STALE_APPEND: &str = "snapshots written below a head";

/// The name of a slot's very first snapshot: numbers count down.
pub(crate) const FIRST: &str = "18446744073709551615";

/// What was removed, by its name.
#[derive(Debug, Default)]
pub struct Attic(Mutex<BTreeMap<String, Bytes>>);

impl Attic {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if anything below a folder was removed.
    pub fn has_any(&self, folder: &str) -> bool {
        let all = self.all();
        let next = all.range(folder.to_owned()..).next();
        next.is_some_and(|(name, _)| name.starts_with(folder))
    }
}

impl Scene {
    /// What is or was stored below a folder, in the order of the names.
    pub fn ever(&self, folder: &str) -> Vec<(String, Bytes)> {
        let mut ever: BTreeMap<String, Bytes> = self.contents(folder).into_iter().collect();
        let all = self.attic.all();
        let below = all
            .range(folder.to_owned()..)
            .take_while(|(name, _)| name.starts_with(folder));
        // What was there first is what happened: see `watch_begun_anew`.
        ever.extend(below.map(|(name, content)| (name.clone(), content.clone())));
        ever.into_iter().collect()
    }

    /// An object is about to be removed: of slots and alerts only what nobody needs any more.
    pub fn watch_removal(&self, name: &str) {
        let (is_slot, is_alert) = (name.starts_with("slots/"), name.starts_with("journal/"));
        if !is_slot && !is_alert {
            return;
        }
        let Some(content) = self.peek(name) else {
            return;
        };
        if is_slot {
            self.watch_removal_of_snapshot(name, &content);
        } else {
            self.watch_removal_of_alert(name);
        }
        self.attic.all().insert(name.to_owned(), content);
    }

    fn watch_removal_of_alert(&self, name: &str) {
        self.ledger.count(counters::ALERT_REMOVED);
        let event = name.rsplit('/').next().unwrap_or_default();
        let markers = self.names(&format!("pending/{CONNECTION}"));
        if markers.iter().any(|marker| marker.ends_with(event)) {
            let seen = format!("{name} is removed, and its alert waits");
            self.ledger.accuse("I1", seen);
        }
    }

    fn watch_removal_of_snapshot(&self, name: &str, content: &[u8]) {
        let folder = name.rsplit_once('/').map_or(name, |(folder, _)| folder);
        let names = self.names(folder);
        if name.ends_with(FIRST) && names.len() > 1 {
            // It keeps whoever takes the slot for empty from beginning anew.
            let seen = format!("{name}: the first snapshot is removed before the others");
            self.ledger.accuse("I10", seen);
        }
        let is_head = names.first().is_some_and(|head| head == name);
        if !is_head || (name.ends_with(FIRST) && self.attic.has_any(folder)) {
            self.ledger.count(counters::SNAPSHOT_REMOVED);
            return;
        }
        self.ledger.count(counters::SLOT_REMOVED);
        let Ok(snapshot) = serde_json::from_slice::<Snapshot>(content) else {
            return;
        };
        let slot = snapshot.state;
        let is_over = !matches!(
            slot.phase,
            Phase::Creating { .. } | Phase::Open { .. } | Phase::Writing { .. }
        );
        if !is_over || !slot.firing.is_empty() || !slot.is_of_one_firing {
            let seen = format!("{name}: a slot is removed that is needed: {:?}", slot.phase);
            self.ledger.accuse("I10", seen);
        }
    }

    /// An object was made: no slot begins anew at a number that it had before, for it would use the key of a work item
    /// once more. Whoever stood still may write below the head, where nobody reads.
    pub fn watch_begun_anew(&self, name: &str) {
        if !name.starts_with("slots/") || !self.attic.all().contains_key(name) {
            return;
        }
        let folder = name.rsplit_once('/').map_or(name, |(folder, _)| folder);
        if self.names(folder).first().is_some_and(|head| head == name) {
            let seen = format!("{name}: a slot begins anew at a number that it had");
            self.ledger.accuse("I10", seen);
        } else {
            self.ledger.count(STALE_APPEND);
        }
    }
}
