//! One pass over some of the pending markers of a connection.

mod ends;
mod storms;

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::allowed::Allowed;
use super::{CALLS_AT_ONCE, DRAIN_CALL_MAX, Drained, ORPHAN_AGE, bury, no_longer_there};
use crate::domain::connection::Connection;
use crate::domain::slot::Rest;
use crate::domain::timestamp::Timestamp;
use crate::flows::create_work_item::{event_of, quarantine};
use crate::flows::gatekeeper::Gatekeeper;
use crate::flows::settle::{self, Case};
use crate::flows::{Budget, Core};
use crate::inbound::webhook::Delivery;
use crate::stores::connections::Lookup;
use crate::stores::objects::StoreFailure;
use crate::stores::pending::Marker;

/// A call takes at most this part of a run: with a function's time limit of fifteen seconds, a call of twenty would never
/// be started and nothing ever finished.
const SHARE_OF_A_CALL: u32 = 3;

/// Less than this is no time for a call: it would only have an unknown outcome.
pub(super) const CALL_MIN: Duration = Duration::from_secs(3);

/// One pass over the markers.
pub(super) struct Pass<'a> {
    core: &'a Core,
    connection: &'a Arc<Connection>,
    budget: Budget,
    allowed: &'a Allowed<'a>,
    /// The longest that one call may take, so that a short run still starts some.
    call_max: Duration,
    gatekeeper: Gatekeeper<'a>,
    markers: RefCell<Vec<Marker>>,
    stopped: Cell<Option<&'static str>>,
}

impl<'a> Pass<'a> {
    pub(super) async fn new(
        core: &'a Core,
        connection: &'a Arc<Connection>,
        budget: Budget,
        allowed: &'a Allowed<'a>,
        markers: Vec<Marker>,
    ) -> Result<Self, StoreFailure> {
        let gatekeeper = Gatekeeper::new(core, &connection.name).await?;
        Ok(Self {
            core,
            connection,
            budget,
            allowed,
            call_max: (budget.left(&*core.clock) / SHARE_OF_A_CALL).clamp(CALL_MIN, DRAIN_CALL_MAX),
            gatekeeper,
            markers: RefCell::new(markers),
            stopped: Cell::new(None),
        })
    }

    pub(super) async fn run(&self) -> Drained {
        let mut drained = Drained::default();
        let markers = std::mem::take(&mut *self.markers.borrow_mut());
        let mut markers = Box::pin(self.storms(&mut drained, markers))
            .await
            .into_iter();
        // As many at once as the gate lets through, until it is open; then all that are left.
        loop {
            let at_once = self.at_once().await;
            let round: Vec<Marker> = match at_once {
                1..CALLS_AT_ONCE => markers.by_ref().take(at_once).collect(),
                _ => markers.by_ref().collect(),
            };
            if round.is_empty() {
                break;
            }
            self.settle_all(&mut drained, &round).await;
            if let Err(failure) = self.gatekeeper.after_round().await {
                tracing::warn!(connection = %self.connection.name, %failure, "the gate was not opened further");
            }
        }
        drained.stopped_because = self.stopped.get();
        drained
    }

    /// None once the pass is stopped.
    async fn at_once(&self) -> usize {
        if self.stopped.get().is_some() {
            return 0;
        }
        let at_once = self.gatekeeper.at_once().await;
        match at_once {
            Ok(0) => self.stopped.set(Some("the gate is closed")),
            Err(_) => self.stopped.set(Some("the gate cannot be read")),
            Ok(_) => {}
        }
        at_once.unwrap_or(0)
    }

    async fn settle_all(&self, drained: &mut Drained, markers: &[Marker]) {
        let mut running = futures_util::stream::iter(markers)
            .map(|marker| async move { (marker, self.settle_unless_stopped(marker).await) })
            .buffer_unordered(CALLS_AT_ONCE);
        let mut results = Vec::new();
        while let Some((marker, rested)) = running.next().await {
            results.push((marker, rested));
        }
        drop(running);
        for (marker, rested) in results {
            self.count(drained, marker, rested).await;
        }
    }

    async fn settle_unless_stopped(&self, marker: &Marker) -> Result<Option<Rest>, StoreFailure> {
        if self.at_once().await == 0 {
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
        if !self.budget.can_start(&*self.core.clock, self.call_max) {
            self.stopped.set(Some("the time is over"));
            return Ok(None);
        }
        if !self.allowed.begin() {
            self.stopped
                .set(Some("the calls that the product allows are used up"));
            return Ok(None);
        }
        let settled = self.settle_allowed(marker).await;
        self.allowed.end().await;
        settled
    }

    async fn settle_allowed(&self, marker: &Marker) -> Result<Option<Rest>, StoreFailure> {
        let name = &self.connection.name;
        let Some(received_at) = self.core.pending.received_at(name, marker).await? else {
            return Ok(Some(Rest::Known));
        };
        let Some(entry) = self.core.journal.read(name, &marker.event).await? else {
            return self.sweep_orphan(marker, received_at).await;
        };
        let delivery = Delivery::from_journal(name.clone(), entry.action, entry.body);
        // Whoever took the alert may have read a newer definition than this process has.
        let connection = match self.connection.actions.contains_key(delivery.action()) {
            true => Arc::clone(self.connection),
            false => {
                let connections = &self.core.connections;
                match connections.look_up_action(name, delivery.action()).await {
                    Lookup::Found(connection) => connection,
                    Lookup::Absent | Lookup::Unusable(_) | Lookup::NotAsked(_) => {
                        return Ok(Some(Rest::Later(self.core.clock.now())));
                    }
                }
            }
        };
        let Some(action) = connection.actions.get(delivery.action()).cloned() else {
            return self.give_up(marker, &delivery, received_at).await;
        };
        let alert = match quarantine::look(&delivery, Some(&action)) {
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
        let case = Case {
            connection,
            action_name: delivery.action().clone(),
            action,
            alert: &alert,
            event,
            beside: Vec::new(),
        };
        let seen = self.remember_its_end(&case).await?;
        let settled = settle::settle(
            self.core,
            &case,
            seen,
            self.budget,
            self.call_max,
            Some(&self.gatekeeper),
        )
        .await?;
        if settled.is_settled {
            self.core.pending.clear(name, marker).await?;
        }
        Ok(Some(settled.rest))
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
