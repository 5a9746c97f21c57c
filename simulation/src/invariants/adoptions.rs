//! How the items of a slot came to be known, by the product's journal.

use itsm_connector::domain::slot::Slot;
use serde_json::Value;
use simulators::journal::{Entry, Execution, Kind};

use super::Snapshot;
use crate::counters;
use crate::scene::Scene;
use crate::swarm::Variant;

/// Faults after which a create was executed and nobody was told.
const LOST: [&str; 8] = [
    "drop_reply_after_write",
    "commit_then500",
    "slow",
    "drip",
    "cut_body",
    "broken_json_with200",
    "null200",
    "empty_result",
];

/// Counts what the journal shows.
pub(super) fn count(scene: &Scene, history: &[Snapshot], items: &[&Value]) {
    let Some(item) = history
        .last()
        .and_then(|last: &Snapshot| Slot::item(&last.state))
    else {
        return;
    };
    if items.is_empty() {
        return;
    }
    let product = scene.product();
    let of_ours =
        |entry: &&Entry| entry.kind == Kind::Create && entry.sys_id.as_deref() == Some(&item.id);
    let creates: Vec<&Entry> = product.journal().iter().filter(of_ours).collect();
    let counts = &scene.ledger;
    if creates
        .iter()
        .any(|entry| entry.execution == Execution::Late)
    {
        counts.count(counters::ADOPTED_LATE);
    }
    let was_lost = |entry: &Entry| {
        entry.execution == Execution::Executed
            && entry
                .fault
                .as_deref()
                .is_some_and(|fault| LOST.contains(&fault))
    };
    if scene.swarm.variant == Variant::BestEffort && creates.iter().any(|entry| was_lost(entry)) {
        counts.count(counters::ADOPTED_BY_SEARCH);
    }
    let refused =
        |entry: &Entry| entry.kind == Kind::Create && entry.status == 403 && entry.fault.is_none();
    if scene.swarm.variant == Variant::Enforced && product.journal().iter().any(refused) {
        counts.count(counters::ADOPTED_REFUSED);
    }
}
