//! From a work item's number to its whole story: one read of the item, whose correlation id names its slot.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::Core;
use crate::domain::connection::Connection;
use crate::domain::failure::CallFailure;
use crate::domain::identity::{EventId, ItemId, SlotId};
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::slot::{Phase, Slot, Write};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{WorkItemRef, WorkItemSeen, WorkItemType};
use crate::ports::ItsmProduct;
use crate::stores::connections::Lookup;
use crate::stores::objects::StoreFailure;
use crate::stores::slots::SlotLog;

/// The longest that the read of the item may take.
const CALL_MAX: Duration = Duration::from_secs(20);

/// A work item's story.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    /// The work item.
    pub work_item: WorkItemRef,
    /// The action that made it.
    pub action: ActionName,
    /// Its slot.
    pub slot: SlotId,
    /// How many items the slot has had before it.
    pub generation: u32,
    /// What was written down, oldest first.
    pub steps: Vec<Told>,
    /// True if there were more, which have been removed by now.
    pub some_removed: bool,
    /// The events whose effect is there.
    pub events: Vec<EventId>,
}

/// One step of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
    /// The failure that it followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Why there is no story.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotExplained {
    /// The product has no such work item.
    #[error("the product has no work item of this number, or the integration user may not see it")]
    NoSuchItem,
    /// It carries no correlation id of ours.
    #[error("the work item was not made by this connector")]
    NotOurs,
    /// Nothing of it is left in the state.
    #[error("the work item is ours, and nothing of its story is left in the state")]
    Forgotten,
    /// There is no such connection.
    #[error("there is no such connection")]
    NoConnection,
    /// The product or vault failed.
    #[error("{0}")]
    Call(#[from] CallFailure),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreFailure),
}

impl NotExplained {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSuchItem => "check the number and the connection",
            Self::NotOurs => {
                "its `correlation_id` does not begin with `azm-`; somebody else made it, or cleared the field"
            }
            Self::Forgotten => {
                "what is done is kept for 30 days; or this is another state store than the one that made it"
            }
            Self::NoConnection => "`itsmc connection list` shows the names",
            Self::Call(failure) => failure.hint(),
            Self::Store(failure) => failure.hint(),
        }
    }
}

/// Tells the story of a work item.
pub async fn run(core: &Core, name: &ConnectionName, number: &str) -> Result<Story, NotExplained> {
    let connection = match core.connections.look_up(name).await {
        Lookup::Found(connection) => connection,
        Lookup::Absent => return Err(NotExplained::NoConnection),
        Lookup::Unusable(failure) | Lookup::NotAsked(failure) => return Err(failure.into()),
    };
    if !number
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Err(NotExplained::NoSuchItem);
    }
    let product = core.products.product(&connection).await?;
    let seen = look_up(&connection, &*product, number).await?;
    let correlation = seen.correlation.as_deref().unwrap_or_default();
    let (slot, generation) = ItemId::from_correlation(correlation).ok_or(NotExplained::NotOurs)?;
    for action in connection.actions.keys() {
        let history = SlotLog::new(&core.objects, name, action, &slot)
            .history()
            .await?;
        let Some(newest) = history.last() else {
            continue;
        };
        let events = newest.state.applied.clone();
        let some_removed = history
            .iter()
            .zip(0u64..)
            .any(|(snapshot, place)| snapshot.number != place);
        let steps = history
            .iter()
            .filter(|snapshot| snapshot.state.generation == generation)
            .map(|snapshot| tell(snapshot.at, &snapshot.state))
            .collect();
        return Ok(Story {
            work_item: seen.item,
            action: action.clone(),
            slot,
            generation,
            steps,
            some_removed,
            events,
        });
    }
    Err(NotExplained::Forgotten)
}

/// Among the kinds that the connection's actions make.
async fn look_up(
    connection: &Connection,
    product: &dyn ItsmProduct,
    number: &str,
) -> Result<WorkItemSeen, NotExplained> {
    let kinds = connection.actions.values();
    let kinds: BTreeSet<WorkItemType> = kinds.map(|action| action.work_item_type).collect();
    for kind in kinds {
        if let Some(seen) = product.look_up(kind, number, CALL_MAX).await? {
            return Ok(seen);
        }
    }
    Err(NotExplained::NoSuchItem)
}

fn tell(at: Timestamp, slot: &Slot) -> Told {
    let what = match &slot.phase {
        Phase::Vacant if slot.early.is_empty() => match slot.not_before {
            Some(until) => format!("given back; the next try is at {until}"),
            None => "ready to be tried".to_owned(),
        },
        Phase::Vacant => "a resolved message came before its alert, and is remembered".to_owned(),
        Phase::Creating { attempt, until, .. } => {
            format!("claimed for try {attempt}; nobody else acts until {until}")
        }
        Phase::Open { item } if slot.firing.len() > 1 => {
            format!("{} is open for {} alerts", item.number, slot.firing.len())
        }
        Phase::Open { item } => format!("{} is open", item.number),
        Phase::Writing { item, write, .. } => {
            let doing = match write {
                Write::Resolve => "being resolved",
                Write::Repeat => "being told of a further alert",
                Write::Reopen => "being reopened",
            };
            format!("{} is {doing}", item.number)
        }
        Phase::Joined { storm } => format!("one of a storm, whose slot is {storm}"),
        Phase::Done { item, .. } => format!("{} is done", item.number),
        Phase::Dead { item: Some(item) } => format!("given up, with {} as it is", item.number),
        Phase::Dead { item: None } => "given up".to_owned(),
    };
    Told {
        at,
        what,
        failure: slot.last_failure.as_ref().map(ToString::to_string),
    }
}
