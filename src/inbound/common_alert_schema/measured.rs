//! Metric and log alerts: what was measured against which threshold (azure-platform §1.4, §1.5).

use serde_json::value::RawValue;

use super::context::Context;
use super::lenient::{self, Object};
use super::rows;
use crate::domain::alert::{Criterion, Details, Measured, Service};
use crate::domain::row::Rows;
use crate::domain::timestamp::Timestamp;

/// Conditions of one alert that are kept; the rest is counted. A metric rule has at most five.
const CRITERIA_MAX: usize = 16;

/// Dimensions of one condition that are kept.
const DIMENSIONS_MAX: usize = 50;

/// Metric alerts, Log Alerts V2 and Simple Log Alerts, which have the same frame.
pub(super) fn of_condition(
    context: &Object<'_>,
    condition: &Object<'_>,
    monitoring_service: Option<&str>,
) -> Context {
    let mut rows = Rows::default();
    let (mut criteria, mut beyond) = (Vec::with_capacity(1), 0);
    if let Some(all) = condition.raw("allOf") {
        lenient::each(all, |raw| {
            let Some(one) = Object::read(raw) else {
                return;
            };
            if let Some(event) = one.raw("event") {
                rows::of_event(event, &mut rows);
            }
            match criteria.len() < CRITERIA_MAX {
                true => criteria.push(criterion(&one)),
                false => beyond += 1,
            }
        });
    }
    let measured = Measured {
        condition_type: context.text("conditionType"),
        window_size: condition.text("windowSize"),
        window_start: moment(condition, "windowStartTime"),
        window_end: moment(condition, "windowEndTime"),
        criteria,
        criteria_beyond: beyond,
    };
    let is_log = measured.condition_type.as_deref() == Some("LogQueryCriteria")
        || rows.total() > 0
        || measured.criteria.iter().any(|one| one.query.is_some());
    let is_simple = rows.total() > 0 || monitoring_service == Some("Simple Log Alert");
    let (service, details) = match (is_log, is_simple) {
        (true, true) => (Service::SimpleLog, Details::Log(measured)),
        (true, false) => (Service::LogV2, Details::Log(measured)),
        (false, _) => (metric_service(&measured), Details::Metric(measured)),
    };
    Context {
        rows,
        ..Context::of(service, details)
    }
}

/// The fields decide before the name of the condition does: dynamic ones are met under a static name (azure-platform §1.4).
pub(super) fn metric_service(measured: &Measured) -> Service {
    let kind = measured.condition_type.as_deref().unwrap_or_default();
    let any = |is: fn(&Criterion) -> bool| measured.criteria.iter().any(is);
    if kind.starts_with("Webtest") || any(|one| one.web_test.is_some()) {
        Service::WebTest
    } else if kind.starts_with("DynamicThreshold") || any(|one| one.sensitivity.is_some()) {
        Service::MetricDynamic
    } else if kind.starts_with("MultipleResource") {
        Service::MetricSeveralResources
    } else {
        Service::MetricStatic
    }
}

/// A Log V1 alert has one condition, told in words of its own.
pub(super) fn of_log_v1(context: &Object<'_>, monitoring_service: Option<&str>) -> Context {
    let mut rows = Rows::default();
    for name in ["SearchResults", "SearchResult"] {
        if let Some(results) = context.raw(name) {
            rows::of_search_results(results, &mut rows);
        }
    }
    let measured = Measured {
        condition_type: context.text("AlertType"),
        window_size: context
            .text("SearchIntervalInMinutes")
            .map(|minutes| format!("PT{minutes}M")),
        window_start: moment(context, "SearchIntervalStartTimeUtc"),
        window_end: moment(context, "SearchIntervalEndtimeUtc"),
        criteria: vec![Criterion {
            query: context.text("SearchQuery"),
            operator: context
                .text("Operator")
                .or_else(|| context.text("AlertThresholdOperator")),
            threshold: context
                .text("Threshold")
                .or_else(|| context.text("AlertThresholdValue")),
            value: context.text("ResultCount"),
            aggregation: Some("Count".to_owned()),
            dimensions: dimensions(context),
            link: context
                .text("LinkToFilteredSearchResultsUI")
                .or_else(|| context.text("LinkToSearchResults")),
            ..Criterion::default()
        }],
        criteria_beyond: 0,
    };
    let is_of_application =
        monitoring_service == Some("Application Insights") || context.has("ApplicationId");
    let service = match is_of_application {
        true => Service::ApplicationInsights,
        false => Service::LogV1,
    };
    Context {
        rows,
        configuration_items: context.texts("AffectedConfigurationItems"),
        ..Context::of(service, Details::Log(measured))
    }
}

fn moment(object: &Object<'_>, name: &str) -> Option<Timestamp> {
    lenient::borrowed(object.raw(name)?).and_then(|text| Timestamp::parse_any(&text))
}

/// Names and values; Log V1 writes them with capital letters, the older schemas as an object.
fn dimensions(object: &Object<'_>) -> Vec<(String, String)> {
    let Some(raw) = object.raw("dimensions") else {
        return Vec::new();
    };
    if raw.get().starts_with('{') {
        return lenient::pairs(raw);
    }
    let mut found = Vec::new();
    lenient::each(raw, |raw: &RawValue| {
        let one = Object::read(raw).filter(|_| found.len() < DIMENSIONS_MAX);
        let pair = one.and_then(|one| one.text("name").zip(one.text("value")));
        found.extend(pair);
    });
    found
}

pub(super) fn criterion(one: &Object<'_>) -> Criterion {
    let periods = one.object("failingPeriods");
    Criterion {
        metric: one.text("metricName"),
        namespace: one.text("metricNamespace"),
        web_test: one.text("webTestName"),
        query: one.text("searchQuery"),
        measure_column: one.text("metricMeasureColumn"),
        target_types: one
            .text("targetResourceTypes")
            .map(|text| listed(&text))
            .unwrap_or_default(),
        operator: one.text("operator"),
        threshold: one.text("threshold"),
        value: one.text("metricValue"),
        aggregation: one.text("timeAggregation"),
        sensitivity: one.text("alertSensitivity"),
        dimensions: dimensions(one),
        failing_periods: periods.and_then(|periods| {
            periods
                .text("minFailingPeriodsToAlert")
                .zip(periods.text("numberOfEvaluationPeriods"))
        }),
        link: one
            .text("linkToFilteredSearchResultsUI")
            .or_else(|| one.text("linkToSearchResultsUI")),
    }
}

/// A string with a list inside, in single quotes: `"['Microsoft.Compute/virtualMachines']"`.
fn listed(text: &str) -> Vec<String> {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    let names = inner
        .split(',')
        .map(|name| name.trim().trim_matches(['\'', '"']));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
