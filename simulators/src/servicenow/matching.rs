//! Which records a query means, and in which order.

use std::cmp::Ordering;

use super::query::{Condition, Operator, Order, Query};
use super::schema::{Holds, Schema};
use super::stamp;
use super::store::{Row, Store};

/// What a query is held against.
#[derive(Clone, Copy)]
pub(super) struct Matching<'a> {
    pub schema: &'a Schema,
    pub store: &'a Store,
    pub ignores_case: bool,
    /// The time zone in which `javascript:gs.dateGenerate(..)` is read.
    pub utc_offset_minutes: i32,
}

impl<'a> Matching<'a> {
    /// Drops every condition on a field that does not exist. False: there was one.
    pub(super) fn prune(&self, table: &str, query: &mut Query) -> bool {
        let mut known = true;
        for group in &mut query.groups {
            for term in group.iter_mut() {
                let before = term.len();
                term.retain(|condition| self.is_known(table, condition));
                known &= term.len() == before;
            }
            group.retain(|term| !term.is_empty());
        }
        query
            .order
            .retain(|order| self.holds(table, &order.field).is_some());
        known
    }

    fn is_known(&self, table: &str, condition: &Condition) -> bool {
        match condition.operator {
            Operator::TextSearch => true,
            Operator::Unknown => false,
            _ => self.holds(table, &condition.field).is_some(),
        }
    }

    /// What a field holds, through references.
    pub(super) fn holds(&self, table: &str, field: &str) -> Option<&'a Holds> {
        match field.split_once('.') {
            None => self.schema.holds(table, field),
            Some((first, rest)) => match self.schema.holds(table, first)? {
                Holds::Reference(target) => self.holds(target, rest),
                _ => None,
            },
        }
    }

    /// The value of a field, through references.
    pub(super) fn value(&self, row: Row<'a>, field: &str) -> &'a str {
        let Some((first, rest)) = field.split_once('.') else {
            return row.record.get(field);
        };
        match self.schema.holds(row.class, first) {
            Some(Holds::Reference(target)) => self
                .store
                .find(self.schema, target, row.record.get(first))
                .map_or("", |target| self.value(target, rest)),
            _ => "",
        }
    }

    /// Whether a pruned query means a record.
    pub(super) fn means(&self, query: &Query, table: &str, row: Row<'a>) -> bool {
        query.groups.iter().any(|group| {
            group.iter().all(|term| {
                term.iter()
                    .any(|condition| self.holds_for(condition, table, row))
            })
        })
    }

    fn holds_for(&self, condition: &Condition, table: &str, row: Row<'a>) -> bool {
        if condition.operator == Operator::TextSearch {
            let words = condition.value.to_lowercase();
            return row
                .record
                .fields()
                .any(|(_, value)| value.to_lowercase().contains(&words));
        }
        let value = self.value(row, &condition.field);
        let holds = self.holds(table, &condition.field);
        let literal = self.literal(&condition.value);
        let same = |wanted: &str| self.same(holds, value, wanted);
        let ordered = |wanted: &str| (!value.is_empty()).then(|| compare(holds, value, wanted));
        match condition.operator {
            Operator::Equals => same(&literal),
            Operator::Differs => !same(&literal),
            Operator::Less => ordered(&literal) == Some(Ordering::Less),
            Operator::LessOrEqual => ordered(&literal).is_some_and(Ordering::is_le),
            Operator::Greater => ordered(&literal) == Some(Ordering::Greater),
            Operator::GreaterOrEqual => ordered(&literal).is_some_and(Ordering::is_ge),
            Operator::Contains => self.folded(value).contains(&self.folded(&literal)),
            Operator::DoesNotContain => !self.folded(value).contains(&self.folded(&literal)),
            Operator::StartsWith => self.folded(value).starts_with(&self.folded(&literal)),
            Operator::EndsWith => self.folded(value).ends_with(&self.folded(&literal)),
            Operator::In => literal.split(',').any(same),
            Operator::NotIn => !literal.split(',').any(same),
            Operator::IsEmpty => value.is_empty(),
            Operator::IsNotEmpty => !value.is_empty(),
            Operator::Between => condition.value.split_once('@').is_some_and(|(low, high)| {
                let low = ordered(&self.literal(low)).is_some_and(Ordering::is_ge);
                low && ordered(&self.literal(high)).is_some_and(Ordering::is_le)
            }),
            Operator::Anything => true,
            Operator::SameAs => same(self.value(row, &condition.value)),
            Operator::NotSameAs => !same(self.value(row, &condition.value)),
            Operator::GreaterField => {
                ordered(self.value(row, &condition.value)) == Some(Ordering::Greater)
            }
            Operator::LessField => {
                ordered(self.value(row, &condition.value)) == Some(Ordering::Less)
            }
            Operator::InstanceOf => self.schema.extends(value, &condition.value),
            Operator::TextSearch | Operator::Unknown => false,
        }
    }

    fn same(&self, holds: Option<&Holds>, value: &str, wanted: &str) -> bool {
        match holds {
            Some(Holds::Boolean) => truth(value) == truth(wanted),
            Some(Holds::Integer) => {
                value == wanted || numbers(value, wanted).is_some_and(|(a, b)| a == b)
            }
            _ => self.folded(value) == self.folded(wanted),
        }
    }

    fn folded(&self, text: &str) -> String {
        if self.ignores_case {
            text.to_lowercase()
        } else {
            text.to_owned()
        }
    }

    /// A literal; the one script that clients send, `gs.dateGenerate`, is read in the user's time zone, any other is empty.
    fn literal(&self, text: &str) -> String {
        let Some(script) = text.strip_prefix("javascript:") else {
            return text.to_owned();
        };
        let quoted: Vec<&str> = script.split(['\'', '"']).skip(1).step_by(2).collect();
        if !script.trim_start().starts_with("gs.dateGenerate(") {
            return String::new();
        }
        stamp::shifted(&quoted.join(" "), -self.utc_offset_minutes)
    }

    /// Sorts by the query's orders, what is empty first; what is equal stays as it was.
    pub(super) fn sort(&self, orders: &[Order], table: &str, rows: &mut [Row<'a>]) {
        if orders.is_empty() {
            return;
        }
        rows.sort_by(|a, b| {
            orders.iter().fold(Ordering::Equal, |so_far, order| {
                so_far.then_with(|| {
                    let holds = self.holds(table, &order.field);
                    let by = compare(
                        holds,
                        self.value(*a, &order.field),
                        self.value(*b, &order.field),
                    );
                    if order.descending { by.reverse() } else { by }
                })
            })
        });
    }
}

fn truth(text: &str) -> bool {
    text == "true" || text == "1"
}

fn numbers(a: &str, b: &str) -> Option<(i64, i64)> {
    Some((a.parse().ok()?, b.parse().ok()?))
}

fn compare(holds: Option<&Holds>, a: &str, b: &str) -> Ordering {
    match (holds, numbers(a, b)) {
        (Some(Holds::Integer), Some((a, b))) => a.cmp(&b),
        _ => a.cmp(b),
    }
}
