//! What a quarter of the seeds has beside: storms, alerts that may come and go without a work item, rows, and ages after
//! which what is old is removed that are minutes instead of days. All of it is drawn from generators of its own, so that
//! the other seeds are what they would be without it.

use std::time::Duration;

use itsm_connector::domain::connection::{AlreadyOver, Grouping, OnRepeat};
use itsm_connector::domain::retention::Ages;
use itsm_connector::domain::row::ROWS_MAX;

use crate::alerts::rows::{Kind, Rows};
use crate::alerts::{self, Episode, Planned, Subject};
use crate::dice::Dice;
use crate::shape::{Shape, Storm};
use crate::swarm::Swarm;

/// Ages for a run. They stand to each other as the real ones do, where it matters: whatever is on its way (a process that
/// stands still for seven minutes, a delivery that comes [`LATEST`] late, an alert that waits until the faults are over)
/// has come before anything is removed that it would need. Dead letters stay: the invariants read them.
const AGES: Ages = Ages {
    history_for: Duration::from_secs(12 * 60),
    done_for: Duration::from_secs(75 * 60),
    for_people: Duration::from_secs(24 * 3600),
    small_logs_for: Duration::from_secs(10 * 60),
    sweep_every: Duration::from_secs(10 * 60),
    rotation_every: Duration::from_secs(10 * 60),
};

/// How late a message comes at most, and how long after that it comes once more, where what is old is removed.
pub const LATEST: Duration = Duration::from_secs(3 * 60);

/// The same in other runs.
const LATEST_USUALLY: Duration = Duration::from_secs(15 * 60);

/// Alerts of a storm fire within this time.
const BURST_MS: u64 = 90_000;

/// Alerts fire within this span, as in all runs.
const FIRING_MS: u64 = 30 * 60_000;

/// What is old has been removed by then: later than the storm of faults, and than all of [`AGES`] that are short.
const LONG_AFTER_S: (u64, u64) = (120 * 60, 260 * 60);

/// What a seed has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rarer {
    /// After how long what is old is removed, if that is not after days.
    pub ages: Option<Ages>,
}

/// Draws for a seed, and changes how its action is set up.
pub fn draw(seed: u64, shape: &mut Shape) -> Option<Rarer> {
    let mut dice = Dice::new(seed, "rarer");
    if !dice.chance(0.25) {
        return None;
    }
    let kind = dice.below(8);
    match kind {
        0..=2 => {
            shape.grouping = Grouping::Alert;
            shape.on_repeat = OnRepeat::Update;
            shape.storm = Some(Storm {
                threshold: dice.between(2, 3),
                minutes: [1, 2, 20][usize::try_from(dice.below(3)).unwrap_or(0)],
            });
            if dice.chance(0.3) {
                shape.already_over = AlreadyOver::Nothing;
            }
        }
        3 | 4 => {
            shape.grouping = Grouping::Row;
            shape.on_repeat = OnRepeat::Update;
            shape.reopen_within = None;
        }
        5 => {
            shape.grouping = Grouping::Alert;
            shape.already_over = AlreadyOver::Nothing;
        }
        _ => {}
    }
    let ages = (kind > 5 || dice.chance(0.4)).then_some(AGES);
    Some(Rarer { ages })
}

/// Draws the alerts of a run and their deliveries.
pub fn alerts(swarm: &Swarm, rarer: Rarer) -> (Vec<Episode>, Vec<Planned>) {
    let mut dice = Dice::new(swarm.seed, "rarer alerts");
    let latest = rarer.ages.map_or(LATEST_USUALLY, |_| LATEST);
    let first = match swarm.shape {
        Shape { storm: Some(_), .. } => dice.between(3, 7),
        Shape {
            grouping: Grouping::Row,
            ..
        } => dice.between(1, 3),
        _ => dice.between(1, 6),
    };
    let later = if rarer.ages.is_some() {
        dice.between(0, 2)
    } else {
        0
    };
    let bursts = [
        dice.below(FIRING_MS - BURST_MS),
        dice.below(FIRING_MS - BURST_MS),
    ];
    let mut subjects: Vec<Subject> = Vec::new();
    let mut episodes = Vec::new();
    let mut planned = Vec::new();
    for n in 0..usize::try_from(first + later).unwrap_or(0) {
        let is_late = n as u64 >= first;
        let subject = draw_subject(&mut dice, n, &subjects, swarm.shape, is_late);
        let fired_after = Duration::from_millis(if is_late {
            dice.between(LONG_AFTER_S.0 * 1000, LONG_AFTER_S.1 * 1000)
        } else if swarm.shape.storm.is_some() && dice.chance(0.85) {
            bursts[usize::from(dice.chance(0.3))] + dice.below(BURST_MS)
        } else {
            dice.below(FIRING_MS)
        });
        let resolved_after = draw_end(&mut dice, rarer.ages.is_some() && !is_late)
            .filter(|_| subject.rows.as_ref().is_none_or(Rows::has_an_end));
        subjects.push(subject.clone());
        let longest = latest.min(Duration::from_secs(300));
        let mut deliver = |dice: &mut Dice, is_resolved, after: Duration, chance_of_long| {
            let at = after + alerts::lag(dice, chance_of_long, longest);
            alerts::deliver(dice, &mut planned, n, is_resolved, at, latest);
        };
        deliver(&mut dice, false, fired_after, 0.25);
        if let Some(after) = resolved_after {
            deliver(&mut dice, true, fired_after + after, 0.1);
        }
        let episode = Episode::about(&subject, swarm.shape, fired_after, resolved_after);
        episodes.push(episode);
    }
    planned.sort_by_key(|planned| (planned.at, planned.episode, planned.is_resolved));
    (episodes, planned)
}

/// When an alert ends, after it fired: at once, soon, after a while; and some long after what is old was removed.
fn draw_end(dice: &mut Dice, sweeps: bool) -> Option<Duration> {
    if !dice.chance(0.8) {
        return None;
    }
    let long = sweeps && dice.chance(0.3);
    Some(Duration::from_millis(match dice.below(4) {
        _ if long => dice.between(LONG_AFTER_S.0 * 1000, LONG_AFTER_S.1 * 1000),
        0 => dice.between(1, 5_000),
        1 => dice.between(5_000, 60_000),
        2 => dice.between(60_000, 5 * 60_000),
        _ => dice.between(5 * 60_000, 20 * 60_000),
    }))
}

fn draw_subject(
    dice: &mut Dice,
    n: usize,
    before: &[Subject],
    shape: Shape,
    is_late: bool,
) -> Subject {
    let pick = |dice: &mut Dice, of: usize| usize::try_from(dice.below(of as u64)).unwrap_or(0);
    // The same alert fires again; long after, something of the same group does.
    if !before.is_empty() && dice.chance(if is_late { 0.6 } else { 0.15 }) {
        let again = before[pick(dice, before.len())].clone();
        let alert = if dice.chance(0.5) { again.alert } else { n };
        return Subject { alert, ..again };
    }
    let mut configuration_items = vec![pick(dice, 3)];
    if dice.chance(0.3) {
        configuration_items.push((configuration_items[0] + 1) % 3);
    }
    let rows = (shape.grouping == Grouping::Row).then(|| draw_rows(dice));
    Subject {
        alert: n,
        rule: usize::from(dice.chance(0.25)),
        configuration_items,
        rows,
    }
}

/// A few rows, some of them twice; now and then none, and seldom more than get a work item.
fn draw_rows(dice: &mut Dice) -> Rows {
    let kind = if dice.chance(0.3) {
        Kind::LogV1
    } else {
        Kind::SimpleLogAlert
    };
    let many = ROWS_MAX as u64 + 2;
    let count = if dice.chance(0.04) {
        many
    } else {
        dice.below(5)
    };
    let numbers = (0..count).map(|n| if dice.chance(0.15) { 0 } else { n });
    Rows {
        kind,
        numbers: numbers.collect(),
    }
}
