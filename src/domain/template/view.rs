//! What templates see: the public side of one alert, by the names that docs/templates.md lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object};
use minijinja::{Error, ErrorKind, Value};

use crate::domain::alert::{Alert, Criterion};
use crate::domain::row::Row;
use crate::domain::text;
use crate::domain::timestamp::Timestamp;

/// What an alert has, each as `alert.NAME`, and what it is.
pub const NAMES: [(&str, &str); 33] = [
    ("aggregation", "how it was measured: `Average`, `Count`"),
    ("condition", "`fired`"),
    ("configuration_item", "the first of `configuration_items`"),
    (
        "configuration_items",
        "a list: what Azure takes for the configuration items concerned",
    ),
    (
        "custom_properties",
        "by their names: `alert.custom_properties.team`",
    ),
    ("description", "the rule's description"),
    (
        "dimensions",
        "by their names: `alert.dimensions[\"Host Name\"]`",
    ),
    ("fired_at", "when it began, as `2026-03-01T10:00:00.000Z`"),
    ("id", "the id of the alert instance"),
    ("investigation_link", "a link to Azure's investigation page"),
    ("is_test", "true if a person pressed \"Test action group\""),
    ("metric", "the metric's name"),
    (
        "monitoring_service",
        "what that service calls itself: `Platform`, `Log Alerts V2`",
    ),
    ("namespace", "the metric's namespace"),
    ("operator", "`GreaterThan` and so on"),
    ("query", "the query of a log alert"),
    ("resource_group", "the resource group of the first target"),
    (
        "resource_type",
        "the type of the first target: `microsoft.compute/virtualmachines`",
    ),
    ("results_link", "a link to the results of the query"),
    ("rule", "the rule's name"),
    ("rule_id", "the rule's resource id"),
    (
        "service",
        "which of Azure's services watches, by the shape of what it sent: `metric_static`, `log_v2`, `service_health`",
    ),
    ("severity", "`Sev0` to `Sev4`"),
    (
        "severity_word",
        "`Critical`, `Error`, `Warning`, `Informational` or `Verbose`",
    ),
    ("subscription", "the id of the first target's subscription"),
    ("target", "the resource id of the first target"),
    ("target_name", "the last part of it"),
    ("targets", "a list of resource ids"),
    ("text", "the description that the work item has by default"),
    ("threshold", "the threshold, as text"),
    ("title", "the title that the work item has by default"),
    ("value", "what was measured, as text"),
    ("window", "the span that was looked at, as `PT5M`"),
];

/// The columns of a row, where each row has a work item of its own, as `row.NAME`.
pub const ROW: &str = "row";

/// The root of what a template sees.
#[derive(Debug, Clone)]
pub(super) struct View {
    alert: BTreeMap<&'static str, Value>,
    row: Value,
}

impl View {
    /// `is_sample` makes every custom property, dimension and column exist, for nobody knows those of a customer beforehand.
    pub(super) fn new(
        alert: &Alert,
        row: Option<&Row>,
        title: &str,
        description: &str,
        is_sample: bool,
    ) -> Self {
        let alert = NAMES
            .iter()
            .map(|(name, _)| (*name, value(name, alert, title, description, is_sample)))
            .collect();
        Self {
            alert,
            row: Pairs::value(row.into_iter().flat_map(Row::cells), is_sample),
        }
    }

    pub(super) fn value(&self) -> Value {
        Value::from_object(Root {
            alert: Value::from_object(Known(self.alert.clone())),
            row: self.row.clone(),
        })
    }
}

fn value(name: &str, alert: &Alert, title: &str, description: &str, is_sample: bool) -> Value {
    let target = alert.targets.first().map_or("", String::as_str);
    let measured = alert.details.measured();
    let criterion = measured.and_then(|measured| measured.criteria.first());
    let of_criterion = |get: fn(&Criterion) -> &Option<String>| {
        plain(criterion.and_then(|criterion| get(criterion).as_deref()))
    };
    match name {
        "aggregation" => of_criterion(|criterion| &criterion.aggregation),
        "condition" => Value::from(alert.condition.as_str()),
        "configuration_item" => plain(alert.configuration_items.first().map(String::as_str)),
        "configuration_items" => list(&alert.configuration_items),
        "custom_properties" => Pairs::value(both(&alert.custom_properties), is_sample),
        "description" => plain(alert.description.as_deref()),
        "dimensions" => {
            let criteria = alert.details.criteria().iter();
            Pairs::value(
                criteria.flat_map(|criterion| both(&criterion.dimensions)),
                is_sample,
            )
        }
        "fired_at" => moment(alert.fired_at),
        "id" => plain(Some(&alert.alert_id)),
        "investigation_link" => plain(alert.investigation_link.as_deref()),
        "is_test" => Value::from(alert.is_test()),
        "metric" => of_criterion(|criterion| &criterion.metric),
        "monitoring_service" => plain(alert.monitoring_service.as_deref()),
        "namespace" => of_criterion(|criterion| &criterion.namespace),
        "operator" => of_criterion(|criterion| &criterion.operator),
        "query" => of_criterion(|criterion| &criterion.query),
        "resource_group" => {
            plain(after_segment(target, "resourcegroups").or(alert.target_group.as_deref()))
        }
        "resource_type" => plain(
            resource_type(target)
                .or(alert.target_type.clone())
                .as_deref(),
        ),
        "results_link" => of_criterion(|criterion| &criterion.link),
        "rule" => plain(alert.rule.as_deref()),
        "rule_id" => plain(alert.rule_id.as_deref()),
        "service" => Value::from(alert.service.as_str()),
        "severity" => plain(alert.severity.map(|severity| severity.as_str())),
        "severity_word" => plain(alert.severity.map(|severity| severity.word())),
        "subscription" => plain(after_segment(target, "subscriptions")),
        "target" => plain(Some(target)),
        "target_name" => plain(target.trim_end_matches('/').rsplit('/').next()),
        "targets" => list(&alert.targets),
        "text" => plain(Some(description)),
        "threshold" => of_criterion(|criterion| &criterion.threshold),
        "title" => plain(Some(title)),
        "value" => of_criterion(|criterion| &criterion.value),
        "window" => plain(measured.and_then(|measured| measured.window_size.as_deref())),
        _ => Value::UNDEFINED,
    }
}

/// A text of the alert, with what looks like a secret masked; an empty one for what is not there.
fn plain(text: Option<&str>) -> Value {
    Value::from(text::mask(text.unwrap_or_default()))
}

fn list(texts: &[String]) -> Value {
    Value::from_iter(texts.iter().map(|text| plain(Some(text))))
}

fn moment(moment: Option<Timestamp>) -> Value {
    Value::from(moment.map(|moment| moment.to_string()).unwrap_or_default())
}

/// The part of a resource id after the one of this name.
fn after_segment<'a>(resource_id: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = resource_id.split('/');
    parts.find(|part| part.eq_ignore_ascii_case(name))?;
    parts.next()
}

/// `microsoft.compute/virtualmachines` of `…/providers/Microsoft.Compute/virtualMachines/web01`.
fn resource_type(resource_id: &str) -> Option<String> {
    let mut parts = resource_id.split('/');
    parts.rfind(|part| part.eq_ignore_ascii_case("providers"))?;
    let after = resource_id.to_ascii_lowercase();
    let (_, after) = after.rsplit_once("/providers/")?;
    let parts: Vec<&str> = after.split('/').collect();
    let (provider, rest) = parts.split_first()?;
    let kinds = rest.iter().step_by(2).copied();
    Some(
        std::iter::once(*provider)
            .chain(kinds)
            .collect::<Vec<_>>()
            .join("/"),
    )
}

/// Nothing but `alert` and `row`.
#[derive(Debug)]
struct Root {
    alert: Value,
    row: Value,
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "alert" => Some(self.alert.clone()),
            ROW => Some(self.row.clone()),
            // The engine asks here for its own variables too, before it knows that they are none.
            other => Some(unknown(format!(
                "`{}`, and there is nothing but `alert` and `row`",
                short(other)
            ))),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["alert", ROW])
    }
}

/// An alert: its names and no others.
#[derive(Debug)]
struct Known(BTreeMap<&'static str, Value>);

impl Object for Known {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        Some(match self.0.get(name) {
            Some(value) => value.clone(),
            None => unknown(format!("`alert.{}`, which no alert has", short(name))),
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.0.keys().map(|name| Value::from(*name));
        Enumerator::Values(names.collect())
    }
}

fn short(name: &str) -> String {
    text::cut(&text::one_line(name), 40)
}

fn unknown(what: String) -> Value {
    Value::from(Error::new(ErrorKind::UndefinedError, what))
}

/// Names that people chose, with their values.
#[derive(Debug)]
struct Pairs {
    pairs: BTreeMap<String, Value>,
    is_sample: bool,
}

impl Pairs {
    fn value<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>, is_sample: bool) -> Value {
        let mut first = BTreeMap::new();
        for (name, text) in pairs {
            first
                .entry(name.to_owned())
                .or_insert_with(|| masked(name, text));
        }
        Value::from_object(Self {
            pairs: first,
            is_sample,
        })
    }
}

fn both(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The value under a name that says that it is a secret is one whatever it looks like (row T14).
fn masked(name: &str, value: &str) -> Value {
    if crate::domain::redact::names_a_secret(name) && !value.is_empty() {
        return Value::from(text::MASK);
    }
    plain(Some(value))
}

impl Object for Pairs {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let found = self.pairs.get(key.as_str()?).cloned();
        found.or_else(|| self.is_sample.then(|| Value::from("sample")))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.pairs.keys().map(|name| Value::from(name.as_str()));
        Enumerator::Values(names.collect())
    }
}
