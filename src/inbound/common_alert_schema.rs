//! Azure's Common Alert Schema → [`Alert`]: strict about what identifies an alert, lenient about all the rest.
//!
//! The quirks and their sources are in `reference/azure-platform.md` §1; each is named where it is met. Whatever this
//! does not understand, the quarantine keeps.

mod context;
mod rows;
mod shape;
mod wire;

use std::fmt;

use crate::domain::alert::{Alert, Condition, Mark, Severity};
use crate::domain::timestamp::Timestamp;
use crate::inbound::webhook::Delivery;

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

/// Reads an alert.
pub fn parse(delivery: &Delivery) -> Result<Alert, NotAnAlert> {
    let body = delivery.body();
    shape::check(body)?;
    let envelope: wire::Envelope<'_> = read(body)?;
    match envelope.schema_id.as_deref() {
        Some("azureMonitorCommonAlertSchema") => {}
        _ => {
            return Err(NotAnAlert::new(
                "schema",
                "schemaId",
                "`azureMonitorCommonAlertSchema`; switch on \"common alert schema\" in the action group",
            ));
        }
    }
    let data = envelope
        .data
        .ok_or(NotAnAlert::new("no_data", "data", "an object"))?;
    let essentials = data.essentials.ok_or(NotAnAlert::new(
        "no_essentials",
        "data.essentials",
        "an object",
    ))?;
    alert(essentials, data.alert_context, data.custom_properties.0)
}

fn alert(
    essentials: wire::Essentials,
    context: Option<&serde_json::value::RawValue>,
    custom_properties: Vec<(String, String)>,
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
    let condition = essentials
        .monitor_condition
        .0
        .as_deref()
        .and_then(Condition::parse)
        .ok_or(NotAnAlert::new(
            "condition",
            "data.essentials.monitorCondition",
            "`Fired` or `Resolved`",
        ))?;
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
    let context = context
        .map_or_else(|| Some(context::Context::default()), context::read)
        .unwrap_or_else(|| {
            marks.push(Mark::ContextNotUnderstood);
            context::Context::default()
        });
    let mut configuration_items = essentials.configuration_items.0;
    if configuration_items.is_empty() {
        configuration_items = context.configuration_items;
    }
    Ok(Alert {
        alert_id,
        rule: essentials.alert_rule.0,
        rule_id: essentials.alert_rule_id.0,
        severity,
        condition,
        monitoring_service: essentials.monitoring_service.0,
        targets: essentials.alert_target_ids.0,
        configuration_items,
        fired_at,
        resolved_at: essentials
            .resolved_date_time
            .0
            .as_deref()
            .and_then(Timestamp::parse_lenient),
        description: essentials.description.0,
        investigation_link: essentials.investigation_link.0,
        details: context.details,
        rows: context.rows,
        custom_properties,
        marks,
        ..Alert::default()
    })
}

fn read<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, NotAnAlert> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
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
