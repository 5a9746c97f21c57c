//! The simulation itself: a seed decides everything, the connector holds under some hundred seeds, and each defence that
//! is taken away is missed.

use simulation::counters;
use simulation::matrix::{self, Extent};
use simulation::planted::Planted;
use simulation::run::{Order, Ran, run};
use simulation::seeds::{Request, run_all, run_seed};
use simulation::swarm::{Class, Variant};

fn seeds(from: u64, to: u64) -> Request {
    Request {
        seeds: (from..to).collect(),
        variants: Variant::ALL.to_vec(),
        planted: None,
        trace: false,
    }
}

fn invariants(ran: &Ran) -> Vec<&'static str> {
    ran.violations
        .iter()
        .map(|violation| violation.invariant)
        .collect()
}

#[test]
fn a_hundred_seeds_hold_and_the_first_twenty_repeat_themselves() {
    let tally = run_all(&seeds(0, 100), &|_| {});
    let failures: Vec<String> = tally
        .failures
        .iter()
        .map(|failure| format!("{} {}", failure.name, failure.summary()))
        .collect();
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!((tally.seeded, tally.repeated), (200, 40));
}

#[test]
fn each_death_and_each_spoilt_call_of_the_core_scenarios_is_survived() {
    let tally = matrix::run_all(&Variant::ALL, Extent::Singles, None, false);
    let failures: Vec<String> = tally
        .failures
        .iter()
        .map(|failure| format!("{} {}", failure.name, failure.summary()))
        .collect();
    assert_eq!(failures, Vec::<String>::new());
    assert!(tally.matrix > 500, "{}", tally.matrix);
}

#[test]
fn two_seeds_differ_and_one_does_not_differ_from_itself() {
    let hash = |seed| run_seed(seed, Variant::BestEffort, None, false).hash;
    assert_eq!(hash(17), hash(17));
    assert_ne!(hash(17), hash(18));
    let traced = run_seed(17, Variant::BestEffort, None, true);
    assert_eq!(traced.hash, hash(17), "looking changes nothing");
    assert!(traced.lines.len() as u64 >= traced.calls);
}

/// Each bug, and one of the invariants that it breaks.
#[test]
fn a_defence_that_is_taken_away_is_missed_and_the_replay_shows_it_again() {
    let bugs = [
        (Planted::ConflictsSucceed, Variant::Enforced, "I8"),
        (Planted::AnswersUndurable, Variant::Enforced, "I1"),
        (Planted::LosesMarkers, Variant::Enforced, "I1"),
        (Planted::UnknownIsRefused, Variant::BestEffort, "I4"),
    ];
    for (bug, variant, invariant) in bugs {
        let missed = (0..50)
            .map(|seed| (seed, run_seed(seed, variant, Some(bug), false)))
            .find(|(_, ran)| invariants(ran).contains(&invariant));
        let (seed, missed) = missed.unwrap_or_else(|| panic!("{bug:?} is not missed"));
        let again = run_seed(seed, variant, Some(bug), true);
        assert_eq!(again.hash, missed.hash, "{bug:?}");
        assert_eq!(again.violations, missed.violations, "{bug:?}");
        let sound = run_seed(seed, variant, None, false);
        assert_eq!(invariants(&sound), Vec::<&str>::new(), "{bug:?}");
    }
}

/// Without the audit a second item stays only if a process stands still for long: so many do here.
#[test]
fn an_audit_that_sees_nothing_is_missed() {
    let run_with = |seed, planted| {
        let mut order = Order::of_seed(seed, Variant::BestEffort);
        order.swarm = order.swarm.with(Class::Freeze, 0.7);
        order.planted = planted;
        run(order)
    };
    let seed = (0..300)
        .find(|seed| invariants(&run_with(*seed, Some(Planted::BlindAudit))).contains(&"I4"))
        .expect("it is missed");
    let sound = run_with(seed, None);
    assert_eq!(invariants(&sound), Vec::<&str>::new(), "seed {seed}");
    assert!(
        sound.counters.get(counters::EXTRA_CLOSED) > 0,
        "seed {seed}"
    );
}

#[test]
fn a_failure_says_how_to_see_it_again() {
    let request = Request {
        planted: Some(Planted::LosesMarkers),
        seeds: vec![0],
        ..seeds(0, 0)
    };
    let tally = run_all(&request, &|_| {});
    let failure = tally.failures.first().expect("the bug is found");
    let text = failure.as_text();
    for part in [
        "seed 0 enforced",
        "faults for 45 min",
        "store create journal/contoso/",
        "I1: ",
        "cargo run -p simulation -- --seed 0 --variant enforced --planted loses-markers --trace",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!tally.is_green(false));
}
