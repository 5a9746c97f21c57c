//! What the services say that measure nothing: the activity log, the health of Azure and of resources, budgets, detectors.

use std::fmt::Write as _;

use super::{block, line, pairs};
use crate::domain::alert::{
    Activity, Budget, Details, ResourceHealth, Service, ServiceHealth, SmartDetection,
};
use crate::domain::text;

/// Longest sentence made of what a service says, in characters.
const SENTENCE_CHARS_MAX: usize = 400;

/// The beginning of what Microsoft says about an incident, at the top.
const COMMUNICATION_CHARS_MAX: usize = 700;

fn sentence(out: &mut String, text: &str) {
    let text = text::one_line(&text::cut(text, SENTENCE_CHARS_MAX));
    if !text.is_empty() {
        let _ = writeln!(
            out,
            "{text}{}",
            if text.ends_with(['.', '!', '?']) {
                ""
            } else {
                "."
            }
        );
    }
}

/// `Microsoft.Compute/virtualMachines/restart/action: Succeeded. By alice@contoso.example.`
pub(super) fn activity(out: &mut String, event: &Activity, service: Service) {
    if let Some(told) = told_by(event, service) {
        sentence(out, told);
    }
    let mut what = event.operation.clone().unwrap_or_default();
    if let Some(status) = event.status.as_deref() {
        let _ = write!(what, "{}{status}", if what.is_empty() { "" } else { ": " });
    }
    sentence(out, &what);
    if service == Service::ActivityRecommendation {
        line(out, "Category", event.property("recommendationCategory"));
        line(out, "Impact", event.property("recommendationImpact"));
    }
    line(out, "By", event.caller.as_deref());
    line(out, "At", event.at.as_deref());
    line(out, "Level", event.level.as_deref());
}

/// What an event says of itself in plain words, wherever its kind has that.
fn told_by(event: &Activity, service: Service) -> Option<&str> {
    let of_kind = match service {
        Service::ActivityAutoscale => event.property("description"),
        Service::ActivityRecommendation => event.property("recommendationName"),
        _ => None,
    };
    of_kind.or(event.description.as_deref())
}

pub(super) fn service_health(out: &mut String, health: &ServiceHealth) {
    sentence(out, health.title.as_deref().unwrap_or_default());
    line(out, "Service", health.service.as_deref());
    line(out, "Region", health.region.as_deref());
    let kind = [health.kind.as_deref(), health.stage.as_deref()];
    line(
        out,
        "Kind and stage",
        Some(&kind.into_iter().flatten().collect::<Vec<_>>().join(", ")),
    );
    line(out, "Tracking id", health.tracking_id.as_deref());
    line(out, "Impact since", health.impact_start.as_deref());
    line(out, "Impact until", health.impact_end.as_deref());
    if let Some(communication) = health.communication.as_deref() {
        let begin = text::cut(text::plain(communication).trim(), COMMUNICATION_CHARS_MAX);
        let _ = writeln!(out, "\n{begin}\n");
    }
}

pub(super) fn resource_health(out: &mut String, health: &ResourceHealth) {
    sentence(out, health.title.as_deref().unwrap_or_default());
    let states = [health.previous.as_deref(), health.current.as_deref()]
        .map(|state| state.unwrap_or("Unknown"));
    sentence(
        out,
        &format!("The resource was {} and is {}", states[0], states[1]),
    );
    sentence(out, health.details.as_deref().unwrap_or_default());
    line(out, "Cause", health.cause.as_deref());
    line(out, "Kind", health.kind.as_deref());
    line(out, "Status", health.status.as_deref());
    line(out, "At", health.at.as_deref());
}

/// `Budget shop-monthly: $4,611.00 is spent, above $4,500.00 (of $5,000.00).`
pub(super) fn budget(out: &mut String, budget: &Budget) {
    let name = budget.name.as_deref().unwrap_or("without a name");
    let is_forecast = budget
        .threshold_type
        .as_deref()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("forecasted"));
    let amount = match (
        is_forecast,
        budget.forecast.as_deref(),
        budget.spent.as_deref(),
    ) {
        (true, Some(forecast), _) => format!("{forecast} will be spent"),
        (true, None, Some(spent)) => format!("it will be overspent, {spent} is spent by now"),
        (_, _, Some(spent)) => format!("{spent} is spent"),
        _ => "a limit is reached".to_owned(),
    };
    let mut told = format!("Budget {name}: {amount}");
    if let Some(limit) = budget.notify_at.as_deref() {
        let _ = write!(told, ", above {limit}");
    }
    if let Some(whole) = budget.budget.as_deref() {
        let _ = write!(told, " (budget {whole})");
    }
    sentence(out, &told);
    line(out, "Currency", budget.unit.as_deref());
    line(out, "Counted since", budget.since.as_deref());
}

pub(super) fn smart_detection(out: &mut String, found: &SmartDetection) {
    sentence(
        out,
        found
            .summary
            .as_deref()
            .or(found.detector.as_deref())
            .unwrap_or_default(),
    );
    if let Some(detected) = found.detected.as_deref() {
        let mut told = format!("It is {detected}");
        if let Some(normal) = found.normal.as_deref() {
            let _ = write!(told, "; usual is {normal}");
        }
        sentence(out, &told);
    }
    line(out, "Happened", found.occurred.as_deref());
    line(out, "Detector", found.detector.as_deref());
}

/// Links that some services have among their details.
pub(super) fn links(details: &Details) -> Option<(&'static str, &str)> {
    match details {
        Details::Activity(event) => Some((
            "Recommendation",
            event.property("recommendationResourceLink")?,
        )),
        Details::Prometheus(found) => Some(("Runbook", found.annotation("runbook_url")?)),
        _ => None,
    }
}

/// What does not fit above.
pub(super) fn data(out: &mut String, details: &Details) {
    match details {
        Details::Activity(event) => {
            line(out, "Scope", event.scope.as_deref());
            line(out, "Sub-status", event.sub_status.as_deref());
            line(out, "Correlation id", event.correlation_id.as_deref());
            pairs(out, "Properties", &event.properties);
        }
        Details::ServiceHealth(health) => {
            let is_long = |text: &&str| text.chars().count() > COMMUNICATION_CHARS_MAX;
            for impacted in &health.impacted {
                line(out, "Impacted", Some(impacted));
            }
            block(
                out,
                "Microsoft says",
                health.communication.as_deref().filter(is_long),
            );
        }
        Details::Budget(budget) => {
            line(out, "Budget", budget.id.as_deref());
            line(out, "Made by", budget.owner.as_deref());
            line(out, "Kind", budget.kind.as_deref());
        }
        _ => {}
    }
}
