//! Azure's Common Alert Schema → [`Alert`]: strict about what identifies an alert, lenient about all the rest.
//!
//! The quirks and their sources are in `reference/azure-platform.md` §1; each is named where it is met. Whatever this
//! does not understand, the quarantine keeps.

mod activity;
mod context;
mod html;
mod lenient;
mod measured;
mod older;
mod rows;
mod shape;
mod watched;
mod wire;

use std::fmt;

use crate::domain::alert::{Alert, Condition, Mark, Series, Service, Severity, is_of_a_test};
use crate::domain::timestamp::Timestamp;
use crate::inbound::webhook::Delivery;

/// How the Common Alert Schema calls itself.
const SCHEMA: &str = "azureMonitorCommonAlertSchema";

/// Longest alert id that is believed: a resource id is a few hundred characters at most.
pub const ALERT_ID_CHARS_MAX: usize = 2048;

/// Deepest nesting that is read. serde_json has no limit of its own for what it skips (reliability-security row W8).
pub const DEPTH_MAX: usize = 32;

/// A body that is no alert of this schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnAlert {
    /// A word for the log and the quarantine.
    pub reason: &'static str,
    /// Where, as a path of the JSON; empty for the whole.
    pub path: String,
    /// What was expected there.
    pub expected: &'static str,
}

impl NotAnAlert {
    fn new(reason: &'static str, path: &str, expected: &'static str) -> Self {
        Self {
            reason,
            path: path.to_owned(),
            expected,
        }
    }
}

impl fmt::Display for NotAnAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() {
            "the body"
        } else {
            &self.path
        };
        write!(f, "{}: {place}: expected {}", self.reason, self.expected)
    }
}

impl std::error::Error for NotAnAlert {}

/// Reads an alert, of the Common Alert Schema or of one of those before it.
///
/// It takes at most four times the body's size of memory and half a mebibyte (`tests/memory`): whatever is not kept is
/// skipped where it stands, and what is kept has limits.
pub fn parse(delivery: &Delivery) -> Result<Alert, NotAnAlert> {
    let body = shape::check(delivery.body())?;
    let envelope: wire::Envelope<'_> = read(body)?;
    let is_common = envelope.schema_id.as_deref() == Some(SCHEMA);
    let Some(data) = envelope.data else {
        return older_or(body, is_common, ("no_data", "data"));
    };
    match data.essentials {
        // The shape decides: a name that is not known, or none, is no reason to lose an alert.
        Some(essentials) => {
            let mut alert = alert(essentials, data.alert_context, data.custom_properties.0)?;
            if !is_common {
                alert.marks.push(Mark::SchemaUnknown);
            }
            Ok(alert)
        }
        None => older_or(body, is_common, ("no_essentials", "data.essentials")),
    }
}

fn older_or(
    body: &str,
    is_common: bool,
    (reason, path): (&'static str, &str),
) -> Result<Alert, NotAnAlert> {
    if is_common {
        return Err(NotAnAlert::new(reason, path, "an object"));
    }
    older::read(body).unwrap_or_else(|| {
        Err(NotAnAlert::new(
            "schema",
            "schemaId",
            "`azureMonitorCommonAlertSchema`; switch on \"common alert schema\" in the action group",
        ))
    })
}

fn alert(
    essentials: wire::Essentials,
    raw_context: Option<&serde_json::value::RawValue>,
    mut custom_properties: Vec<(String, String)>,
) -> Result<Alert, NotAnAlert> {
    let mut marks = Vec::new();
    let alert_id = essentials.alert_id.0.unwrap_or_default();
    if alert_id.trim().is_empty()
        || alert_id.chars().count() > ALERT_ID_CHARS_MAX
        || !alert_id.starts_with('/')
    {
        return Err(NotAnAlert::new(
            "alert_id",
            "data.essentials.alertId",
            "a resource id",
        ));
    }
    let monitoring_service = essentials.monitoring_service.0;
    let context = raw_context
        .map(|raw| context::read(raw, monitoring_service.as_deref()))
        .unwrap_or_default();
    let condition = condition(
        essentials.monitor_condition.0.as_deref(),
        &context,
        &alert_id,
    )?;
    let fired_at = essentials
        .fired_date_time
        .0
        .as_deref()
        .and_then(Timestamp::parse_lenient);
    if fired_at.is_none() {
        marks.push(Mark::FiredAtUnreadable);
    }
    // Budgets have none (null); anything else that cannot be read is told.
    let severity = essentials.severity.0.as_deref().and_then(Severity::parse);
    if severity.is_none() && essentials.severity.0.is_some() {
        marks.push(Mark::SeverityUnknown);
    }
    if context.is_strange {
        marks.push(Mark::ContextNotUnderstood);
    }
    let wire::Essentials {
        alert_target_ids: targets,
        configuration_items: items,
        ..
    } = essentials;
    let configuration_items = match items.0.is_empty() {
        true => context.configuration_items,
        false => items.0,
    };
    if custom_properties.is_empty() {
        custom_properties = context.properties;
    }
    let resolved_at = essentials
        .resolved_date_time
        .0
        .as_deref()
        .and_then(Timestamp::parse_lenient);
    let is_end_of_series = context.series.is_some() && condition == Condition::Resolved;
    let series = context.series.filter(|_| !is_of_a_test(&alert_id));
    Ok(Alert {
        series: series.map(|(name, message)| Series { name, message }),
        alert_id,
        service: context.service,
        monitoring_service,
        rule: essentials.alert_rule.0,
        rule_id: essentials
            .alert_rule_id
            .0
            .or(essentials.alert_rule_id_of_the_sample.0),
        severity,
        condition,
        targets: targets.0,
        targets_beyond: targets.1,
        target_type: essentials.target_resource_type.0,
        target_group: essentials.target_resource_group.0,
        configuration_items,
        configuration_items_beyond: items.1,
        fired_at,
        resolved_at: resolved_at.or(fired_at.filter(|_| is_end_of_series)),
        description: essentials.description.0,
        investigation_link: essentials.investigation_link.0,
        portal_link: None,
        details: context.details,
        rows: context.rows,
        custom_properties,
        marks,
    })
}

/// Service health stays `Fired` whatever its stage, and budgets have no condition at all (azure-platform §1.2, §1.6). A test
/// of service health is told at the stage `Resolved`, and yet wants to be seen.
fn condition(
    monitor_condition: Option<&str>,
    context: &context::Context,
    alert_id: &str,
) -> Result<Condition, NotAnAlert> {
    let told = match monitor_condition
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        None if context.service == Service::Budget => Condition::Fired,
        word => word.and_then(Condition::parse).ok_or(NotAnAlert::new(
            "condition",
            "data.essentials.monitorCondition",
            "`Fired` or `Resolved`",
        ))?,
    };
    match context.condition {
        Some(ended) if !is_of_a_test(alert_id) => Ok(ended),
        _ => Ok(told),
    }
}

/// What is wrong is looked for only where something is: to keep the path costs more than to read.
fn read<'a, T: serde::Deserialize<'a>>(body: &'a str) -> Result<T, NotAnAlert> {
    serde_json::from_str(body).or_else(|_| read_slowly(body))
}

fn read_slowly<'a, T: serde::Deserialize<'a>>(body: &'a str) -> Result<T, NotAnAlert> {
    let mut deserializer = serde_json::Deserializer::from_str(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        if inner.is_data() {
            let twice = inner.to_string().starts_with("duplicate field");
            let expected = if twice {
                "each field once"
            } else {
                "the type that the schema has there"
            };
            NotAnAlert::new(
                if twice {
                    "duplicate_field"
                } else {
                    "wrong_type"
                },
                path.trim_matches('.'),
                expected,
            )
        } else {
            NotAnAlert::new("not_json", "", "one JSON object")
        }
    })?;
    deserializer
        .end()
        .map_err(|_| NotAnAlert::new("not_json", "", "nothing after the JSON object"))?;
    Ok(value)
}

#[cfg(test)]
mod tests;
