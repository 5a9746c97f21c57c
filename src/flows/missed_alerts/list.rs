//! Going over Azure's list: each alert of it is known, or waited for, or taken up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::super::create_work_item::event_at;
use super::super::{Budget, Core};
use super::journaled::Journaled;
use super::{Stopped, WEBHOOK_MAY_COME};
use crate::domain::alert::{Alert, Condition};
use crate::domain::connection::Connection;
use crate::domain::identity::{EpisodeId, EventId, Firing};
use crate::domain::name::ActionName;
use crate::domain::slot::Event;
use crate::domain::timestamp::Timestamp;
use crate::inbound::alerts_management::{self, KeptAlert};
use crate::inbound::common_alert_schema;
use crate::inbound::webhook::Delivery;
use crate::ports::{AlertHistory, AlertsOf};
use crate::stores::looks::OpenAlert;

/// How long one call to Azure may take.
const CALL_MAX: Duration = Duration::from_secs(10);

/// Pages of one subscription in one look: 10,000 alerts.
const PAGES_MAX: u32 = 400;

/// Alerts whose end is asked for in one look, each by a call of its own.
const OPEN_AT_ONCE: usize = 25;

/// A message of an alert, for an action.
pub(super) struct Message {
    pub(super) delivery: Delivery,
    pub(super) alert: Alert,
    pub(super) event: Event,
}

/// One look for one connection.
pub(super) struct LookThrough<'a> {
    pub(super) core: &'a Core,
    pub(super) history: &'a dyn AlertHistory,
    pub(super) connection: &'a Arc<Connection>,
    pub(super) budget: Budget,
    pub(super) found: u64,
    /// What fired earlier was seen by a look before.
    pub(super) not_before: Option<Timestamp>,
    /// Alerts that are not over, by the list of this look: nobody need ask for them one by one.
    pub(super) listed: BTreeSet<String>,
    /// What the journal has of late, by alert; read only if something seems to be missing.
    pub(super) journaled: Option<Journaled>,
}

impl LookThrough<'_> {
    /// All pages of a subscription.
    pub(super) async fn go_over(
        &mut self,
        subscription: &str,
        of: AlertsOf,
        now: Timestamp,
        open: &mut Vec<OpenAlert>,
    ) -> Result<(), Stopped> {
        let mut body = self
            .history
            .first_page(subscription, of, self.left()?)
            .await?;
        for _ in 0..PAGES_MAX {
            let page = alerts_management::read_page(&body)?;
            drop(body);
            if page.unreadable > 0 {
                tracing::warn!(connection = %self.connection.name, unreadable = page.unreadable, hint = "report it: Azure's list has a form that is not known", "alerts of Azure's list could not be read");
            }
            for kept in &page.alerts {
                // Nobody was to be told of it.
                if !kept.is_suppressed {
                    self.look_at(kept, now, open).await?;
                }
            }
            let Some(next) = page.next else {
                return Ok(());
            };
            body = self.history.next_page(&next, self.left()?).await?;
        }
        tracing::error!(connection = %self.connection.name, pages = PAGES_MAX, hint = "name fewer subscriptions in one action, or the rules that matter", "Azure's list is longer than what one look goes over");
        Ok(())
    }

    fn left(&self) -> Result<Duration, Stopped> {
        let left = self.budget.left(&*self.core.clock);
        match left < CALL_MAX / 2 {
            true => Err(Stopped::NoTime),
            false => Ok(left.min(CALL_MAX)),
        }
    }

    /// An alert of the list: taken up if its webhook should have come and did not.
    async fn look_at(
        &mut self,
        kept: &KeptAlert,
        now: Timestamp,
        open: &mut Vec<OpenAlert>,
    ) -> Result<(), Stopped> {
        let settled = now.minus(WEBHOOK_MAY_COME);
        if kept.fired_at > settled || self.not_before.is_some_and(|from| kept.fired_at < from) {
            return Ok(());
        }
        let is_over = kept.condition == Condition::Resolved
            && kept.ended_at.is_none_or(|ended_at| ended_at <= settled);
        let Some((action, fired_at)) = self.fired(kept, is_over, open).await? else {
            return Ok(());
        };
        let id = kept.key.alert_id();
        if is_over {
            self.ended(kept, &action, fired_at).await?;
            open.retain(|one| one.alert_id != id);
        } else if open.iter().any(|one| one.alert_id == id) {
            self.listed.insert(id);
        }
        Ok(())
    }

    /// That it fired: the action that knows it, and since when. `None` if it is no action's.
    async fn fired(
        &mut self,
        kept: &KeptAlert,
        is_over: bool,
        open: &mut Vec<OpenAlert>,
    ) -> Result<Option<(ActionName, Timestamp)>, Stopped> {
        let mut taker = None;
        for message in self.messages(kept, Condition::Fired) {
            if self.is_known(&message).await? {
                return Ok(Some((message.delivery.action().clone(), kept.fired_at)));
            }
            taker.get_or_insert(message);
        }
        let Some(message) = taker else {
            return Ok(None);
        };
        // By the id alone: should Azure's list and its webhook ever differ in the time, no alert gets a second work item.
        if let Some(known) = self.known_by_id(kept).await?.fired(&kept.key) {
            return Ok(Some(known));
        }
        let action = message.delivery.action().clone();
        self.take_up(message).await?;
        if !is_over {
            open.push(OpenAlert {
                alert_id: kept.key.alert_id(),
                action: action.clone(),
                fired_at: kept.fired_at,
            });
        }
        Ok(Some((action, kept.fired_at)))
    }

    /// That it is over, for the action that knows it.
    async fn ended(
        &mut self,
        kept: &KeptAlert,
        action: &ActionName,
        fired_at: Timestamp,
    ) -> Result<(), Stopped> {
        let body = kept.message(Condition::Resolved, Some(fired_at));
        let Some(message) = self.message(action, body) else {
            return Ok(());
        };
        if self.is_known(&message).await? || self.known_by_id(kept).await?.ended(&kept.key) {
            return Ok(());
        }
        self.take_up(message).await
    }

    /// Alerts that were found here and are older than the list: has their end come?
    pub(super) async fn follow(
        &mut self,
        open: &mut Vec<OpenAlert>,
        now: Timestamp,
    ) -> Result<(), Stopped> {
        let settled = now.minus(WEBHOOK_MAY_COME);
        let unlisted = |one: &&OpenAlert| !self.listed.contains(&one.alert_id);
        let asked: Vec<OpenAlert> = open.iter().filter(unlisted).cloned().collect();
        let mut calls = 0;
        for one in asked {
            if self.end_came(&one).await? {
                open.retain(|known| *known != one);
                continue;
            }
            calls += 1;
            if calls > OPEN_AT_ONCE {
                return Ok(());
            }
            let within = self.left()?;
            let kept = match self.history.alert(&one.alert_id, within).await? {
                Some(body) => alerts_management::read_one(&body)?,
                // Azure forgets an alert after thirty days.
                None => {
                    open.retain(|known| *known != one);
                    continue;
                }
            };
            let is_over = kept.condition == Condition::Resolved
                && kept.ended_at.is_none_or(|ended_at| ended_at <= settled);
            open.retain(|known| *known != one);
            if is_over {
                self.ended(&kept, &one.action, one.fired_at).await?;
            } else {
                // Behind the others, so that each has its turn.
                open.push(one);
            }
        }
        Ok(())
    }

    /// True if its end came by the webhook meanwhile.
    async fn end_came(&self, one: &OpenAlert) -> Result<bool, Stopped> {
        let firing = Firing::Instance {
            alert_id: &one.alert_id,
            fired_at: one.fired_at,
        };
        let name = &self.connection.name;
        let episode = EpisodeId::new(name, &one.action, firing);
        let end = EventId::new(&episode, Condition::Resolved.as_str());
        Ok(self.core.journal.read(name, &end).await?.is_some())
    }

    /// The message for each action that would have taken it, the default one first.
    fn messages(&self, kept: &KeptAlert, condition: Condition) -> Vec<Message> {
        let subscription = kept.key.subscription();
        let mut actions: Vec<&ActionName> = self
            .connection
            .actions
            .iter()
            .filter(|(_, action)| {
                let named = action.allowed.subscriptions();
                action.finds_missed && named.iter().any(|one| one == subscription)
            })
            .map(|(name, _)| name)
            .collect();
        actions.sort_by_key(|name| **name != ActionName::default());
        let body = kept.message(condition, None);
        actions
            .into_iter()
            .filter_map(|name| {
                let message = self.message(name, body.clone())?;
                let action = self.connection.actions.get(name)?;
                action
                    .allowed
                    .admit(&message.alert)
                    .is_ok()
                    .then_some(message)
            })
            .collect()
    }

    fn message(&self, action: &ActionName, body: bytes::Bytes) -> Option<Message> {
        let name = self.connection.name.clone();
        let delivery = Delivery::from_azures_list(name, action.clone(), body);
        let alert = match common_alert_schema::parse(&delivery) {
            Ok(alert) => alert,
            Err(reason) => {
                tracing::warn!(connection = %self.connection.name, %reason, "an alert of Azure's list was not understood");
                return None;
            }
        };
        let event = event_at(self.core.clock.now(), &delivery, &alert);
        Some(Message {
            delivery,
            alert,
            event,
        })
    }
}
