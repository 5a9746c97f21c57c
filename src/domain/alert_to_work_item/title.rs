//! The title: how bad, which rule, where. One line that is read in a list of many.

use std::fmt::Write as _;

use crate::domain::alert::{Alert, Details, ITEM_COLUMNS, Service};
use crate::domain::row::Row;
use crate::domain::text;

/// Longest value of a row in a title, in characters.
const CELL_IN_TITLE_CHARS_MAX: usize = 60;

/// Longest headline behind the rule's name, in characters.
const HEADLINE_CHARS_MAX: usize = 120;

/// Columns that say nothing of what a row is about.
const COLUMNS_OF_NO_TITLE: [&str; 2] = ["TimeGenerated", "timestamp"];

/// `[Sev1] CPU over 80 % on web01`: how bad, which rule, where.
pub(super) fn title(alert: &Alert) -> String {
    let mut title = rule_and_severity(alert);
    let place = match &alert.details {
        // The target is the workspace of the metrics.
        Details::Prometheus(found) => found
            .label("cluster")
            .or(alert.configuration_items.first().map(String::as_str)),
        _ => None,
    };
    // A subscription's id tells a person nothing.
    let of_subscription =
        |target: &&str| target.matches('/').count() > 2 || !target.starts_with("/subscriptions");
    let target = place
        .or(alert.targets.first().map(String::as_str))
        .filter(of_subscription);
    if let Some(target) = target {
        let _ = write!(title, " on {}", short_name(target));
        let more = alert.targets.len().saturating_sub(1) + alert.targets_beyond;
        if more > 0 {
            let _ = write!(title, " and {more} more");
        }
    }
    if let Some(told) = headline(alert) {
        let _ = write!(title, ": {}", text::cut(&told, HEADLINE_CHARS_MAX));
    }
    text::one_line(&title)
}

/// `[Sev2] Accounts locked on dc01: alice`: where, as the row's resource column says, and its first value, if that is
/// another one: it tells the row from the others.
pub(super) fn title_of_row(alert: &Alert, row: &Row) -> String {
    let mut title = rule_and_severity(alert);
    let resource = ITEM_COLUMNS
        .iter()
        .filter_map(|name| row.column(name))
        .map(short_name)
        .find(|name| !name.trim().is_empty());
    if let Some(name) = resource {
        let _ = write!(title, " on {}", text::cut(name, CELL_IN_TITLE_CHARS_MAX));
    }
    let first = row
        .cells()
        .find(|(name, _)| !COLUMNS_OF_NO_TITLE.contains(name));
    if let Some((name, value)) = first
        && !ITEM_COLUMNS.contains(&name)
    {
        let _ = write!(title, ": {}", text::cut(value, CELL_IN_TITLE_CHARS_MAX));
    }
    text::one_line(&title)
}

fn rule_and_severity(alert: &Alert) -> String {
    let mut title = String::new();
    if alert.is_test() {
        title.push_str("[Test] ");
    }
    if let Some(severity) = alert.severity {
        let _ = write!(title, "[{}] ", severity.as_str());
    }
    title.push_str(
        alert
            .rule
            .as_deref()
            .map(str::trim)
            .filter(|rule| !rule.is_empty())
            .unwrap_or(match alert.service {
                Service::Budget => "Azure budget",
                Service::ServiceHealth => "Azure service health",
                Service::Activity | Service::ActivityAdministrative => "Azure activity",
                _ => "Azure Monitor alert",
            }),
    );
    title
}

/// What has happened, where the rule's name does not say it because it stands for many things.
fn headline(alert: &Alert) -> Option<String> {
    match &alert.details {
        Details::ServiceHealth(health) => health.title.clone(),
        Details::ResourceHealth(health) => health.current.clone(),
        Details::Budget(budget) => match (&budget.name, &budget.notify_at) {
            (Some(name), Some(limit)) => Some(format!("{name} is above {limit}")),
            (name, _) => name.clone(),
        },
        Details::Activity(event) if alert.rule.is_none() => event.operation.clone(),
        _ => None,
    }
}

/// The last segment of a resource id: Azure sends the name nowhere else (azure-platform §1.2).
pub(super) fn short_name(resource_id: &str) -> &str {
    resource_id
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(resource_id)
}
