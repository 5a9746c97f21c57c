//! The description: what a person reads who was woken by it.

use std::fmt::Write as _;

use crate::domain::alert::{Alert, Criterion, Details, Measured};
use crate::domain::row::Row;
use crate::domain::text;

/// Targets and configuration items that are listed; the rest is counted (row W25).
const LISTED_MAX: usize = 50;

/// Conditions of one alert that are told in full.
const CRITERIA_MAX: usize = 10;

/// Dimensions and custom properties that are listed.
const PAIRS_MAX: usize = 30;

/// Longest line made of one text of the alert, in characters.
const LINE_CHARS_MAX: usize = 1000;

/// What a row says, and what has become of the others.
fn about_row(alert: &Alert, row: &Row) -> String {
    let mut out = String::new();
    pairs(&mut out, "Row", row.cells());
    if row.times() > 1 {
        let _ = writeln!(out, "\nThe alert has this row {} times.", row.times());
    }
    let (total, beyond) = (alert.rows.total(), alert.rows.beyond());
    if beyond > 0 {
        let _ = writeln!(
            out,
            "\nThe alert has {total} rows; {beyond} of them have no work item: look at the results of its query."
        );
    }
    out
}

/// The description of the work item of an alert, or of one of its rows, if the action wants one for each.
pub(super) fn description(alert: &Alert, row: Option<&Row>, is_by_row: bool) -> String {
    match row {
        Some(row) => format!("{}\n{}", about_row(alert, row), about_alert(alert)),
        None if is_by_row && alert.is_log() => format!(
            "{}\n\nNote: The alert brings no rows with it, so that one work item stands for all of them.",
            about_alert(alert)
        ),
        None => about_alert(alert),
    }
}

fn about_alert(alert: &Alert) -> String {
    let mut out = String::new();
    if let Some(description) = alert
        .description
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    {
        let _ = writeln!(
            out,
            "{}\n",
            text::cut(text::plain(description).trim(), LINE_CHARS_MAX)
        );
    }
    let severity = alert
        .severity
        .map(|severity| format!("{} ({})", severity.as_str(), severity.word()));
    line(&mut out, "Severity", severity.as_deref());
    line(
        &mut out,
        "Fired",
        alert.fired_at.map(|moment| moment.to_string()).as_deref(),
    );
    line(&mut out, "Rule", alert.rule.as_deref());
    line(
        &mut out,
        "Monitored by",
        alert.monitoring_service.as_deref(),
    );
    list(&mut out, "Resource", &alert.targets);
    list(&mut out, "Configuration item", &alert.configuration_items);
    match &alert.details {
        Details::Metric(measured) | Details::Log(measured) => measurements(&mut out, measured),
        _ => {}
    }
    pairs(&mut out, "Custom properties", &alert.custom_properties);
    for mark in &alert.marks {
        let _ = writeln!(out, "Note: {}", mark.as_str());
    }
    out.push('\n');
    line(&mut out, "Investigate", alert.investigation_link.as_deref());
    line(&mut out, "Alert rule", alert.rule_id.as_deref());
    line(&mut out, "Alert", Some(alert.alert_id.as_str()));
    out.trim().to_owned()
}

fn measurements(out: &mut String, measured: &Measured) {
    if let (Some(from), Some(to)) = (measured.window_start, measured.window_end) {
        let _ = writeln!(out, "Window: {from} to {to}");
    } else {
        line(out, "Window", measured.window_size.as_deref());
    }
    for criterion in measured.criteria.iter().take(CRITERIA_MAX) {
        out.push('\n');
        line(out, "Condition", Some(&sentence(criterion)));
        line(out, "Web test", criterion.web_test.as_deref());
        line(out, "Metric namespace", criterion.namespace.as_deref());
        line(out, "Sensitivity", criterion.sensitivity.as_deref());
        if let Some((below, of)) = &criterion.failing_periods {
            line(out, "Failing periods", Some(&format!("{below} of {of}")));
        }
        pairs(out, "Dimensions", &criterion.dimensions);
        line(out, "Query", criterion.query.as_deref());
        line(out, "Results", criterion.link.as_deref());
    }
    if measured.criteria.len() > CRITERIA_MAX {
        let _ = writeln!(
            out,
            "… and {} more conditions",
            measured.criteria.len() - CRITERIA_MAX
        );
    }
}

/// `Average of Percentage CPU is 93.2, GreaterThan 80`.
fn sentence(criterion: &Criterion) -> String {
    let what = criterion
        .metric
        .as_deref()
        .or(criterion.web_test.as_deref())
        .unwrap_or("the query's result");
    let mut sentence = match criterion.aggregation.as_deref() {
        Some(aggregation) => format!("{aggregation} of {what}"),
        None => what.to_owned(),
    };
    let _ = write!(
        sentence,
        " is {}",
        criterion.value.as_deref().unwrap_or("not told")
    );
    if let Some(operator) = criterion.operator.as_deref() {
        let _ = write!(
            sentence,
            ", {operator} {}",
            criterion
                .threshold
                .as_deref()
                .unwrap_or("a dynamic threshold")
        );
    }
    sentence
}

pub(super) fn line(out: &mut String, label: &str, value: Option<&str>) {
    if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
        let _ = writeln!(
            out,
            "{label}: {}",
            text::cut(&text::one_line(value), LINE_CHARS_MAX)
        );
    }
}

pub(super) fn list(out: &mut String, label: &str, values: &[String]) {
    for value in values.iter().take(LISTED_MAX) {
        line(out, label, Some(value));
    }
    if values.len() > LISTED_MAX {
        let _ = writeln!(out, "… and {} more", values.len() - LISTED_MAX);
    }
}

fn pairs(out: &mut String, label: &str, pairs: &[(String, String)]) {
    if pairs.is_empty() {
        return;
    }
    let _ = writeln!(out, "{label}:");
    for (name, value) in pairs.iter().take(PAIRS_MAX) {
        let _ = writeln!(
            out,
            "  {}: {}",
            text::cut(&text::one_line(name), 100),
            text::cut(&text::one_line(value), LINE_CHARS_MAX)
        );
    }
    if pairs.len() > PAIRS_MAX {
        let _ = writeln!(out, "  … and {} more", pairs.len() - PAIRS_MAX);
    }
}
