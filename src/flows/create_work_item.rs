//! The story of an alert: received, verified and parsed, kept, claimed, made, answered.
//!
//! The answer never depends on the ITSM product or the vault: 2xx as soon as the alert is durable, 503 only when it
//! cannot be made durable (promise P4). What is not finished in time, the drain finishes by the same code.

pub(super) mod quarantine;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::settle::{self, Case, SeenHead, Settled};
use super::{Budget, Core, log_rows};
use crate::domain::alert::{Alert, Condition};
use crate::domain::connection::{Connection, Grouping};
use crate::domain::gate::Passage;
use crate::domain::identity::{EpisodeId, EventId, Firing};
use crate::domain::slot::{Event, Rest};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::WorkItemRef;
use crate::inbound::webhook::Delivery;
use crate::stores::connections::Lookup;
use crate::stores::objects::{Creation, STORE_CALL_MAX, StoreFailure, StoreTrouble};
use crate::stores::pending::Marker;
use crate::stores::slots::SlotLog;

/// The answer must have left by then: Azure waits ten seconds (azure-platform §3.1).
pub const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// The longest that one call to the product may take while Azure waits.
pub const INLINE_CALL_MAX: Duration = Duration::from_secs(6);

/// How often the journal is tried before the answer is 503 (rule R3).
const KEEP_TRIES: u32 = 2;

/// How long what the next step wants to know is waited for. A listing of the store may take ten times as long, and the
/// answer must not wait for it: what is not known by then, the drain finds out.
const LOOK_MAX: Duration = STORE_CALL_MAX;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A work item was made.
    Created,
    /// A work item was changed.
    Updated,
    /// A work item was resolved.
    Resolved,
    /// It was here before.
    Duplicate,
    /// It is kept and will be finished.
    Pending,
    /// It is kept for a person to look at.
    Quarantined,
    /// The action wants nothing done.
    Ignored,
}

impl Outcome {
    /// The word in answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Resolved => "resolved",
            Self::Duplicate => "duplicate",
            Self::Pending => "pending",
            Self::Quarantined => "quarantined",
            Self::Ignored => "ignored",
        }
    }
}

/// The answer to a delivery that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The event's key, or the body's in quarantine.
    pub event: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The work items concerned.
    pub work_items: Vec<WorkItemRef>,
}

/// Why a delivery was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotKept {
    /// The vault answered that there is no such connection, or the connection has no such action.
    NoSuchConnection,
    /// The body is no alert and does not say that it is JSON: its sender meant somebody else.
    NotJson,
    /// The store failed: the sender must send it again.
    NotDurable(StoreFailure),
}

impl From<StoreFailure> for NotKept {
    fn from(failure: StoreFailure) -> Self {
        Self::NotDurable(failure)
    }
}

/// How a body is labelled: one that says it is JSON is kept whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labelled {
    /// As JSON.
    Json,
    /// As something else, or not at all: kept only if it is an alert all the same (row W14).
    Otherwise,
}

/// One delivery, from its verified body to its answer.
pub async fn receive(
    core: &Core,
    delivery: Delivery,
    labelled: Labelled,
) -> Result<Answer, NotKept> {
    receive_within(core, delivery, labelled, ANSWER_WITHIN).await
}

/// The same where the platform may end us sooner.
pub async fn receive_within(
    core: &Core,
    delivery: Delivery,
    labelled: Labelled,
    within: Duration,
) -> Result<Answer, NotKept> {
    let budget = Budget::new(&*core.clock, within.min(ANSWER_WITHIN));

    // A store that grants every claim twice is not written to.
    relied_on(core).await?;

    // Whom is it for? Asked of memory, and of the vault only when cold. If it cannot be asked, the drain finds out.
    let (name, action) = (delivery.connection(), delivery.action());
    let connection = match core.connections.look_up_action(name, action).await {
        Lookup::Absent => {
            log_rows::missing(core, name).await;
            return Err(NotKept::NoSuchConnection);
        }
        Lookup::Found(connection) if !connection.actions.contains_key(delivery.action()) => {
            return Err(NotKept::NoSuchConnection);
        }
        Lookup::Found(connection) => Some(connection),
        Lookup::Unusable(failure) | Lookup::NotAsked(failure) => {
            tracing::warn!(connection = %delivery.connection(), %failure, hint = failure.hint(), "the alert is kept; its connection cannot be used now");
            None
        }
    };

    // What is it? A body that is not understood is kept raw.
    let action = connection
        .as_ref()
        .and_then(|connection| connection.actions.get(delivery.action()));
    let alert = match quarantine::look(&delivery, action) {
        Ok(alert) => alert,
        Err(reason) => return quarantine::keep(core, &delivery, &reason, labelled).await,
    };
    let event = event_of(core, &delivery, &alert);

    let case =
        connection.and_then(|connection| case_of(connection, &delivery, &alert, event.clone()));

    // Keep it, before anything is done. Beside it, what the next step wants to know.
    let (kept, gate, head) = keep(core, &delivery, &alert, &event, case.as_ref()).await;
    let creation = kept?;
    if let Some(case) = case.as_ref().filter(|_| creation == Creation::Made) {
        tell_of_rows_beyond(case);
    }

    // Claim and act, if the answer can still leave in time; else the drain does.
    let allowed = core
        .products
        .meter(delivery.connection())
        .read(core.clock.now());
    let may_act = matches!(gate, Passage::Open)
        && allowed.is_none_or(|allowed| allowed.has_room())
        && budget.can_start(&*core.clock, INLINE_CALL_MAX / 2);
    let settled = match &case {
        // What may be one of a storm is counted first.
        Some(case) if may_act && case.action.storm.is_none() => act(core, case, head, budget).await,
        _ => None,
    };
    Ok(answer(&event, creation, settled))
}

/// An error unless the store may be relied on. Of a trusted store nothing is asked.
async fn relied_on(core: &Core) -> Result<(), StoreFailure> {
    let asked = tokio::time::timeout(LOOK_MAX, core.soundness.relied_on()).await;
    let relied_on = asked.unwrap_or_else(|_| {
        Err(StoreFailure {
            operation: "rely on",
            path: "soundness".to_owned(),
            trouble: StoreTrouble::TimedOut,
        })
    });
    if let Err(failure) = &relied_on {
        core.last_seen.fails("state store", failure.hint());
    }
    relied_on
}

/// More rows than get a work item are counted, and told here as in the work items of the others.
fn tell_of_rows_beyond(case: &Case<'_>) {
    let (rows, beyond) = (&case.alert.rows, case.alert.rows.beyond());
    if case.action.grouping == Grouping::Row && beyond > 0 {
        tracing::warn!(connection = %case.connection.name, action = %case.action_name, event = %case.event.id, rows = rows.total(), rows_beyond = beyond, hint = "narrow the rule's query, or let one work item stand for the alert", "the alert has more rows than get a work item each");
    }
}

/// Claims and acts; `None` if the answer could not wait for it.
async fn act(core: &Core, case: &Case<'_>, head: SeenHead, budget: Budget) -> Option<Settled> {
    let left = budget.left(&*core.clock);
    let settled = tokio::time::timeout(
        left,
        Box::pin(settle::settle(
            core,
            case,
            head,
            budget,
            INLINE_CALL_MAX,
            None,
        )),
    )
    .await;
    match settled {
        Ok(Ok(settled)) => Some(settled),
        // It is durable; the drain goes on from the state that was written down last.
        Ok(Err(failure)) => {
            tracing::warn!(connection = %case.connection.name, event = %case.event.id, %failure, hint = failure.hint(), "kept, not settled");
            None
        }
        Err(_) => {
            tracing::info!(connection = %case.connection.name, event = %case.event.id, "kept; the product was too slow for the answer");
            None
        }
    }
}

fn answer(event: &Event, creation: Creation, settled: Option<Settled>) -> Answer {
    let (outcome, work_items) = match settled {
        None => (Outcome::Pending, Vec::new()),
        Some(Settled { rest, items, .. }) => {
            let outcome = match rest {
                Rest::Created => Outcome::Created,
                Rest::Updated => Outcome::Updated,
                Rest::Resolved => Outcome::Resolved,
                Rest::Ignored => Outcome::Ignored,
                Rest::Known
                    if creation == Creation::Made && event.condition == Condition::Resolved =>
                {
                    Outcome::Resolved
                }
                Rest::Known => Outcome::Duplicate,
                Rest::Later(_) | Rest::Remembered | Rest::Joined(_) => Outcome::Pending,
                Rest::Dead(_) => Outcome::Quarantined,
            };
            (outcome, items)
        }
    };
    Answer {
        event: event.id.to_string(),
        outcome,
        work_items,
    }
}

/// The event with what it means for its connection.
pub(super) fn case_of<'a>(
    connection: Arc<Connection>,
    delivery: &Delivery,
    alert: &'a Alert,
    event: Event,
) -> Option<Case<'a>> {
    let action = connection.actions.get(delivery.action())?.clone();
    let action_name = delivery.action().clone();
    Some(Case {
        connection,
        action_name,
        action,
        alert,
        event,
        beside: Vec::new(),
    })
}

/// The event of an alert, for this connection and action.
pub(super) fn event_of(core: &Core, delivery: &Delivery, alert: &Alert) -> Event {
    event_at(core.clock.now(), delivery, alert)
}

/// The event of an alert that comes now.
pub(super) fn event_at(received_at: Timestamp, delivery: &Delivery, alert: &Alert) -> Event {
    let firing = match (&alert.series, alert.fired_at) {
        (Some(series), _) => Firing::Series(&series.name),
        (None, Some(fired_at)) => Firing::Instance {
            alert_id: &alert.alert_id,
            fired_at,
        },
        (None, None) => Firing::Body(delivery.body()),
    };
    let episode = EpisodeId::new(delivery.connection(), delivery.action(), firing);
    let condition = alert.condition.as_str();
    Event {
        id: match &alert.series {
            Some(series) => EventId::of_message(&episode, condition, &series.message),
            None => EventId::new(&episode, condition),
        },
        episode,
        condition: alert.condition,
        at: alert.resolved_at.or(alert.fired_at),
        received_at,
        also: Vec::new(),
    }
}

pub(super) fn marker_of(alert: &Alert, event: &EventId) -> Marker {
    Marker::new(alert.severity, alert.resolved_at.or(alert.fired_at), event)
}

/// Journal and marker, tried twice; the gate and the slot's head are read meanwhile.
async fn keep(
    core: &Core,
    delivery: &Delivery,
    alert: &Alert,
    event: &Event,
    case: Option<&Case<'_>>,
) -> (Result<Creation, StoreFailure>, Passage, SeenHead) {
    let name = delivery.connection();
    let marker = &marker_of(alert, &event.id);
    let keeping = async {
        let mut tries = 0;
        loop {
            tries += 1;
            let (journaled, marked) = futures_util::future::join(
                core.journal
                    .keep(name, delivery.action(), &event.id, delivery.body()),
                core.pending.set(name, marker, event.received_at),
            )
            .await;
            match (journaled, marked) {
                (Ok(creation), Ok(())) => return Ok(creation),
                (Err(failure), _) | (_, Err(failure)) if tries >= KEEP_TRIES => {
                    return Err(failure);
                }
                _ => {}
            }
        }
    };
    let gate = async {
        match tokio::time::timeout(LOOK_MAX, core.gates.read(name)).await {
            Ok(Ok(seen)) => seen.gate.passage(core.clock.now()),
            // Not knowing whether it is closed, the drain decides.
            Ok(Err(_)) | Err(_) => Passage::Probe,
        }
    };
    // A new Fired finds its slot empty: its claim is tried without looking. A Resolved finds what its Fired left.
    let head = async {
        let Some(case) = case else {
            return SeenHead::NotRead;
        };
        match (
            case.own_targets().as_slice(),
            alert.condition,
            case.action.grouping,
        ) {
            (_, Condition::Fired, Grouping::Alert | Grouping::Row)
                if case.alert.series.is_none() =>
            {
                SeenHead::AssumedEmpty
            }
            // Its slots are those of its Fired.
            (_, Condition::Resolved, Grouping::Row) => SeenHead::NotRead,
            ([only], ..) => {
                let log = SlotLog::new(&core.objects, name, delivery.action(), &only.slot);
                match tokio::time::timeout(LOOK_MAX, log.head()).await {
                    Ok(Ok(head)) => SeenHead::Read(head.map(Box::new)),
                    Ok(Err(_)) | Err(_) => SeenHead::NotRead,
                }
            }
            _ => SeenHead::NotRead,
        }
    };
    let uniqueness = async {
        if case.is_some() {
            let _ = tokio::time::timeout(LOOK_MAX, core.uniqueness(name)).await;
        }
    };
    let (kept, gate, head, ()) = futures_util::future::join4(keeping, gate, head, uniqueness).await;
    (kept, gate, head)
}
