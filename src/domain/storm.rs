//! Storms: when one rule fires so often that a work item for each alert would bury the people who should help, the
//! alerts share one, which lists them (rule R24). Pure; the drain counts and keeps what is known in its log.
//!
//! Everything goes by the alerts' own times: a storm of an hour ago is one when it is drained now, and a rule that
//! fired once a day for a year is none because we were away for that long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::identity::{EpisodeId, SlotId};
use super::timestamp::Timestamp;

/// Alerts of one rule that are still made one by one, unless the action says otherwise (rule R24).
pub const THRESHOLD_DEFAULT: usize = 50;

/// The most that an action may set: as many are remembered by name.
pub const THRESHOLD_MAX: usize = 500;

/// The time in which they are counted, unless the action says otherwise (rule R24).
pub const WITHIN_DEFAULT: Duration = Duration::from_secs(60);

/// The most that an action may set.
pub const WITHIN_MAX: Duration = Duration::from_secs(60 * 60);

/// A storm is over when its rule has been silent for this long, or for as long as it is counted, whichever is more: a
/// few turns of the drain, so that a breath taken is not the end.
pub const SILENCE_MIN: Duration = Duration::from_secs(5 * 60);

/// Alerts of one storm's work item; what comes after them gets another. A slot is written whole at each change, and
/// this many make it some 150 KB.
pub const ALERTS_MAX: u32 = 5_000;

/// The version of the stored form.
const STORED_VERSION: u32 = 1;

/// From when on a rule's alerts are a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StormOptions {
    /// More than this many.
    pub threshold: usize,
    /// Within this time.
    pub within: Duration,
}

impl StormOptions {
    fn silence(&self) -> Duration {
        self.within.max(SILENCE_MIN)
    }
}

/// What is known of a rule's alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weather {
    /// The version of this form.
    pub version: u32,
    /// Alerts that were made one by one lately, oldest first; at most a threshold of them.
    #[serde(default)]
    pub lately: Vec<Arrival>,
    /// The storm that is going on, or was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            version: STORED_VERSION,
            lately: Vec::new(),
            storm: None,
        }
    }
}

/// An alert of the rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Arrival {
    /// When it fired.
    pub at: Timestamp,
    /// Which.
    pub episode: EpisodeId,
}

/// A storm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// Its slot, which has the work item.
    pub slot: SlotId,
    /// When its first alert fired.
    pub began: Timestamp,
    /// When its last one did.
    pub last: Timestamp,
    /// How many it has.
    pub alerts: u32,
}

impl Storm {
    fn takes(&self, at: Timestamp, silence: Duration) -> bool {
        self.alerts < ALERTS_MAX && at <= self.last.plus(silence) && self.began <= at.plus(silence)
    }

    fn take(&mut self, at: Timestamp) {
        self.began = self.began.min(at);
        self.last = self.last.max(at);
        self.alerts = self.alerts.saturating_add(1);
    }
}

/// Where an alert goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Its own.
    Alone,
    /// It joins the storm with this slot.
    Storm(SlotId),
}

/// Where each of the waiting alerts of a rule goes, in their order, and what is known afterwards. `name` makes a storm's
/// slot of its first alert.
///
/// The same alerts asked about again go the same ways: those that joined are still within the storm, and those that did
/// not are known by name and counted once.
pub fn ways(
    weather: &Weather,
    options: &StormOptions,
    waiting: &[Arrival],
    name: impl Fn(&EpisodeId) -> SlotId,
) -> (Weather, Vec<Way>) {
    let silence = options.silence();
    let mut next = weather.clone();
    let mut order: Vec<usize> = (0..waiting.len()).collect();
    order.sort_by_key(|&at| &waiting[at]);
    let mut ways = vec![Way::Alone; waiting.len()];
    let mut alone: Vec<usize> = Vec::new();
    for at in order {
        let arrival = &waiting[at];
        let is_counted = next
            .lately
            .iter()
            .any(|known| known.episode == arrival.episode);
        match &mut next.storm {
            Some(storm) if !is_counted && storm.takes(arrival.at, silence) => {
                storm.take(arrival.at);
                ways[at] = Way::Storm(storm.slot.clone());
            }
            _ => alone.push(at),
        }
    }
    if let Some(began) = burst(&next.lately, options, alone.iter().map(|&at| &waiting[at])) {
        let mut storm: Option<Storm> = None;
        alone.retain(|&at| {
            let arrival = &waiting[at];
            let known = next
                .lately
                .iter()
                .any(|known| known.episode == arrival.episode);
            if known || arrival.at < began {
                return true;
            }
            let storm = storm.get_or_insert_with(|| Storm {
                slot: name(&arrival.episode),
                began: arrival.at,
                last: arrival.at,
                alerts: 0,
            });
            if !storm.takes(arrival.at, silence) {
                return true;
            }
            storm.take(arrival.at);
            ways[at] = Way::Storm(storm.slot.clone());
            false
        });
        next.storm = storm.or(next.storm);
    }
    remember(
        &mut next.lately,
        options,
        alone.iter().map(|&at| &waiting[at]),
    );
    (next, ways)
}

/// When the first span begins that has more alerts than the threshold, if there is one with a new alert in it.
fn burst<'a>(
    lately: &'a [Arrival],
    options: &StormOptions,
    waiting: impl Iterator<Item = &'a Arrival>,
) -> Option<Timestamp> {
    let mut all: Vec<&Arrival> = lately.iter().chain(waiting).collect();
    all.sort();
    all.dedup_by(|one, other| one.episode == other.episode);
    all.windows(options.threshold + 1)
        .find(|span| {
            let (Some(first), Some(last)) = (span.first(), span.last()) else {
                return false;
            };
            last.at.since(first.at) <= options.within
        })
        .and_then(|span| span.first().map(|first| first.at))
}

/// Alerts that went alone, the newest of them: one threshold of them is enough to see a storm with the next.
fn remember<'a>(
    lately: &mut Vec<Arrival>,
    options: &StormOptions,
    alone: impl Iterator<Item = &'a Arrival>,
) {
    lately.extend(alone.cloned());
    lately.sort();
    lately.dedup_by(|one, other| one.episode == other.episode);
    let beyond = lately.len().saturating_sub(options.threshold);
    lately.drain(..beyond);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::Firing;
    use crate::domain::name::{ActionName, ConnectionName};

    const OPTIONS: StormOptions = StormOptions {
        threshold: 3,
        within: Duration::from_secs(60),
    };

    fn connection() -> ConnectionName {
        ConnectionName::parse("contoso").unwrap()
    }

    fn arrival(n: u32, seconds: i64) -> Arrival {
        let body = n.to_be_bytes();
        Arrival {
            at: Timestamp::from_millis(seconds * 1000),
            episode: EpisodeId::new(&connection(), &ActionName::default(), Firing::Body(&body)),
        }
    }

    fn slot(first: &EpisodeId) -> SlotId {
        SlotId::of_storm(&connection(), &ActionName::default(), first)
    }

    fn joining(ways: &[Way]) -> usize {
        ways.iter().filter(|way| **way != Way::Alone).count()
    }

    #[test]
    fn as_many_as_the_threshold_go_alone() {
        let waiting: Vec<Arrival> = (0..3).map(|n| arrival(n, 0)).collect();
        let (weather, ways) = ways(&Weather::default(), &OPTIONS, &waiting, slot);
        assert_eq!(joining(&ways), 0);
        assert_eq!(weather.lately.len(), 3);
        assert_eq!(weather.storm, None);
    }

    #[test]
    fn one_more_is_a_storm_and_so_is_what_follows() {
        let waiting: Vec<Arrival> = (0..4).map(|n| arrival(n, i64::from(n) * 20)).collect();
        let (weather, first) = ways(&Weather::default(), &OPTIONS, &waiting, slot);
        assert_eq!(joining(&first), 4);
        let storm = slot(&waiting[0].episode);
        assert!(first.iter().all(|way| *way == Way::Storm(storm.clone())));

        // One more, four minutes later: it is not over yet. And one long after: it is.
        let (weather, next) = ways(&weather, &OPTIONS, &[arrival(9, 300)], slot);
        assert_eq!(next, [Way::Storm(storm)]);
        let (_, last) = ways(&weather, &OPTIONS, &[arrival(10, 3600)], slot);
        assert_eq!(last, [Way::Alone]);
    }

    #[test]
    fn those_that_were_made_a_minute_ago_count_but_stay_as_they_are() {
        let early: Vec<Arrival> = (0..3).map(|n| arrival(n, 0)).collect();
        let (weather, _) = ways(&Weather::default(), &OPTIONS, &early, slot);
        let mut waiting = early;
        waiting.push(arrival(7, 30));
        let (weather, second) = ways(&weather, &OPTIONS, &waiting, slot);
        assert_eq!(second[..3], [Way::Alone, Way::Alone, Way::Alone]);
        assert_eq!(second[3], Way::Storm(slot(&waiting[3].episode)));
        assert_eq!(weather.lately.len(), 3);
    }

    #[test]
    fn a_backlog_of_days_is_no_storm() {
        let waiting: Vec<Arrival> = (0..100).map(|n| arrival(n, i64::from(n) * 600)).collect();
        let (weather, ways) = ways(&Weather::default(), &OPTIONS, &waiting, slot);
        assert_eq!(joining(&ways), 0);
        assert_eq!(
            weather.lately.len(),
            OPTIONS.threshold,
            "no more is remembered"
        );
    }

    #[test]
    fn a_storm_of_an_hour_ago_is_one_when_it_is_drained_now() {
        let mut waiting: Vec<Arrival> = (0..10).map(|n| arrival(n, 100)).collect();
        waiting.push(arrival(90, 5_000));
        let (_, ways) = ways(&Weather::default(), &OPTIONS, &waiting, slot);
        assert_eq!(joining(&ways), 10);
        assert_eq!(ways[10], Way::Alone);
    }

    #[test]
    fn asked_again_the_same_alerts_go_the_same_ways() {
        // Whoever asked first may have died before it did anything about the answer.
        for count in [2, 4, 7] {
            for gap in [0, 19, 25, 400] {
                let waiting: Vec<Arrival> =
                    (0..count).map(|n| arrival(n, i64::from(n) * gap)).collect();
                let (once, first) = ways(&Weather::default(), &OPTIONS, &waiting, slot);
                let (twice, second) = ways(&once, &OPTIONS, &waiting, slot);
                assert_eq!(first, second, "{count} alerts, {gap} s apart");
                assert_eq!(once.lately, twice.lately);
            }
        }
    }

    #[test]
    fn a_work_item_has_an_end() {
        let waiting: Vec<Arrival> = (0..=ALERTS_MAX).map(|n| arrival(n, 0)).collect();
        let (weather, first) = ways(&Weather::default(), &OPTIONS, &waiting, slot);
        assert_eq!(joining(&first), ALERTS_MAX as usize);
        let more: Vec<Arrival> = (10_000..10_010).map(|n| arrival(n, 1)).collect();
        let (_, second) = ways(&weather, &OPTIONS, &more, slot);
        assert_eq!(joining(&second), 10);
        assert_ne!(first[0], second[0]);
    }
}
