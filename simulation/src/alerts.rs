//! The alerts of a run: what fires and resolves, and when each message is delivered, how often and where.

use std::time::Duration;

use bytes::Bytes;
use itsm_connector::domain::alert::Condition;
use itsm_connector::domain::identity::{EpisodeId, EventId, Firing, ItemId, SlotId};
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::timestamp::Timestamp;

use crate::clock::BEGINNING_MS;
use crate::dice::Dice;
use crate::product::CONNECTION;
use crate::swarm::Swarm;

/// Alerts fire within this span, so that all of a run's faults can still hit them.
const FIRING_SECONDS: u64 = 30 * 60;

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
    /// Its slot's folder in the store.
    pub slot_folder: String,
    /// The correlation id of its first work item.
    pub correlation: String,
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

/// The name of the one connection.
pub fn connection() -> Option<ConnectionName> {
    ConnectionName::parse(CONNECTION).ok()
}

impl Episode {
    /// The `n`th alert of a run.
    pub fn new(n: usize, fired_after: Duration, resolved_after: Option<Duration>) -> Self {
        let alert_id = format!(
            "/subscriptions/11111111-2222-3333-4444-555555555555/providers/Microsoft.AlertsManagement/alerts/{n:08}"
        );
        let at = |after: Duration| {
            let ms = i64::try_from(after.as_millis()).unwrap_or(0);
            Timestamp::from_millis(BEGINNING_MS + ms)
        };
        let fired_at = at(fired_after);
        let action = ActionName::default();
        let (episode, slot) = match connection() {
            Some(connection) => {
                let firing = Firing::Instance {
                    alert_id: &alert_id,
                    fired_at,
                };
                let episode = EpisodeId::new(&connection, &action, firing);
                let slot = SlotId::of_episode(&connection, &action, &episode);
                (episode, slot)
            }
            None => unreachable!("the connection's name is a name"),
        };
        let message = |condition: Condition, resolved_at: Option<Timestamp>| Message {
            event: EventId::new(&episode, condition.as_str()),
            body: body(&alert_id, n, condition, fired_at, resolved_at),
            is_resolved: condition == Condition::Resolved,
        };
        Self {
            fired: message(Condition::Fired, None),
            resolved: resolved_after
                .map(|after| message(Condition::Resolved, Some(at(fired_after + after)))),
            slot_folder: format!("slots/{CONNECTION}/{}/{slot}", action.as_str()),
            correlation: ItemId::new(&slot, 0).correlation().to_string(),
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

fn body(
    alert_id: &str,
    n: usize,
    condition: Condition,
    fired_at: Timestamp,
    resolved_at: Option<Timestamp>,
) -> Bytes {
    let mut essentials = serde_json::json!({
        "alertId": alert_id,
        "alertRule": "CPU over 80 %",
        "severity": format!("Sev{}", n % 5),
        "signalType": "Metric",
        "monitorCondition": if condition == Condition::Fired { "Fired" } else { "Resolved" },
        "monitoringService": "Platform",
        "configurationItems": ["web01"],
        "firedDateTime": fired_at.to_string(),
        "essentialsVersion": "1.0",
        "alertContextVersion": "1.0",
    });
    if let Some(resolved_at) = resolved_at {
        essentials["resolvedDateTime"] = resolved_at.to_string().into();
    }
    let alert = serde_json::json!({
        "schemaId": "azureMonitorCommonAlertSchema",
        "data": { "essentials": essentials, "alertContext": {} }
    });
    Bytes::from(alert.to_string())
}

/// Draws the alerts of a run and their deliveries.
pub fn draw(swarm: &Swarm) -> (Vec<Episode>, Vec<Planned>) {
    let mut dice = Dice::new(swarm.seed, "alerts");
    let mut episodes = Vec::new();
    let mut planned = Vec::new();
    for n in 0..usize::try_from(swarm.alerts).unwrap_or(0) {
        let fired_after = Duration::from_millis(dice.below(FIRING_SECONDS * 1000));
        let resolved_after = dice.chance(0.7).then(|| {
            Duration::from_millis(match dice.below(3) {
                0 => dice.between(1, 5_000),
                1 => dice.between(5_000, 120_000),
                _ => dice.between(120_000, 20 * 60_000),
            })
        });
        // Azure is late sometimes, and then the end may come before the beginning.
        let fired_lag = lag(&mut dice, 0.25);
        deliver(&mut dice, &mut planned, n, false, fired_after + fired_lag);
        if let Some(after) = resolved_after {
            let resolved_lag = lag(&mut dice, 0.1);
            let at = fired_after + after + resolved_lag;
            deliver(&mut dice, &mut planned, n, true, at);
        }
        episodes.push(Episode::new(n, fired_after, resolved_after));
    }
    planned.sort_by_key(|planned| (planned.at, planned.episode, planned.is_resolved));
    (episodes, planned)
}

fn lag(dice: &mut Dice, chance_of_long: f64) -> Duration {
    Duration::from_millis(if dice.chance(chance_of_long) {
        dice.between(1_000, 300_000)
    } else {
        dice.between(0, 500)
    })
}

/// Once, or several times: at once, or a while later.
fn deliver(
    dice: &mut Dice,
    planned: &mut Vec<Planned>,
    episode: usize,
    is_resolved: bool,
    at: Duration,
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
            _ => dice.below(15 * 60_000),
        };
        add(at + Duration::from_millis(later));
    }
}
