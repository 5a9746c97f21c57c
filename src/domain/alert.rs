//! An alert of Azure Monitor, as the rest of the connector sees it.

mod details;
mod service;

use serde::{Deserialize, Serialize};

pub use details::{
    Activity, Budget, Criterion, Details, Measured, Prometheus, ResourceHealth, ServiceHealth,
    SmartDetection,
};
pub use service::Service;

use super::row::Rows;
use super::timestamp::Timestamp;

/// What the services call themselves that run queries over logs (azure-platform §1.3).
const LOG_SERVICES: [&str; 4] = [
    "Log Analytics",
    "Application Insights",
    "Log Alerts V2",
    "Simple Log Alert",
];

/// The subscription that all test notifications are about, in one of its two spellings; the other is the id that most of
/// them share (azure-platform §1.2).
const TEST_SUBSCRIPTION: &str = "/subscriptions/11111111-1111-1111-1111-111111111111";
const TEST_ALERT: &str = "/12345678-1234-1234-1234-1234567890ab";

/// Columns and dimensions that name a configuration item, in the order in which Azure takes them (itsmc-product §2.6).
pub const ITEM_COLUMNS: [&str; 4] = ["_ResourceId", "ResourceId", "Resource", "Computer"];

/// How bad it is, by Azure's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "desk", derive(schemars::JsonSchema))]
pub enum Severity {
    /// Critical.
    Sev0,
    /// Error.
    Sev1,
    /// Warning.
    Sev2,
    /// Informational.
    Sev3,
    /// Verbose.
    Sev4,
}

impl Severity {
    /// Reads `Sev0` to `Sev4`, in any case, and the bare digit of older schemas.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digit = text
            .strip_prefix("Sev")
            .or_else(|| text.strip_prefix("sev"))
            .or_else(|| text.strip_prefix("SEV"))
            .unwrap_or(text);
        match digit {
            "0" => Some(Self::Sev0),
            "1" => Some(Self::Sev1),
            "2" => Some(Self::Sev2),
            "3" => Some(Self::Sev3),
            "4" => Some(Self::Sev4),
            _ => None,
        }
    }

    /// `Sev0` to `Sev4`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sev0 => "Sev0",
            Self::Sev1 => "Sev1",
            Self::Sev2 => "Sev2",
            Self::Sev3 => "Sev3",
            Self::Sev4 => "Sev4",
        }
    }

    /// The word that Azure's portal shows beside it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sev0 => "Critical",
            Self::Sev1 => "Error",
            Self::Sev2 => "Warning",
            Self::Sev3 => "Informational",
            Self::Sev4 => "Verbose",
        }
    }

    /// True for what goes before everything else.
    pub fn is_urgent(self) -> bool {
        self <= Self::Sev1
    }
}

/// Whether the alert began or ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It began.
    #[default]
    Fired,
    /// It ended.
    Resolved,
}

impl Condition {
    /// Reads Azure's word in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
        match () {
            () if is("fired") => Some(Self::Fired),
            () if is("resolved") => Some(Self::Resolved),
            () => None,
        }
    }

    /// The word in keys, logs and the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Resolved => "resolved",
        }
    }
}

/// One alert message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alert {
    /// The id of the alert instance; Fired and Resolved share it.
    pub alert_id: String,
    /// Which of Azure's services watches, by the shape of what it sent.
    pub service: Service,
    /// What that service calls itself: `Platform`, `Log Alerts V2`.
    pub monitoring_service: Option<String>,
    /// The rule's name; none for budgets.
    pub rule: Option<String>,
    /// The rule's resource id.
    pub rule_id: Option<String>,
    /// How bad; `None` where Azure sends none (budgets) or something unknown.
    pub severity: Option<Severity>,
    /// Began or ended.
    pub condition: Condition,
    /// Resource ids of what is watched, as far as they are kept.
    pub targets: Vec<String>,
    /// How many further targets the alert has.
    pub targets_beyond: usize,
    /// The type of what is watched: `microsoft.compute/virtualmachines`.
    pub target_type: Option<String>,
    /// The resource group of what is watched.
    pub target_group: Option<String>,
    /// What Azure takes for the configuration items concerned, as far as they are kept.
    pub configuration_items: Vec<String>,
    /// How many further configuration items the alert has.
    pub configuration_items_beyond: usize,
    /// When it began, where that could be read.
    pub fired_at: Option<Timestamp>,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
    /// The rule's description.
    pub description: Option<String>,
    /// A link to Azure's investigation page.
    pub investigation_link: Option<String>,
    /// A link to the resource or the alert, where the message itself has one (older schemas).
    pub portal_link: Option<String>,
    /// What the service measured or saw, as far as it is understood.
    pub details: Details,
    /// The rows of the query's result, where the alert brings them with it (Log V1 and Simple Log Alerts).
    pub rows: Rows,
    /// Pairs that the rule's owner added.
    pub custom_properties: Vec<(String, String)>,
    /// Where one thing is told of in several messages, each with an id of its own: which thing, and which message.
    pub series: Option<Series>,
    /// What could not be taken as it was, for the work item's reader.
    pub marks: Vec<Mark>,
}

/// One message of several about the same thing.
///
/// Successive messages about one service incident have different alert ids and one tracking id; the older schemas have no
/// alert id at all (azure-platform §1.6, §1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What they are all about, as a text that nothing else has.
    pub name: String,
    /// What tells this message from the others of the series.
    pub message: String,
}

impl Alert {
    /// True if a person pressed "Test action group": those messages have one constant alert id, a rule named so, or a
    /// subscription that there cannot be (azure-platform §1.2).
    pub fn is_test(&self) -> bool {
        is_of_a_test(&self.alert_id)
    }

    /// True if a query over logs found it, by its shape or else by the name of its service.
    pub fn is_log(&self) -> bool {
        let service = self.monitoring_service.as_deref().map(str::trim);
        matches!(self.details, Details::Log(_))
            || service.is_some_and(|service| {
                LOG_SERVICES
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(service))
            })
    }

    /// Names of what is concerned: the configuration items, else what the dimensions name, else what the rows name.
    pub fn concerned(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        let items = self.configuration_items.iter().map(String::as_str);
        add_distinct(&mut found, items);
        let dimensions = || {
            self.details
                .criteria()
                .iter()
                .flat_map(|one| &one.dimensions)
        };
        for column in ITEM_COLUMNS {
            if found.is_empty() {
                let named = dimensions().filter(|(name, _)| name.eq_ignore_ascii_case(column));
                add_distinct(&mut found, named.map(|(_, value)| value.as_str()));
            }
        }
        for column in ITEM_COLUMNS {
            if found.is_empty() {
                let rows = self.rows.kept();
                let named = rows.iter().filter_map(|row| row.column(column));
                add_distinct(&mut found, named);
            }
        }
        found
    }
}

/// True if this alert id is one of the constants of Azure's test notifications.
pub fn is_of_a_test(alert_id: &str) -> bool {
    let ends_with = |end: &str| {
        alert_id.len() >= end.len()
            && alert_id.as_bytes()[alert_id.len() - end.len()..]
                .eq_ignore_ascii_case(end.as_bytes())
    };
    let begins_with = |begin: &str| {
        alert_id.len() >= begin.len()
            && alert_id.as_bytes()[..begin.len()].eq_ignore_ascii_case(begin.as_bytes())
    };
    ends_with(TEST_ALERT) || ends_with("/test_alert") || begins_with(TEST_SUBSCRIPTION)
}

fn add_distinct<'a>(found: &mut Vec<&'a str>, names: impl Iterator<Item = &'a str>) {
    for name in names.map(str::trim).filter(|name| !name.is_empty()) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
}

/// What could not be taken as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// `firedDateTime` is missing or cannot be read.
    FiredAtUnreadable,
    /// `severity` is none that we know.
    SeverityUnknown,
    /// `alertContext` has a shape that we do not know.
    ContextNotUnderstood,
    /// `schemaId` is missing or names none that we know, and the message has the shape of the common one all the same.
    SchemaUnknown,
    /// The message has one of the schemas that were there before the common one.
    OlderSchema,
}

impl Mark {
    /// What the work item's reader is told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FiredAtUnreadable => "The time of firing could not be read.",
            Self::SeverityUnknown => "The alert has no severity that is known; a default was used.",
            Self::ContextNotUnderstood => {
                "The alert's details have a form that is not known; they are shown as they came."
            }
            Self::SchemaUnknown => {
                "The alert names a schema that is not known; it was read as the common one."
            }
            Self::OlderSchema => {
                "The alert came in an older schema; switch on \"common alert schema\" in its action group."
            }
        }
    }
}
