//! `alertContext` → [`Details`], by its shape: Azure's own labels contradict each other (azure-platform §1.3).

use serde_json::value::RawValue;

use super::wire::{self, Text};
use crate::domain::alert::{Criterion, Details, Measured};
use crate::domain::timestamp::Timestamp;

/// What the context says; `None` if it is there and not understood.
pub(super) fn details(raw: &RawValue) -> Option<Details> {
    if raw.get() == "null" || raw.get() == "{}" {
        return Some(Details::EssentialsOnly);
    }
    let context: wire::Context = serde_json::from_str(raw.get()).ok()?;
    let condition = context.condition?;
    let criteria: Vec<Criterion> = condition
        .all_of
        .unwrap_or_default()
        .into_iter()
        .map(criterion)
        .collect();
    let is_log = context.condition_type.0.as_deref() == Some("LogQueryCriteria")
        || criteria.iter().any(|one| one.query.is_some());
    let measured = Measured {
        condition_type: context.condition_type.0,
        window_size: condition.window_size.0,
        window_start: moment(&condition.window_start_time),
        window_end: moment(&condition.window_end_time),
        criteria,
    };
    Some(if is_log {
        Details::Log(measured)
    } else {
        Details::Metric(measured)
    })
}

fn moment(text: &Text) -> Option<Timestamp> {
    text.0.as_deref().and_then(Timestamp::parse_lenient)
}

fn criterion(wire: wire::Criterion) -> Criterion {
    let dimensions = wire.dimensions.unwrap_or_default();
    let periods = wire.failing_periods;
    Criterion {
        metric: wire.metric_name.0,
        namespace: wire.metric_namespace.0,
        web_test: wire.web_test_name.0,
        query: wire.search_query.0,
        operator: wire.operator.0,
        threshold: wire.threshold.0,
        value: wire.metric_value.0,
        aggregation: wire.time_aggregation.0,
        sensitivity: wire.alert_sensitivity.0,
        dimensions: dimensions
            .into_iter()
            .filter_map(|one| one.name.0.zip(one.value.0))
            .collect(),
        failing_periods: periods.and_then(|periods| {
            periods
                .min_failing_periods_to_alert
                .0
                .zip(periods.number_of_evaluation_periods.0)
        }),
        link: wire.link_to_filtered_results.0.or(wire.link_to_results.0),
    }
}
