//! When many alerts of a rule share one work item, as people write it.

use std::time::Duration;

use super::actions::span;
use super::problem::{Problem, Problems};
use super::written::StormDefinition;
use crate::domain::connection::{Grouping, OnRepeat};
use crate::domain::redact;
use crate::domain::storm::{
    StormOptions, THRESHOLD_DEFAULT, THRESHOLD_MAX, WITHIN_DEFAULT, WITHIN_MAX,
};

/// The options of an action that groups its alerts so.
pub(super) fn check(
    path: &str,
    storm: &StormDefinition,
    grouped: (Grouping, OnRepeat),
    problems: &mut Problems,
) -> Option<StormOptions> {
    if grouped != (Grouping::Alert, OnRepeat::Update) {
        problems.push(Problem::new(
            &format!("{path}.storm"),
            "a storm beside another grouping or `on_repeat`",
            "grouping `alert`, and no `on_repeat`",
            "the other groupings share work items always; leave one of the two out",
        ));
    }
    let threshold = storm.threshold.map_or(Some(THRESHOLD_DEFAULT), threshold);
    if threshold.is_none() {
        problems.push(Problem::new(
            &format!("{path}.storm.threshold"),
            storm.threshold.unwrap_or_default().to_string(),
            format!("a whole number from 2 to {THRESHOLD_MAX}"),
            "how many alerts of one rule are still made one by one",
        ));
    }
    let within = storm.within.as_deref().map_or(Some(WITHIN_DEFAULT), within);
    if within.is_none() {
        problems.push(Problem::new(
            &format!("{path}.storm.within"),
            redact::echo("within", storm.within.as_deref().unwrap_or_default()),
            "a number and a unit, from `1m` to `1h`",
            "the time in which more alerts than the threshold are a storm",
        ));
    }
    Some(StormOptions {
        threshold: threshold?,
        within: within?,
    })
}

fn threshold(written: i64) -> Option<usize> {
    let threshold = usize::try_from(written).ok()?;
    (2..=THRESHOLD_MAX)
        .contains(&threshold)
        .then_some(threshold)
}

fn within(written: &str) -> Option<Duration> {
    span(written).filter(|span| *span <= WITHIN_MAX)
}
