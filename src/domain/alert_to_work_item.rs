//! What a person reads of an alert: title, description, impact and urgency. Pure; one table of tests shows it whole.

pub mod storm;

use std::fmt::Write as _;

use super::alert::{Alert, Criterion, Details, Measured};
use super::connection::{Action, Grouping};
use super::identity::ItemId;
use super::row::Row;
use super::text;
use super::timestamp::Timestamp;
use super::work_item::{Change, NewWorkItem};

/// Targets and configuration items that are listed; the rest is counted (row W25).
const LISTED_MAX: usize = 50;

/// Conditions of one alert that are told in full.
const CRITERIA_MAX: usize = 10;

/// Dimensions and custom properties that are listed.
const PAIRS_MAX: usize = 30;

/// Longest line made of one text of the alert, in characters.
const LINE_CHARS_MAX: usize = 1000;

/// Longest value of a row in a title, in characters.
const CELL_IN_TITLE_CHARS_MAX: usize = 60;

/// Columns that name what a row is about, the most exact first: those that Azure takes configuration items from, in its
/// order (itsmc-product §2.6).
const RESOURCE_COLUMNS: [&str; 4] = ["_ResourceId", "ResourceId", "Resource", "Computer"];

/// Columns that say nothing of what a row is about.
const COLUMNS_OF_NO_TITLE: [&str; 2] = ["TimeGenerated", "timestamp"];

/// The work item that an alert asks for; that of one of its rows, where each has its own.
pub fn new_work_item(
    alert: &Alert,
    action: &Action,
    item: &ItemId,
    row: Option<&Row>,
) -> NewWorkItem {
    let levels = action.levels(alert);
    let mut fields = action.fields.clone();
    if let Some(group) = &action.assignment_group {
        fields
            .entry("assignment_group".to_owned())
            .or_insert_with(|| group.clone());
    }
    NewWorkItem {
        work_item_type: action.work_item_type,
        correlation: item.correlation(),
        key: item.record_key(),
        title: match row {
            Some(row) => title_of_row(alert, row),
            None => title(alert),
        },
        description: match row {
            Some(row) => format!("{}\n{}", about_row(alert, row), description(alert)),
            None if action.grouping == Grouping::Row && alert.is_log() => format!(
                "{}\n\nNote: The alert brings no rows with it, so that one work item stands for all of them.",
                description(alert)
            ),
            None => description(alert),
        },
        impact: levels.impact,
        urgency: levels.urgency,
        fields,
        over: None,
    }
}

/// The note for a work item whose group has a further alert.
pub fn on_repeat(alert: &Alert) -> String {
    let mut note = format!("Azure Monitor: {}\n\n", title(alert));
    line(
        &mut note,
        "Fired",
        alert.fired_at.map(|moment| moment.to_string()).as_deref(),
    );
    list(&mut note, "Resource", &alert.targets);
    list(&mut note, "Configuration item", &alert.configuration_items);
    line(
        &mut note,
        "Investigate",
        alert.investigation_link.as_deref(),
    );
    line(&mut note, "Alert", Some(alert.alert_id.as_str()));
    note.trim().to_owned()
}

/// The change that a resolved alert asks for; `None` if the action wants none.
pub fn on_resolve(action: &Action, resolved_at: Option<Timestamp>) -> Option<Change> {
    use super::connection::OnResolve;
    let when = resolved_at.map_or_else(String::new, |moment| format!(" at {moment}"));
    let note = format!("Azure Monitor resolved the alert{when}.");
    match action.on_resolve {
        OnResolve::Resolve => Some(Change::Resolve {
            note,
            code: action.close_code.clone(),
        }),
        OnResolve::Close => Some(Change::Close {
            note,
            code: action.close_code.clone(),
        }),
        OnResolve::Comment => Some(Change::Comment { note }),
        OnResolve::Ignore => None,
    }
}

/// `[Sev1] CPU over 80 % on web01`: how bad, which rule, where.
fn title(alert: &Alert) -> String {
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
fn title_of_row(alert: &Alert, row: &Row) -> String {
    let mut title = rule_and_severity(alert);
    let resource = RESOURCE_COLUMNS
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
        && !RESOURCE_COLUMNS.contains(&name.as_str())
    {
        let _ = write!(title, ": {}", text::cut(value, CELL_IN_TITLE_CHARS_MAX));
    }
    text::one_line(&title)
}

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

fn description(alert: &Alert) -> String {
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
        Details::EssentialsOnly => {}
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

fn line(out: &mut String, label: &str, value: Option<&str>) {
    if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
        let _ = writeln!(
            out,
            "{label}: {}",
            text::cut(&text::one_line(value), LINE_CHARS_MAX)
        );
    }
}

fn list(out: &mut String, label: &str, values: &[String]) {
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

/// The last segment of a resource id: Azure sends the name nowhere else (azure-platform §1.2).
fn short_name(resource_id: &str) -> &str {
    resource_id
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(resource_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::{Condition, Mark, Severity};
    use crate::domain::identity::SlotId;

    fn alert() -> Alert {
        Alert {
            alert_id: "/subscriptions/1/providers/Microsoft.AlertsManagement/alerts/2".to_owned(),
            rule: Some("CPU over 80 %".to_owned()),
            rule_id: Some("/subscriptions/1/resourceGroups/rg/providers/microsoft.insights/metricAlerts/cpu".to_owned()),
            severity: Some(Severity::Sev1),
            condition: Condition::Fired,
            monitoring_service: Some("Platform".to_owned()),
            targets: vec!["/subscriptions/1/resourcegroups/rg/providers/microsoft.compute/virtualmachines/web01".to_owned()],
            configuration_items: vec!["web01".to_owned()],
            fired_at: Timestamp::parse_lenient("2026-03-01T10:00:00Z"),
            resolved_at: None,
            description: Some("The web servers are too busy.\r\nCall the platform team.".to_owned()),
            investigation_link: None,
            details: Details::Metric(Measured {
                window_size: Some("PT5M".to_owned()),
                criteria: vec![Criterion {
                    metric: Some("Percentage CPU".to_owned()),
                    operator: Some("GreaterThan".to_owned()),
                    threshold: Some("80".to_owned()),
                    value: Some("93.2".to_owned()),
                    aggregation: Some("Average".to_owned()),
                    dimensions: vec![("Host".to_owned(), "web01".to_owned())],
                    ..Criterion::default()
                }],
                ..Measured::default()
            }),
            rows: Default::default(),
            custom_properties: vec![("runbook".to_owned(), "https://runbooks.example/cpu".to_owned())],
            marks: vec![Mark::ContextNotUnderstood],
        }
    }

    #[test]
    fn a_metric_alert_reads_well() {
        insta::assert_snapshot!(format!(
            "{}\n---\n{}",
            title(&alert()),
            description(&alert())
        ));
    }

    #[test]
    fn the_work_item_of_a_row_tells_the_row_first() {
        let mut alert = alert();
        for n in 0..200 {
            let cells = [
                ("TimeGenerated", "2026-03-01T09:52:05Z"),
                ("Computer", "/a/web01"),
            ];
            let mut cells = cells
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
            cells.push(("Attempts".to_owned(), n.to_string()));
            alert.rows.add(cells.clone());
            alert.rows.add(cells);
        }
        alert.details = Details::Log(Measured::default());
        let action = Action {
            grouping: Grouping::Row,
            ..Action::default()
        };
        let item = ItemId::new(&SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap(), 0);
        let row = alert.rows.kept()[0].clone();
        let new = new_work_item(&alert, &action, &item, Some(&row));
        insta::assert_snapshot!(format!("{}\n---\n{}", new.title, new.description));
        let whole = new_work_item(&alert, &action, &item, None).description;
        assert!(
            whole.ends_with("one work item stands for all of them."),
            "{whole}"
        );

        let mut other = Alert {
            rows: Default::default(),
            ..alert
        };
        other.rows.add(vec![
            ("TimeGenerated".to_owned(), "x".to_owned()),
            ("Account".to_owned(), "ali\nce".to_owned()),
        ]);
        assert_eq!(
            title_of_row(&other, other.rows.kept()[0]),
            "[Sev1] CPU over 80 %: ali ce"
        );
        other.rows = Default::default();
        let cells = [("Account", "alice"), ("Computer", "dc01")];
        other.rows.add(
            cells
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        );
        assert_eq!(
            title_of_row(&other, other.rows.kept()[0]),
            "[Sev1] CPU over 80 % on dc01: alice"
        );
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut alert = alert();
        alert.rule = Some("a\r\nb\u{202e}c\u{1b}[31m".to_owned());
        alert.custom_properties = (0..1000)
            .map(|n| (format!("k{n}\n"), "v\u{7}".repeat(100_000)))
            .collect();
        alert.targets = (0..5000).map(|n| format!("/t/{n}")).collect();
        assert_eq!(title(&alert), "[Sev1] a  b c [31m on 0 and 4999 more");
        assert!(description(&alert).chars().count() < 100_000);
    }
}
