//! The family of the activity log: operations, policy, autoscale, security, advice, and the health of Azure and of
//! resources (azure-platform §1.6). Each kind leaves some of the fields out, and several are integers where the others
//! have words.

use serde_json::value::RawValue;

use super::context::Context;
use super::html;
use super::lenient::{self, Object};
use crate::domain::alert::{Activity, Condition, Details, ResourceHealth, Service, ServiceHealth};
use crate::domain::timestamp::Timestamp;

/// Lines of services and regions that are kept.
const IMPACTED_MAX: usize = 30;

/// Stages of a service incident at which nothing more is expected of those who are concerned.
const ENDS: [&str; 7] = [
    "Resolved",
    "Complete",
    "Completed",
    "Canceled",
    "Cancelled",
    "Closed",
    "RCA",
];

/// Where an event says what it is about.
const DESCRIPTION: &str = "Activity Log Event Description";

/// True for the shape that all events of the activity log have.
pub(super) fn is_one(context: &Object<'_>) -> bool {
    [
        "operationName",
        "eventSource",
        "eventTimestamp",
        "eventDataId",
    ]
    .iter()
    .any(|name| context.has(name))
}

/// What an event of the service that calls itself so says.
pub(super) fn read(context: &Object<'_>, monitoring_service: Option<&str>) -> Context {
    let properties = context.raw("properties");
    if let Some(inner) = properties.and_then(lenient::json_inside) {
        let inner: Option<&RawValue> = serde_json::from_str(&inner).ok();
        return of_kind(context, inner, monitoring_service);
    }
    of_kind(context, properties, monitoring_service)
}

fn of_kind(
    context: &Object<'_>,
    raw_properties: Option<&RawValue>,
    monitoring_service: Option<&str>,
) -> Context {
    let properties = raw_properties.and_then(Object::read);
    let operation = context.text("operationName").unwrap_or_default();
    let calls_itself = monitoring_service.unwrap_or_default().trim();
    let is_of = |provider: &str| {
        operation
            .get(..provider.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(provider))
    };
    let has = |name: &str| {
        properties
            .as_ref()
            .is_some_and(|properties| properties.has(name))
    };
    let is_health_of_azure = calls_itself == "ServiceHealth"
        || is_of("Microsoft.ServiceHealth/")
        || (has("trackingId") && has("incidentType"));
    let is_health_of_resource = is_of("Microsoft.ResourceHealth/")
        || has("currentHealthStatus")
        || calls_itself.starts_with("Resource");
    match properties {
        Some(properties) if is_health_of_azure => service_health(context, &properties),
        Some(properties) if is_health_of_resource => resource_health(context, &properties),
        _ => activity(context, raw_properties, calls_itself),
    }
}

fn service_health(context: &Object<'_>, properties: &Object<'_>) -> Context {
    let stage = properties.text("stage").or_else(|| context.text("status"));
    let is_end = |word: &Option<String>| {
        word.as_ref()
            .is_some_and(|word| ENDS.iter().any(|end| end.eq_ignore_ascii_case(word.trim())))
    };
    let is_over = is_end(&stage) || is_end(&context.text("status"));
    let communication = properties
        .text("communication")
        .or_else(|| properties.text("defaultLanguageContent"))
        .map(|text| html::to_text(&text));
    let health = ServiceHealth {
        title: properties
            .text("title")
            .or_else(|| properties.text("defaultLanguageTitle")),
        service: properties.text("service"),
        region: properties.text("region"),
        kind: properties.text("incidentType"),
        tracking_id: properties.text("trackingId"),
        communication,
        impact_start: when(properties, "impactStartTime"),
        impact_end: when(properties, "impactMitigationTime"),
        impacted: properties
            .raw("impactedServices")
            .map(impacted)
            .unwrap_or_default(),
        stage,
    };
    let message = properties
        .text("communicationId")
        .or_else(|| context.text("eventDataId"));
    let series = health.tracking_id.as_ref().map(|tracking_id| {
        let stage = health.stage.as_deref().unwrap_or_default();
        (
            format!("service-health/{}", tracking_id.trim()),
            format!("{stage}/{}", message.unwrap_or_default()),
        )
    });
    Context {
        condition: is_over.then_some(Condition::Resolved),
        series,
        ..Context::of(
            Service::ServiceHealth,
            Details::ServiceHealth(Box::new(health)),
        )
    }
}

/// Services and regions: a list, or a string with a list inside.
fn impacted(raw: &RawValue) -> Vec<String> {
    if let Some(inner) = lenient::json_inside(raw) {
        return serde_json::from_str::<&RawValue>(&inner)
            .map(impacted)
            .unwrap_or_default();
    }
    let mut found = Vec::new();
    lenient::each(raw, |service| {
        let Some(service) = Object::read(service).filter(|_| found.len() < IMPACTED_MAX) else {
            return;
        };
        let mut line = service.text("ServiceName").unwrap_or_default();
        let mut regions = 0;
        if let Some(all) = service.raw("ImpactedRegions") {
            lenient::each(all, |region| {
                let name = Object::read(region).and_then(|region| region.text("RegionName"));
                if let Some(name) = name.filter(|_| regions < IMPACTED_MAX) {
                    line.push_str(if regions == 0 { ": " } else { ", " });
                    line.push_str(&name);
                    regions += 1;
                }
            });
        }
        if !line.is_empty() {
            found.push(line);
        }
    });
    found
}

fn resource_health(context: &Object<'_>, properties: &Object<'_>) -> Context {
    let health = ResourceHealth {
        title: properties.text("title"),
        details: properties.text("details").map(|text| html::to_text(&text)),
        current: properties.text("currentHealthStatus"),
        previous: properties.text("previousHealthStatus"),
        kind: properties.text("type"),
        cause: properties.text("cause"),
        status: context.text("status"),
        at: when(context, "eventTimestamp"),
    };
    Context::of(
        Service::ResourceHealth,
        Details::ResourceHealth(Box::new(health)),
    )
}

fn activity(
    context: &Object<'_>,
    raw_properties: Option<&RawValue>,
    calls_itself: &str,
) -> Context {
    let source = context.text("eventSource").unwrap_or_default();
    let service = match (
        calls_itself.rsplit(" - ").next().unwrap_or_default(),
        source.as_str(),
    ) {
        ("Administrative", _) | (_, "Administrative") => Service::ActivityAdministrative,
        ("Policy", _) | (_, "Policy") => Service::ActivityPolicy,
        ("Autoscale", _) | (_, "Autoscale") => Service::ActivityAutoscale,
        ("Security", _) | (_, "Security") => Service::ActivitySecurity,
        ("Recommendation", _) | (_, "Recommendation") => Service::ActivityRecommendation,
        _ => Service::Activity,
    };
    let authorization = context.object("authorization");
    let from_authorization = |name: &str| {
        authorization
            .as_ref()
            .and_then(|authorization| authorization.text(name))
    };
    let found = Activity {
        operation: context
            .text("operationName")
            .or_else(|| from_authorization("action")),
        status: context.text("status"),
        sub_status: context.text("subStatus"),
        level: context.text("level"),
        caller: context.text("caller"),
        scope: from_authorization("scope").or_else(|| context.text("resourceId")),
        at: when(context, "eventTimestamp"),
        description: context
            .text(DESCRIPTION)
            .or_else(|| context.text("description")),
        correlation_id: context.text("correlationId"),
        properties: raw_properties.map(lenient::pairs).unwrap_or_default(),
    };
    Context::of(service, Details::Activity(Box::new(found)))
}

/// A time as people write it; as it was sent, if it cannot be read.
pub(super) fn when(object: &Object<'_>, name: &str) -> Option<String> {
    let text = object.text(name)?;
    Some(Timestamp::parse_any(&text).map_or(text, Timestamp::for_people))
}
