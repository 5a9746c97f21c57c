//! The actions of a definition: each checked, and what Microsoft's JSON says brought together with what the rest says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::problem::{Problem, Problems};
use super::storm;
use super::ticket_configuration::{self, TicketConfiguration};
use super::written::ActionDefinition;
use super::{fields, kinds};
use crate::domain::allow_list::AllowList;
use crate::domain::connection::{Action, FieldValue, PartnerType};
use crate::domain::entra::guid;
use crate::domain::name::{ActionName, DEFAULT_ACTION};
use crate::domain::template::Template;
use crate::domain::{redact, text};

/// All actions of a definition; without any, a good one by the name of the default.
pub(super) fn check(
    definitions: BTreeMap<String, ActionDefinition>,
    partner: PartnerType,
    problems: &mut Problems,
) -> BTreeMap<ActionName, Action> {
    let mut actions = BTreeMap::new();
    for (name, definition) in definitions {
        let path = format!("actions.{}", short(&name));
        let parsed = problems.keep(ActionName::parse(&name).map_err(|expected| {
            Problem::new(
                &path,
                redact::echo("name", &name),
                expected.to_string(),
                "an action's name becomes part of the webhook's address",
            )
        }));
        let action = action(&path, definition, partner, problems);
        if let Some(name) = parsed {
            actions.insert(name, action);
        }
    }
    if actions.is_empty() && problems.is_empty() {
        actions.insert(ActionName::default(), Action::default());
    }
    if !actions.is_empty() && !actions.contains_key(&ActionName::default()) && problems.is_empty() {
        problems.push(Problem::new(
            "actions",
            format!("{} actions, none of them `{DEFAULT_ACTION}`", actions.len()),
            format!("an action `{DEFAULT_ACTION}`"),
            "it is used when the webhook's address names no action; `{}` is a good one",
        ));
    }
    actions
}

fn action(
    path: &str,
    definition: ActionDefinition,
    partner: PartnerType,
    problems: &mut Problems,
) -> Action {
    if let Some(written) = definition.reopen_within.as_deref()
        && span(written).is_none()
    {
        problems.push(Problem::new(
            &format!("{path}.reopen_within"),
            redact::echo("reopen_within", written),
            "a number and a unit: `30m`, `12h`, `7d`; at most 90 days",
            "leave it out to follow a resolved work item by a new one always",
        ));
    }
    let microsofts = definition
        .ticket_configuration
        .as_ref()
        .and_then(|written| {
            let path = format!("{path}.ticket_configuration");
            let read = ticket_configuration::read(&path, written);
            read.map_err(|found| problems.extend(found)).ok()
        });
    if let Some(microsofts) = &microsofts {
        check_agreement(path, &definition, microsofts, problems);
    }
    check_group(path, definition.assignment_group.as_deref(), problems);
    check_subscriptions(path, &definition.subscriptions, problems);
    check_find_missed(path, &definition, problems);
    let said = microsofts.as_ref();
    let work_item_type = said
        .map(|said| said.work_item_type)
        .or(definition.work_item_type)
        .unwrap_or_default();
    kinds::check(path, partner, work_item_type, &definition, problems);
    let mut fields = fields::check(path, definition.fields, problems);
    for (field, value) in said.iter().flat_map(|said| &said.fields) {
        fields.insert(field.clone(), FieldValue::Fixed(value.clone()));
    }
    let grouping = said
        .map(|said| said.grouping)
        .or(definition.grouping)
        .unwrap_or_default();
    let on_repeat = said
        .map(|said| said.on_repeat)
        .or(definition.on_repeat)
        .unwrap_or_default();
    let storm = definition
        .storm
        .and_then(|written| storm::check(path, &written, (grouping, on_repeat), problems));
    Action {
        work_item_type,
        grouping,
        groups_log_alerts_only: said.is_some(),
        on_repeat,
        reopen_within: definition.reopen_within.as_deref().and_then(span),
        on_resolve: definition.on_resolve,
        already_over: definition.already_over,
        storm,
        mode: definition.mode,
        allowed: AllowList::new(&definition.subscriptions, &definition.rules),
        finds_missed: definition
            .find_missed
            .unwrap_or(!definition.subscriptions.is_empty()),
        close_code: definition.close_code,
        severity: definition.severity,
        event_severity: definition.event_severity,
        assignment_group: definition.assignment_group,
        fields,
    }
}

/// A name would never fit: alerts carry the id.
fn check_subscriptions(path: &str, subscriptions: &[String], problems: &mut Problems) {
    for (at, subscription) in subscriptions.iter().enumerate() {
        if guid(subscription.trim()).is_none() {
            problems.push(Problem::new(
                &format!("{path}.subscriptions[{at}]"),
                redact::echo("subscription", subscription),
                "a subscription's id, a GUID",
                "`az account show --query id` shows it; alerts do not carry the name",
            ));
        }
    }
}

/// Azure's list is asked subscription by subscription.
fn check_find_missed(path: &str, definition: &ActionDefinition, problems: &mut Problems) {
    if definition.find_missed == Some(true) && definition.subscriptions.is_empty() {
        problems.push(Problem::new(
            &format!("{path}.find_missed"),
            "`true` without `subscriptions`",
            "`subscriptions` beside it",
            "name the subscriptions whose alerts come here; their list in Azure is what is looked through",
        ));
    }
}

/// The option is a fixed value; the field of the same name takes templates.
fn check_group(path: &str, group: Option<&str>, problems: &mut Problems) {
    if group.is_some_and(Template::is_one) {
        problems.push(Problem::new(
            &format!("{path}.assignment_group"),
            "a template",
            "a fixed value",
            "put the template into `fields` as `assignment_group`; this one is then its default",
        ));
    }
}

/// What Microsoft's JSON says, nothing else in the action may say otherwise.
fn check_agreement(
    path: &str,
    definition: &ActionDefinition,
    microsofts: &TicketConfiguration,
    problems: &mut Problems,
) {
    let mut differs = |key: String, found: String, says: String| {
        problems.push(Problem::new(
            &format!("{path}.{key}"),
            found,
            format!("nothing, or {says} as `ticket_configuration` says"),
            "leave out one of the two",
        ));
    };
    if let Some(own) = definition
        .work_item_type
        .filter(|own| *own != microsofts.work_item_type)
    {
        differs(
            "work_item_type".to_owned(),
            word(&own),
            word(&microsofts.work_item_type),
        );
    }
    if let Some(own) = definition
        .grouping
        .filter(|own| *own != microsofts.grouping)
    {
        differs(
            "grouping".to_owned(),
            word(&own),
            word(&microsofts.grouping),
        );
    }
    if let Some(own) = definition
        .on_repeat
        .filter(|own| *own != microsofts.on_repeat)
    {
        differs(
            "on_repeat".to_owned(),
            word(&own),
            word(&microsofts.on_repeat),
        );
    }
    for (field, value) in &microsofts.fields {
        let own = definition.fields.get(field);
        if let Some(own) = own.filter(|own| *own != value) {
            differs(
                format!("fields.{}", short(field)),
                redact::echo(field, own),
                redact::echo(field, value),
            );
        }
    }
    let group = microsofts.fields.get("assignment_group");
    if let (Some(own), Some(value)) = (&definition.assignment_group, group)
        && own != value
    {
        differs(
            "assignment_group".to_owned(),
            redact::echo("assignment_group", own),
            redact::echo("assignment_group", value),
        );
    }
    let fixed = ["impact", "urgency"]
        .into_iter()
        .find(|field| microsofts.fields.contains_key(*field));
    if let Some(fixed) = fixed.filter(|_| !definition.severity.is_empty()) {
        differs(
            "severity".to_owned(),
            "impact and urgency by severity".to_owned(),
            format!("one `{fixed}` for all alerts"),
        );
    }
}

/// `30m`, `12h`, `7d`: at least a minute, at most 90 days.
pub(super) fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let span = number.parse::<u64>().ok()?.checked_mul(seconds)?;
    (60..=90 * 24 * 60 * 60)
        .contains(&span)
        .then(|| Duration::from_secs(span))
}

/// A name that others wrote, short enough for a path.
pub(super) fn short(name: &str) -> String {
    text::cut(&text::one_line(name), 40)
}

/// A value's word in definitions.
fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).unwrap_or_default();
    format!("`{}`", word.as_str().unwrap_or_default())
}
