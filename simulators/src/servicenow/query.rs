//! Encoded queries: `active=true^priority<3^ORpriorityISEMPTY^NQnumber=INC1^ORDERBYsys_id`, taken apart.

/// A query: any of the groups, each all of its terms, each any of its conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub groups: Vec<Vec<Term>>,
    pub order: Vec<Order>,
}

/// Conditions joined with `^OR`.
pub(super) type Term = Vec<Condition>;

/// One `field operator value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub field: String,
    pub operator: Operator,
    pub value: String,
}

/// One `ORDERBY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub field: String,
    pub descending: bool,
}

/// What a condition asks. Those that are not here (`DYNAMIC`, `RELATIVEGT`, `ON`, …) are not simulated: the condition
/// vanishes like one on an unknown field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    Differs,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    DoesNotContain,
    StartsWith,
    EndsWith,
    In,
    NotIn,
    IsEmpty,
    IsNotEmpty,
    Between,
    Anything,
    SameAs,
    NotSameAs,
    GreaterField,
    LessField,
    InstanceOf,
    /// `123TEXTQUERY321=`: in any text field.
    TextSearch,
    Unknown,
}

/// Longer spellings before those that they begin with.
const OPERATORS: &[(&str, Operator)] = &[
    ("NOT LIKE", Operator::DoesNotContain),
    ("NOTLIKE", Operator::DoesNotContain),
    ("DOES NOT CONTAIN", Operator::DoesNotContain),
    ("CONTAINS", Operator::Contains),
    ("NOT IN", Operator::NotIn),
    ("NOTIN", Operator::NotIn),
    ("STARTSWITH", Operator::StartsWith),
    ("ENDSWITH", Operator::EndsWith),
    ("ISNOTEMPTY", Operator::IsNotEmpty),
    ("ISEMPTY", Operator::IsEmpty),
    ("EMPTYSTRING", Operator::IsEmpty),
    ("INSTANCEOF", Operator::InstanceOf),
    ("IN_HIERARCHY", Operator::Unknown),
    ("BETWEEN", Operator::Between),
    ("ANYTHING", Operator::Anything),
    ("NSAMEAS", Operator::NotSameAs),
    ("SAMEAS", Operator::SameAs),
    ("GT_FIELD", Operator::GreaterField),
    ("LT_FIELD", Operator::LessField),
    ("LIKE", Operator::Contains),
    ("IN", Operator::In),
    ("!=", Operator::Differs),
    ("!*", Operator::DoesNotContain),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equals),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("*", Operator::Contains),
    ("%", Operator::EndsWith),
];

impl Query {
    /// Takes an encoded query apart. There are no syntax errors: what makes no sense becomes a condition that vanishes.
    pub(super) fn parse(text: &str) -> Self {
        let mut query = Query {
            groups: vec![Vec::new()],
            order: Vec::new(),
        };
        for piece in text
            .split('^')
            .filter(|piece| !piece.is_empty() && *piece != "EQ")
        {
            if let Some(field) = piece.strip_prefix("ORDERBYDESC") {
                query.order.push(Order {
                    field: field.to_owned(),
                    descending: true,
                });
            } else if let Some(field) = piece.strip_prefix("ORDERBY") {
                query.order.push(Order {
                    field: field.to_owned(),
                    descending: false,
                });
            } else if let Some(rest) = piece.strip_prefix("NQ") {
                query.groups.push(vec![vec![Condition::parse(rest)]]);
            } else if let Some(rest) = piece.strip_prefix("OR") {
                let condition = Condition::parse(rest);
                match query.groups.last_mut().and_then(|group| group.last_mut()) {
                    Some(term) => term.push(condition),
                    None => query.and(condition),
                }
            } else {
                query.and(Condition::parse(piece));
            }
        }
        query
    }

    fn and(&mut self, condition: Condition) {
        if let Some(group) = self.groups.last_mut() {
            group.push(vec![condition]);
        }
    }
}

impl Condition {
    fn parse(text: &str) -> Self {
        if let Some(words) = text.strip_prefix("123TEXTQUERY321=") {
            return Self {
                field: String::new(),
                operator: Operator::TextSearch,
                value: words.to_owned(),
            };
        }
        let end = text
            .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.'))
            .unwrap_or(text.len());
        let (field, rest) = text.split_at(end);
        let (operator, value) = OPERATORS
            .iter()
            .find_map(|(word, operator)| rest.strip_prefix(word).map(|value| (*operator, value)))
            .unwrap_or((Operator::Unknown, rest));
        Self {
            field: field.to_owned(),
            operator,
            value: value.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(text: &str) -> (String, Operator, String) {
        let condition = Condition::parse(text);
        (condition.field, condition.operator, condition.value)
    }

    #[test]
    fn conditions_are_field_operator_value() {
        let cases = [
            ("active=true", "active", Operator::Equals, "true"),
            ("number!=INC1", "number", Operator::Differs, "INC1"),
            (
                "sys_updated_on>=2026-03-01 10:00:00",
                "sys_updated_on",
                Operator::GreaterOrEqual,
                "2026-03-01 10:00:00",
            ),
            ("sys_id>abc", "sys_id", Operator::Greater, "abc"),
            (
                "short_descriptionLIKEdisk",
                "short_description",
                Operator::Contains,
                "disk",
            ),
            (
                "short_descriptionNOT LIKEdisk",
                "short_description",
                Operator::DoesNotContain,
                "disk",
            ),
            ("stateIN1,2", "state", Operator::In, "1,2"),
            ("stateNOT IN6,7", "state", Operator::NotIn, "6,7"),
            (
                "caller_id.emailENDSWITH@x.example",
                "caller_id.email",
                Operator::EndsWith,
                "@x.example",
            ),
            ("assigned_toISEMPTY", "assigned_to", Operator::IsEmpty, ""),
            (
                "assigned_toISNOTEMPTY",
                "assigned_to",
                Operator::IsNotEmpty,
                "",
            ),
            ("priorityBETWEEN1@3", "priority", Operator::Between, "1@3"),
            (
                "opened_bySAMEASclosed_by",
                "opened_by",
                Operator::SameAs,
                "closed_by",
            ),
            (
                "correlation_id=a=b",
                "correlation_id",
                Operator::Equals,
                "a=b",
            ),
            (
                "opened_atONToday",
                "opened_at",
                Operator::Unknown,
                "ONToday",
            ),
            (
                "123TEXTQUERY321=disk full",
                "",
                Operator::TextSearch,
                "disk full",
            ),
        ];
        for (text, field, operator, value) in cases {
            assert_eq!(
                condition(text),
                (field.to_owned(), operator, value.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn joins_bind_as_documented() {
        let shape = |text: &str| -> Vec<Vec<usize>> {
            Query::parse(text)
                .groups
                .iter()
                .map(|group| group.iter().map(Vec::len).collect())
                .collect()
        };
        let cases: [(&str, Vec<Vec<usize>>); 5] = [
            ("", vec![vec![]]),
            ("a=1^b=2", vec![vec![1, 1]]),
            ("a=1^ORb=2^c=3", vec![vec![2, 1]]),
            ("a=1^NQb=2^c=3", vec![vec![1], vec![1, 1]]),
            ("a=1^ORDERBYb^ORDERBYDESCc", vec![vec![1]]),
        ];
        for (text, expected) in cases {
            assert_eq!(shape(text), expected, "{text}");
        }
        let order = Query::parse("ORDERBYb^ORDERBYDESCc").order;
        assert_eq!(
            order
                .iter()
                .map(|o| (o.field.as_str(), o.descending))
                .collect::<Vec<_>>(),
            [("b", false), ("c", true)]
        );
    }
}
