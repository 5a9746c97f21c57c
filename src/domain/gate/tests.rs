//! The gate, second by second.

use super::*;
use crate::domain::failure::Effect;

fn failure(kind: Kind) -> CallFailure {
    CallFailure::new(
        "ServiceNow",
        "create incident",
        Effect::Refused,
        kind,
        "made up",
    )
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000).plus(Duration::from_secs(seconds))
}

fn closed_at(now: Timestamp, kind: Kind) -> Gate {
    Gate::default()
        .after_failure(&failure(kind), now, 0)
        .unwrap()
}

/// How long a gate that was closed `before` times is closed by a failure, at the least and at the most.
fn closes_for(failure: &CallFailure, before: u32) -> Option<(u64, u64)> {
    let gate = Gate {
        closings: before,
        ..Gate::default()
    };
    let waits: Vec<u64> = (0..2000u64)
        .map(|dice| dice.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .filter_map(|dice| gate.after_failure(failure, at(0), dice))
        .map(|gate| gate.closed_until.unwrap().since(at(0)).as_secs())
        .collect();
    Some((*waits.iter().min()?, *waits.iter().max()?))
}

#[test]
fn each_kind_of_failure_closes_the_gate_for_its_time_or_not_at_all() {
    let hour = Duration::from_secs(3600);
    // The first time, and the tenth in a row.
    let rows = [
        (
            failure(Kind::RateLimited).with_retry_after(hour),
            Some((3600, 3600)),
            Some((3600, 3600)),
        ),
        (
            failure(Kind::RateLimited).with_retry_after(Duration::ZERO),
            Some((1, 1)),
            Some((450, 900)),
        ),
        (
            failure(Kind::RateLimited).with_retry_after(24 * hour),
            Some((7200, 7200)),
            Some((7200, 7200)),
        ),
        (failure(Kind::RateLimited), Some((60, 60)), Some((450, 900))),
        // The semaphore's 429 names no time: seconds at first.
        (failure(Kind::Busy), Some((2, 2)), Some((450, 900))),
        (failure(Kind::Maintenance), Some((60, 60)), Some((450, 900))),
        (
            failure(Kind::Hibernating),
            Some((300, 300)),
            Some((450, 900)),
        ),
        (failure(Kind::Unavailable), Some((2, 2)), Some((450, 900))),
        (
            failure(Kind::Unavailable).with_retry_after(Duration::from_secs(120)),
            Some((120, 120)),
            Some((450, 900)),
        ),
        (failure(Kind::Unreachable), Some((2, 2)), Some((450, 900))),
        (
            failure(Kind::Unauthorized),
            Some((300, 300)),
            Some((300, 300)),
        ),
        (
            failure(Kind::RefreshWanted),
            Some((60, 60)),
            Some((450, 900)),
        ),
        (failure(Kind::Forbidden), Some((300, 300)), Some((300, 300))),
        (failure(Kind::Unusable), Some((300, 300)), Some((300, 300))),
        (failure(Kind::TimedOut), None, None),
        (failure(Kind::ConnectionLost), None, None),
        (failure(Kind::NoRights), None, None),
        (failure(Kind::NotFound), None, None),
        (failure(Kind::Invalid), None, None),
        (failure(Kind::Undecodable), None, None),
        (failure(Kind::TooLong), None, None),
        (failure(Kind::Foreign), None, None),
    ];
    for kind in Kind::ALL {
        assert!(
            rows.iter().any(|(failure, ..)| failure.kind == kind),
            "{kind:?} has no row"
        );
    }
    for (failure, first, tenth) in rows {
        let what = format!("{:?} {:?}", failure.kind, failure.retry_after());
        let seconds = |waits: Option<(u64, u64)>| waits.map(|(least, most)| (least, most + 1));
        for (before, expected) in [(0, first), (9, tenth)] {
            let seen = closes_for(&failure, before);
            let (Some((least, most)), Some((from, to))) = (seen, seconds(expected)) else {
                assert_eq!(seen, expected, "{what}");
                continue;
            };
            assert!(
                from <= least && most <= to,
                "{what}: {seen:?}, after {before} {expected:?}"
            );
        }
        assert!(!failure.hint().is_empty(), "{what}");
    }
}

#[test]
fn credentials_are_tried_three_times_in_ten_minutes_at_most() {
    let (mut gate, mut tries) = (Gate::default(), Vec::new());
    for second in 0..3600 {
        if !matches!(gate.passage(at(second)), Passage::ClosedUntil(_)) {
            tries.push(second);
            gate = gate
                .after_failure(&failure(Kind::Unauthorized), at(second), second)
                .unwrap();
        }
    }
    let within_ten_minutes = |from: &u64| {
        tries
            .iter()
            .filter(|at| (*from..=from + 600).contains(at))
            .count()
    };
    assert!(
        tries.len() > 5 && tries.iter().all(|from| within_ten_minutes(from) <= 3),
        "{tries:?}"
    );
}

#[test]
fn after_its_time_one_probe_goes_through_whoever_claims_it() {
    let gate = closed_at(at(0), Kind::RateLimited);
    assert_eq!(gate.passage(at(59)), Passage::ClosedUntil(at(60)));
    assert_eq!(gate.passage(at(60)), Passage::Probe);
    let claimed = gate.probed(at(70));
    let over = at(70).plus(PROBE_FOR);
    assert_eq!(claimed.passage(at(71)), Passage::ClosedUntil(over));
    assert_eq!(claimed.passage(over), Passage::Probe, "its prober died");
}

#[test]
fn after_a_probe_calls_at_once_are_one_two_four() {
    let mut gate = closed_at(at(0), Kind::Unavailable).probed(at(5));
    let mut seen = Vec::new();
    for second in 6..12 {
        gate = gate.after_success(at(second)).unwrap();
        seen.push(gate.passage(at(second)));
        if gate == Gate::default() {
            break;
        }
    }
    assert_eq!(seen, [Passage::Ramp(1), Passage::Ramp(2), Passage::Open]);
    assert_eq!(
        gate.after_success(at(20)),
        None,
        "an open gate stays as it is"
    );
}

#[test]
fn a_ramp_that_nobody_needs_is_over_after_two_minutes() {
    let gate = closed_at(at(0), Kind::Busy).after_success(at(10)).unwrap();
    assert_eq!(gate.passage(at(69)), Passage::Ramp(1));
    assert_eq!(gate.passage(at(70)), Passage::Ramp(2));
    assert_eq!(gate.passage(at(130)), Passage::Open);
    assert_eq!(gate.after_success(at(130)), Some(Gate::default()));
    assert_eq!(gate.passage(at(u64::from(u32::MAX))), Passage::Open);
}

#[test]
fn a_relapse_on_the_ramp_closes_for_longer() {
    let first = closed_at(at(0), Kind::Busy);
    let wait = |gate: &Gate, since: Timestamp| gate.closed_until.unwrap().since(since);
    let mut gate = first.clone();
    let mut last = wait(&first, at(0));
    for n in 1..8 {
        let now = at(10_000 * n);
        let ramp = gate.after_success(now).unwrap();
        gate = ramp
            .after_failure(&failure(Kind::Busy), now, u64::MAX / 2)
            .unwrap();
        assert!(
            wait(&gate, now) > last || last > Duration::from_secs(400),
            "{n}: {gate:?}"
        );
        last = wait(&gate, now);
    }
    assert_eq!(gate.closings, 8);
}

#[test]
fn of_calls_that_fail_together_the_first_one_closes_and_a_longer_wish_counts() {
    let gate = closed_at(at(0), Kind::Busy);
    assert_eq!(gate.after_failure(&failure(Kind::Busy), at(1), 7), None);
    let asked = failure(Kind::RateLimited).with_retry_after(Duration::from_secs(600));
    let longer = gate.after_failure(&asked, at(1), 7).unwrap();
    assert_eq!((longer.closed_until, longer.closings), (Some(at(601)), 1));
    assert_eq!(
        longer.after_failure(&failure(Kind::Unavailable), at(2), 7),
        None
    );
}

#[test]
fn a_gate_whose_reason_a_person_has_removed_is_probed_at_once() {
    let gate = closed_at(at(0), Kind::Unauthorized);
    let mended = gate.after_mending(at(10)).unwrap();
    assert_eq!(mended.passage(at(10)), Passage::Probe);
    assert_eq!(Gate::default().after_mending(at(10)), None);
    let asked_to_wait = closed_at(at(0), Kind::RateLimited);
    assert_eq!(asked_to_wait.after_mending(at(10)), None);
}
