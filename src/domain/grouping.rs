//! Which slots an alert belongs to: what counts as the same problem.

use super::alert::Alert;
use super::connection::{Action, Grouping, OnRepeat};
use super::identity::{EpisodeId, SlotId};
use super::name::{ActionName, ConnectionName};

/// Configuration items of one alert that get slots of their own; the rest of an alert's is named in the text only.
pub const CONFIGURATION_ITEMS_MAX: usize = 50;

/// A slot of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The slot.
    pub slot: SlotId,
    /// The configuration item that it is about, where it is about one.
    pub configuration_item: Option<String>,
}

/// The slots of an alert, at least one. A group that never takes up a further alert is no group: with `on_repeat: new`
/// each firing has a slot of its own.
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
        }]
    };
    let alone = || one(SlotId::of_episode(connection, action_name, episode));
    if action.on_repeat == OnRepeat::New {
        return alone();
    }
    match action.grouping {
        Grouping::Alert => alone(),
        Grouping::Rule => match alert.rule_id.as_deref().or(alert.rule.as_deref()) {
            Some(rule) => one(SlotId::of_rule(connection, action_name, rule)),
            None => alone(),
        },
        Grouping::ConfigurationItem => {
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
                let slot = SlotId::of_configuration_item(connection, action_name, name);
                if targets.len() < CONFIGURATION_ITEMS_MAX
                    && targets.iter().all(|target| target.slot != slot)
                {
                    targets.push(Target {
                        slot,
                        configuration_item: Some(name.to_owned()),
                    });
                }
            }
            if targets.is_empty() { alone() } else { targets }
        }
    }
}
