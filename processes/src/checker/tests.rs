//! The checker must be able to fail: a history that is right, and histories that are wrong in one way each.

use super::*;
use crate::alerts::Condition::{Fired, Resolved as ResolvedMessage};
use crate::evidence::Effect;

/// An alert's story in a few words, to be made wrong.
struct Story(Evidence);

impl Story {
    /// Fired and Resolved acknowledged; made, resolved.
    fn right() -> Self {
        Self(Evidence {
            keys_are_unique: true,
            calm: vec![true],
            ..Evidence::default()
        })
        .told("a", Fired, Verdict::Ok)
        .told("a", ResolvedMessage, Verdict::Ok)
        .item("1", "a", "6")
        .deed("1", Deed::Made)
        .deed("1", Deed::Resolved)
    }

    fn told(mut self, tag: &str, condition: Condition, verdict: Verdict) -> Self {
        self.0.verdicts.insert((tag.to_owned(), condition), verdict);
        self
    }

    fn item(mut self, sys_id: &str, tag: &str, state: &str) -> Self {
        self.0.items.push(Item {
            sys_id: sys_id.to_owned(),
            number: format!("INC{sys_id}"),
            tag: Some(tag.to_owned()),
            state: state.to_owned(),
            is_duplicate: false,
        });
        self
    }

    fn deed(mut self, sys_id: &str, deed: Deed) -> Self {
        let place = self.0.effects.len();
        self.0.effects.push(Effect {
            place,
            sys_id: sys_id.to_owned(),
            deed,
        });
        self
    }

    fn but(mut self, change: impl FnOnce(&mut Evidence)) -> Self {
        change(&mut self.0);
        self
    }

    fn rules(&self) -> Vec<Rule> {
        check(&self.0).into_iter().map(|one| one.rule).collect()
    }
}

#[test]
fn what_is_right_is_not_accused() {
    let cases = [
        ("as it should be", Story::right()),
        (
            "still firing",
            Story::right()
                .told("b", Fired, Verdict::Ok)
                .item("2", "b", "1")
                .deed("2", Deed::Made),
        ),
        (
            "unknown, with an effect",
            Story::right()
                .told("b", Fired, Verdict::Unknown)
                .told("b", ResolvedMessage, Verdict::Unknown)
                .item("2", "b", "1")
                .deed("2", Deed::Made),
        ),
        (
            "unknown, without",
            Story::right().told("b", Fired, Verdict::Unknown),
        ),
        (
            "resolved twice, and a call was disturbed",
            Story::right()
                .deed("1", Deed::Resolved)
                .but(|all| all.disturbed.extend(["1".to_owned()])),
        ),
        (
            "one too many, closed",
            Story::right()
                .item("2", "a", "6")
                .deed("2", Deed::Made)
                .deed("2", Deed::ClosedAsDuplicate)
                .but(|all| {
                    all.keys_are_unique = false;
                    all.items[1].is_duplicate = true;
                }),
        ),
        (
            "bad and refused",
            Story::right()
                .told("b", Fired, Verdict::Fail)
                .but(|all| all.bad.extend(["b".to_owned()])),
        ),
    ];
    for (what, story) in cases {
        assert_eq!(check(&story.0), [], "{what}");
    }
}

#[test]
fn each_wrong_is_accused_by_its_name() {
    let second = |story: Story| story.item("2", "a", "6").deed("2", Deed::Made);
    let cases = [
        (Rule::Lost, Story::right().told("b", Fired, Verdict::Ok)),
        (
            Rule::Doubled,
            second(Story::right()).but(|all| all.keys_are_unique = false),
        ),
        (
            Rule::MadeTwice,
            second(Story::right()).but(|all| all.items[1].is_duplicate = true),
        ),
        (
            Rule::NotResolved,
            Story::right().but(|all| all.items[0].state = "1".to_owned()),
        ),
        (
            Rule::ResolvedUnasked,
            Story::right().but(|all| {
                all.verdicts.remove(&("a".to_owned(), ResolvedMessage));
            }),
        ),
        (
            Rule::ResolvedTwice,
            Story::right().deed("1", Deed::Resolved),
        ),
        (
            Rule::RefusedHadEffect,
            Story::right()
                .told("b", Fired, Verdict::Fail)
                .item("2", "b", "1")
                .deed("2", Deed::Made)
                .but(|all| all.bad.extend(["b".to_owned()])),
        ),
        (
            Rule::RefusedHadEffect,
            Story::right()
                .told("b", ResolvedMessage, Verdict::Ok)
                .item("2", "b", "6")
                .deed("2", Deed::Made),
        ),
        (
            Rule::Unasked,
            Story::right().item("2", "z", "1").deed("2", Deed::Made),
        ),
        (
            Rule::Unasked,
            Story::right()
                .item("2", "", "1")
                .deed("2", Deed::Made)
                .but(|all| all.items[1].tag = None),
        ),
        (Rule::Foreign, Story::right().deed("9", Deed::Resolved)),
        (
            Rule::Foreign,
            Story::right().but(|all| all.foreign_changes.push("INC9".to_owned())),
        ),
        (Rule::Order, Story::right().deed("1", Deed::Reopened)),
        (Rule::Order, Story::right().but(|all| all.effects.reverse())),
        (
            Rule::StrangeWrite,
            Story::right().deed("1", Deed::Other("priority".to_owned())),
        ),
        (
            Rule::GivenUp,
            Story::right().but(|all| all.dead.push("b".to_owned())),
        ),
        (
            Rule::LeftPending,
            Story::right().but(|all| all.pending.push("b".to_owned())),
        ),
        (
            Rule::WrongAnswer,
            Story::right().told("b", Fired, Verdict::Fail),
        ),
        (
            Rule::WrongAnswer,
            Story::right()
                .told("b", Fired, Verdict::Ok)
                .but(|all| all.bad.extend(["b".to_owned()])),
        ),
        (
            Rule::ErrorsToTheEnd,
            Story::right().but(|all| all.calm.push(false)),
        ),
        (
            Rule::ErrorsToTheEnd,
            Story::right().but(|all| all.calm.clear()),
        ),
    ];
    for (rule, story) in cases {
        assert!(
            story.rules().contains(&rule),
            "{rule:?}: {:?}",
            story.rules()
        );
        let others: Vec<Rule> = story
            .rules()
            .into_iter()
            .filter(|other| *other != rule)
            .collect();
        assert_eq!(others, [], "{rule:?} alone");
    }
}

#[test]
fn every_rule_has_a_history_that_breaks_it() {
    // The last of them: a rule that is added without a case above is seen here.
    assert_eq!(Rule::ErrorsToTheEnd as usize + 1, 15);
}
