//! What a service measured or saw. Texts are as they were sent: Azure writes numbers as strings, money as formatted text
//! and times in several forms (azure-platform §1.4 to §1.7).

use crate::domain::timestamp::Timestamp;

/// What a service measured or saw.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Details {
    /// Metric alerts: static and dynamic thresholds, several resources, web tests.
    Metric(Measured),
    /// Log Alerts V1 and V2, and Simple Log Alerts.
    Log(Measured),
    /// An event of the activity log: administrative, policy, autoscale, security, recommendation.
    Activity(Box<Activity>),
    /// An incident, a maintenance or an advice of Azure itself.
    ServiceHealth(Box<ServiceHealth>),
    /// One resource is well, or is not.
    ResourceHealth(Box<ResourceHealth>),
    /// A budget is spent, or will be.
    Budget(Box<Budget>),
    /// Failure anomalies and the other smart detectors.
    SmartDetection(Box<SmartDetection>),
    /// A rule over Prometheus metrics.
    Prometheus(Box<Prometheus>),
    /// A context that is not known, as far as it has plain values.
    Unknown(Vec<(String, String)>),
    /// Nothing there: the essentials have to do.
    #[default]
    EssentialsOnly,
}

impl Details {
    /// What was measured, where something was.
    pub fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Metric(measured) | Self::Log(measured) => Some(measured),
            _ => None,
        }
    }

    /// The conditions that were met; none where nothing is measured.
    pub fn criteria(&self) -> &[Criterion] {
        self.measured().map_or(&[], |measured| &measured.criteria)
    }
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
    /// Each condition that was met, as far as they are kept.
    pub criteria: Vec<Criterion>,
    /// How many further conditions there are.
    pub criteria_beyond: usize,
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
    /// The column of the query's result that is measured; none where rows are counted.
    pub measure_column: Option<String>,
    /// Types of the resources that a query looks at.
    pub target_types: Vec<String>,
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

/// An event of the activity log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Activity {
    /// `Microsoft.Compute/virtualMachines/restart/action`.
    pub operation: Option<String>,
    /// How it ended: `Succeeded`, `Failed`.
    pub status: Option<String>,
    /// How it ended, more exactly.
    pub sub_status: Option<String>,
    /// `Informational`, `Warning`, `Error`, `Critical`.
    pub level: Option<String>,
    /// Who did it: a name, a mail address or an id.
    pub caller: Option<String>,
    /// Upon which resource or group it was done.
    pub scope: Option<String>,
    /// When it happened.
    pub at: Option<String>,
    /// What the event says of itself.
    pub description: Option<String>,
    /// For the person who asks Microsoft about it.
    pub correlation_id: Option<String>,
    /// What the event brings with it, by its names there; the kind of event decides what that is.
    pub properties: Vec<(String, String)>,
}

impl Activity {
    /// A property of the event, by its name in any case.
    pub fn property(&self, name: &str) -> Option<&str> {
        let found = self
            .properties
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// An incident, a maintenance or an advice of Azure itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceHealth {
    /// One line.
    pub title: Option<String>,
    /// The service concerned.
    pub service: Option<String>,
    /// The region concerned.
    pub region: Option<String>,
    /// `Incident`, `Maintenance`, `Informational`, `ActionRequired`, `Security`.
    pub kind: Option<String>,
    /// Microsoft's own name of the incident: `ABC1-DEF`.
    pub tracking_id: Option<String>,
    /// `Active`, `Planned`, `InProgress`, `Resolved`, `RCA` and others.
    pub stage: Option<String>,
    /// What Microsoft says, as plain text.
    pub communication: Option<String>,
    /// When it began.
    pub impact_start: Option<String>,
    /// When it ended, or will.
    pub impact_end: Option<String>,
    /// Services and regions concerned, one a line: `Virtual Machines: West Europe, North Europe`.
    pub impacted: Vec<String>,
}

/// One resource is well, or is not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceHealth {
    /// One line.
    pub title: Option<String>,
    /// More about it.
    pub details: Option<String>,
    /// How it is: `Available`, `Degraded`, `Unavailable`, `Unknown`.
    pub current: Option<String>,
    /// How it was.
    pub previous: Option<String>,
    /// `Downtime`, and so on.
    pub kind: Option<String>,
    /// `PlatformInitiated`, `UserInitiated`, `Unknown`.
    pub cause: Option<String>,
    /// `Active`, `In Progress`, `Updated`, `Resolved`.
    pub status: Option<String>,
    /// When it happened.
    pub at: Option<String>,
}

/// A budget is spent, or will be. Money is formatted text: `$11,111.00`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Budget {
    /// The budget's name.
    pub name: Option<String>,
    /// The budget's resource id.
    pub id: Option<String>,
    /// What it counts: a subscription, a resource group, a billing account.
    pub scope: Option<String>,
    /// `Actual` or `Forecasted`.
    pub threshold_type: Option<String>,
    /// `Cost` or `Usage`.
    pub kind: Option<String>,
    /// The whole budget.
    pub budget: Option<String>,
    /// The amount at which somebody wants to be told.
    pub notify_at: Option<String>,
    /// What is spent.
    pub spent: Option<String>,
    /// What will be spent in the whole period.
    pub forecast: Option<String>,
    /// The currency.
    pub unit: Option<String>,
    /// Since when it counts.
    pub since: Option<String>,
    /// Who made the budget.
    pub owner: Option<String>,
}

/// What a smart detector has noticed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SmartDetection {
    /// The detector's name: `Failure Anomalies`.
    pub detector: Option<String>,
    /// What it has noticed.
    pub summary: Option<String>,
    /// What it has measured.
    pub detected: Option<String>,
    /// What would be usual.
    pub normal: Option<String>,
    /// When it happened, as the detector writes it.
    pub occurred: Option<String>,
}

/// What a rule over Prometheus metrics has found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prometheus {
    /// The rule's expression in PromQL.
    pub expression: Option<String>,
    /// Its value, which may have an SI suffix: `12.7m`.
    pub value: Option<String>,
    /// How often it is evaluated.
    pub interval: Option<String>,
    /// How long it must hold before it fires.
    pub holds_for: Option<String>,
    /// Labels of the series and of the rule.
    pub labels: Vec<(String, String)>,
    /// What the rule's owner has written about it.
    pub annotations: Vec<(String, String)>,
    /// The rule group's resource id.
    pub rule_group: Option<String>,
}

impl Prometheus {
    /// A label, by its name.
    pub fn label(&self, name: &str) -> Option<&str> {
        value_of(&self.labels, name)
    }

    /// An annotation, by its name.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        value_of(&self.annotations, name)
    }
}

fn value_of<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}
