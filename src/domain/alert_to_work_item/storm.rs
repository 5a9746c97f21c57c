//! What a person reads of a storm: one work item for many alerts of a rule, each listed.

use std::fmt::Write as _;

use super::{NewWorkItem, line, safe_line, safe_text, short_name};
use crate::domain::alert::{Alert, Severity};
use crate::domain::connection::Action;
use crate::domain::identity::ItemId;
use crate::domain::text;
use crate::domain::timestamp::Timestamp;

/// Characters of a list of alerts: what fits into one description beside what stands above it (ServiceNow takes 4,000).
const LIST_CHARS_MAX: usize = 3_000;

/// Characters of one alert's line.
const ENTRY_CHARS_MAX: usize = 100;

/// The most alerts that are told of at once, however short they are.
const TOLD_AT_ONCE_MAX: usize = 200;

/// How many of these alerts, from the first on, one text can list. At least one.
pub fn told_at_once<'a>(alerts: impl Iterator<Item = &'a Alert>) -> usize {
    let mut chars = 0;
    alerts
        .take(TOLD_AT_ONCE_MAX)
        .take_while(|alert| {
            chars += entry(alert).chars().count() + 1;
            chars <= LIST_CHARS_MAX
        })
        .count()
        .max(1)
}

/// The work item of a storm, with the alerts that it begins with.
pub fn new_work_item(alerts: &[&Alert], action: &Action, item: &ItemId) -> Option<NewWorkItem> {
    let worst = worst(alerts)?;
    let mut description = String::new();
    let _ = writeln!(
        description,
        "This rule fires so often that its alerts share this work item. Those so far are listed here, further ones in the notes; it is resolved when all of them are."
    );
    description.push('\n');
    let severity = worst
        .severity
        .map(|severity| format!("{} ({})", severity.as_str(), severity.word()));
    line(&mut description, "Worst severity", severity.as_deref());
    line(&mut description, "Rule", worst.rule.as_deref());
    line(&mut description, "Alert rule", worst.rule_id.as_deref());
    description.push('\n');
    description.push_str(&list(alerts));
    Some(NewWorkItem {
        title: title(worst, alerts.len()),
        description: safe_text(description.trim()),
        ..super::new_work_item(worst, action, item, None)
    })
}

/// The note for further alerts of a storm.
pub fn further(alerts: &[&Alert]) -> String {
    let mut note = match alerts.len() {
        1 => "Azure Monitor: one more alert of this rule\n\n".to_owned(),
        more => format!("Azure Monitor: {more} more alerts of this rule\n\n"),
    };
    note.push_str(&list(alerts));
    safe_text(note.trim())
}

fn title(worst: &Alert, alerts: usize) -> String {
    let severity = worst
        .severity
        .map_or_else(String::new, |severity| format!("[{}] ", severity.as_str()));
    let rule = worst
        .rule
        .as_deref()
        .map(str::trim)
        .filter(|rule| !rule.is_empty())
        .unwrap_or("Azure Monitor alert");
    safe_line(&format!(
        "{severity}Storm of {rule}: {alerts} alerts and more to come"
    ))
}

fn worst<'a>(alerts: &[&'a Alert]) -> Option<&'a Alert> {
    let by_severity = |alert: &&&Alert| alert.severity.unwrap_or(Severity::Sev4);
    alerts.iter().min_by_key(by_severity).copied()
}

fn list(alerts: &[&Alert]) -> String {
    let mut out = String::new();
    for alert in alerts {
        let _ = writeln!(out, "{}", entry(alert));
    }
    out
}

/// `2026-03-01T10:00:00.000Z web01 [Sev1]`
fn entry(alert: &Alert) -> String {
    let when = alert.fired_at.or(alert.resolved_at);
    let mut entry = when.map_or_else(String::new, |at: Timestamp| format!("{at} "));
    match alert.targets.first() {
        Some(target) => entry.push_str(short_name(target)),
        None => entry.push_str(short_name(&alert.alert_id)),
    }
    if alert.targets.len() > 1 {
        let _ = write!(entry, " and {} more", alert.targets.len() - 1);
    }
    if let Some(severity) = alert.severity {
        let _ = write!(entry, " [{}]", severity.as_str());
    }
    text::cut(&text::one_line(&entry), ENTRY_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::{Condition, Details};
    use crate::domain::identity::SlotId;

    fn alert(n: usize) -> Alert {
        Alert {
            alert_id: format!("/subscriptions/1/providers/Microsoft.AlertsManagement/alerts/{n}"),
            rule: Some("CPU over 80 %".to_owned()),
            rule_id: Some(
                "/subscriptions/1/resourceGroups/rg/providers/microsoft.insights/metricAlerts/cpu"
                    .to_owned(),
            ),
            severity: Some(if n == 1 {
                Severity::Sev1
            } else {
                Severity::Sev3
            }),
            condition: Condition::Fired,
            monitoring_service: None,
            targets: vec![format!(
                "/subscriptions/1/resourcegroups/rg/providers/microsoft.compute/virtualmachines/web{n:02}"
            )],
            configuration_items: Vec::new(),
            fired_at: Some(Timestamp::from_millis(
                1_772_359_200_000 + 1000 * i64::try_from(n).unwrap(),
            )),
            resolved_at: None,
            description: None,
            investigation_link: None,
            details: Details::EssentialsOnly,
            custom_properties: Vec::new(),
            rows: Default::default(),
            marks: Vec::new(),
            ..Alert::default()
        }
    }

    #[test]
    fn a_storm_reads_well() {
        let alerts: Vec<Alert> = (0..4).map(alert).collect();
        let alerts: Vec<&Alert> = alerts.iter().collect();
        let item = ItemId::new(&SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap(), 0);
        let new = new_work_item(&alerts, &Action::default(), &item).unwrap();
        insta::assert_snapshot!(format!(
            "{}\n---\n{}\n---\n{}",
            new.title,
            new.description,
            further(&alerts[..2])
        ));
    }

    #[test]
    fn no_more_are_told_at_once_than_are_listed_in_full() {
        let mut alerts: Vec<Alert> = (0..500).map(alert).collect();
        let count = told_at_once(alerts.iter());
        assert!((40..=TOLD_AT_ONCE_MAX).contains(&count), "{count}");
        let told: Vec<&Alert> = alerts.iter().take(count).collect();
        let item = ItemId::new(&SlotId::parse("4abziosmqofnnn6k62sb3m").unwrap(), 0);
        let new = new_work_item(&told, &Action::default(), &item).unwrap();
        assert!(new.description.chars().count() < 4_000);
        alerts[0].targets[0] = "x\n".repeat(10_000);
        assert!(told_at_once(alerts.iter()) >= 1);
    }
}
