//! The alerts of a run: what fires and resolves, and when each message is delivered, how often and where.

use std::time::Duration;

use bytes::Bytes;
use itsm_connector::domain::alert::Condition;
use itsm_connector::domain::connection::Grouping;
use itsm_connector::domain::identity::{EpisodeId, EventId, Firing, ItemId, SlotId};
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::timestamp::Timestamp;

use crate::clock::BEGINNING_MS;
use crate::dice::Dice;
use crate::product::CONNECTION;
use crate::rarer;
use crate::shape::Shape;
use crate::swarm::Swarm;

pub mod rows;

use rows::Rows;

/// Alerts fire within this span, so that all of a run's faults can still hit them.
const FIRING_SECONDS: u64 = 30 * 60;

/// How late a message comes at most.
const LATE: Duration = Duration::from_secs(300);

/// How long after that it comes once more at most.
const AGAIN_WITHIN: Duration = Duration::from_secs(15 * 60);

/// One message of an alert.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its key.
    pub event: EventId,
    /// Its body.
    pub body: Bytes,
    /// The marker's place under `pending/<connection>/`, as the design names it, without its time.
    pub is_resolved: bool,
}

/// One firing of one alert.
#[derive(Debug, Clone)]
pub struct Episode {
    /// It began.
    pub fired: Message,
    /// It ended, if it did.
    pub resolved: Option<Message>,
    /// Its key.
    pub id: EpisodeId,
    /// The slots that it belongs to.
    pub slots: Vec<SlotId>,
    /// How a storm's work item tells of it.
    pub told_as: String,
    /// True if more rows came with it than get work items.
    pub has_too_many_rows: bool,
}

/// What an alert is about: what tells its group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// Which alert instance.
    pub alert: usize,
    /// Of which rule.
    pub rule: usize,
    /// On which configuration items.
    pub configuration_items: Vec<usize>,
    /// What its query has found, if it is a log alert that tells.
    pub rows: Option<Rows>,
}

/// One delivery of a message.
#[derive(Debug, Clone)]
pub struct Planned {
    /// When.
    pub at: Duration,
    /// Of which episode.
    pub episode: usize,
    /// Whether it is the Resolved.
    pub is_resolved: bool,
}

/// The one connection's name.
pub fn connection() -> ConnectionName {
    match ConnectionName::parse(CONNECTION) {
        Ok(name) => name,
        Err(_) => unreachable!("the connection's name is a name"),
    }
}

/// A slot's folder in the store.
pub fn folder_of(slot: &SlotId) -> String {
    format!(
        "slots/{CONNECTION}/{}/{slot}",
        ActionName::default().as_str()
    )
}

/// The correlation id of a slot's item.
pub fn correlation_of(slot: &SlotId, generation: u32) -> String {
    ItemId::new(slot, generation).correlation().to_string()
}

impl Episode {
    /// The `n`th alert of a run, with an item of its own.
    pub fn new(n: usize, fired_after: Duration, resolved_after: Option<Duration>) -> Self {
        let subject = Subject {
            alert: n,
            ..Subject::default()
        };
        Self::about(&subject, Shape::default(), fired_after, resolved_after)
    }

    /// A firing about something.
    pub fn about(
        subject: &Subject,
        shape: Shape,
        fired_after: Duration,
        resolved_after: Option<Duration>,
    ) -> Self {
        let at = |after: Duration| {
            let ms = i64::try_from(after.as_millis()).unwrap_or(0);
            Timestamp::from_millis(BEGINNING_MS + ms)
        };
        let fired_at = at(fired_after);
        let (connection, action) = (connection(), ActionName::default());
        let firing = Firing::Instance {
            alert_id: &alert_id(subject.alert),
            fired_at,
        };
        let id = EpisodeId::new(&connection, &action, firing);
        let slots = match shape.grouping {
            Grouping::Rule if shape.groups() => {
                vec![SlotId::of_rule(
                    &connection,
                    &action,
                    &rule_id(subject.rule),
                )]
            }
            Grouping::ConfigurationItem => {
                let slot_of = |n: &usize| {
                    let name = host_name(*n);
                    if shape.groups() {
                        SlotId::of_configuration_item(&connection, &action, &name)
                    } else {
                        SlotId::of_configuration_item_once(&connection, &action, &id, &name)
                    }
                };
                subject.configuration_items.iter().map(slot_of).collect()
            }
            Grouping::Row => subject
                .rows
                .as_ref()
                .map_or_else(Vec::new, |rows| rows.slots(&connection, &action, &id)),
            _ => Vec::new(),
        };
        let alone = || vec![SlotId::of_episode(&connection, &action, &id)];
        let message = |condition: Condition, resolved_at: Option<Timestamp>| Message {
            event: EventId::new(&id, condition.as_str()),
            body: body(subject, condition, fired_at, resolved_at),
            is_resolved: condition == Condition::Resolved,
        };
        Self {
            fired: message(Condition::Fired, None),
            resolved: resolved_after
                .map(|after| message(Condition::Resolved, Some(at(fired_after + after)))),
            slots: if slots.is_empty() { alone() } else { slots },
            told_as: format!("{fired_at} {:08} [", subject.alert),
            has_too_many_rows: subject.rows.as_ref().is_some_and(Rows::are_too_many),
            id,
        }
    }

    /// A message of it.
    pub fn message(&self, is_resolved: bool) -> Option<&Message> {
        if is_resolved {
            self.resolved.as_ref()
        } else {
            Some(&self.fired)
        }
    }
}

fn alert_id(n: usize) -> String {
    format!(
        "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.AlertsManagement/alerts/{n:08}"
    )
}

fn rule_id(n: usize) -> String {
    format!(
        "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/web/providers/Microsoft.Insights/metricAlerts/cpu{n}"
    )
}

fn host_name(n: usize) -> String {
    format!("web{n:02}")
}

fn body(
    subject: &Subject,
    condition: Condition,
    fired_at: Timestamp,
    resolved_at: Option<Timestamp>,
) -> Bytes {
    let items: Vec<String> = subject
        .configuration_items
        .iter()
        .map(|n| host_name(*n))
        .collect();
    let mut essentials = serde_json::json!({
        "alertId": alert_id(subject.alert),
        "alertRule": format!("CPU over 80 % ({})", subject.rule),
        "alertRuleID": rule_id(subject.rule),
        "severity": format!("Sev{}", subject.alert % 5),
        "signalType": "Metric",
        "monitorCondition": if condition == Condition::Fired { "Fired" } else { "Resolved" },
        "monitoringService": "Platform",
        "configurationItems": items,
        "firedDateTime": fired_at.to_string(),
        "essentialsVersion": "1.0",
        "alertContextVersion": "1.0",
    });
    if let Some(resolved_at) = resolved_at {
        essentials["resolvedDateTime"] = resolved_at.to_string().into();
    }
    let mut context = serde_json::json!({});
    if let Some(rows) = &subject.rows {
        essentials["signalType"] = "Log".into();
        essentials["monitoringService"] = rows.service().into();
        context = rows.context(condition == Condition::Resolved);
    }
    let alert = serde_json::json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": { "essentials": essentials, "alertContext": context }
    });
    Bytes::from(alert.to_string())
}

/// Draws the alerts of a run and their deliveries.
pub fn draw(swarm: &Swarm) -> (Vec<Episode>, Vec<Planned>) {
    if let Some(rarer) = swarm.rarer {
        return rarer::alerts(swarm, rarer);
    }
    let mut dice = Dice::new(swarm.seed, "alerts");
    let mut episodes = Vec::new();
    let mut planned = Vec::new();
    let mut subjects: Vec<Subject> = Vec::new();
    for n in 0..usize::try_from(swarm.alerts).unwrap_or(0) {
        let subject = draw_subject(&mut dice, n, subjects.last());
        subjects.push(subject.clone());
        let fired_after = Duration::from_millis(dice.below(FIRING_SECONDS * 1000));
        let resolved_after = dice.chance(0.7).then(|| {
            Duration::from_millis(match dice.below(3) {
                0 => dice.between(1, 5_000),
                1 => dice.between(5_000, 120_000),
                _ => dice.between(120_000, 20 * 60_000),
            })
        });
        // Azure is late sometimes, and then the end may come before the beginning.
        let fired_lag = lag(&mut dice, 0.25, LATE);
        let at = fired_after + fired_lag;
        deliver(&mut dice, &mut planned, n, false, at, AGAIN_WITHIN);
        if let Some(after) = resolved_after {
            let resolved_lag = lag(&mut dice, 0.1, LATE);
            let at = fired_after + after + resolved_lag;
            deliver(&mut dice, &mut planned, n, true, at, AGAIN_WITHIN);
        }
        episodes.push(Episode::about(
            &subject,
            swarm.shape,
            fired_after,
            resolved_after,
        ));
    }
    planned.sort_by_key(|planned| (planned.at, planned.episode, planned.is_resolved));
    (episodes, planned)
}

/// Few rules and hosts, so that alerts meet; and now and then the same alert fires again.
fn draw_subject(dice: &mut Dice, n: usize, last: Option<&Subject>) -> Subject {
    let pick = |dice: &mut Dice, of| usize::try_from(dice.below(of)).unwrap_or(0);
    if let Some(last) = last
        && dice.chance(0.2)
    {
        return last.clone();
    }
    let mut configuration_items = vec![pick(dice, 3)];
    if dice.chance(0.3) {
        configuration_items.push((configuration_items[0] + 1) % 3);
    }
    Subject {
        alert: n,
        rule: pick(dice, 2),
        configuration_items,
        rows: None,
    }
}

pub(crate) fn lag(dice: &mut Dice, chance_of_long: f64, longest: Duration) -> Duration {
    Duration::from_millis(if dice.chance(chance_of_long) {
        dice.between(1_000, in_ms(longest))
    } else {
        dice.between(0, 500)
    })
}

fn in_ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Once, or several times: at once, or a while later.
pub(crate) fn deliver(
    dice: &mut Dice,
    planned: &mut Vec<Planned>,
    episode: usize,
    is_resolved: bool,
    at: Duration,
    again_within: Duration,
) {
    let mut add = |at| {
        planned.push(Planned {
            at,
            episode,
            is_resolved,
        });
    };
    add(at);
    while dice.chance(0.35) {
        let later = match dice.below(3) {
            0 => dice.below(3),
            1 => dice.below(3_000),
            _ => dice.below(in_ms(again_within)),
        };
        add(at + Duration::from_millis(later));
    }
}
