//! The description: what a person reads who was woken by it. First what is wrong, where, how bad and since when; then the
//! links; then the data, which is what a product's limit cuts off.

mod measured;
mod seen;
mod words;

use std::fmt::Write as _;

use super::title::short_name;
use crate::domain::alert::{Alert, Condition, Details};
use crate::domain::row::Row;
use crate::domain::text;

/// Targets and configuration items that are listed; the rest is counted (row W25).
const LISTED_MAX: usize = 50;

/// Those of them that are named at the top.
const NAMED_MAX: usize = 5;

/// Dimensions, properties and labels that are listed.
const PAIRS_MAX: usize = 30;

/// Longest line made of one text of the alert, in characters.
const LINE_CHARS_MAX: usize = 1000;

/// Longest text of the rule's owner at the top, in characters.
const OWNERS_TEXT_CHARS_MAX: usize = 500;

/// Characters of what stands before the links. With them and what is around them it stays below the 4,000 of
/// ServiceNow's description, the shortest field that takes one, so that no link is ever cut off.
const LEAD_CHARS_MAX: usize = 1_700;

/// Characters of all links together. Those to the results of a query hold the query and can have a thousand each.
const LINKS_CHARS_MAX: usize = 2_200;

/// Where the portal shows an alert, its id percent-encoded behind it (the address that the portal's own "copy link" gives).
const ALERT_IN_PORTAL: &str = "https://portal.azure.com/#view/Microsoft_Azure_Monitoring_Alerts/AlertDetails.ReactView/alertId~/";

/// What is left as it is in the address of an alert.
const IN_AN_ADDRESS: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// What the ids of alerts have in them that the portal shows by their id.
const SHOWN_IN_PORTAL: &str = "/providers/microsoft.alertsmanagement/alerts/";

/// The description of the work item of an alert, or of one of its rows, if the action wants one for each.
pub(super) fn description(alert: &Alert, row: Option<&Row>, is_by_row: bool) -> String {
    let mut out = String::new();
    if let Some(row) = row {
        about_row(&mut out, alert, row);
    }
    lead(&mut out, alert);
    if row.is_none() && is_by_row && alert.is_log() {
        out.push_str("Note: The alert brings no rows with it, so that one work item stands for all of them.\n");
    }
    let mut out = text::cut(out.trim_end(), LEAD_CHARS_MAX);
    out.push('\n');
    links(&mut out, alert);
    data(&mut out, alert, row.is_some());
    out.trim().to_owned()
}

/// What a further message about the same thing says.
pub(super) fn news(out: &mut String, alert: &Alert) {
    if let Details::ServiceHealth(health) = &alert.details {
        seen::service_health(out, health);
        out.push('\n');
    }
}

/// What a row says, and what has become of the others.
fn about_row(out: &mut String, alert: &Alert, row: &Row) {
    let mut cells = String::new();
    for (name, value) in row.cells() {
        pair(&mut cells, name, value);
    }
    out.push_str("Row:\n");
    out.push_str(&text::cut(cells.trim_end(), LEAD_CHARS_MAX / 2));
    out.push('\n');
    if row.times() > 1 {
        let _ = writeln!(out, "The alert has this row {} times.", row.times());
    }
    let (total, beyond) = (alert.rows.total(), alert.rows.beyond());
    if beyond > 0 {
        let _ = writeln!(
            out,
            "The alert has {total} rows; {beyond} of them have no work item: look at the results of its query."
        );
    }
    out.push('\n');
}

/// What is wrong, where, how bad, since when, and what the rule's owner says to it.
fn lead(out: &mut String, alert: &Alert) {
    if alert.is_test() {
        out.push_str("This is a test of the action group. Nothing is wrong.\n");
    }
    let is_over = alert.condition == Condition::Resolved;
    match &alert.details {
        Details::Metric(found) => measured::metric(out, found, is_over),
        Details::Log(found) => measured::log(out, found, alert.rows.total(), is_over),
        Details::Activity(event) => seen::activity(out, event, alert.service),
        Details::ServiceHealth(health) => seen::service_health(out, health),
        Details::ResourceHealth(health) => seen::resource_health(out, health),
        Details::Budget(budget) => seen::budget(out, budget),
        Details::SmartDetection(found) => seen::smart_detection(out, found),
        Details::Prometheus(found) => measured::prometheus(out, found),
        Details::Unknown(_) | Details::EssentialsOnly => {}
    }
    line(out, "Where", Some(&place(alert)));
    let severity = alert
        .severity
        .map(|severity| format!("{} ({})", severity.as_str(), severity.word()));
    line(out, "Severity", severity.as_deref());
    let fired_at = alert.fired_at.map(|moment| moment.for_people());
    let resolved_at = alert.resolved_at.map(|moment| moment.for_people());
    if alert.series.is_some() {
        line(out, "Sent", fired_at.as_deref());
    } else {
        line(out, "Since", fired_at.as_deref());
        line(out, "Ended", resolved_at.as_deref());
    }
    line(out, "Rule", alert.rule.as_deref());
    let service = alert.service.label();
    line(
        out,
        "Watched by",
        Some(&match alert.monitoring_service.as_deref() {
            Some(name) if !name.eq_ignore_ascii_case(service) => format!("{service} ({name})"),
            _ => service.to_owned(),
        }),
    );
    for mark in &alert.marks {
        let _ = writeln!(out, "Note: {}", mark.as_str());
    }
    let owners_text = alert
        .description
        .as_deref()
        .map(text::plain)
        .unwrap_or_default();
    if !owners_text.trim().is_empty() {
        let _ = writeln!(
            out,
            "\n{}",
            text::cut(owners_text.trim(), OWNERS_TEXT_CHARS_MAX)
        );
    }
}

/// `web01, web02 (virtualmachines, resource group rg-shop)`
fn place(alert: &Alert) -> String {
    if let Details::Budget(budget) = &alert.details {
        let scope = budget.scope.as_ref().or(alert.targets.first());
        return scope.cloned().unwrap_or_default();
    }
    let of_subscription = |target: &&String| target.matches('/').count() > 2;
    let concerned = alert.concerned();
    let targets: Vec<&str> = alert
        .targets
        .iter()
        .filter(of_subscription)
        .map(|target| short_name(target))
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for name in targets
        .into_iter()
        .chain(concerned.into_iter().map(short_name))
    {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    let all = names.len() + alert.targets_beyond.max(alert.configuration_items_beyond);
    names.truncate(NAMED_MAX);
    let mut place = names
        .iter()
        .map(|name| text::cut(name, 80))
        .collect::<Vec<_>>()
        .join(", ");
    if all > NAMED_MAX {
        let _ = write!(place, " and {} more", all - NAMED_MAX);
    }
    let first = alert
        .targets
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let of_type = alert
        .target_type
        .as_deref()
        .or_else(|| segment_after(first, "providers", 1));
    let group = alert
        .target_group
        .as_deref()
        .or_else(|| segment_after(first, "resourcegroups", 0));
    let around: Vec<String> = [
        of_type.map(|name| text::cut(short_name(name), 60)),
        group.map(|name| format!("resource group {}", text::cut(name, 90))),
        segment_after(first, "subscriptions", 0)
            .map(|id| format!("subscription {}", text::cut(id, 40))),
    ]
    .into_iter()
    .flatten()
    .collect();
    match (place.is_empty(), around.is_empty()) {
        (_, true) => place,
        (true, false) => around.join(", "),
        (false, false) => format!("{place} ({})", around.join(", ")),
    }
}

/// The segment of a resource id that follows a name, or one further on.
fn segment_after<'a>(resource_id: &'a str, name: &str, further: usize) -> Option<&'a str> {
    let mut segments = resource_id.split('/');
    segments
        .by_ref()
        .find(|segment| segment.eq_ignore_ascii_case(name))?;
    segments.nth(further).filter(|segment| !segment.is_empty())
}

/// Links, the shortest way first, none of them cut: half a link leads nowhere.
fn links(out: &mut String, alert: &Alert) {
    let shown_in_portal = alert
        .alert_id
        .to_ascii_lowercase()
        .contains(SHOWN_IN_PORTAL);
    let in_portal = shown_in_portal.then(|| {
        let id = percent_encoding::utf8_percent_encode(&alert.alert_id, IN_AN_ADDRESS);
        format!("{ALERT_IN_PORTAL}{id}")
    });
    let mut found: Vec<(&str, &str)> = Vec::new();
    found.extend(in_portal.as_deref().map(|link| ("Alert", link)));
    found.extend(
        alert
            .investigation_link
            .as_deref()
            .map(|link| ("Investigate", link)),
    );
    found.extend(alert.portal_link.as_deref().map(|link| ("Resource", link)));
    found.extend(seen::links(&alert.details));
    let results = alert
        .details
        .criteria()
        .iter()
        .filter_map(|one| one.link.as_deref());
    found.extend(results.take(NAMED_MAX).map(|link| ("Results", link)));

    let mut room = LINKS_CHARS_MAX;
    let mut left_out = 0;
    let mut is_first = true;
    for (label, link) in found {
        let link = text::one_line(link);
        if !link.starts_with("https://") && !link.starts_with("http://") {
            continue;
        }
        let chars = label.len() + link.chars().count() + 3;
        if chars > room {
            left_out += 1;
            continue;
        }
        room -= chars;
        let _ = writeln!(out, "{}{label}: {link}", if is_first { "\n" } else { "" });
        is_first = false;
    }
    if left_out > 0 {
        let _ = writeln!(
            out,
            "({left_out} more links are too long to be shown here: open the alert)"
        );
    }
}

/// Everything else, the most useful first.
fn data(out: &mut String, alert: &Alert, is_for_row: bool) {
    out.push('\n');
    if !is_for_row {
        measured::rows(out, &alert.rows);
    }
    match &alert.details {
        Details::Metric(found) | Details::Log(found) => measured::data(out, found),
        Details::Prometheus(found) => measured::prometheus_data(out, found),
        Details::Unknown(values) => pairs(out, "Details", values),
        other => seen::data(out, other),
    }
    pairs(out, "Custom properties", &alert.custom_properties);
    if !out.ends_with("\n\n") {
        out.push('\n');
    }
    list(out, "Resource", &alert.targets, alert.targets_beyond);
    list(
        out,
        "Configuration item",
        &alert.configuration_items,
        alert.configuration_items_beyond,
    );
    line(out, "Alert rule", alert.rule_id.as_deref());
    line(out, "Alert id", Some(alert.alert_id.as_str()));
}

pub(super) fn line(out: &mut String, label: &str, value: Option<&str>) {
    if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
        let value = text::one_line(&text::cut(value, LINE_CHARS_MAX));
        let _ = writeln!(out, "{label}: {value}");
    }
}

pub(super) fn list(out: &mut String, label: &str, values: &[String], beyond: usize) {
    for value in values.iter().take(LISTED_MAX) {
        line(out, label, Some(value));
    }
    let more = values.len().saturating_sub(LISTED_MAX) + beyond;
    if more > 0 {
        let _ = writeln!(out, "… and {more} more");
    }
}

/// Several lines under a label.
fn block(out: &mut String, label: &str, value: Option<&str>) {
    let value = value.map(text::plain).unwrap_or_default();
    if !value.trim().is_empty() {
        let _ = writeln!(
            out,
            "{label}:\n{}\n",
            text::cut(value.trim(), 4 * LINE_CHARS_MAX)
        );
    }
}

fn pairs(out: &mut String, label: &str, pairs: &[(String, String)]) {
    if pairs.is_empty() {
        return;
    }
    let _ = writeln!(out, "{label}:");
    for (name, value) in pairs.iter().take(PAIRS_MAX) {
        pair(out, name, value);
    }
    if pairs.len() > PAIRS_MAX {
        let _ = writeln!(out, "  … and {} more", pairs.len() - PAIRS_MAX);
    }
}

fn pair(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(
        out,
        "  {}: {}",
        text::one_line(&text::cut(name, 100)),
        text::one_line(&text::cut(value, LINE_CHARS_MAX))
    );
}
