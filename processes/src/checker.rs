//! Holds what the sender was told against what the product has done: whatever was promised has its effect exactly once,
//! what is unknown at most once, what was refused none.

use std::collections::BTreeSet;
use std::fmt;

use crate::alerts::Condition;
use crate::evidence::{Deed, Evidence, Item};
use crate::history::Verdict;

/// What must not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// An alert was acknowledged and there is no work item.
    Lost,
    /// Two work items of an alert count in the end.
    Doubled,
    /// Two were made although the product keeps the key unique.
    MadeTwice,
    /// A Resolved was acknowledged and the work item is open.
    NotResolved,
    /// A work item was resolved and nobody said so.
    ResolvedUnasked,
    /// It was resolved twice, and no call was disturbed that would explain it.
    ResolvedTwice,
    /// A refused message had an effect.
    RefusedHadEffect,
    /// There is a work item that no alert asked for.
    Unasked,
    /// A record of somebody else was touched.
    Foreign,
    /// The effects of an alert came in another order than Fired, Resolved.
    Order,
    /// Something was written that no alert asks for.
    StrangeWrite,
    /// Something was given up.
    GivenUp,
    /// Something still waits.
    LeftPending,
    /// A good message was refused, or a bad one taken.
    WrongAnswer,
    /// After the storm there were errors still: such a run proves nothing.
    ErrorsToTheEnd,
}

/// A violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Of what.
    pub rule: Rule,
    /// The alert concerned, if there is one.
    pub tag: Option<String>,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag.as_deref().unwrap_or("no alert");
        write!(f, "{:?}: {tag}: {}", self.rule, self.seen)
    }
}

/// The state of an incident in which somebody should be working on it.
const OPEN: [&str; 3] = ["1", "2", "3"];

/// The state of a resolved incident.
const RESOLVED: &str = "6";

/// All violations.
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let mut seen = Vec::new();
    let tags: BTreeSet<&str> = evidence
        .verdicts
        .keys()
        .map(|(tag, _)| tag.as_str())
        .collect();
    for tag in &tags {
        let mut accuse = |rule, what: String| {
            seen.push(Violation {
                rule,
                tag: Some((*tag).to_owned()),
                seen: what,
            });
        };
        check_answers(evidence, tag, &mut accuse);
        check_items(evidence, tag, &mut accuse);
        for item in evidence.items_of(tag) {
            check_effects(evidence, item, &mut accuse);
        }
    }
    check_the_rest(evidence, &tags, &mut seen);
    seen
}

type Accuse<'a> = &'a mut dyn FnMut(Rule, String);

fn check_answers(evidence: &Evidence, tag: &str, accuse: Accuse<'_>) {
    let is_bad = evidence.bad.contains(tag);
    for condition in [Condition::Fired, Condition::Resolved] {
        match evidence.verdict(tag, condition) {
            Some(Verdict::Ok) if is_bad => {
                accuse(
                    Rule::WrongAnswer,
                    format!("{condition:?} was bad and was taken"),
                );
            }
            Some(Verdict::Fail) if !is_bad => {
                accuse(
                    Rule::WrongAnswer,
                    format!("{condition:?} was good and was refused"),
                );
            }
            _ => {}
        }
    }
}

fn check_items(evidence: &Evidence, tag: &str, accuse: Accuse<'_>) {
    let all: Vec<&Item> = evidence.items_of(tag).collect();
    let counting: Vec<&&Item> = all.iter().filter(|item| !item.is_duplicate).collect();
    let numbers = || {
        let numbers: Vec<&str> = all.iter().map(|item| item.number.as_str()).collect();
        numbers.join(", ")
    };
    if evidence.bad.contains(tag) {
        if !all.is_empty() {
            accuse(Rule::RefusedHadEffect, numbers());
        }
        return;
    }
    match (evidence.verdict(tag, Condition::Fired), counting.len()) {
        (Some(Verdict::Ok), 0) => {
            accuse(
                Rule::Lost,
                "Fired was acknowledged, there is no work item".to_owned(),
            );
        }
        (None | Some(Verdict::Fail), 1..) => accuse(Rule::RefusedHadEffect, numbers()),
        (_, 2..) => accuse(Rule::Doubled, numbers()),
        _ => {}
    }
    if evidence.keys_are_unique && all.len() > 1 {
        accuse(Rule::MadeTwice, numbers());
    }
    let resolved = evidence.verdict(tag, Condition::Resolved);
    for item in counting {
        let Item { number, state, .. } = item;
        match resolved {
            Some(Verdict::Ok) if state != RESOLVED => {
                accuse(Rule::NotResolved, format!("{number} is in state {state}"));
            }
            None | Some(Verdict::Fail) if !OPEN.contains(&state.as_str()) => {
                accuse(
                    Rule::ResolvedUnasked,
                    format!("{number} is in state {state}"),
                );
            }
            _ => {}
        }
    }
}

fn check_effects(evidence: &Evidence, item: &Item, accuse: Accuse<'_>) {
    let number = &item.number;
    let deeds: Vec<&Deed> = evidence
        .effects_on(&item.sys_id)
        .map(|effect| &effect.deed)
        .collect();
    let is_first = |n: usize| n == 0;
    for (n, deed) in deeds.iter().enumerate() {
        match deed {
            Deed::Made if !is_first(n) => {
                accuse(
                    Rule::Order,
                    format!("{number} was made after something else was done to it"),
                );
            }
            Deed::Resolved | Deed::ClosedAsDuplicate if is_first(n) => {
                accuse(
                    Rule::Order,
                    format!("{number}: {deed:?} before it was made"),
                );
            }
            Deed::Reopened => accuse(Rule::Order, format!("{number} was opened again")),
            Deed::Other(fields) => accuse(Rule::StrangeWrite, format!("{number}: {fields}")),
            Deed::Made | Deed::Resolved | Deed::ClosedAsDuplicate => {}
        }
    }
    let resolves = deeds
        .iter()
        .filter(|deed| ***deed == Deed::Resolved)
        .count();
    if resolves > 1 && !evidence.disturbed.contains(&item.sys_id) {
        accuse(Rule::ResolvedTwice, format!("{number}, {resolves} times"));
    }
}

fn check_the_rest(evidence: &Evidence, tags: &BTreeSet<&str>, seen: &mut Vec<Violation>) {
    let mut accuse = |rule, tag: Option<&String>, what: String| {
        seen.push(Violation {
            rule,
            tag: tag.cloned(),
            seen: what,
        });
    };
    for item in &evidence.items {
        if !item.tag.as_deref().is_some_and(|tag| tags.contains(tag)) {
            accuse(Rule::Unasked, item.tag.as_ref(), item.number.clone());
        }
    }
    let ours: BTreeSet<&str> = evidence
        .items
        .iter()
        .map(|item| item.sys_id.as_str())
        .collect();
    for effect in &evidence.effects {
        if !ours.contains(effect.sys_id.as_str()) {
            accuse(Rule::Foreign, None, format!("{effect:?}"));
        }
    }
    for change in &evidence.foreign_changes {
        accuse(Rule::Foreign, None, change.clone());
    }
    for waiting in &evidence.pending {
        accuse(Rule::LeftPending, None, waiting.clone());
    }
    for dead in &evidence.dead {
        accuse(Rule::GivenUp, None, dead.clone());
    }
    let errors = evidence.calm.iter().filter(|ok| !**ok).count();
    if errors > 0 || evidence.calm.is_empty() {
        let all = evidence.calm.len();
        accuse(
            Rule::ErrorsToTheEnd,
            None,
            format!("{errors} of {all} tries after the storm were not answered 2xx"),
        );
    }
}

#[cfg(test)]
mod tests;
