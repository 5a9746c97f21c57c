//! Which options go with which kind of work item.

use super::problem::{Problem, Problems};
use super::written::ActionDefinition;
use crate::domain::connection::{OnResolve, PartnerType};
use crate::domain::work_item::WorkItemType;

/// Fields of an event that the connector decides.
const RESERVED_FOR_EVENTS: [&str; 6] = [
    "severity",
    "message_key",
    "time_of_event",
    "resolution_state",
    "additional_info",
    "short_description",
];

/// An action says nothing that its kind of work item cannot do.
pub(super) fn check(
    path: &str,
    partner: PartnerType,
    kind: WorkItemType,
    definition: &ActionDefinition,
    problems: &mut Problems,
) {
    let mut no = |key: &str, found: String, expected: &str, hint: &str| {
        problems.push(Problem::new(
            &format!("{path}.{key}"),
            found,
            expected,
            hint,
        ));
    };
    if !kind.is_told_by_events() {
        if !definition.event_severity.is_empty() {
            no(
                "event_severity",
                "how bad events are".to_owned(),
                "nothing, or another `work_item_type`",
                "an incident has impact and urgency: say `severity`",
            );
        }
        return;
    }
    if partner != PartnerType::Servicenow {
        no(
            "work_item_type",
            format!("`{}`", kind.as_str()),
            "`incident`",
            "only ServiceNow has events and alerts",
        );
        return;
    }
    if definition.on_resolve == OnResolve::Comment {
        no(
            "on_resolve",
            "`comment`".to_owned(),
            "`resolve`, `close` or `ignore`",
            "the end of an event is an event that clears it; a note alone cannot be sent",
        );
    }
    if !definition.severity.is_empty() {
        no(
            "severity",
            "impact and urgency by severity".to_owned(),
            "`event_severity`",
            "an event is `critical`, `major`, `minor`, `warning` or `info`",
        );
    }
    if definition.close_code.is_some() {
        no(
            "close_code",
            "a close code".to_owned(),
            "nothing",
            "an event has none: leave it out",
        );
    }
    for field in RESERVED_FOR_EVENTS {
        if definition.fields.contains_key(field) {
            no(
                &format!("fields.{field}"),
                format!("the field `{field}` of an event"),
                "a field that is the customer's to set",
                "the connector sets this one; `description` is the event's text, `event_severity` how bad it is, and fields that events do not have go into `additional_info`",
            );
        }
    }
}
