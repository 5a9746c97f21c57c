//! Tries again what was given up or not understood, because a person says so.

use super::Core;
use super::create_work_item::{case_of, event_of, marker_of};
use super::settle::targets;
use crate::domain::failure::CallFailure;
use crate::domain::identity::{BodyId, EventId};
use crate::domain::name::ConnectionName;
use crate::domain::slot::{Event, Phase};
use crate::inbound::common_alert_schema::{self, NotAnAlert};
use crate::inbound::webhook::Delivery;
use crate::stores::connections::Lookup;
use crate::stores::numbered_log::Append;
use crate::stores::objects::StoreFailure;
use crate::stores::slots::SlotLog;

/// Why something was not taken up again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRedriven {
    /// There is no dead letter and nothing in quarantine by this name.
    #[error("nothing by this name waits for a person")]
    NothingThere,
    /// The alert itself is not in the journal any more.
    #[error("the alert is not in the journal any more")]
    AlertGone,
    /// It is still not understood.
    #[error("the body is still not understood: {0}")]
    NotUnderstood(NotAnAlert),
    /// Its connection cannot be used.
    #[error("{0}")]
    Connection(CallFailure),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreFailure),
}

impl NotRedriven {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NothingThere => "`itsmc dead list` shows the names",
            Self::AlertGone => {
                "it was kept for its time; make the work item by hand, `itsmc dead show` has what is known"
            }
            Self::NotUnderstood(_) => {
                "`itsmc dead show` has the body; only the Common Alert Schema is understood"
            }
            Self::Connection(failure) => failure.hint(),
            Self::Store(failure) => failure.hint(),
        }
    }
}

/// Takes up a dead letter or a body in quarantine again; the event that is pending now.
pub async fn run(
    core: &Core,
    connection: &ConnectionName,
    name: &str,
) -> Result<EventId, NotRedriven> {
    if let Some(event) = EventId::parse(name)
        && core.dead.read(connection, &event).await?.is_some()
    {
        return dead_letter(core, connection, &event).await;
    }
    match BodyId::parse(name) {
        Some(body) => quarantined(core, connection, &body).await,
        None => Err(NotRedriven::NothingThere),
    }
}

async fn dead_letter(
    core: &Core,
    name: &ConnectionName,
    id: &EventId,
) -> Result<EventId, NotRedriven> {
    let entry = core
        .journal
        .read(name, id)
        .await?
        .ok_or(NotRedriven::AlertGone)?;
    let delivery = Delivery::from_journal(name.clone(), entry.action, entry.body);
    let alert = common_alert_schema::parse(&delivery).map_err(NotRedriven::NotUnderstood)?;
    let event = event_of(core, &delivery, &alert);
    let connection = match core.connections.look_up(name).await {
        Lookup::Found(connection) => connection,
        Lookup::Absent => return Err(NotRedriven::NothingThere),
        Lookup::Unusable(failure) | Lookup::NotAsked(failure) => {
            return Err(NotRedriven::Connection(failure));
        }
    };
    // First the slot, then the marker, then the dead letter: whatever is cut short here is done again by the next try.
    if let Some(case) = case_of(connection, &delivery, &alert, event.clone()) {
        for target in targets::of(core, &case).await?.unwrap_or_default() {
            let log = SlotLog::new(&core.objects, name, delivery.action(), &target.slot);
            let storm = match log.head().await?.map(|head| head.state.phase) {
                Some(Phase::Joined { storm }) => Some(storm),
                _ => None,
            };
            if let Some(storm) = storm {
                let of_storm = SlotLog::new(&core.objects, name, delivery.action(), &storm);
                revive(core, &of_storm, &event).await?;
            }
            revive(core, &log, &event).await?;
        }
    }
    core.pending
        .set(name, &marker_of(&alert, &event.id), event.received_at)
        .await?;
    core.dead.remove(name, id).await?;
    Ok(event.id)
}

async fn revive(core: &Core, log: &SlotLog, event: &Event) -> Result<(), StoreFailure> {
    loop {
        let Some(head) = log.head().await? else {
            return Ok(());
        };
        let revived = head.state.revived(event);
        if revived == head.state {
            return Ok(());
        }
        let (writer, now) = (core.writer_id(), core.clock.now());
        if let Append::Won(_) = log.append(Some(&head), &writer, now, &revived).await? {
            return Ok(());
        }
    }
}

async fn quarantined(
    core: &Core,
    name: &ConnectionName,
    id: &BodyId,
) -> Result<EventId, NotRedriven> {
    let kept = core
        .quarantine
        .read(name, id)
        .await?
        .ok_or(NotRedriven::NothingThere)?;
    let body = kept.body().ok_or(NotRedriven::AlertGone)?;
    let delivery = Delivery::from_journal(name.clone(), kept.action, body);
    let alert = common_alert_schema::parse(&delivery).map_err(NotRedriven::NotUnderstood)?;
    let event = event_of(core, &delivery, &alert);
    core.journal
        .keep(name, delivery.action(), &event.id, delivery.body())
        .await?;
    core.pending
        .set(name, &marker_of(&alert, &event.id), event.received_at)
        .await?;
    core.quarantine.remove(name, id).await?;
    Ok(event.id)
}
