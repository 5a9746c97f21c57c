//! What the event of an alert says beside its texts: what it is about, how bad it is, and what a rule of event management may
//! want to know.

use super::title::short_name;
use super::{Alert, Row, safe_line};
use crate::domain::connection::Action;
use crate::domain::text;
use crate::domain::work_item::EventFacts;

/// Longest fact, in UTF-16 units: a link or a resource id has room.
const FACT_LENGTH_MAX: usize = 500;

/// Dimensions, columns of a row and custom properties that are told.
const PAIRS_MAX: usize = 30;

/// Columns that name the node that a row is about (itsmc-product §2.6).
const NODE_COLUMNS: [&str; 4] = ["Computer", "Resource", "_ResourceId", "ResourceId"];

/// The facts of an alert, or of one of its rows.
pub(super) fn facts(alert: &Alert, action: &Action, row: Option<&Row>) -> Box<EventFacts> {
    let target = alert.targets.first().map_or("", String::as_str);
    let measured = alert.details.criteria().first();
    let of_row = row.and_then(|row| NODE_COLUMNS.iter().find_map(|name| row.column(name)));
    let item = alert.configuration_items.first().map(String::as_str);
    let node = of_row.or(item).filter(|name| !name.trim().is_empty());
    Box::new(EventFacts {
        severity: action.event_severity(alert),
        class: safe_line(alert.monitoring_service.as_deref().unwrap_or_default()),
        node: safe_line(short_name(node.unwrap_or(target))),
        resource: safe_line(short_name(target)),
        metric: safe_line(
            measured
                .and_then(|one| one.metric.as_deref())
                .unwrap_or_default(),
        ),
        kind: safe_line(alert.rule.as_deref().unwrap_or("Azure Monitor alert")),
        at: alert.fired_at,
        more: more(alert, target, row),
    })
}

fn more(alert: &Alert, target: &str, row: Option<&Row>) -> Vec<(String, String)> {
    let severity = alert.severity.map_or("", |severity| severity.as_str());
    let own = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut more: Vec<(String, String)> = [
        ("alert_id", alert.alert_id.clone()),
        ("azure_severity", severity.to_owned()),
        ("resource_id", target.to_owned()),
        ("rule_id", own(&alert.rule_id)),
        ("investigation_link", own(&alert.investigation_link)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let dimensions = alert.details.criteria().iter();
    let dimensions = dimensions.flat_map(|criterion| &criterion.dimensions);
    let dimensions = dimensions.map(|(name, value)| (name.as_str(), value.as_str()));
    let custom = alert.custom_properties.iter();
    let custom = custom.map(|(name, value)| (name.as_str(), value.as_str()));
    for (prefix, pairs) in [
        ("dimension", dimensions.collect::<Vec<_>>()),
        ("row", row.into_iter().flat_map(Row::cells).collect()),
        ("custom", custom.collect()),
    ] {
        let pairs = pairs.into_iter().take(PAIRS_MAX);
        more.extend(pairs.map(|(name, value)| {
            let value = match crate::domain::redact::names_a_secret(name) {
                true => text::MASK,
                false => value,
            };
            (
                format!("{prefix}.{}", text::one_line(name)),
                value.to_owned(),
            )
        }));
    }
    more.retain(|(_, value)| !value.trim().is_empty());
    more.into_iter()
        .map(|(name, value)| (name, text::cut(&safe_line(&value), FACT_LENGTH_MAX)))
        .collect()
}
