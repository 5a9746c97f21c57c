//! `alertContext` → [`Details`], by its shape: Azure's own labels contradict each other (azure-platform §1.3).

use serde_json::value::RawValue;

use super::lenient::{self, Object};
use super::{activity, measured, watched};
use crate::domain::alert::{Condition, Details, Service};
use crate::domain::row::Rows;

/// What a context says.
#[derive(Default)]
pub(super) struct Context {
    pub(super) service: Service,
    pub(super) details: Details,
    pub(super) rows: Rows,
    /// Those that only the context names.
    pub(super) configuration_items: Vec<String>,
    /// Pairs of the rule's owner, which test notifications have here (azure-platform §1.1).
    pub(super) properties: Vec<(String, String)>,
    /// Where the end is told here and not among the essentials.
    pub(super) condition: Option<Condition>,
    /// What one of several messages is about, and which it is.
    pub(super) series: Option<(String, String)>,
    /// True if it is there and has no form that is known.
    pub(super) is_strange: bool,
}

impl Context {
    pub(super) fn of(service: Service, details: Details) -> Self {
        Self {
            service,
            details,
            ..Self::default()
        }
    }

    fn strange(details: Details) -> Self {
        Self {
            details,
            is_strange: true,
            ..Self::default()
        }
    }
}

/// What the context of an alert of the service that calls itself so says.
pub(super) fn read(raw: &RawValue, monitoring_service: Option<&str>) -> Context {
    if let Some(inner) = lenient::json_inside(raw) {
        let inner: Option<&RawValue> = serde_json::from_str(&inner).ok();
        return inner.map_or_else(
            || Context::strange(Details::EssentialsOnly),
            |inner| of_value(inner, monitoring_service),
        );
    }
    of_value(raw, monitoring_service)
}

fn of_value(raw: &RawValue, monitoring_service: Option<&str>) -> Context {
    if raw.get() == "null" {
        return Context::default();
    }
    match Object::read(raw) {
        Some(context) if context.is_empty() => Context::default(),
        Some(context) => of_object(&context, monitoring_service),
        None => Context::strange(Details::EssentialsOnly),
    }
}

fn of_object(context: &Object<'_>, monitoring_service: Option<&str>) -> Context {
    let has = |name: &str| context.has(name);
    let mut read = if let Some(condition) = context.object("condition") {
        measured::of_condition(context, &condition, monitoring_service)
    } else if has("SearchQuery") {
        measured::of_log_v1(context, monitoring_service)
    } else if has("AlertData") {
        watched::budget(context)
    } else if has("DetectionSummary") || has("SmartDetectorName") {
        watched::smart_detection(context)
    } else if has("expression") || has("ruleGroup") {
        watched::prometheus(context)
    } else if activity::is_one(context) {
        activity::read(context, monitoring_service)
    } else {
        Context::strange(Details::Unknown(context.plain_values()))
    };
    // An event of the activity log has what it is about under this name.
    if matches!(read.details, Details::Metric(_) | Details::Log(_)) {
        read.properties = context.pairs("properties");
    }
    read
}
