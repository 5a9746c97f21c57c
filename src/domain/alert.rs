//! An alert of Azure Monitor, as the rest of the connector sees it.

use serde::{Deserialize, Serialize};

use super::row::Rows;
use super::timestamp::Timestamp;

/// What the services call themselves that run queries over logs (azure-platform §1.3).
const LOG_SERVICES: [&str; 4] = [
    "Log Analytics",
    "Application Insights",
    "Log Alerts V2",
    "Simple Log Alert",
];

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It began.
    Fired,
    /// It ended.
    Resolved,
}

impl Condition {
    /// Reads Azure's word in any case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "fired" => Some(Self::Fired),
            "resolved" => Some(Self::Resolved),
            _ => None,
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
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The id of the alert instance; Fired and Resolved share it.
    pub alert_id: String,
    /// The rule's name.
    pub rule: Option<String>,
    /// The rule's resource id.
    pub rule_id: Option<String>,
    /// How bad; `None` where Azure sends none (budgets) or something unknown.
    pub severity: Option<Severity>,
    /// Began or ended.
    pub condition: Condition,
    /// Which of Azure's services watches: `Platform`, `Log Alerts V2`.
    pub monitoring_service: Option<String>,
    /// Resource ids of what is watched.
    pub targets: Vec<String>,
    /// What Azure takes for the configuration items concerned.
    pub configuration_items: Vec<String>,
    /// When it began, where that could be read.
    pub fired_at: Option<Timestamp>,
    /// When it ended.
    pub resolved_at: Option<Timestamp>,
    /// The rule's description.
    pub description: Option<String>,
    /// A link to Azure's investigation page.
    pub investigation_link: Option<String>,
    /// What the service measured, as far as it is understood.
    pub details: Details,
    /// The rows of the query's result, where the alert brings them with it (Log V1 and Simple Log Alerts).
    pub rows: Rows,
    /// Pairs that the rule's owner added.
    pub custom_properties: Vec<(String, String)>,
    /// What could not be taken as it was, for the work item's reader.
    pub marks: Vec<Mark>,
}

impl Alert {
    /// True if a person pressed "Test action group": those messages have one constant alert id or a rule named so
    /// (azure-platform §1.2).
    pub fn is_test(&self) -> bool {
        self.alert_id
            .ends_with("/12345678-1234-1234-1234-1234567890ab")
            || self.alert_id.to_ascii_lowercase().ends_with("/test_alert")
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
}

/// What a service measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Details {
    /// Metric alerts: static and dynamic thresholds, several resources, web tests.
    Metric(Measured),
    /// Log Alerts V1 and V2, and Simple Log Alerts.
    Log(Measured),
    /// Not understood, or nothing there: the essentials have to do.
    #[default]
    EssentialsOnly,
}

/// The measurements of a metric or log alert.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// Azure's name for the kind of condition.
    pub condition_type: Option<String>,
    /// The span that was looked at, as ISO 8601 duration: `PT5M`.
    pub window_size: Option<String>,
    /// Begin of the span.
    pub window_start: Option<Timestamp>,
    /// End of the span.
    pub window_end: Option<Timestamp>,
    /// Each condition that was met.
    pub criteria: Vec<Criterion>,
}

/// One condition of a metric or log alert.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Criterion {
    /// The metric's name.
    pub metric: Option<String>,
    /// The namespace of the metric.
    pub namespace: Option<String>,
    /// The web test's name.
    pub web_test: Option<String>,
    /// The query of a log alert.
    pub query: Option<String>,
    /// `GreaterThan`, and so on.
    pub operator: Option<String>,
    /// The threshold, as text: Azure sends strings and numbers.
    pub threshold: Option<String>,
    /// What was measured, as text.
    pub value: Option<String>,
    /// `Average`, `Count`, and so on.
    pub aggregation: Option<String>,
    /// How sensitive a dynamic threshold is.
    pub sensitivity: Option<String>,
    /// Name and value of each dimension.
    pub dimensions: Vec<(String, String)>,
    /// Periods below the threshold, and how many suffice to fire.
    pub failing_periods: Option<(String, String)>,
    /// Where a person sees the result.
    pub link: Option<String>,
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
}

impl Mark {
    /// What the work item's reader is told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FiredAtUnreadable => "The time of firing could not be read.",
            Self::SeverityUnknown => "The alert has no severity that is known; a default was used.",
            Self::ContextNotUnderstood => {
                "The alert's details have a form that is not known; only its essentials are shown."
            }
        }
    }
}
