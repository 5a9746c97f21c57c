//! The title: how bad, which rule, where. One line that is read in a list of many.

use std::fmt::Write as _;

use crate::domain::alert::{Alert, ITEM_COLUMNS};
use crate::domain::row::Row;
use crate::domain::text;

/// Longest value of a row in a title, in characters.
const CELL_IN_TITLE_CHARS_MAX: usize = 60;

/// Columns that say nothing of what a row is about.
const COLUMNS_OF_NO_TITLE: [&str; 2] = ["TimeGenerated", "timestamp"];

/// `[Sev1] CPU over 80 % on web01`: how bad, which rule, where.
pub(super) fn title(alert: &Alert) -> String {
    let mut title = rule_and_severity(alert);
    if let Some(target) = alert.targets.first() {
        let _ = write!(title, " on {}", short_name(target));
        if alert.targets.len() > 1 {
            let _ = write!(title, " and {} more", alert.targets.len() - 1);
        }
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
    let mut cells = row.cells().iter();
    let first = cells.find(|(name, _)| !COLUMNS_OF_NO_TITLE.contains(&name.as_str()));
    if let Some((name, value)) = first
        && !ITEM_COLUMNS.contains(&name.as_str())
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
            .unwrap_or("Azure Monitor alert"),
    );
    title
}

/// The last segment of a resource id: Azure sends the name nowhere else (azure-platform §1.2).
pub(super) fn short_name(resource_id: &str) -> &str {
    resource_id
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(resource_id)
}
