//! The rules in force: which of them strikes a request.

use super::{Fault, FaultRule, Times};
use crate::journal::Kind;

/// The rules in force, with their own seeded dice.
#[derive(Debug, Clone)]
pub struct Faults {
    rules: Vec<Armed>,
    dice: u64,
}

#[derive(Debug, Clone)]
struct Armed {
    rule: FaultRule,
    seen: u32,
    struck: u32,
}

impl Faults {
    /// No rules.
    pub fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            dice: seed,
        }
    }

    /// Adds a rule; earlier rules win.
    pub fn add(&mut self, rule: FaultRule) {
        self.rules.push(Armed {
            rule,
            seen: 0,
            struck: 0,
        });
    }

    /// Drops all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules in force, oldest first, also those that are spent.
    pub fn rules(&self) -> impl Iterator<Item = &FaultRule> {
        self.rules.iter().map(|armed| &armed.rule)
    }

    /// How many times any rule has struck.
    pub fn struck(&self) -> u32 {
        self.rules.iter().map(|armed| armed.struck).sum()
    }

    /// Shows a request to every rule, and returns the fault of the first that strikes.
    pub fn strike(&mut self, kind: Kind, table: Option<&str>) -> Option<Fault> {
        let dice = &mut self.dice;
        let mut found = None;
        for armed in &mut self.rules {
            let rule = &armed.rule;
            if !rule.kind.covers(kind)
                || rule
                    .table
                    .as_deref()
                    .is_some_and(|wanted| Some(wanted) != table)
            {
                continue;
            }
            armed.seen += 1;
            let left = match rule.times {
                Times::Once => armed.struck == 0,
                Times::N(n) => armed.struck < n,
                Times::Always => true,
            };
            let due = left
                && rule.nth.is_none_or(|n| armed.seen == n)
                && rule
                    .every
                    .is_none_or(|k| k > 0 && armed.seen.is_multiple_of(k))
                && rule.probability.is_none_or(|p| roll(dice) < p);
            if due && found.is_none() {
                armed.struck += 1;
                found = Some(rule.fault.clone());
            }
        }
        found
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), as a number in 0..1.
fn roll(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(rule: FaultRule, requests: usize) -> Vec<usize> {
        let mut faults = Faults::new(7);
        faults.add(rule);
        (1..=requests)
            .filter(|_| faults.strike(Kind::Create, Some("incident")).is_some())
            .collect()
    }

    #[test]
    fn a_rule_strikes_as_often_as_it_says() {
        let cases = [
            (FaultRule::once(Kind::Create, Fault::Null200), vec![1]),
            (FaultRule::times(Kind::Any, 2, Fault::Null200), vec![1, 2]),
            (
                FaultRule::always(Kind::Create, Fault::Null200),
                vec![1, 2, 3, 4, 5, 6],
            ),
            (
                FaultRule::once(Kind::Create, Fault::Null200).nth(3),
                vec![3],
            ),
            (
                FaultRule::always(Kind::Create, Fault::Null200).nth(3),
                vec![3],
            ),
            (
                FaultRule::always(Kind::Create, Fault::Null200).every(2),
                vec![2, 4, 6],
            ),
            (
                FaultRule::times(Kind::Create, 2, Fault::Null200).every(2),
                vec![2, 4],
            ),
            (FaultRule::always(Kind::Query, Fault::Null200), vec![]),
            (
                FaultRule::always(Kind::Create, Fault::Null200).on_table("problem"),
                vec![],
            ),
            (
                FaultRule::once(Kind::Create, Fault::Null200).on_table("incident"),
                vec![1],
            ),
            (
                FaultRule::always(Kind::Create, Fault::Null200).probability(0.0),
                vec![],
            ),
        ];
        for (rule, expected) in cases {
            assert_eq!(strikes(rule.clone(), 6), expected, "{rule:?}");
        }
    }

    #[test]
    fn dice_follow_the_seed() {
        let rule = FaultRule::always(Kind::Create, Fault::Null200).probability(0.5);
        let first = strikes(rule.clone(), 200);
        assert_eq!(first, strikes(rule, 200));
        assert!((60..140).contains(&first.len()), "{}", first.len());
    }

    #[test]
    fn the_first_rule_that_is_due_wins_and_the_next_keeps_its_turn() {
        let mut faults = Faults::new(0);
        faults.add(FaultRule::once(Kind::Create, Fault::Null200));
        faults.add(FaultRule::once(Kind::Any, Fault::Empty202));
        assert_eq!(faults.strike(Kind::Create, None), Some(Fault::Null200));
        assert_eq!(faults.strike(Kind::Create, None), Some(Fault::Empty202));
        assert_eq!(faults.strike(Kind::Create, None), None);
        assert_eq!(faults.struck(), 2);
    }

    #[test]
    fn a_rule_is_readable_json() {
        let text = r#"{"kind":"create","times":{"n":2},"fault":{"status":{"code":503,"retry_after":"120","body":"html"}}}"#;
        let rule: FaultRule = serde_json::from_str(text).unwrap();
        assert_eq!(rule.fault.name(), "status");
        assert_eq!(rule.times, Times::N(2));
        for (fault, json) in [
            (Fault::ResetBeforeRead, r#""reset_before_read""#),
            (
                Fault::Slow {
                    by: std::time::Duration::from_millis(1500),
                },
                r#"{"slow":{"by_ms":1500}}"#,
            ),
            (
                Fault::ClockOff { by: -60_000 },
                r#"{"clock_off":{"by_ms":-60000}}"#,
            ),
            (
                Fault::Forbidden403(super::super::Forbidden::BusinessRule),
                r#"{"forbidden403":"business_rule"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&fault).unwrap(), json);
            assert_eq!(serde_json::from_str::<Fault>(json).unwrap(), fault);
        }
    }
}
