//! What the processes write into the store and read from it and the vault, as far as it must hold at every moment.

use std::time::Duration;

use itsm_connector::domain::slot::{Phase, Slot};
use itsm_connector::domain::timestamp::Timestamp;
use serde::Deserialize;

use super::{ClosedGate, SKEW_MS, VAULT_MEMORY};
use crate::counters;
use crate::process::Process;
use crate::scene::Scene;

#[derive(Deserialize)]
struct Stored<T> {
    at: Timestamp,
    state: T,
}

#[derive(Deserialize)]
struct StoredGate {
    #[serde(default)]
    closed_until: Option<Timestamp>,
}

#[derive(Deserialize)]
struct StoredLease {
    until: Timestamp,
}

/// True for a claim whose owner is about to send; a claim that is kept after a failure has no try left in it.
fn is_fresh_claim(content: &[u8]) -> bool {
    let read = serde_json::from_slice::<Stored<Slot>>(content);
    read.is_ok_and(|stored| match stored.state.phase {
        Phase::Creating { attempt, since, .. } => {
            attempt > stored.state.tries && since == stored.at
        }
        _ => false,
    })
}

impl Scene {
    fn gate_was_written(&self, gate: &Stored<StoredGate>) {
        let closed = gate.state.closed_until.map(|until| ClosedGate {
            since: self.elapsed(),
            until_ms: until.as_millis(),
        });
        let mut watch = self.watch();
        let was_closed = watch.gate.is_some();
        watch.gate = match (watch.gate, closed) {
            // Closed for longer: known since it was closed first.
            (Some(old), Some(new)) if old.until_ms > self.now_ms() + SKEW_MS => Some(ClosedGate {
                since: old.since,
                ..new
            }),
            (_, new) => new,
        };
        drop(watch);
        if was_closed && closed.is_none() {
            self.ledger.count(counters::GATE_REOPENED);
        }
    }
}

impl Process {
    /// An object was really made.
    pub fn watch_made(&self, location: &str, content: &[u8]) {
        if location.starts_with("gates/") {
            if let Ok(gate) = serde_json::from_slice::<Stored<StoredGate>>(content) {
                self.scene.gate_was_written(&gate);
            }
        } else if location.starts_with("leases/") {
            let Ok(lease) = serde_json::from_slice::<Stored<StoredLease>>(content) else {
                return;
            };
            self.notes().has_lease = lease.state.until > lease.at;
        }
    }

    /// It tries to make an object.
    pub fn watch_try(&self, location: &str) {
        let mut notes = self.notes();
        if location.starts_with("leases/") {
            notes.tried_leases.insert(location.to_owned());
        }
        // Whoever writes the next snapshot has gone on with its claim, if only to say that the call did not come about.
        if let Some((folder, _)) = location.rsplit_once('/') {
            notes
                .own_claims
                .retain(|claim, _| !claim.starts_with(folder));
        }
    }

    /// It has read an object that it may have made itself.
    pub fn watch_read_back(&self, location: &str, content: &[u8], is_unconfirmed: bool) {
        let now = self.scene.elapsed();
        let mut notes = self.notes();
        if location.starts_with("leases/") && notes.tried_leases.contains(location) {
            notes.has_lease = true;
        }
        if is_unconfirmed && location.starts_with("slots/") && is_fresh_claim(content) {
            notes.own_claims.insert(location.to_owned(), now);
        }
    }

    /// A claim could not be read back.
    pub fn watch_not_read_back(&self, location: &str) {
        self.notes().own_claims.remove(location);
    }

    /// The store did not take or show a gate: what happens then is not the gate's fault.
    pub fn watch_store_failure(&self, what: &str) {
        if what.contains("gates/") {
            let now = self.scene.elapsed();
            self.scene.watch().gate_failed_at.push(now);
        }
    }

    /// It reads the connection's definition: once in ten minutes, unless it was refused since (I21).
    pub fn watch_vault_read(&self) {
        let now = self.scene.elapsed();
        let mut notes = self.notes();
        let before = notes.vault_read_at.replace(now);
        notes.own_claims.clear();
        drop(notes);
        if before.is_some_and(|before| now.saturating_sub(before) < VAULT_MEMORY) {
            self.accuse(
                "I21",
                "the vault was asked again for what is fresh in memory",
            );
        }
    }

    /// The vault has failed: nothing is in memory.
    pub fn watch_vault_failure(&self) {
        self.notes().vault_read_at = None;
    }

    /// Its drain has ended: whoever read back a claim as its own must have gone on with it (rule R12).
    pub fn watch_end_of_drain(&self) {
        let span = self.scene.swarm.drain_span;
        let (began_at, claims) = {
            let mut notes = self.notes();
            (notes.began_at, std::mem::take(&mut notes.own_claims))
        };
        let in_time = |at: &Duration| *at < began_at + span / 3;
        if let Some((claim, _)) = claims.iter().find(|(_, at)| in_time(at))
            && !self.stood_still(span * 2)
            && !self.scene.swarm.shape.is_shadow()
        {
            self.accuse(
                "R12",
                &format!("{claim} was read back as its own, and nothing was made"),
            );
        }
    }
}
