//! `alertContext` → [`Details`], by its shape: Azure's own labels contradict each other (azure-platform §1.3).

use serde_json::value::RawValue;

use super::rows;
use super::wire::{self, Text};
use crate::domain::alert::{Criterion, Details, Measured};
use crate::domain::row::Rows;
use crate::domain::timestamp::Timestamp;

/// What a context says.
#[derive(Default)]
pub(super) struct Context {
    pub(super) details: Details,
    pub(super) rows: Rows,
    /// Those that only the context names.
    pub(super) configuration_items: Vec<String>,
}

/// What the context says; `None` if it is there and not understood.
pub(super) fn read(raw: &RawValue) -> Option<Context> {
    if raw.get() == "null" || raw.get() == "{}" {
        return Some(Context::default());
    }
    let context: wire::Context<'_> = serde_json::from_str(raw.get()).ok()?;
    match context.condition {
        Some(condition) => Some(of_condition(context.condition_type, condition)),
        None => log_v1(serde_json::from_str(raw.get()).ok()?),
    }
}

fn of_condition(condition_type: Text, condition: wire::ConditionBlock<'_>) -> Context {
    let mut rows = Rows::default();
    let criteria: Vec<Criterion> = condition
        .all_of
        .unwrap_or_default()
        .into_iter()
        .map(|wire| {
            if let Some(event) = wire.event {
                rows::of_event(event, &mut rows);
            }
            criterion(wire)
        })
        .collect();
    let is_log = condition_type.0.as_deref() == Some("LogQueryCriteria")
        || rows.total() > 0
        || criteria.iter().any(|one| one.query.is_some());
    let measured = Measured {
        condition_type: condition_type.0,
        window_size: condition.window_size.0,
        window_start: moment(&condition.window_start_time),
        window_end: moment(&condition.window_end_time),
        criteria,
        ..Measured::default()
    };
    Context {
        details: if is_log {
            Details::Log(measured)
        } else {
            Details::Metric(measured)
        },
        rows,
        configuration_items: Vec::new(),
    }
}

/// A Log V1 alert has one condition, told in words of its own.
fn log_v1(wire: wire::LogV1<'_>) -> Option<Context> {
    wire.search_query.0.as_ref()?;
    let mut rows = Rows::default();
    if let Some(results) = wire.search_results {
        rows::of_search_results(results, &mut rows);
    }
    let measured = Measured {
        condition_type: wire.alert_type.0,
        window_size: None,
        window_start: moment(&wire.search_interval_start_time_utc),
        window_end: moment(&wire.search_interval_end_time_utc),
        criteria: vec![Criterion {
            query: wire.search_query.0,
            operator: wire.operator.0,
            threshold: wire.threshold.0,
            value: wire.result_count.0,
            aggregation: Some("Count".to_owned()),
            dimensions: dimensions(wire.dimensions),
            link: wire
                .link_to_filtered_search_results
                .0
                .or(wire.link_to_search_results.0),
            ..Criterion::default()
        }],
        ..Measured::default()
    };
    Some(Context {
        details: Details::Log(measured),
        rows,
        configuration_items: wire.affected_configuration_items.0,
    })
}

fn moment(text: &Text) -> Option<Timestamp> {
    text.0.as_deref().and_then(Timestamp::parse_lenient)
}

fn dimensions(wire: Option<Vec<wire::Dimension>>) -> Vec<(String, String)> {
    wire.unwrap_or_default()
        .into_iter()
        .filter_map(|one| one.name.0.zip(one.value.0))
        .collect()
}

fn criterion(wire: wire::Criterion<'_>) -> Criterion {
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
        dimensions: dimensions(wire.dimensions),
        failing_periods: periods.and_then(|periods| {
            periods
                .min_failing_periods_to_alert
                .0
                .zip(periods.number_of_evaluation_periods.0)
        }),
        link: wire.link_to_filtered_results.0.or(wire.link_to_results.0),
        ..Criterion::default()
    }
}
