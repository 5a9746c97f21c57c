//! The simulation itself: a seed decides everything, the connector holds under some hundred seeds, and each defence that
//! is taken away is missed.

use itsm_connector::stores::probe::Probed;
use simulation::matrix::{self, Extent};
use simulation::planted::Planted;
use simulation::planted::hunt::{EXPECTED, Expected, hunt};
use simulation::run::{Order, Ran};
use simulation::seeds::{Request, run_all, run_seed};
use simulation::swarm::Variant;
use simulation::tokens::life::{self, Plan};

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
fn forty_seeds_hold_and_the_first_twenty_repeat_themselves() {
    let tally = run_all(&seeds(0, 40), &|_| true);
    let failures: Vec<String> = tally
        .failures
        .iter()
        .map(|failure| format!("{} {}", failure.name, failure.summary()))
        .collect();
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!((tally.seeded, tally.repeated), (80, 40));
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

/// Of each kind of issuer; the program runs 400 days of each seed.
#[test]
fn forty_days_of_tokens_hold_and_repeat_themselves() {
    for seed in [24, 43, 200] {
        let mut plan = Plan::new(seed, None);
        plan.days = 40;
        let year = life::run(plan);
        assert_eq!(year.violations, Vec::<String>::new(), "seed {seed}");
        assert!(year.sum.calls > 45_000, "{:?}", year.sum);
        assert_eq!(life::run(plan).print, year.print);
    }
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

/// Those that are found soon; `simulation --planted-bugs` has all of them.
#[test]
fn a_defence_that_is_taken_away_is_missed_and_the_replay_shows_it_again() {
    let soon = EXPECTED.iter().filter(|expected| expected.p > 0.3);
    for expected in soon {
        let bug = expected.bug;
        let (seed, _) = hunt(expected, 0)
            .first
            .unwrap_or_else(|| panic!("{bug:?} is not missed"));
        let missed = run_seed(seed, expected.variant, Some(bug), false);
        let again = run_seed(seed, expected.variant, Some(bug), true);
        assert_eq!(again.hash, missed.hash, "{bug:?}");
        assert_eq!(again.violations, missed.violations, "{bug:?}");
        let sound = run_seed(seed, expected.variant, None, false);
        assert_eq!(invariants(&sound), Vec::<&str>::new(), "{bug:?}");
    }
}

#[test]
fn each_planted_bug_has_its_share_of_seeds() {
    for bug in Planted::ALL {
        let expected = Expected::of(*bug).unwrap_or_else(|| panic!("{bug:?} has none"));
        assert!((0.0005..=1.0).contains(&expected.p), "{bug:?}");
        assert_eq!(Planted::parse(bug.as_str()), Some(*bug));
        assert!(bug.meaning().ends_with('.'), "{}", bug.meaning());
    }
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    let refused = |planted| {
        let mut order = Order::of_seed(0, Variant::Enforced);
        order.planted = planted;
        simulation::run::probe(order)
    };
    assert_eq!(refused(None), Probed::Sound);
    assert_eq!(
        refused(Some(Planted::ConflictsSucceed)),
        Probed::IgnoresConditions
    );
}

#[test]
fn a_failure_says_how_to_see_it_again() {
    let request = Request {
        planted: Some(Planted::LosesMarkers),
        seeds: vec![0],
        ..seeds(0, 0)
    };
    let tally = run_all(&request, &|_| true);
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
