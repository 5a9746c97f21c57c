//! The security page names tests: each is there, and each row of the list is answered.

use std::collections::BTreeSet;

use crate::tree::{Complaint, File};

pub(crate) const PAGE: &str = "docs/security.md";

/// Rows of the list.
const ROWS: u32 = 40;

/// Names of tests that are nowhere, and rows that are not answered. `tests` are the names of all functions of the tree.
pub(crate) fn check(page: &File, tests: &BTreeSet<String>) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in page.text.lines().enumerate() {
        let named = line
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|name| is_test(name));
        complaints.extend(
            named
                .filter(|name| !tests.contains(*name))
                .map(|name| page.complain(index + 1, format!("there is no test `{name}`"))),
        );
    }
    let missing = (1..=ROWS).filter(|row| !page.text.contains(&format!("\n| S{row} |")));
    complaints.extend(missing.map(|row| page.complain(1, format!("row S{row} is not answered"))));
    complaints
}

/// The names of functions in a text.
pub(crate) fn functions(file: &File) -> impl Iterator<Item = String> {
    let after = file.text.split("fn ").skip(1);
    after.map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        rest[..end.unwrap_or(rest.len())].to_owned()
    })
}

/// Our tests are named as facts: words, joined.
fn is_test(name: &str) -> bool {
    name.matches('_').count() >= 3
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_went_away_and_a_row_without_an_answer_are_found() {
        let code = File::new("src/a.rs", "#[test]\nfn it_is_as_it_is() {}\n");
        let tests: BTreeSet<String> = functions(&code).collect();
        let rows: String = (1..=ROWS)
            .map(|row| format!("\n| S{row} | `it_is_as_it_is` |"))
            .collect();
        assert_eq!(check(&File::new(PAGE, &rows), &tests), []);
        let gone = rows.replace("| S7 | `it_is_as_it_is`", "| S7 | `it_was_as_it_was`");
        assert_eq!(check(&File::new(PAGE, &gone), &tests).len(), 1);
        let less = rows.replace("\n| S9 |", "\n| Q |");
        assert_eq!(check(&File::new(PAGE, &less), &tests).len(), 1);
    }
}
