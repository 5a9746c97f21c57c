//! Budgets, smart detection and Prometheus rules (azure-platform §1.7).

use super::activity;
use super::context::Context;
use super::lenient::Object;
use crate::domain::alert::{Budget, Details, Prometheus, Service, SmartDetection};

/// Money is formatted text, and stays so.
pub(super) fn budget(context: &Object<'_>) -> Context {
    let Some(data) = context.object("AlertData") else {
        return Context {
            is_strange: true,
            ..Context::of(Service::Budget, Details::Unknown(context.plain_values()))
        };
    };
    Context::of(Service::Budget, Details::Budget(Box::new(budget_of(&data))))
}

pub(super) fn budget_of(data: &Object<'_>) -> Budget {
    Budget {
        name: data.text("BudgetName"),
        id: data.text("BudgetId"),
        scope: data.text("Scope"),
        threshold_type: data.text("ThresholdType"),
        kind: data.text("BudgetType"),
        budget: data.text("BudgetThreshold").or_else(|| data.text("Budget")),
        notify_at: data.text("NotificationThresholdAmount"),
        spent: data
            .text("SpentAmount")
            .or_else(|| data.text("SpendingAmount")),
        forecast: data.text("ForecastedTotalForPeriod"),
        unit: data.text("Unit"),
        since: activity::when(data, "BudgetStartDate"),
        owner: data.text("BudgetCreator"),
    }
}

pub(super) fn smart_detection(context: &Object<'_>) -> Context {
    let found = SmartDetection {
        detector: context.text("SmartDetectorName"),
        summary: context.text("DetectionSummary"),
        detected: context.text("DetectedValue"),
        normal: context.text("NormalValue"),
        occurred: context
            .text("FormattedOccurrenceTime")
            .or_else(|| context.text("FormattedOccurenceTime")),
    };
    Context::of(
        Service::SmartDetection,
        Details::SmartDetection(Box::new(found)),
    )
}

/// The target is the workspace of the metrics; the cluster is among the labels.
pub(super) fn prometheus(context: &Object<'_>) -> Context {
    let found = Prometheus {
        expression: context.text("expression"),
        value: context.text("expressionValue"),
        interval: context.text("interval"),
        holds_for: context.text("for"),
        labels: context.pairs("labels"),
        annotations: context.pairs("annotations"),
        rule_group: context.text("ruleGroup"),
    };
    Context::of(Service::Prometheus, Details::Prometheus(Box::new(found)))
}
