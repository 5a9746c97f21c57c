//! What an alert would make, told without asking anybody for anything: the same parser, identities and texts as the real
//! way, and nothing written down.

use serde::Serialize;

use super::create_work_item::{event_at, quarantine};
use crate::domain::alert::{Alert, Condition};
use crate::domain::alert_to_work_item;
use crate::domain::connection::{Action, Connection, Grouping, Mode, OnRepeat};
use crate::domain::grouping::{self, Target};
use crate::domain::identity::{EventId, ItemId, SlotId};
use crate::domain::name::ActionName;
use crate::domain::row::Row;
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{Change, NewWorkItem};
use crate::inbound::common_alert_schema::NotAnAlert;
use crate::inbound::webhook::Delivery;

/// Columns of a row that tell a reader which row it is.
const CELLS_IN_WORDS: usize = 4;

/// What would become of an alert.
#[derive(Debug)]
pub struct Preview {
    /// The alert as it was understood.
    pub alert: Alert,
    /// The key of its event: what `event` would be in the webhook's answer.
    pub event: EventId,
    /// What is made of it where its slots hold nothing yet; one per configuration item or row where the action wants so.
    pub items: Vec<Previewed>,
    /// Rows of the alert that get no work item of their own, because there are too many.
    pub rows_beyond: usize,
    /// What the open work item of its group gets in place of one of its own; `None` where nothing is shared.
    pub on_repeat: Option<Change>,
    /// What its work item gets, where the alert is one that ends; `None` if the action wants nothing done.
    pub on_resolve: Option<Change>,
    /// What a person should know who wonders why it is not as expected.
    pub remarks: Vec<Remark>,
}

/// A work item that would be made.
#[derive(Debug)]
pub struct Previewed {
    /// The configuration item or row that it is about, where it is about one.
    pub about: Option<String>,
    /// The work item.
    pub item: NewWorkItem,
}

/// What a person should know who wonders why it is not as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// The action only watches.
    Shadow,
    /// An alert without a severity counts as Sev3.
    NoSeverity,
    /// The work item is made by the drain, which counts the rule's alerts first.
    MayBeOfAStorm,
    /// The alert's end has the slots of its beginning, which is not in the file.
    SlotsOfItsFired,
}

impl Remark {
    /// In a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shadow => {
                "the action only watches (`mode: shadow`): this is logged, and nothing is made"
            }
            Self::NoSeverity => "the alert has no severity that is known: it counts as Sev3",
            Self::MayBeOfAStorm => {
                "the action knows storms: with enough alerts of the rule at a time, this one is listed in the work item of all"
            }
            Self::SlotsOfItsFired => {
                "which work items an end concerns is known from the alert that fired; the file stands for it here"
            }
        }
    }
}

/// Why there is nothing to show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPreviewed {
    /// The connection has no such action.
    #[error("the connection has no action `{0}`")]
    NoAction(ActionName),
    /// The body is not understood: it would go into the quarantine.
    #[error("not understood: {0}")]
    NotAnAlert(#[from] NotAnAlert),
}

/// Looks at what an alert would make.
pub fn preview(
    connection: &Connection,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<Preview, NotPreviewed> {
    let action_name = delivery.action();
    let action = connection
        .actions
        .get(action_name)
        .ok_or_else(|| NotPreviewed::NoAction(action_name.clone()))?;
    let alert = quarantine::look(delivery, Some(action))?;
    let event = event_at(now, delivery, &alert);
    let targets = grouping::targets(
        &connection.name,
        action_name,
        action,
        &alert,
        &event.episode,
    );
    let alone = SlotId::of_episode(&connection.name, action_name, &event.episode);
    let is_shared = action.on_repeat == OnRepeat::Update
        && matches!(
            action.grouping,
            Grouping::Rule | Grouping::ConfigurationItem
        )
        && targets.iter().any(|target| target.slot != alone);
    let items: Vec<Previewed> = targets
        .into_iter()
        .map(|target| previewed(&alert, action, target))
        .collect();
    let as_told = |change: Change| match items.first() {
        Some(first) if action.work_item_type.is_told_by_events() => {
            alert_to_work_item::told_by_event(first.item.clone(), change)
        }
        _ => change,
    };
    Ok(Preview {
        event: event.id,
        rows_beyond: match action.grouping {
            Grouping::Row => alert.rows.beyond(),
            Grouping::Alert | Grouping::Rule | Grouping::ConfigurationItem => 0,
        },
        on_repeat: (is_shared && alert.condition == Condition::Fired).then(|| {
            as_told(Change::Comment {
                note: alert_to_work_item::on_repeat(&alert),
            })
        }),
        on_resolve: (alert.condition == Condition::Resolved)
            .then(|| alert_to_work_item::on_resolve(action, alert.resolved_at))
            .flatten()
            .map(as_told),
        items,
        remarks: remarks(&alert, action),
        alert,
    })
}

fn previewed(alert: &Alert, action: &Action, target: Target) -> Previewed {
    let row = target.row.as_ref();
    let about = match (target.configuration_item, row) {
        (Some(name), _) => Some(name),
        (None, Some(row)) => Some(row_in_words(row)),
        (None, None) => None,
    };
    let item = ItemId::new(&target.slot, 0);
    Previewed {
        about,
        item: alert_to_work_item::new_work_item(alert, action, &item, row),
    }
}

/// `Computer=dc01, Account=alice`.
fn row_in_words(row: &Row) -> String {
    let cells = row.cells().take(CELLS_IN_WORDS);
    let cells: Vec<String> = cells
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    cells.join(", ")
}

fn remarks(alert: &Alert, action: &Action) -> Vec<Remark> {
    let is_end = alert.condition == Condition::Resolved;
    let all = [
        (action.mode == Mode::Shadow, Remark::Shadow),
        (alert.severity.is_none(), Remark::NoSeverity),
        (action.storm.is_some() && !is_end, Remark::MayBeOfAStorm),
        (
            is_end && grouping::depends_on_the_fired(action),
            Remark::SlotsOfItsFired,
        ),
    ];
    all.into_iter()
        .filter_map(|(holds, remark)| holds.then_some(remark))
        .collect()
}
