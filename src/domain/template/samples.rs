//! The alerts that a template is tried with when its definition is read: one with everything, one with almost nothing. The
//! words are our own.

use super::view::View;
use crate::domain::alert::{Alert, Criterion, Details, Measured, Severity};
use crate::domain::row::Rows;
use crate::domain::timestamp::Timestamp;

const TARGET: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sample/providers/microsoft.compute/virtualmachines/sample01";

/// What a template sees of each.
pub(super) fn scopes() -> [View; 3] {
    let [metric, log, bare] = [metric(), log(), Alert::default()];
    let row = log.rows.kept().first().copied().cloned();
    [
        View::new(&metric, None, "[Sev1] Sample", "A sample.", true),
        View::new(&log, row.as_ref(), "[Sev1] Sample", "A sample.", true),
        View::new(&bare, None, "Azure Monitor alert", "", true),
    ]
}

fn metric() -> Alert {
    let criterion = Criterion {
        metric: Some("Percentage CPU".to_owned()),
        namespace: Some("Microsoft.Compute/virtualMachines".to_owned()),
        operator: Some("GreaterThan".to_owned()),
        threshold: Some("80".to_owned()),
        value: Some("93.2".to_owned()),
        aggregation: Some("Average".to_owned()),
        dimensions: vec![("Host".to_owned(), "sample01".to_owned())],
        ..Criterion::default()
    };
    Alert {
        alert_id: "/subscriptions/0/providers/Microsoft.AlertsManagement/alerts/0".to_owned(),
        rule: Some("Sample rule".to_owned()),
        rule_id: Some("/subscriptions/0/resourceGroups/sample/providers/microsoft.insights/metricAlerts/sample".to_owned()),
        severity: Some(Severity::Sev1),
        monitoring_service: Some("Platform".to_owned()),
        targets: vec![TARGET.to_owned()],
        configuration_items: vec!["sample01".to_owned()],
        fired_at: Timestamp::parse_lenient("2026-03-01T10:00:00Z"),
        description: Some("A sample.".to_owned()),
        investigation_link: Some("https://portal.azure.com/".to_owned()),
        details: Details::Metric(Measured {
            window_size: Some("PT5M".to_owned()),
            criteria: vec![criterion],
            ..Measured::default()
        }),
        custom_properties: vec![("team".to_owned(), "sample".to_owned())],
        ..Alert::default()
    }
}

fn log() -> Alert {
    let mut rows = Rows::default();
    rows.add(vec![("Computer".to_owned(), "sample01".to_owned())]);
    let criterion = Criterion {
        query: Some("Heartbeat | take 1".to_owned()),
        link: Some("https://portal.azure.com/".to_owned()),
        value: Some("1".to_owned()),
        ..Criterion::default()
    };
    Alert {
        monitoring_service: Some("Log Analytics".to_owned()),
        details: Details::Log(Measured {
            criteria: vec![criterion],
            ..Measured::default()
        }),
        rows,
        ..metric()
    }
}
