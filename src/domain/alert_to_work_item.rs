//! What a person reads of an alert: title, description, impact and urgency. Pure; one table of tests shows it whole.

mod description;
mod event;
pub(in crate::domain) mod fields;
pub mod storm;
mod title;

use self::description::{description, line, list};
use self::title::{short_name, title, title_of_row};
use super::alert::Alert;
use super::connection::{Action, Grouping};
use super::identity::ItemId;
use super::row::Row;
use super::template::Scope;
use super::text::{self, Place};
use super::timestamp::Timestamp;
use super::work_item::{Change, NewWorkItem};

/// The work item that an alert asks for; that of one of its rows, where each has its own.
pub fn new_work_item(
    alert: &Alert,
    action: &Action,
    item: &ItemId,
    row: Option<&Row>,
) -> NewWorkItem {
    let levels = action.levels(alert);
    let title = safe_line(&match row {
        Some(row) => title_of_row(alert, row),
        None => title(alert),
    });
    let by_row = action.grouping == Grouping::Row;
    let description = safe_text(&description(alert, row, by_row));
    let filled = fields::fill(action, || Scope::new(alert, row, &title, &description));
    NewWorkItem {
        work_item_type: action.work_item_type,
        correlation: item.correlation(),
        key: item.record_key(),
        title,
        description,
        impact: levels.impact,
        urgency: levels.urgency,
        fields: filled.values,
        notes: filled.notes,
        event: (action.work_item_type.is_told_by_events())
            .then(|| event::facts(alert, action, row)),
        over: None,
    }
}

/// A line with words of the alert in it, harmless wherever it is shown, and without what looks like a secret.
fn safe_line(line: &str) -> String {
    text::harmless(&text::mask(line), Place::Line)
}

/// The same for several lines.
fn safe_text(lines: &str) -> String {
    text::harmless(&text::mask(lines), Place::Block)
}

/// The note for a work item whose group has a further alert.
pub fn on_repeat(alert: &Alert) -> String {
    let mut note = format!("Azure Monitor: {}\n\n", title(alert));
    description::news(&mut note, alert);
    let sent = if alert.series.is_some() {
        "Sent"
    } else {
        "Fired"
    };
    line(
        &mut note,
        sent,
        alert.fired_at.map(|moment| moment.to_string()).as_deref(),
    );
    list(&mut note, "Resource", &alert.targets, alert.targets_beyond);
    list(
        &mut note,
        "Configuration item",
        &alert.configuration_items,
        alert.configuration_items_beyond,
    );
    line(
        &mut note,
        "Investigate",
        alert.investigation_link.as_deref(),
    );
    line(&mut note, "Alert", Some(alert.alert_id.as_str()));
    safe_text(note.trim())
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

/// A change to a work item that the product is only told of: the event that says it.
pub fn told_by_event(item: NewWorkItem, change: Change) -> Change {
    let (note, is_over) = match change {
        Change::Comment { note } | Change::Reopen { note } => (note, false),
        Change::Resolve { note, .. } | Change::Close { note, .. } => (note, true),
        other @ (Change::Tell { .. } | Change::CloseAsDuplicate { .. }) => return other,
    };
    Change::Tell {
        item: Box::new(item),
        note,
        is_over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::{Condition, Criterion, Details, Mark, Measured, Severity};
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
            ..Alert::default()
        }
    }

    #[test]
    fn a_metric_alert_reads_well() {
        insta::assert_snapshot!(format!(
            "{}\n---\n{}",
            title(&alert()),
            description(&alert(), None, false)
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
            whole.contains("one work item stands for all of them."),
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
        assert!(description(&alert, None, false).chars().count() < 100_000);
    }
}
