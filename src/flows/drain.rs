//! The drain: every minute, what is pending is finished; on a good day that means clearing the markers of what is done.
//!
//! One drainer per connection at a time (a lease says which), the most urgent first, then the oldest, four calls at
//! once. A closed gate stops the calls and nothing else.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Serialize;

use super::create_work_item::event_of;
use super::settle::{self, Case, SeenHead};
use super::{Budget, Core};
use crate::domain::connection::Connection;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::gate::{Gate, Passage};
use crate::domain::name::ConnectionName;
use crate::domain::slot::{AGE_MAX, Rest};
use crate::domain::timestamp::Timestamp;
use crate::inbound::common_alert_schema;
use crate::inbound::webhook::Delivery;
use crate::stores::connections::Lookup;
use crate::stores::dead_letters::DeadLetter;
use crate::stores::gates::SeenGate;
use crate::stores::objects::StoreFailure;
use crate::stores::pending::Marker;
use crate::stores::slots::SlotLog;

/// Calls to one product at once (rule R23).
pub const CALLS_AT_ONCE: usize = 4;

/// Connections that are drained at once.
const CONNECTIONS_AT_ONCE: usize = 4;

/// The longest that one call to a product may take when nobody waits for the answer.
pub const DRAIN_CALL_MAX: Duration = Duration::from_secs(20);

/// What is kept back of a run's time for writing down and giving the lease back (rule R42).
const RESERVE: Duration = Duration::from_secs(3);

/// How often a run goes over the markers: a Resolved that had to wait for its Fired is finished in the same run.
const PASSES_MAX: u32 = 3;

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

/// Drains every connection that has something pending; how each ended.
pub async fn run(
    core: &Core,
    span: Duration,
) -> Result<Vec<(ConnectionName, Drained)>, StoreFailure> {
    let budget = Budget::new(&*core.clock, span.saturating_sub(RESERVE));
    let connections = core.pending.connections().await?;
    let mut reports: Vec<_> = futures_util::stream::iter(connections)
        .map(|name| async move {
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
    Ok(reports)
}

/// `None` if there is nothing to do, or somebody else is doing it.
async fn drain_connection(
    core: &Core,
    name: &ConnectionName,
    budget: Budget,
) -> Result<Option<Drained>, StoreFailure> {
    if core.pending.list(name).await?.is_empty() {
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
        Lookup::Absent => return give_up_the_absent(core, name).await,
        Lookup::Unusable(failure) | Lookup::NotAsked(failure) => {
            tracing::warn!(connection = %name, %failure, hint = failure.hint(), "alerts wait for their connection");
            return Ok(Drained {
                stopped_because: Some("the connection cannot be used"),
                ..Drained::default()
            });
        }
    };
    let mut total = Drained::default();
    for pass in 0..PASSES_MAX {
        let drained = Pass::new(core, &connection, budget).await?.run().await;
        let again = drained.settled > 0 && drained.waiting > 0 && drained.stopped_because.is_none();
        total.settled += drained.settled;
        total.dead += drained.dead;
        total.waiting = drained.waiting;
        total.stopped_because = drained.stopped_because;
        if !again || pass + 1 == PASSES_MAX {
            break;
        }
    }
    Ok(total)
}

/// One pass over the markers.
struct Pass<'a> {
    core: &'a Core,
    connection: &'a Arc<Connection>,
    budget: Budget,
    seen_gate: SeenGate,
    markers: RefCell<Vec<Marker>>,
    /// True while one call finds out whether the product is back.
    probing: Cell<bool>,
    stopped: Cell<Option<&'static str>>,
}

impl<'a> Pass<'a> {
    async fn new(
        core: &'a Core,
        connection: &'a Arc<Connection>,
        budget: Budget,
    ) -> Result<Self, StoreFailure> {
        let seen_gate = core.gates.read(&connection.name).await?;
        let passage = seen_gate.gate.passage(core.clock.now());
        let stopped = matches!(passage, Passage::ClosedUntil(_)).then_some("the gate is closed");
        let markers = RefCell::new(core.pending.list(&connection.name).await?);
        Ok(Self {
            core,
            connection,
            budget,
            seen_gate,
            markers,
            probing: Cell::new(passage == Passage::Probe),
            stopped: Cell::new(stopped),
        })
    }

    async fn run(&self) -> Drained {
        let mut drained = Drained::default();
        let mut markers = std::mem::take(&mut *self.markers.borrow_mut()).into_iter();
        // One at a time until the product has answered as it should, then four.
        while self.probing.get() && self.stopped.get().is_none() {
            let Some(marker) = markers.next() else { break };
            let rested = self.settle(&marker).await;
            self.count(&mut drained, &marker, rested).await;
        }
        let rest: Vec<Marker> = markers.collect();
        let mut running = futures_util::stream::iter(&rest)
            .map(|marker| async move { (marker, self.settle_unless_stopped(marker).await) })
            .buffer_unordered(CALLS_AT_ONCE);
        let mut results = Vec::new();
        while let Some((marker, rested)) = running.next().await {
            results.push((marker, rested));
        }
        drop(running);
        for (marker, rested) in results {
            self.count(&mut drained, marker, rested).await;
        }
        drained.stopped_because = self.stopped.get();
        drained
    }

    async fn settle_unless_stopped(&self, marker: &Marker) -> Result<Option<Rest>, StoreFailure> {
        if self.stopped.get().is_some() {
            return Ok(None);
        }
        self.settle(marker).await
    }

    async fn count(
        &self,
        drained: &mut Drained,
        marker: &Marker,
        rested: Result<Option<Rest>, StoreFailure>,
    ) {
        match rested {
            Ok(Some(Rest::Dead(_))) => drained.dead += 1,
            Ok(Some(Rest::Later(_)) | None) => drained.waiting += 1,
            Ok(Some(_)) => drained.settled += 1,
            Err(failure) => {
                tracing::warn!(connection = %self.connection.name, event = %marker.event, %failure, hint = failure.hint(), "not settled");
                drained.waiting += 1;
            }
        }
    }

    /// Settles the event of a marker and clears the marker once the slot holds the effect. `None` if nothing was done.
    async fn settle(&self, marker: &Marker) -> Result<Option<Rest>, StoreFailure> {
        if !self.budget.can_start(&*self.core.clock, DRAIN_CALL_MAX) {
            self.stopped.set(Some("the time is over"));
            return Ok(None);
        }
        let name = &self.connection.name;
        let Some(received_at) = self.core.pending.received_at(name, marker).await? else {
            return Ok(Some(Rest::Known));
        };
        let Some(entry) = self.core.journal.read(name, &marker.event).await? else {
            return self.sweep_orphan(marker, received_at).await;
        };
        let delivery = Delivery::from_journal(name.clone(), entry.action, entry.body);
        let Some(action) = self.connection.actions.get(delivery.action()).cloned() else {
            return self.give_up(marker, &delivery, received_at).await;
        };
        let alert = match common_alert_schema::parse(&delivery) {
            Ok(alert) => alert,
            Err(reason) => {
                let now = self.core.clock.now();
                self.core
                    .quarantine
                    .keep(
                        name,
                        delivery.action(),
                        reason.reason,
                        &reason.to_string(),
                        now,
                        delivery.body(),
                    )
                    .await?;
                self.core.pending.clear(name, marker).await?;
                return Ok(Some(Rest::Known));
            }
        };
        let mut event = event_of(self.core, &delivery, &alert);
        event.received_at = received_at;
        let slot = settle::slot_of(name, delivery.action(), &event.episode);
        let head = SlotLog::new(&self.core.objects, name, delivery.action(), &slot)
            .head()
            .await?;
        if head
            .as_ref()
            .is_some_and(|head| head.state.has_settled(&event.id))
        {
            self.core.pending.clear(name, marker).await?;
            return Ok(Some(Rest::Known));
        }
        let case = Case {
            connection: Arc::clone(self.connection),
            action_name: delivery.action().clone(),
            action,
            alert: &alert,
            event,
        };
        let settled = settle::settle(
            self.core,
            &case,
            SeenHead::Read(head),
            self.budget,
            DRAIN_CALL_MAX,
        )
        .await?;
        self.look_at_the_gate(&settled.rest).await?;
        if settled.slot.has_settled(&case.event.id) {
            self.core.pending.clear(name, marker).await?;
        }
        Ok(Some(settled.rest))
    }

    /// A call that succeeded opens a gate that was being probed; one that closed it ends the pass.
    async fn look_at_the_gate(&self, rest: &Rest) -> Result<(), StoreFailure> {
        let name = &self.connection.name;
        if matches!(rest, Rest::Created | Rest::Resolved) && self.probing.get() {
            self.probing.set(false);
            let now = self.core.clock.now();
            self.core
                .gates
                .change(
                    name,
                    &self.seen_gate,
                    Gate::default(),
                    &self.core.writer_id(),
                    now,
                )
                .await?;
        } else if matches!(rest, Rest::Later(_) | Rest::Dead(_)) {
            let gate = self.core.gates.read(name).await?.gate;
            if let Passage::ClosedUntil(_) = gate.passage(self.core.clock.now()) {
                self.stopped.set(Some("the gate is closed"));
            }
        }
        Ok(())
    }

    async fn sweep_orphan(
        &self,
        marker: &Marker,
        received_at: Timestamp,
    ) -> Result<Option<Rest>, StoreFailure> {
        if self.core.clock.now().since(received_at) < ORPHAN_AGE {
            return Ok(Some(Rest::Later(received_at.plus(ORPHAN_AGE))));
        }
        self.core
            .pending
            .clear(&self.connection.name, marker)
            .await?;
        Ok(Some(Rest::Known))
    }

    /// The connection is there; the action is not any more.
    async fn give_up(
        &self,
        marker: &Marker,
        delivery: &Delivery,
        received_at: Timestamp,
    ) -> Result<Option<Rest>, StoreFailure> {
        let reason = no_longer_there(&format!(
            "the connection has no action `{}`",
            delivery.action()
        ));
        bury(
            self.core,
            &self.connection.name,
            marker,
            delivery,
            reason,
            received_at,
        )
        .await
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
    for marker in core.pending.list(name).await? {
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
    Ok(drained)
}
