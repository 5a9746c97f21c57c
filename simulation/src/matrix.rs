//! The crash matrix: each core scenario once as it should be, then again with a death before and after each of its port
//! calls, with each pair of deaths, and with each of its product calls spoilt in each way (reliability-security §3.3).

use std::time::Duration;

use simulators::fault::{Fault, FaultBody, FaultRule};
use simulators::journal::Kind;

use crate::alerts::{Episode, Planned};
use crate::frugality;
use crate::ledger::{KillAt, Violation};
use crate::pool::spread;
use crate::report::{Failure, Tally, replay_case};
use crate::run::{Order, Ran};
use crate::seeds::guarded;
use crate::swarm::{Swarm, Variant};

/// What happens, without any fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// An alert fires.
    Create,
    /// An alert fires and resolves.
    CreateAndResolve,
    /// An alert fires and is delivered twice at once.
    DuplicateAtOnce,
    /// The end is delivered before the beginning.
    ResolvedFirst,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Create,
        Self::CreateAndResolve,
        Self::DuplicateAtOnce,
        Self::ResolvedFirst,
    ];

    /// Its name in cases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::CreateAndResolve => "create-and-resolve",
            Self::DuplicateAtOnce => "duplicate-at-once",
            Self::ResolvedFirst => "resolved-first",
        }
    }

    fn alerts(self) -> (Vec<Episode>, Vec<Planned>) {
        let resolves = matches!(self, Self::CreateAndResolve | Self::ResolvedFirst);
        let seconds = Duration::from_secs;
        let episode = Episode::new(0, seconds(5), resolves.then(|| seconds(15)));
        let at = |second, is_resolved| Planned {
            at: seconds(second),
            episode: 0,
            is_resolved,
        };
        let planned = match self {
            Self::Create => vec![at(10, false)],
            Self::CreateAndResolve => vec![at(10, false), at(20, true)],
            Self::DuplicateAtOnce => vec![at(10, false), at(10, false)],
            Self::ResolvedFirst => vec![at(20, true), at(30, false)],
        };
        (vec![episode], planned)
    }

    /// The scenario without faults.
    pub fn order(self, variant: Variant) -> Order {
        let mut swarm = Swarm::calm(1, variant);
        swarm.hosts = 2;
        Order {
            alerts: self.alerts(),
            swarm,
            rules: Vec::new(),
            kills: Vec::new(),
            planted: None,
            trace: false,
        }
    }
}

/// One run of the matrix.
#[derive(Debug, Clone)]
struct Case {
    name: String,
    variant: Variant,
    order: Order,
}

/// The ways in which a call to the product is spoilt.
fn spoilers() -> Vec<(&'static str, Fault)> {
    let late = Duration::from_secs(60);
    let limited = Fault::Status {
        code: 429,
        retry_after: Some("30".to_owned()),
        rate_headers: false,
        body: FaultBody::Json,
    };
    vec![
        ("lost-before", Fault::DropReplyBeforeWrite),
        ("lost-after", Fault::DropReplyAfterWrite),
        ("late", Fault::ExecuteLate { after: late }),
        ("html", Fault::Html200),
        ("limited", limited),
        ("committed-500", Fault::CommitThen500),
        ("reset", Fault::ResetBeforeRead),
        ("unauthorized", Fault::TokenExpiredEarly),
    ]
}

/// How much of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Each death and each spoilt call alone.
    Singles,
    /// Also each pair of them.
    Pairs,
}

fn cases(scenario: Scenario, variant: Variant, extent: Extent, as_it_should_be: &Ran) -> Vec<Case> {
    let case = |name: String, change: &dyn Fn(&mut Order)| {
        let mut order = scenario.order(variant);
        change(&mut order);
        let name = format!("{}/{name}", scenario.as_str());
        Case {
            name,
            variant,
            order,
        }
    };
    let mut cases = vec![case("no-fault".to_owned(), &|_| {})];
    let word = |after| if after { "after" } else { "before" };
    let deaths: Vec<KillAt> = (1..=as_it_should_be.calls)
        .flat_map(|call| [false, true].map(|after| KillAt { call, after }))
        .collect();
    for first in &deaths {
        let name = format!("{}-{}", word(first.after), first.call);
        cases.push(case(name.clone(), &|order| order.kills = vec![*first]));
        let pairs = extent == Extent::Pairs;
        for second in deaths
            .iter()
            .filter(|second| pairs && second.call > first.call)
        {
            let name = format!("{name}-and-{}-{}", word(second.after), second.call);
            cases.push(case(name, &|order| order.kills = vec![*first, *second]));
        }
    }
    for call in 1..=u32::try_from(as_it_should_be.product_calls).unwrap_or(0) {
        for (word, fault) in spoilers() {
            let rule = FaultRule::once(Kind::Any, fault).nth(call);
            let name = format!("product-{call}-{word}");
            cases.push(case(name.clone(), &|order| {
                order.rules = vec![rule.clone()]
            }));
            for death in deaths.iter().filter(|_| extent == Extent::Pairs) {
                let when = if death.after { "after" } else { "before" };
                let name = format!("{name}-and-{when}-{}", death.call);
                cases.push(case(name, &|order| {
                    order.rules = vec![rule.clone()];
                    order.kills = vec![*death];
                }));
            }
        }
    }
    cases
}

/// Runs all of it, or one case.
pub fn run_all(variants: &[Variant], extent: Extent, only: Option<&str>, trace: bool) -> Tally {
    let mut tally = Tally::default();
    let mut all = Vec::new();
    for variant in variants {
        for scenario in Scenario::ALL {
            let as_it_should_be = guarded(scenario.order(*variant));
            let seen = frugality::check(scenario, *variant, &as_it_should_be);
            blame(&mut tally, "frugality", *variant, seen, &as_it_should_be);
            all.extend(cases(scenario, *variant, extent, &as_it_should_be));
        }
        let (ran, seen) = frugality::warm(*variant);
        blame(&mut tally, "warm", *variant, seen, &ran);
    }
    all.retain(|case| only.is_none_or(|only| case.name == only));
    for case in &mut all {
        case.order.trace = trace;
    }
    let work = |tally: &mut Tally, case: &Case| {
        let ran = guarded(case.order.clone());
        tally.matrix += 1;
        tally.add(&ran);
        let violations = ran.violations.clone();
        if trace && violations.is_empty() {
            tally
                .traces
                .extend(ran.lines.iter().map(ToString::to_string));
        }
        blame(tally, &case.name, case.variant, violations, &ran);
    };
    tally.merge(spread(&all, work, &|_| true));
    tally
}

fn blame(tally: &mut Tally, name: &str, variant: Variant, violations: Vec<Violation>, ran: &Ran) {
    if violations.is_empty() {
        return;
    }
    tally.failures.push(Failure {
        name: format!("case {name}"),
        variant,
        violations,
        settings: "  no faults but those of the case".to_owned(),
        lines: ran.lines.clone(),
        replay: replay_case(name, variant),
    });
}
