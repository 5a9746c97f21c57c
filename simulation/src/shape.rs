//! How the connection's action is set up in a run: what counts as the same problem, and what a further alert does.

use std::fmt;

use itsm_connector::domain::connection::{AlreadyOver, Grouping, Mode, OnRepeat, OnResolve};
use serde_json::json;

use crate::dice::Dice;
use crate::product::{CLIENT_ID, CLIENT_SECRET, CONNECTION, SERVER};

/// The one action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// What counts as the same problem.
    pub grouping: Grouping,
    /// What a further alert of the group does.
    pub on_repeat: OnRepeat,
    /// What happens on resolve.
    pub on_resolve: OnResolve,
    /// How many minutes after it was done an item is reopened rather than followed by another.
    pub reopen_within: Option<u64>,
    /// Whether work items are made at all.
    pub mode: Mode,
    /// What becomes of an alert that is over before its work item was made.
    pub already_over: AlreadyOver,
    /// When many alerts of a rule share an item.
    pub storm: Option<Storm>,
}

/// More than so many alerts of a rule within so many minutes share an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storm {
    /// So many.
    pub threshold: u64,
    /// So many.
    pub minutes: u64,
}

impl Shape {
    /// Half of the runs have an item per alert, the others have groups; a few are in shadow.
    pub fn draw(dice: &mut Dice) -> Self {
        let grouping = match dice.below(4) {
            0 | 1 => Grouping::Alert,
            2 => Grouping::Rule,
            _ => Grouping::ConfigurationItem,
        };
        Self {
            grouping,
            on_repeat: match dice.below(10) {
                0..=6 => OnRepeat::Update,
                7 | 8 => OnRepeat::Ignore,
                _ => OnRepeat::New,
            },
            on_resolve: match dice.below(20) {
                0..=15 => OnResolve::Resolve,
                16 | 17 => OnResolve::Close,
                18 => OnResolve::Comment,
                _ => OnResolve::Ignore,
            },
            reopen_within: match dice.below(5) {
                0 => Some(5),
                1 => Some(30),
                _ => None,
            },
            mode: if dice.chance(0.04) {
                Mode::Shadow
            } else {
                Mode::Live
            },
            already_over: AlreadyOver::default(),
            storm: None,
        }
    }

    /// True if nothing is sent to the product.
    pub fn is_shadow(&self) -> bool {
        self.mode == Mode::Shadow
    }

    /// True if several alerts can share an item.
    pub fn groups(&self) -> bool {
        let shares = matches!(self.grouping, Grouping::Rule | Grouping::ConfigurationItem);
        shares && self.on_repeat != OnRepeat::New
    }

    /// True if an alert that is over leaves no open item.
    pub fn ends_items(&self) -> bool {
        matches!(self.on_resolve, OnResolve::Resolve | OnResolve::Close)
    }

    /// The connection's definition, as it stands in the vault.
    pub fn definition(&self) -> String {
        let mut action = json!({
            "work_item_type": "incident",
            "grouping": self.grouping,
            "on_repeat": self.on_repeat,
            "on_resolve": self.on_resolve,
            "mode": self.mode,
        });
        if let Some(minutes) = self.reopen_within {
            action["reopen_within"] = format!("{minutes}m").into();
        }
        if self.already_over != AlreadyOver::default() {
            action["already_over"] = json!(self.already_over);
        }
        if let Some(Storm { threshold, minutes }) = self.storm {
            let within = format!("{minutes}m");
            action["storm"] = json!({ "threshold": threshold, "within": within });
        }
        json!({
            "name": CONNECTION,
            "partner_type": "servicenow",
            "server_url": SERVER,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "actions": { "default": action }
        })
        .to_string()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        write!(
            f,
            "grouping {}, on_repeat {}, on_resolve {}, reopen_within {}, mode {}",
            word(json!(self.grouping)),
            word(json!(self.on_repeat)),
            word(json!(self.on_resolve)),
            self.reopen_within
                .map_or("none".to_owned(), |minutes| format!("{minutes}m")),
            word(json!(self.mode)),
        )?;
        if self.already_over != AlreadyOver::default() {
            write!(f, ", already_over {}", word(json!(self.already_over)))?;
        }
        match self.storm {
            None => Ok(()),
            Some(Storm { threshold, minutes }) => {
                write!(f, ", storm beyond {threshold} within {minutes} min")
            }
        }
    }
}
