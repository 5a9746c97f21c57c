//! The drain: every minute, what is pending is finished; on a good day that means clearing the markers of what is done.
//!
//! One drainer per connection at a time (a lease says which), the most urgent first, then the oldest, four calls at
//! once. A closed gate stops the calls and nothing else. Connections have turns of their own (`turns.rs`), so that one
//! whose product hangs until each call's limit takes no time from the others.

mod allowed;
mod pass;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Serialize;

use super::{Budget, Core, log_rows, missed_alerts, retention};
use crate::domain::connection::Connection;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::gate;
use crate::domain::name::ConnectionName;
use crate::domain::slot::{AGE_MAX, Rest};
use crate::domain::timestamp::Timestamp;
use crate::inbound::webhook::Delivery;
use crate::stores::connections::Lookup;
use crate::stores::dead_letters::DeadLetter;
use crate::stores::objects::StoreFailure;
use crate::stores::pending::{Cursor, Marker};
use allowed::Allowed;
use pass::{CALL_MIN, Pass};
use turns::CONNECTIONS_AT_ONCE;

/// Alerts of one connection that are worked on at once.
const CALLS_AT_ONCE: usize = gate::CALLS_AT_ONCE as usize;

/// The longest that one call to a product may take when nobody waits for the answer.
pub const DRAIN_CALL_MAX: Duration = Duration::from_secs(20);

/// What is kept back of a run's time for writing down and giving the lease back (rule R42).
const RESERVE: Duration = Duration::from_secs(3);

/// How often a run goes over the markers: a Resolved that had to wait for its Fired is finished in the same run.
const PASSES_MAX: u32 = 3;

/// Markers that are looked at before the next are listed: what a run can finish with a fast product. It bounds the
/// drain's memory. A listing tells of all markers, however few are wanted, so that small pages cost most of the time.
const PAGE: usize = 2000;

/// How long a connection that does not exist is waited for: somebody may be renaming it (reliability-security §2.2, 6).
const ABSENT_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// After which a marker without its alert is swept: its delivery was answered 503 and never completed.
const ORPHAN_AGE: Duration = Duration::from_secs(60 * 60);

/// What a run did for one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// Events whose effect is there.
    pub settled: u64,
    /// Events that wait.
    pub waiting: u64,
    /// Events that were given up.
    pub dead: u64,
    /// Why it stopped before the end, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_because: Option<&'static str>,
}

/// Drains every connection that has something pending; how each ended. What time is left goes to the removal of what is old.
pub async fn run(
    core: &Core,
    span: Duration,
) -> Result<Vec<(ConnectionName, Drained)>, StoreFailure> {
    let budget = Budget::new(&*core.clock, span.saturating_sub(RESERVE));
    if !budget.can_start(&*core.clock, CALL_MIN) {
        return Ok(Vec::new());
    }
    if core.soundness.to_be_proven().is_some() {
        let (id, now) = (core.writer_id(), core.clock.now());
        Box::pin(core.soundness.prove_when_due(&id, now)).await?;
    }
    // What never came is kept first, so that it is finished in the same run; it may take a third of the time.
    let looking = Budget::new(&*core.clock, budget.left(&*core.clock) / 3);
    Box::pin(missed_alerts::run(core, looking)).await;
    let turns = turns::of(core, budget).await?;
    let mut reports: Vec<_> = futures_util::stream::iter(turns.names)
        .map(|name| async move {
            let turn = turns.share.min(budget.left(&*core.clock));
            let budget = Budget::new(&*core.clock, turn);
            let drained = drain_connection(core, &name, budget).await;
            (name, drained)
        })
        .buffer_unordered(CONNECTIONS_AT_ONCE)
        .filter_map(|(name, drained)| async move {
            match drained {
                Ok(Some(drained)) => Some((name, drained)),
                Ok(None) => None,
                Err(failure) => {
                    tracing::error!(connection = %name, %failure, hint = failure.hint(), "the drain of this connection failed");
                    None
                }
            }
        })
        .collect()
        .await;
    reports.sort_by(|one, other| one.0.cmp(&other.0));
    Box::pin(retention::run(core, budget)).await;
    Ok(reports)
}

/// `None` if there is no time for it, or somebody else is doing it.
async fn drain_connection(
    core: &Core,
    name: &ConnectionName,
    budget: Budget,
) -> Result<Option<Drained>, StoreFailure> {
    if !budget.can_start(&*core.clock, CALL_MIN) {
        return Ok(None);
    }
    let span = budget.left(&*core.clock) + RESERVE;
    let holder = core.writer_id();
    let Some(lease) = core
        .leases
        .take(&format!("drain-{name}"), &holder, core.clock.now(), span)
        .await?
    else {
        return Ok(None);
    };
    let drained = drain_leased(core, name, budget).await;
    // If the lease cannot be given back it runs out by itself.
    if let Err(failure) = lease.release(core.clock.now()).await {
        tracing::warn!(connection = %name, %failure, "the drain's lease was not given back");
    }
    let drained = drained?;
    tracing::info!(
        connection = %name,
        settled = drained.settled,
        waiting = drained.waiting,
        dead = drained.dead,
        stopped_because = drained.stopped_because,
        "drained"
    );
    Ok(Some(drained))
}

async fn drain_leased(
    core: &Core,
    name: &ConnectionName,
    budget: Budget,
) -> Result<Drained, StoreFailure> {
    let connection = match core.connections.look_up(name).await {
        Lookup::Found(connection) => connection,
        Lookup::Absent => {
            log_rows::missing(core, name).await;
            return give_up_the_absent(core, name).await;
        }
        Lookup::Unusable(failure) | Lookup::NotAsked(failure) => {
            tracing::warn!(connection = %name, %failure, hint = failure.hint(), "alerts wait for their connection");
            return Ok(Drained {
                stopped_because: Some("the connection cannot be used"),
                ..Drained::default()
            });
        }
    };
    let allowed = Allowed::read(core, name).await?;
    let mut total = Drained::default();
    for pass in 0..PASSES_MAX {
        let drained = pass_over_all(core, &connection, budget, &allowed).await?;
        let again = drained.settled > 0 && drained.waiting > 0 && drained.stopped_because.is_none();
        total.settled += drained.settled;
        total.dead += drained.dead;
        total.waiting = drained.waiting;
        total.stopped_because = drained.stopped_because;
        if !again || pass + 1 == PASSES_MAX {
            break;
        }
    }
    allowed.note().await;
    Ok(total)
}

/// Page by page, so that after an outage of a day no more than a page is in memory.
async fn pass_over_all(
    core: &Core,
    connection: &Arc<Connection>,
    budget: Budget,
    allowed: &Allowed<'_>,
) -> Result<Drained, StoreFailure> {
    let (mut total, mut cursor) = (Drained::default(), Cursor::default());
    loop {
        let page = core
            .pending
            .next_page(&connection.name, &mut cursor, PAGE)
            .await?;
        if page.is_empty() {
            return Ok(total);
        }
        let drained = Pass::new(core, connection, budget, allowed, page)
            .await?
            .run()
            .await;
        total.settled += drained.settled;
        total.dead += drained.dead;
        total.waiting += drained.waiting;
        total.stopped_because = drained.stopped_because;
        if total.stopped_because.is_some() {
            return Ok(total);
        }
    }
}

fn no_longer_there(detail: &str) -> CallFailure {
    CallFailure::new(
        "the connection",
        "find action",
        Effect::NotSent,
        Kind::Unusable,
        detail,
    )
}

async fn bury(
    core: &Core,
    name: &ConnectionName,
    marker: &Marker,
    delivery: &Delivery,
    reason: CallFailure,
    received_at: Timestamp,
) -> Result<Option<Rest>, StoreFailure> {
    let letter = DeadLetter {
        action: delivery.action().clone(),
        slot: None,
        hint: reason.hint().to_owned(),
        reason: reason.clone(),
        at: core.clock.now(),
        received_at,
    };
    core.dead.keep(name, &marker.event, &letter).await?;
    core.pending.clear(name, marker).await?;
    Ok(Some(Rest::Dead(reason)))
}

/// The vault says that there is no such connection: what waits longer than a day is given up, visibly.
async fn give_up_the_absent(core: &Core, name: &ConnectionName) -> Result<Drained, StoreFailure> {
    let mut drained = Drained {
        stopped_because: Some("there is no such connection"),
        ..Drained::default()
    };
    let mut cursor = Cursor::default();
    loop {
        let page = core.pending.next_page(name, &mut cursor, PAGE).await?;
        if page.is_empty() {
            return Ok(drained);
        }
        for marker in page {
            let Some(received_at) = core.pending.received_at(name, &marker).await? else {
                continue;
            };
            let age = core.clock.now().since(received_at);
            let Some(entry) = core.journal.read(name, &marker.event).await? else {
                drained.waiting += 1;
                continue;
            };
            if age < ABSENT_PATIENCE.min(AGE_MAX) {
                drained.waiting += 1;
                continue;
            }
            let delivery = Delivery::from_journal(name.clone(), entry.action, entry.body);
            let reason = no_longer_there("the vault has no connection of this name");
            bury(core, name, &marker, &delivery, reason, received_at).await?;
            drained.dead += 1;
        }
    }
}
