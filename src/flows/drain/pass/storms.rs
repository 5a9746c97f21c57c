//! The drain's first look at a page: which alerts are a storm, and what is done for them together (rule R24).
//!
//! An alert's own slot says whether it joined one, and is written before anything else is done; so whoever comes to the
//! alert later, also its end, finds the way to the storm's slot, and of two drains that decide differently one loses.

mod members;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{Drained, Pass};
use crate::domain::alert::{Alert, Condition};
use crate::domain::connection::{Action, AlreadyOver};
use crate::domain::identity::{EventId, SlotId};
use crate::domain::name::ActionName;
use crate::domain::slot::{Event, Phase, Slot};
use crate::domain::storm::{self, Arrival, StormOptions, Way};
use crate::flows::create_work_item::{event_of, quarantine};
use crate::inbound::webhook::Delivery;
use crate::stores::numbered_log::{Append, Head};
use crate::stores::objects::StoreFailure;
use crate::stores::pending::Marker;
use crate::stores::slots::SlotLog;
use crate::stores::storms::WeatherLog;

/// Alerts that are read at once: two round trips to the store each.
const READ_AT_ONCE: usize = 16;

/// A pending event of an action that knows storms.
struct Waiting {
    marker: Marker,
    action_name: ActionName,
    alert: Alert,
    event: Event,
    /// The slot that all alerts of its rule would share.
    rule: SlotId,
    /// Its own.
    log: SlotLog,
    head: Option<Head<Slot>>,
}

/// What is to be done for a marker.
enum Looked {
    /// What is done for every other.
    Usual(Marker),
    /// It is or may become one of a storm.
    Waiting(Box<Waiting>),
}

/// The alerts of a storm that wait.
#[derive(Default)]
struct Members {
    fired: Vec<Waiting>,
    resolved: Vec<Waiting>,
}

impl Waiting {
    fn storm(&self) -> Option<&SlotId> {
        match self.head.as_ref().map(|head| &head.state.phase) {
            Some(Phase::Joined { storm }) => Some(storm),
            _ => None,
        }
    }

    /// True if nothing is left to do but to clear the marker: it was delivered again.
    fn is_known(&self) -> bool {
        self.head
            .as_ref()
            .is_some_and(|head| head.state.has_settled(&self.event.id))
    }

    /// True if it may still join one.
    fn is_new(&self) -> bool {
        let empty = Slot::default();
        let own = self.head.as_ref().map_or(&empty, |head| &head.state);
        self.event.condition == Condition::Fired && own.joined(&self.rule).is_some()
    }

    fn arrival(&self) -> Arrival {
        Arrival {
            at: self.alert.fired_at.unwrap_or(self.event.received_at),
            episode: self.event.episode.clone(),
        }
    }

    /// True if the storm's slot holds the effect of its event, also if it does not remember the event by name.
    fn is_settled_in(&self, storm: &Slot) -> bool {
        let still_holds =
            self.event.condition == Condition::Fired && storm.goes_on_holding(&self.event.episode);
        storm.has_settled(&self.event.id) || still_holds
    }
}

impl Pass<'_> {
    /// Does what is to be done for storms; the markers of everything else.
    pub(super) async fn storms(&self, drained: &mut Drained, markers: Vec<Marker>) -> Vec<Marker> {
        let knows_storms = self
            .connection
            .actions
            .values()
            .any(|action| action.storm.is_some());
        if !knows_storms || self.at_once().await == 0 {
            return markers;
        }
        let total = markers.len();
        match self.try_storms(drained, markers).await {
            Ok(rest) => rest,
            Err(failure) => {
                tracing::warn!(connection = %self.connection.name, %failure, hint = failure.hint(), "what waits could not be looked at for storms; it waits on");
                drained.waiting += total as u64;
                Vec::new()
            }
        }
    }

    async fn try_storms(
        &self,
        drained: &mut Drained,
        markers: Vec<Marker>,
    ) -> Result<Vec<Marker>, StoreFailure> {
        let looked: Vec<Looked> = futures_util::stream::iter(markers)
            .map(|marker| self.look(marker))
            .buffered(READ_AT_ONCE)
            .try_collect()
            .await?;
        let mut usual: Vec<Marker> = Vec::new();
        let mut by_storm: BTreeMap<SlotId, Members> = BTreeMap::new();
        let mut by_rule: BTreeMap<(ActionName, SlotId), Vec<Waiting>> = BTreeMap::new();
        for looked in looked {
            let waiting = match looked {
                Looked::Usual(marker) => {
                    usual.push(marker);
                    continue;
                }
                Looked::Waiting(waiting) => *waiting,
            };
            if waiting.is_known() {
                usual.push(waiting.marker);
            } else if let Some(storm) = waiting.storm().cloned() {
                let members = by_storm.entry(storm).or_default();
                match waiting.event.condition {
                    Condition::Fired => members.fired.push(waiting),
                    Condition::Resolved => members.resolved.push(waiting),
                }
            } else if waiting.is_new() {
                let rule = (waiting.action_name.clone(), waiting.rule.clone());
                by_rule.entry(rule).or_default().push(waiting);
            } else {
                usual.push(waiting.marker);
            }
        }
        for ((action, rule), newcomers) in by_rule {
            self.part(
                &action,
                &rule,
                newcomers,
                &mut by_storm,
                &mut usual,
                drained,
            )
            .await?;
        }
        for (storm, members) in by_storm {
            self.settle_storm(&storm, members, drained).await?;
        }
        usual.sort();
        Ok(usual)
    }

    /// What the drain needs to know of a marker to decide.
    async fn look(&self, marker: Marker) -> Result<Looked, StoreFailure> {
        let (core, name) = (self.core, &self.connection.name);
        let (received_at, entry) = futures_util::future::try_join(
            core.pending.received_at(name, &marker),
            core.journal.read(name, &marker.event),
        )
        .await?;
        let (Some(received_at), Some(entry)) = (received_at, entry) else {
            return Ok(Looked::Usual(marker));
        };
        let delivery = Delivery::from_journal(name.clone(), entry.action, entry.body);
        let Some((action, _)) = self.storm_action(delivery.action()) else {
            return Ok(Looked::Usual(marker));
        };
        let Ok(alert) = quarantine::look(&delivery, Some(action)) else {
            return Ok(Looked::Usual(marker));
        };
        // One thing that is told of in several messages has one work item as it is.
        if alert.series.is_some() {
            return Ok(Looked::Usual(marker));
        }
        let Some(rule) = alert.rule_id.as_deref().or(alert.rule.as_deref()) else {
            return Ok(Looked::Usual(marker));
        };
        let mut event = event_of(core, &delivery, &alert);
        event.received_at = received_at;
        let is_left_out =
            action.already_over == AlreadyOver::Nothing && event.condition == Condition::Fired;
        if is_left_out {
            let end = EventId::new(&event.episode, Condition::Resolved.as_str());
            if core.journal.read(name, &end).await?.is_some() {
                return Ok(Looked::Usual(marker));
            }
        }
        let own = SlotId::of_episode(name, delivery.action(), &event.episode);
        let log = SlotLog::new(&core.objects, name, delivery.action(), &own);
        let head = log.head().await?;
        Ok(Looked::Waiting(Box::new(Waiting {
            rule: SlotId::of_rule(name, delivery.action(), rule),
            action_name: delivery.action().clone(),
            marker,
            alert,
            event,
            log,
            head,
        })))
    }

    fn storm_action(&self, name: &ActionName) -> Option<(&Action, StormOptions)> {
        let action = self.connection.actions.get(name)?;
        Some((action, action.storm?))
    }

    /// Parts the new alerts of a rule: those that join a storm, and those that go alone.
    async fn part(
        &self,
        action: &ActionName,
        rule: &SlotId,
        newcomers: Vec<Waiting>,
        by_storm: &mut BTreeMap<SlotId, Members>,
        usual: &mut Vec<Marker>,
        drained: &mut Drained,
    ) -> Result<(), StoreFailure> {
        let Some((_, options)) = self.storm_action(action) else {
            return Ok(());
        };
        let (core, name) = (self.core, &self.connection.name);
        let log = WeatherLog::new(&core.objects, name, action, rule);
        let seen = log.read().await?;
        let arrivals: Vec<Arrival> = newcomers.iter().map(Waiting::arrival).collect();
        let (weather, ways) = storm::ways(&seen.weather, &options, &arrivals, |first| {
            SlotId::of_storm(name, action, first)
        });
        if weather != seen.weather {
            let (writer, now) = (core.writer_id(), core.clock.now());
            if !log.change(&seen, &weather, &writer, now).await? {
                // Another drain has decided meanwhile; the next turn sees what.
                drained.waiting += newcomers.len() as u64;
                return Ok(());
            }
        }
        let begins = weather.storm.as_ref().map(|storm| &storm.slot)
            != seen.weather.storm.as_ref().map(|storm| &storm.slot);
        if begins {
            tracing::warn!(connection = %name, action = %action, rule = newcomers.first().and_then(|waiting| waiting.alert.rule.as_deref()), alerts = newcomers.len(), "a storm begins: its alerts share a work item");
        }
        for (mut waiting, way) in newcomers.into_iter().zip(ways) {
            let Way::Storm(storm) = way else {
                usual.push(waiting.marker);
                continue;
            };
            if self.join(&mut waiting, &storm).await? {
                by_storm.entry(storm).or_default().fired.push(waiting);
            } else {
                usual.push(waiting.marker);
            }
        }
        Ok(())
    }

    /// Writes down that an alert is one of a storm; false if something else was done for it meanwhile.
    async fn join(&self, waiting: &mut Waiting, storm: &SlotId) -> Result<bool, StoreFailure> {
        let own = waiting.head.as_ref().map(|head| head.state.clone());
        // Not a group's, whatever it joins: once all is over it may be removed.
        let own = Slot {
            is_of_one_firing: true,
            ..own.unwrap_or_default()
        };
        let Some(joined) = own.joined(storm) else {
            return Ok(false);
        };
        let (writer, now) = (self.core.writer_id(), self.core.clock.now());
        match waiting
            .log
            .append(waiting.head.as_ref(), &writer, now, &joined)
            .await?
        {
            Append::Won(head) => {
                waiting.head = Some(head);
                Ok(true)
            }
            Append::Lost(_) => Ok(false),
        }
    }
}
