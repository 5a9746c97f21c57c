//! The schemas that were there before the common one, and that are still sent where its switch is off (azure-platform §1.9):
//! metric alerts (near real time and classic), activity log alerts, log alerts of the first kind, and budgets. They are
//! told apart by their shape; `schemaId` is missing in two of them, and `unknown` in early messages of a third.

use serde_json::value::RawValue;

use super::context::Context;
use super::lenient::{self, Object};
use super::{NotAnAlert, activity, measured, watched};
use crate::domain::alert::{
    Alert, Condition, Details, Mark, Measured, Series, Service, Severity, is_of_a_test,
};
use crate::domain::timestamp::Timestamp;

/// Reads a body of an older schema; `None` if it has the shape of none.
pub(super) fn read(body: &str) -> Option<Result<Alert, NotAnAlert>> {
    let raw: &RawValue = serde_json::from_str(body).ok()?;
    // The classic metric alert and the log alert have no envelope.
    let mut inside = None;
    lenient::members(raw, |name, value| {
        if name.eq_ignore_ascii_case("data") && value.get().starts_with('{') {
            inside = Some(value);
        }
    })?;
    let data = &Object::read(inside.unwrap_or(raw))?;
    if let Some(context) = data.object("context") {
        return match context.object("activityLog") {
            Some(event) => activity_log(data, &event),
            None => metric(data, &context),
        };
    }
    if data.has("AlertRuleName") && data.has("SearchQuery") {
        return Some(log(data));
    }
    if data.has("BudgetName") && data.has("NotificationThresholdAmount") {
        return Some(Ok(budget(data)));
    }
    None
}

/// `Activated` and `Deactivated`, in the classic schema `Resolved`. There is no id of the firing: the rule, the resource
/// and the dimensions name what is watched, and the message's time tells one message from another.
fn metric(data: &Object<'_>, context: &Object<'_>) -> Option<Result<Alert, NotAnAlert>> {
    let rule_id = context.text("id").filter(|id| id.starts_with('/'))?;
    let status = data.text("status").unwrap_or_default();
    let condition = match status.trim() {
        word if word.eq_ignore_ascii_case("Activated") => Condition::Fired,
        word if ["Deactivated", "Resolved"]
            .iter()
            .any(|end| end.eq_ignore_ascii_case(word)) =>
        {
            Condition::Resolved
        }
        _ => {
            let expected = "`Activated`, `Deactivated` or `Resolved`";
            return Some(Err(NotAnAlert::new("condition", "data.status", expected)));
        }
    };
    let block = context.object("condition");
    let mut found = Measured {
        condition_type: context.text("conditionType"),
        window_size: block.as_ref().and_then(|block| block.text("windowSize")),
        ..Measured::default()
    };
    if let Some(block) = &block {
        match block.raw("allOf") {
            Some(all) => {
                found = match measured::of_condition(context, block, None).details {
                    Details::Metric(read) | Details::Log(read) if all.get() != "[]" => read,
                    _ => found,
                }
            }
            // The classic schema has one condition, without a list around it; its window is in minutes.
            None => {
                found.window_size = found.window_size.map(|size| match size.parse::<u32>() {
                    Ok(minutes) => format!("PT{minutes}M"),
                    Err(_) => size,
                });
                found.criteria.push(measured::criterion(block));
            }
        }
    }
    let target = context.text("resourceId");
    let mut name = format!("metric/{rule_id}/{}", target.as_deref().unwrap_or_default());
    let dimensions = found.criteria.iter().flat_map(|one| &one.dimensions);
    for (key, value) in dimensions {
        name.push_str(&format!("/{key}={value}"));
    }
    let at = moment(context, "timestamp");
    let series = Series {
        name,
        message: context.text("timestamp").unwrap_or_default(),
    };
    Some(Ok(Alert {
        // Nobody can press a test with an id of another form.
        series: (!is_of_a_test(&rule_id)).then_some(series),
        alert_id: rule_id.clone(),
        rule: context.text("name"),
        rule_id: Some(rule_id),
        service: measured::metric_service(&found),
        severity: context
            .text("severity")
            .as_deref()
            .and_then(Severity::parse),
        condition,
        resolved_at: at.filter(|_| condition == Condition::Resolved),
        target_type: context.text("resourceType"),
        target_group: context.text("resourceGroupName"),
        targets: target.into_iter().collect(),
        configuration_items: context.texts("resourceName"),
        details: Details::Metric(found),
        ..common(data, context, at)
    }))
}

/// One event, told once. Service health is told in several, as in the common schema.
fn activity_log(data: &Object<'_>, event: &Object<'_>) -> Option<Result<Alert, NotAnAlert>> {
    let read: Context = activity::read(event, None);
    let subscription = event.text("subscriptionId");
    let id = event
        .text("eventDataId")
        .or_else(|| event.text("correlationId"));
    let is_of_a_series = read.series.is_some();
    let Some(id) = id.or_else(|| read.series.as_ref().map(|(name, _)| name.clone())) else {
        let expected = "the id of an event";
        return Some(Err(NotAnAlert::new(
            "alert_id",
            "data.context.activityLog.eventDataId",
            expected,
        )));
    };
    let target = event.text("resourceId").or_else(|| {
        let subscription = subscription.as_ref().filter(|id| !id.starts_with('.'))?;
        Some(format!("/subscriptions/{subscription}"))
    });
    let alert_id = format!("{}/events/{id}", target.as_deref().unwrap_or_default());
    let at = moment(event, "submissionTimestamp").or_else(|| moment(event, "eventTimestamp"));
    let condition = read.condition.unwrap_or_default();
    let is_test = is_of_a_test(&alert_id);
    Some(Ok(Alert {
        service: read.service,
        condition: if is_test { Condition::Fired } else { condition },
        resolved_at: at.filter(|_| is_of_a_series && condition == Condition::Resolved),
        series: read
            .series
            .filter(|_| !is_test)
            .map(|(name, message)| Series { name, message }),
        target_type: event.text("resourceType"),
        target_group: event.text("resourceGroupName"),
        targets: target.into_iter().collect(),
        details: read.details,
        alert_id,
        ..common(data, event, at)
    }))
}

/// A result of a query, told once. The end of the span that was looked at stands for the time of firing.
fn log(data: &Object<'_>) -> Result<Alert, NotAnAlert> {
    let rule = data.text("AlertRuleName");
    let subscription = data.text("SubscriptionId").unwrap_or_default();
    let resource = data.text("ResourceId").or_else(|| {
        let workspace = data
            .text("WorkspaceId")
            .or_else(|| data.text("ApplicationId"))?;
        Some(format!(
            "/subscriptions/{subscription}/workspaces/{workspace}"
        ))
    });
    let resource = resource.unwrap_or_else(|| format!("/subscriptions/{subscription}"));
    let read = measured::of_log_v1(data, None);
    let fired_at = read
        .details
        .measured()
        .and_then(|measured| measured.window_end);
    let severity = data.text("Severity");
    Ok(Alert {
        alert_id: format!("{resource}/rules/{}", rule.as_deref().unwrap_or_default()),
        service: read.service,
        severity: severity.as_deref().and_then(severity_by_word),
        rule,
        targets: vec![resource],
        configuration_items: read.configuration_items,
        details: read.details,
        rows: read.rows,
        ..common(data, data, fired_at)
    })
}

/// The older schema writes the portal's word for it, or the digit.
fn severity_by_word(text: &str) -> Option<Severity> {
    let all = [
        Severity::Sev0,
        Severity::Sev1,
        Severity::Sev2,
        Severity::Sev3,
        Severity::Sev4,
    ];
    let by_word = all
        .into_iter()
        .find(|severity| severity.word().eq_ignore_ascii_case(text.trim()));
    by_word.or_else(|| Severity::parse(text))
}

/// No id and no time: the body itself tells one from another.
fn budget(data: &Object<'_>) -> Alert {
    let scope = data
        .text("SubscriptionId")
        .map(|id| format!("/subscriptions/{id}"));
    let found = watched::budget_of(data);
    Alert {
        alert_id: format!(
            "{}/budgets/{}",
            scope.as_deref().unwrap_or_default(),
            found.name.as_deref().unwrap_or_default()
        ),
        service: Service::Budget,
        targets: scope.into_iter().collect(),
        target_group: data.text("ResourceGroup"),
        details: Details::Budget(Box::new(found)),
        ..common(data, data, None)
    }
}

/// What all of them have, if anywhere, under the same names.
fn common(data: &Object<'_>, context: &Object<'_>, at: Option<Timestamp>) -> Alert {
    Alert {
        fired_at: at,
        description: context.text("description"),
        portal_link: context.text("portalLink"),
        custom_properties: data
            .raw("properties")
            .map(lenient::pairs)
            .unwrap_or_default(),
        marks: vec![Mark::OlderSchema],
        ..Alert::default()
    }
}

fn moment(object: &Object<'_>, name: &str) -> Option<Timestamp> {
    object.text(name).as_deref().and_then(Timestamp::parse_any)
}
