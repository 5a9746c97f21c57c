//! Which slots an alert belongs to: what counts as the same problem.

use super::alert::Alert;
use super::connection::{Action, Grouping, OnRepeat};
use super::identity::{EpisodeId, SlotId};
use super::name::{ActionName, ConnectionName};
use super::row::Row;

/// Configuration items of one alert that get slots of their own; the rest of an alert's is named in the text only.
pub const CONFIGURATION_ITEMS_MAX: usize = 50;

/// A slot of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The slot.
    pub slot: SlotId,
    /// The configuration item that it is about, where it is about one.
    pub configuration_item: Option<String>,
    /// The row that it is about, where it is about one.
    pub row: Option<Row>,
}

/// The slots of an alert, at least one.
///
/// A group that never takes up a further alert is no group: with `on_repeat: new` each firing has slots of its own. The
/// rows of an alert are never a group: as in the retired connector every alert makes its own items of them
/// (itsmc-product §2.2, DEF20). What a row says, times and measured values with the rest, seldom comes again, and a Log V1
/// alert has no Resolved that would free a slot for it.
pub fn targets(
    connection: &ConnectionName,
    action_name: &ActionName,
    action: &Action,
    alert: &Alert,
    episode: &EpisodeId,
) -> Vec<Target> {
    let one = |slot| {
        vec![Target {
            slot,
            configuration_item: None,
            row: None,
        }]
    };
    let alone = || one(SlotId::of_episode(connection, action_name, episode));
    if action.groups_log_alerts_only && !alert.is_log() {
        return alone();
    }
    let targets = match action.grouping {
        Grouping::Alert => return alone(),
        Grouping::Rule => {
            return match alert.rule_id.as_deref().or(alert.rule.as_deref()) {
                Some(rule) if action.on_repeat != OnRepeat::New => {
                    one(SlotId::of_rule(connection, action_name, rule))
                }
                _ => alone(),
            };
        }
        Grouping::ConfigurationItem => configuration_items(alert, |name| match action.on_repeat {
            OnRepeat::New => {
                SlotId::of_configuration_item_once(connection, action_name, episode, name)
            }
            OnRepeat::Update | OnRepeat::Ignore => {
                SlotId::of_configuration_item(connection, action_name, name)
            }
        }),
        Grouping::Row => {
            let target = |row: &Row| Target {
                slot: SlotId::of_row(connection, action_name, episode, row.key()),
                configuration_item: None,
                row: Some(row.clone()),
            };
            alert.rows.kept().into_iter().map(target).collect()
        }
    };
    if targets.is_empty() { alone() } else { targets }
}

/// True if an alert's slots follow from what it brings with it, and a Resolved may bring less: then those of its Fired
/// count.
pub fn depends_on_the_fired(action: &Action) -> bool {
    matches!(action.grouping, Grouping::Row | Grouping::ConfigurationItem)
}

/// A slot for each configuration item that the alert names, else for each of its targets.
fn configuration_items(alert: &Alert, slot_of: impl Fn(&str) -> SlotId) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let named = if alert.configuration_items.is_empty() {
        &alert.targets
    } else {
        &alert.configuration_items
    };
    for name in named
        .iter()
        .map(|name| name.trim())
        .filter(|name| !name.is_empty())
    {
        let slot = slot_of(name);
        if targets.len() < CONFIGURATION_ITEMS_MAX
            && targets.iter().all(|target| target.slot != slot)
        {
            targets.push(Target {
                slot,
                configuration_item: Some(name.to_owned()),
                row: None,
            });
        }
    }
    targets
}
