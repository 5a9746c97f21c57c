//! What of a connection's alerts is still to be done, for whoever looks. It changes nothing.
//!
//! A pending marker stays until the drain has seen that its event is settled, so that counting markers tells too much.

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::Core;
use super::create_work_item::{case_of, event_of};
use super::settle::targets;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;
use crate::inbound::common_alert_schema;
use crate::inbound::webhook::Delivery;
use crate::stores::connections::Lookup;
use crate::stores::objects::StoreFailure;
use crate::stores::pending::Marker;
use crate::stores::slots::SlotLog;

/// Markers that are looked into; what is beyond them is taken to wait. A healthy connection has fewer, a sick one has
/// enough of them to be told so.
const LOOKED_INTO_MAX: usize = 500;

/// Markers that are looked into at once.
const AT_ONCE: usize = 8;

/// What of a connection's alerts is still to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// How many events wait.
    pub count: usize,
    /// How many of them are Sev0 or Sev1.
    pub urgent: usize,
    /// When the oldest of them came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_received_at: Option<Timestamp>,
    /// Objects of ours that cannot be read; what they are about waits, and is counted.
    #[serde(skip)]
    pub unreadable: Vec<StoreFailure>,
}

/// Looks.
pub async fn look(core: &Core, connection: &ConnectionName) -> Result<Backlog, StoreFailure> {
    let markers = core.pending.list(connection).await?;
    let (looked_into, beyond) = markers.split_at(markers.len().min(LOOKED_INTO_MAX));
    let mut backlog = Backlog {
        count: beyond.len(),
        urgent: beyond.iter().filter(|marker| marker.is_urgent()).count(),
        ..Backlog::default()
    };
    let waiting: Vec<Looked> = futures_util::stream::iter(looked_into)
        .map(|marker| async move {
            let is_urgent = marker.is_urgent();
            match waits_since(core, connection, marker).await {
                Ok(None) => Ok(Looked::Settled),
                Ok(Some(at)) => Ok(Looked::Waits { is_urgent, at }),
                Err(failure) if failure.is_about_content() => {
                    Ok(Looked::Unreadable { is_urgent, failure })
                }
                Err(failure) => Err(failure),
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    for looked in waiting {
        let (Looked::Waits { is_urgent, .. } | Looked::Unreadable { is_urgent, .. }) = &looked
        else {
            continue;
        };
        backlog.count += 1;
        backlog.urgent += usize::from(*is_urgent);
        match looked {
            Looked::Waits { at, .. } => {
                let oldest = backlog.oldest_received_at.get_or_insert(at);
                *oldest = (*oldest).min(at);
            }
            Looked::Unreadable { failure, .. } => backlog.unreadable.push(failure),
            Looked::Settled => {}
        }
    }
    Ok(backlog)
}

/// What a look at a marker showed.
enum Looked {
    Settled,
    Waits {
        is_urgent: bool,
        at: Timestamp,
    },
    Unreadable {
        is_urgent: bool,
        failure: StoreFailure,
    },
}

/// When the event of a marker came; `None` if nothing is left to do for it.
async fn waits_since(
    core: &Core,
    connection: &ConnectionName,
    marker: &Marker,
) -> Result<Option<Timestamp>, StoreFailure> {
    let Some(received_at) = core.pending.received_at(connection, marker).await? else {
        return Ok(None);
    };
    let Some(entry) = core.journal.read(connection, &marker.event).await? else {
        return Ok(Some(received_at));
    };
    let delivery = Delivery::from_journal(connection.clone(), entry.action, entry.body);
    let Ok(alert) = common_alert_schema::parse(&delivery) else {
        return Ok(Some(received_at));
    };
    let event = event_of(core, &delivery, &alert);
    let Lookup::Found(connected) = core.connections.look_up(connection).await else {
        return Ok(Some(received_at));
    };
    let Some(case) = case_of(connected, &delivery, &alert, event) else {
        return Ok(Some(received_at));
    };
    let mut is_settled = true;
    for target in targets::of(core, &case).await?.unwrap_or_default() {
        let log = SlotLog::new(&core.objects, connection, delivery.action(), &target.slot);
        let head = log.head().await?;
        is_settled &= head.is_some_and(|head| head.state.has_settled(&case.event.id));
    }
    Ok((!is_settled).then_some(received_at))
}
