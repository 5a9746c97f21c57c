//! Which records a connection reads back, as one condition.

use super::problem::{Problem, Problems};
use super::written::SyncDefinition;
use crate::domain::connection::PartnerType;
use crate::domain::redact;

/// Longest condition: it stands in an address twice, escaped (servicenow-api §4: 414 and its kin).
const FILTER_BYTES_MAX: usize = 1000;

/// What begins anew or orders: the walk adds both itself.
const NOT_IN_A_FILTER: [&str; 3] = ["^NQ", "ORDERBY", "RLQUERY"];

/// Filter, assignment group and category, joined.
pub(super) fn filter(
    sync: &SyncDefinition,
    partner: PartnerType,
    problems: &mut Problems,
) -> Option<String> {
    let parts = [
        ("sync.filter", &sync.filter, true),
        ("sync.assignment_group", &sync.assignment_group, false),
        ("sync.category", &sync.category, false),
    ];
    let mut conditions = Vec::new();
    for (path, text, is_query) in parts {
        let Some(text) = text else { continue };
        let mut no = |expected: &str, hint: &str| {
            let found = redact::echo(path, text);
            problems.push(Problem::new(path, found, expected, hint));
        };
        if partner != PartnerType::Servicenow {
            no(
                "nothing",
                "only the records of ServiceNow can be narrowed down",
            );
        } else if text.trim().is_empty() || text.chars().any(char::is_control) {
            no(
                "a text of visible characters",
                "leave it out to read all records",
            );
        } else if is_query && NOT_IN_A_FILTER.iter().any(|part| text.contains(part)) {
            no(
                "conditions joined by `^` and `^OR`",
                "the sync begins groups of its own and has its own order",
            );
        } else if is_query && (text.starts_with('^') || text.ends_with('^')) {
            no(
                "conditions joined by `^` and `^OR`",
                "remove the `^` at its beginning or end",
            );
        } else if !is_query && text.contains('^') {
            no(
                "a value without `^`",
                "the query language has no escape for it",
            );
        } else {
            conditions.push(match path {
                "sync.filter" => text.clone(),
                "sync.category" => format!("category={text}"),
                _ if is_key(text) => format!("assignment_group={text}"),
                _ => format!("assignment_group.name={text}"),
            });
        }
    }
    let joined = conditions.join("^");
    if joined.len() > FILTER_BYTES_MAX {
        problems.push(Problem::new(
            "sync.filter",
            format!("{} bytes", joined.len()),
            format!("at most {FILTER_BYTES_MAX} bytes"),
            "it stands in the address of every page",
        ));
    }
    (!joined.is_empty()).then_some(joined)
}

fn is_key(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}
