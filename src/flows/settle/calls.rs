//! Does what the slot's machine asks for: the calls to the product, each within its time, and what they tell the gate.

use std::time::Duration;

use super::{Case, Run};
use crate::domain::alert::Alert;
use crate::domain::alert_to_work_item::{self, storm};
use crate::domain::connection::Mode;
use crate::domain::failure::CallFailure;
use crate::domain::identity::{CorrelationId, ItemId};
use crate::domain::slot::{Effect, Event, Input, Look, Phase, Slot, Write};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{
    Change, NewWorkItem, Standing, Uniqueness, WorkItemRef, WorkItemSeen,
};
use crate::flows::gatekeeper::{self, Leave};
use crate::ports::ItsmProduct;
use crate::stores::objects::StoreFailure;

/// What stands in place of a number where no work item is made.
const SHADOW_NUMBER: &str = "shadow";

impl<'a> Run<'a> {
    /// Whether calls may be made for this event now, as far as its product and our own pace are concerned.
    pub(super) async fn may_begin(&self, slot: &Slot) -> Result<bool, StoreFailure> {
        if self.case.action.mode == Mode::Shadow {
            return Ok(true);
        }
        let leave = match self.gatekeeper {
            Some(gatekeeper) => gatekeeper.leave().await?,
            None => Leave::Go,
        };
        let (name, paces) = (&self.case.connection.name, &self.core.paces);
        let is_retry =
            slot.tries > 0 || matches!(slot.phase, Phase::Creating { .. } | Phase::Writing { .. });
        let held_back = match leave {
            Leave::Closed => return Ok(false),
            // The gate has waited long enough; one call must find out.
            Leave::Probe => None,
            Leave::Go => paces.ask(name, is_retry, self.core.entropy.dice()).err(),
        };
        if let Some(why) = held_back {
            tracing::debug!(connection = %name, event = %self.case.event.id, ?why, "held back until a later run");
            return Ok(false);
        }
        if is_retry {
            paces.retries(name);
        }
        Ok(true)
    }

    /// Does the one thing that the machine asks for; `None` if there is no time left to start it.
    pub(super) async fn perform(&self, slot: &Slot, effect: Effect) -> Option<Input<'a>> {
        let event: &'a Event = &self.case.event;
        let within = self.time_for(slot, &effect)?;
        if self.case.action.mode == Mode::Shadow {
            return Some(self.shadowed(slot, effect));
        }
        let product = match self.core.products.product(&self.case.connection).await {
            Ok(product) => product,
            Err(failure) => {
                return match self.told_to_the_gate::<()>(Err(failure)).await {
                    Err(failure) => Some(not_called(event, &effect, failure)),
                    Ok(()) => None,
                };
            }
        };
        let item_id = ItemId::new(&self.target.slot, slot.generation);
        let input = match effect {
            Effect::Create => {
                let created = self.create(slot, &item_id, &*product, within).await;
                match self.told_to_the_gate(created).await {
                    Ok(made) if made.standing == Standing::Open => {
                        Input::Created(event, Ok(made.item))
                    }
                    Ok(made) => Input::CreatedOver(event, made.item),
                    Err(failure) => Input::Created(event, Err(failure)),
                }
            }
            Effect::Find | Effect::Audit => {
                let found = product
                    .find(
                        self.case.action.work_item_type,
                        &item_id.correlation(),
                        within,
                    )
                    .await;
                let found = self.told_to_the_gate(found).await;
                if effect == Effect::Find {
                    Input::Found(event, found)
                } else {
                    Input::Audited(event, found)
                }
            }
            Effect::Read => {
                let correlation = item_id.correlation();
                let look = self.look(slot, &*product, &correlation, within).await;
                Input::Seen(event, self.told_to_the_gate(look).await)
            }
            Effect::Write(write) => {
                let written = self.write(slot, write, &*product, within).await;
                Input::Written(event, self.told_to_the_gate(written).await)
            }
            Effect::CloseExtra(extra) => {
                let of = slot
                    .item()
                    .map(|item| item.number.clone())
                    .unwrap_or_default();
                let closed = self.close_extra(&extra, of, &*product, within).await;
                Input::ExtraClosed(event, self.told_to_the_gate(closed).await)
            }
            Effect::Rest(_) => return None,
        };
        Some(input)
    }

    /// The time for a call, checked right before it: whoever was frozen past the end of a claim must not send (R10).
    fn time_for(&self, slot: &Slot, effect: &Effect) -> Option<Duration> {
        let left = self.budget.left(&*self.core.clock);
        if left < self.call_max / 2 {
            return None;
        }
        let now = self.core.clock.now();
        let too_late = |until: Timestamp| now > until;
        match (effect, &slot.phase) {
            (Effect::Create, _) if slot.may_send_until().is_none_or(too_late) => None,
            (Effect::Write(_), Phase::Writing { until, .. })
                if now.plus(self.call_max) > *until =>
            {
                None
            }
            _ => Some(left.min(self.call_max)),
        }
    }

    /// Closes an item that is one too many, if it is ours and open. A person may have dealt with it, and what was taken
    /// for one too many may have counted once, and be done.
    async fn close_extra(
        &self,
        extra: &WorkItemRef,
        of: String,
        product: &dyn ItsmProduct,
        within: Duration,
    ) -> Result<(), CallFailure> {
        // There is one per key: it cannot be one too many.
        if extra.work_item_type.is_told_by_events() {
            return Ok(());
        }
        let Some(seen) = product.read(extra, within).await? else {
            return Ok(());
        };
        let correlation = seen.correlation.as_deref().unwrap_or_default();
        let is_ours =
            ItemId::from_correlation(correlation).is_some_and(|(slot, _)| slot == self.target.slot);
        if !is_ours || seen.standing != Standing::Open {
            return Ok(());
        }
        let change = Change::CloseAsDuplicate { of };
        product.write(extra, &change, within).await
    }

    /// Reads the item. Before "it is not there" is believed, it is looked for by its correlation id: the key may be one
    /// that a spoilt answer told us.
    async fn look(
        &self,
        slot: &Slot,
        product: &dyn ItsmProduct,
        correlation: &CorrelationId,
        within: Duration,
    ) -> Result<Look, CallFailure> {
        let Some(item) = slot.item() else {
            return Ok(Look::Gone);
        };
        if item.work_item_type.is_told_by_events() {
            return Ok(Look::Ours(standing_as_told(slot)));
        }
        match product.read(item, within).await? {
            Some(seen) if seen.is_ours(correlation) => Ok(Look::Ours(seen.standing)),
            Some(_) => Ok(Look::Foreign),
            None => {
                let kind = item.work_item_type;
                let found = product.find(kind, correlation, within).await?;
                Ok(found.into_iter().next().map_or(Look::Gone, Look::Elsewhere))
            }
        }
    }

    /// Makes the item; one whose alert is over already is made resolved.
    async fn create(
        &self,
        slot: &Slot,
        id: &ItemId,
        product: &dyn ItsmProduct,
        within: Duration,
    ) -> Result<WorkItemSeen, CallFailure> {
        let mut new = self.new_item(id);
        new.over = self.over_already(slot);
        for note in &new.notes {
            tracing::warn!(connection = %self.case.connection.name, action = %self.case.action_name, event = %self.case.event.id, note, "a field could not be set as configured");
        }
        product.create(&new, within).await
    }

    /// The item as it would be made now.
    fn new_item(&self, id: &ItemId) -> NewWorkItem {
        let Case { alert, action, .. } = self.case;
        let of_storm = || storm::new_work_item(&self.alerts(), action, id);
        let of_alert = || {
            let row = self.target.row.as_ref();
            alert_to_work_item::new_work_item(alert, action, id, row)
        };
        (self.is_storm.then(of_storm).flatten()).unwrap_or_else(of_alert)
    }

    /// How the item is resolved from the start, if its Resolved is there before it and nothing else holds it open. Only
    /// where the product keeps our key unique: one that was made twice must be open, for the audit to tell it from one
    /// that a person has dealt with.
    fn over_already(&self, slot: &Slot) -> Option<Change> {
        let event = &self.case.event;
        let early = slot.ended_early(&event.episode)?;
        let is_alone = event.also.is_empty() && slot.firing.is_empty();
        let is_unique = self.rules.uniqueness == Uniqueness::Enforced;
        let may_begin_resolved = is_alone && is_unique && !slot.begins_open;
        let change = alert_to_work_item::on_resolve(&self.case.action, early.at)?;
        (may_begin_resolved && !matches!(change, Change::Comment { .. })).then_some(change)
    }

    async fn write(
        &self,
        slot: &Slot,
        write: Write,
        product: &dyn ItsmProduct,
        within: Duration,
    ) -> Result<(), CallFailure> {
        let (Some(item), Some(change)) = (slot.item(), self.change(slot, write)) else {
            return Ok(());
        };
        product.write(item, &change, within).await
    }

    /// The alert, and those that are settled with it.
    fn alerts(&self) -> Vec<&'a Alert> {
        let Case { alert, beside, .. } = self.case;
        std::iter::once(*alert)
            .chain(beside.iter().copied())
            .collect()
    }

    fn change(&self, slot: &Slot, write: Write) -> Option<Change> {
        let Case { alert, action, .. } = self.case;
        let note = || match self.is_storm {
            true => storm::further(&self.alerts()),
            false => alert_to_work_item::on_repeat(alert),
        };
        let change = match write {
            Write::Repeat => Change::Comment { note: note() },
            Write::Reopen => Change::Reopen { note: note() },
            Write::Resolve => {
                let early = slot.ended_early(&self.case.event.episode);
                let ended = early.and_then(|early| early.at).or(alert.resolved_at);
                alert_to_work_item::on_resolve(action, ended)?
            }
        };
        let id = || ItemId::new(&self.target.slot, slot.generation);
        Some(match action.work_item_type.is_told_by_events() {
            true => alert_to_work_item::told_by_event(self.new_item(&id()), change),
            false => change,
        })
    }

    /// What the product would have answered, had it been asked (mode `shadow`).
    fn shadowed(&self, slot: &Slot, effect: Effect) -> Input<'a> {
        let event: &'a Event = &self.case.event;
        tracing::info!(connection = %self.case.connection.name, action = %self.case.action_name, event = %event.id, slot = %self.target.slot, effect = ?effect, "shadow: the product is not called");
        match effect {
            Effect::Create | Effect::Rest(_) => {
                let key = ItemId::new(&self.target.slot, slot.generation).record_key();
                Input::Created(
                    event,
                    Ok(WorkItemRef {
                        work_item_type: self.case.action.work_item_type,
                        number: SHADOW_NUMBER.to_owned(),
                        id: key.as_str().to_owned(),
                        url: String::new(),
                    }),
                )
            }
            Effect::Find => Input::Found(event, Ok(Vec::new())),
            Effect::Audit => Input::Audited(event, Ok(Vec::new())),
            Effect::Read => {
                let standing = match &slot.phase {
                    Phase::Writing {
                        write: Write::Reopen,
                        ..
                    } => Standing::Resolved,
                    _ => Standing::Open,
                };
                Input::Seen(event, Ok(Look::Ours(standing)))
            }
            Effect::Write(_) => Input::Written(event, Ok(())),
            Effect::CloseExtra(_) => Input::ExtraClosed(event, Ok(())),
        }
    }

    /// What a call showed of the product as a whole is shared with all other instances.
    async fn told_to_the_gate<T>(&self, result: Result<T, CallFailure>) -> Result<T, CallFailure> {
        if let Err(failure) = &result {
            tracing::warn!(connection = %self.case.connection.name, event = %self.case.event.id, %failure, hint = failure.hint(), "a call to the product did not succeed");
        }
        let told = result.as_ref().map(|_| ());
        gatekeeper::tell(self.core, &self.case.connection, told).await;
        result
    }
}

/// Where an item stands that is never read: as the product was last told.
fn standing_as_told(slot: &Slot) -> Standing {
    match &slot.phase {
        Phase::Done { .. }
        | Phase::Writing {
            done_at: Some(_), ..
        } => Standing::Resolved,
        _ => Standing::Open,
    }
}

/// The client could not even be built: the answer to whatever was asked for.
fn not_called<'a>(event: &'a Event, effect: &Effect, failure: CallFailure) -> Input<'a> {
    match effect {
        Effect::Create | Effect::Rest(_) => Input::Created(event, Err(failure)),
        Effect::Find => Input::Found(event, Err(failure)),
        Effect::Read => Input::Seen(event, Err(failure)),
        Effect::Write(_) => Input::Written(event, Err(failure)),
        Effect::Audit => Input::Audited(event, Err(failure)),
        Effect::CloseExtra(_) => Input::ExtraClosed(event, Err(failure)),
    }
}
