//! What metric alerts, log alerts and Prometheus rules say: what was measured, and against what.

use std::fmt::Write as _;

use super::words::{self, amount, unit};
use super::{LINE_CHARS_MAX, block, line, pair, pairs};
use crate::domain::alert::{Criterion, Measured, Prometheus};
use crate::domain::row::Rows;
use crate::domain::text;

/// Conditions of one alert that are told in words.
const CRITERIA_MAX: usize = 3;

/// Conditions whose data is shown.
const CRITERIA_IN_DATA_MAX: usize = 10;

/// Longest name or number in a sentence, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Dimensions in a sentence.
const DIMENSIONS_MAX: usize = 4;

/// The size of the small table of rows.
const TABLE_ROWS_MAX: usize = 10;
const TABLE_COLUMNS_MAX: usize = 6;
const CELL_CHARS_MAX: usize = 40;

/// `Average of Percentage CPU is 93.2 %, above 80 % (Host web01).`
pub(super) fn metric(out: &mut String, measured: &Measured, is_over: bool) {
    for one in measured.criteria.iter().take(CRITERIA_MAX) {
        let mut sentence = match (&one.web_test, one.metric.as_deref()) {
            (Some(test), Some("Failed Location")) => web_test(test, one, is_over),
            (Some(test), _) => format!("Web test {}: {}", short(test), against(one, is_over)),
            (None, _) => against(one, is_over),
        };
        sentence.push_str(&dimensions(one));
        let _ = writeln!(out, "{}.", text::one_line(&sentence));
    }
    further(out, measured);
    window(out, measured);
}

/// `The query has 17 rows, above 10.`
pub(super) fn log(out: &mut String, measured: &Measured, rows: usize, is_over: bool) {
    for one in measured.criteria.iter().take(CRITERIA_MAX) {
        let mut sentence = match (&one.measure_column, &one.value) {
            (Some(_), _) => against(one, is_over),
            // Each result of such a rule is held against the threshold, not their number.
            (None, Some(value))
                if measured.condition_type.as_deref() == Some("Metric measurement") =>
            {
                let mut sentence = format!(
                    "The query has {} results",
                    amount(value, words::Unit::Unknown)
                );
                if let Some(threshold) = threshold(one, words::Unit::Unknown) {
                    let _ = write!(sentence, " {threshold}");
                }
                sentence
            }
            (None, Some(value)) => {
                let mut sentence = format!(
                    "The query has {} rows",
                    short(&amount(value, words::Unit::Unknown))
                );
                if let Some(threshold) = threshold(one, words::Unit::Unknown) {
                    let _ = write!(sentence, "{}{threshold}", joined(is_over));
                }
                sentence
            }
            (None, None) if rows > 0 => format!("The query has {rows} rows"),
            (None, None) => "The query found something".to_owned(),
        };
        sentence.push_str(&dimensions(one));
        let _ = writeln!(out, "{}.", text::one_line(&sentence));
    }
    further(out, measured);
    window(out, measured);
}

/// `3 places cannot reach shop-front-page, above 2`
fn web_test(test: &str, one: &Criterion, is_over: bool) -> String {
    let places = one
        .value
        .as_deref()
        .map(|value| amount(value, words::Unit::Unknown));
    let mut sentence = format!(
        "Web test {} fails from {} locations",
        short(test),
        places
            .as_deref()
            .map_or_else(|| "several".to_owned(), short)
    );
    if let Some(threshold) = threshold(one, words::Unit::Unknown) {
        let _ = write!(sentence, "{}{threshold}", joined(is_over));
    }
    sentence
}

fn against(one: &Criterion, is_over: bool) -> String {
    let metric = one.metric.as_deref().or(one.measure_column.as_deref());
    let unit = metric.map_or(words::Unit::Unknown, unit);
    let what = short(metric.unwrap_or("the measured value"));
    let mut sentence = match one.aggregation.as_deref() {
        Some(aggregation) => format!("{} of {what}", short(aggregation)),
        None => what,
    };
    match one.value.as_deref() {
        Some(value) => {
            let _ = write!(sentence, " is {}", short(&amount(value, unit)));
        }
        None => sentence.push_str(" was not told"),
    }
    if let Some(threshold) = threshold(one, unit) {
        let _ = write!(sentence, "{}{threshold}", joined(is_over));
    }
    sentence
}

/// What is measured when an alert ends is not beyond the threshold any more.
fn joined(is_over: bool) -> &'static str {
    if is_over { "; it was " } else { ", " }
}

/// `above 80 %`, `above the usual 0.3`, `outside of what is usual`.
fn threshold(one: &Criterion, unit: words::Unit) -> Option<String> {
    let is_dynamic = one.sensitivity.is_some();
    let operator = one
        .operator
        .as_deref()
        .map(|operator| short(words::operator(operator)));
    match (operator, one.threshold.as_deref()) {
        (Some(operator), Some(threshold)) => {
            let usual = if is_dynamic { "the usual " } else { "" };
            Some(format!(
                "{operator} {usual}{}",
                short(&amount(threshold, unit))
            ))
        }
        (Some(operator), None) => Some(format!("{operator} what is usual")),
        (None, Some(threshold)) => Some(format!("threshold {}", short(&amount(threshold, unit)))),
        (None, None) => None,
    }
}

fn dimensions(one: &Criterion) -> String {
    let named: Vec<String> = one
        .dimensions
        .iter()
        .take(DIMENSIONS_MAX)
        .map(|(name, value)| format!("{} {}", text::cut(name, 40), text::cut(value, 60)))
        .collect();
    match named.is_empty() {
        true => String::new(),
        false => format!(" ({})", named.join(", ")),
    }
}

fn further(out: &mut String, measured: &Measured) {
    let more = measured.criteria.len().saturating_sub(CRITERIA_MAX) + measured.criteria_beyond;
    if more > 0 {
        let _ = writeln!(out, "… and {more} more conditions.");
    }
}

/// `Looked at: 5 minutes, until 2026-03-01 09:57:05 UTC`
fn window(out: &mut String, measured: &Measured) {
    let span = measured.window_size.as_deref().map(words::span);
    let told = match (measured.window_start, measured.window_end, span) {
        (_, Some(end), Some(span)) => format!("{span}, until {}", end.for_people()),
        (Some(start), Some(end), None) => format!("{} to {}", start.for_people(), end.for_people()),
        (_, _, Some(span)) => span,
        _ => return,
    };
    line(out, "Looked at", Some(&told));
}

/// What does not fit into sentences.
pub(super) fn data(out: &mut String, measured: &Measured) {
    let mut namespace = None;
    for one in measured.criteria.iter().take(CRITERIA_IN_DATA_MAX) {
        block(out, "Query", one.query.as_deref());
        line(out, "Resource types", Some(&one.target_types.join(", ")));
        if namespace != one.namespace.as_deref() {
            namespace = one.namespace.as_deref();
            line(out, "Metric namespace", namespace);
        }
        line(out, "Sensitivity", one.sensitivity.as_deref());
        if let Some((failing, of)) = &one.failing_periods {
            let told = format!("{failing} of {of} suffice");
            line(out, "Failing periods", Some(&told));
        }
        if one.dimensions.len() > DIMENSIONS_MAX {
            pairs(out, "Dimensions", &one.dimensions);
        }
    }
}

/// The first rows as a small table.
pub(super) fn rows(out: &mut String, rows: &Rows) {
    let kept = rows.kept();
    let Some(first) = kept.first() else {
        return;
    };
    let columns: Vec<&str> = first
        .cells()
        .map(|(name, _)| name)
        .take(TABLE_COLUMNS_MAX)
        .collect();
    if first.cells().nth(1).is_none() && kept.len() == 1 {
        first
            .cells()
            .for_each(|(name, value)| pair(out, name, value));
        return;
    }
    let cell = |value: &str| text::one_line(&text::cut(value, CELL_CHARS_MAX));
    let _ = writeln!(out, "Rows:");
    let names: Vec<String> = columns.iter().map(|name| cell(name)).collect();
    let _ = writeln!(out, "  {}", names.join(" | "));
    for row in kept.iter().take(TABLE_ROWS_MAX) {
        let cells: Vec<String> = columns
            .iter()
            .map(|name| cell(row.column(name).unwrap_or("-")))
            .collect();
        let _ = writeln!(out, "  {}", cells.join(" | "));
    }
    let more = rows.total().saturating_sub(TABLE_ROWS_MAX);
    if more > 0 {
        let _ = writeln!(out, "  … and {more} more");
    }
    out.push('\n');
}

/// `12.7m: max_over_time(…) >= 1`, and what the rule's owner has written about it.
pub(super) fn prometheus(out: &mut String, found: &Prometheus) {
    let told = ["summary", "description", "message"]
        .into_iter()
        .find_map(|name| found.annotation(name));
    if let Some(told) = told {
        let _ = writeln!(out, "{}", text::one_line(&text::cut(told, 500)));
    }
    let mut sentence = match &found.value {
        Some(value) => format!("The expression's value is {}", short(value)),
        None => "The expression holds".to_owned(),
    };
    if let Some(span) = &found.holds_for {
        let _ = write!(sentence, ", for at least {}", words::span(span));
    }
    let _ = writeln!(out, "{}.", text::one_line(&sentence));
    let around: Vec<String> = [
        "cluster",
        "namespace",
        "pod",
        "container",
        "node",
        "job",
        "instance",
    ]
    .into_iter()
    .filter_map(|name| Some(format!("{name} {}", text::cut(found.label(name)?, 60))))
    .collect();
    line(out, "Concerns", Some(&around.join(", ")));
}

pub(super) fn prometheus_data(out: &mut String, found: &Prometheus) {
    block(out, "Expression", found.expression.as_deref());
    line(
        out,
        "Evaluated every",
        found.interval.as_deref().map(words::span).as_deref(),
    );
    pairs(out, "Labels", &found.labels);
    pairs(out, "Annotations", &found.annotations);
    line(out, "Rule group", found.rule_group.as_deref());
}

fn short(value: &str) -> String {
    text::cut(value, NAME_CHARS_MAX.min(LINE_CHARS_MAX))
}
