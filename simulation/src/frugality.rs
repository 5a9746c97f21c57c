//! What a good day costs: calls to the product, and round trips to the store before the answer (P8, DESIGN §6).

use std::time::Duration;

use crate::alerts::{Episode, Planned};
use crate::ledger::{Line, Violation};
use crate::matrix::Scenario;
use crate::run::{Order, Ran};
use crate::seeds::guarded;
use crate::swarm::{Swarm, Variant};

/// How long a round trip to the store takes in these runs.
const ROUND_TRIP: Duration = Duration::from_millis(10);

/// Round trips, one after the other, before the product is called: keep the alert, claim the slot.
const BEFORE_CREATE: u32 = 2;

/// Round trips after the product has answered.
const AFTER_CREATE: u32 = 1;

/// How long the product takes in these runs.
const PRODUCT_TAKES: Duration = Duration::from_millis(100);

fn product_calls(ran: &Ran) -> impl Iterator<Item = &Line> {
    ran.lines
        .iter()
        .filter(|line| line.what.starts_with("product "))
}

fn violation(seen: String) -> Violation {
    Violation {
        invariant: "P8",
        seen,
    }
}

/// Counts the calls of a scenario without faults.
pub fn check(scenario: Scenario, variant: Variant, ran: &Ran) -> Vec<Violation> {
    let mut seen = ran.violations.clone();
    let is_token = |line: &&Line| line.what.contains("oauth_token");
    let calls = product_calls(ran).filter(|line| !is_token(line)).count();
    let allowed = match scenario {
        Scenario::Create | Scenario::DuplicateAtOnce => 1,
        // Whose end is known before it is made is made resolved, where it cannot be made twice.
        Scenario::ResolvedFirst if variant == Variant::Enforced => 1,
        Scenario::CreateAndResolve | Scenario::ResolvedFirst => 3,
    };
    if calls != allowed {
        seen.push(violation(format!(
            "{} {}: {calls} calls to the product, {allowed} are allowed",
            scenario.as_str(),
            variant.as_str()
        )));
    }
    seen
}

/// A host that has taken an alert before takes another one.
pub fn warm(variant: Variant) -> (Ran, Vec<Violation>) {
    let seconds = Duration::from_secs;
    let episodes = vec![
        Episode::new(0, seconds(5), None),
        Episode::new(1, seconds(100), None),
    ];
    let at = |second, episode| Planned {
        at: seconds(second),
        episode,
        is_resolved: false,
    };
    let ran = guarded(Order {
        swarm: Swarm::calm(1, variant),
        alerts: (episodes, vec![at(10, 0), at(110, 1)]),
        rules: Vec::new(),
        kills: Vec::new(),
        planted: None,
        trace: true,
    });
    let mut seen = ran.violations.clone();
    let second = |line: &&Line| line.at >= seconds(110) && line.node.starts_with("host");
    let moment = |word: &str| {
        ran.lines
            .iter()
            .filter(second)
            .find(|line| line.what.starts_with(word))
            .map(|line| line.at)
    };
    let (Some(sent), Some(create), Some(answered)) = (
        moment("azure sends"),
        moment("product POST /api"),
        moment("azure gets 200 created"),
    ) else {
        seen.push(violation("the second alert was not made inline".to_owned()));
        return (ran, seen);
    };
    let before = create.saturating_sub(sent);
    let after = answered.saturating_sub(create + PRODUCT_TAKES);
    if before > ROUND_TRIP * BEFORE_CREATE {
        seen.push(violation(format!(
            "the product was called {} ms after the alert came, two round trips are {} ms",
            before.as_millis(),
            (ROUND_TRIP * BEFORE_CREATE).as_millis()
        )));
    }
    if after > ROUND_TRIP * AFTER_CREATE {
        seen.push(violation(format!(
            "the answer left {} ms after the product's",
            after.as_millis()
        )));
    }
    let others = ["vault ", "product POST /oauth"].map(|word| moment(word).is_some());
    if others.contains(&true) {
        seen.push(violation(
            "a warm alert asked the vault or for a token".to_owned(),
        ));
    }
    (ran, seen)
}
