//! What a file looks like: its first line, its name, its length, and what must not stand in it.

use crate::rust;
use crate::tree::{Complaint, File};

/// Names that say nothing become the home of everything.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "misc", "types",
];

/// Lines a file may have without its tests; longer ones are more than one thing.
const LINES_MAX: usize = 400;

/// Lines of a function's `main.rs`: it builds once and serves, nothing else.
const ENTRY_POINT_LINES_MAX: usize = 40;

/// Attributes that hide a test that fails. A test that lacks its server says so and is counted as skipped instead.
const FORBIDDEN_ATTRIBUTES: &[(&str, &str)] = &[
    (
        "#[should_panic",
        "assert on the error; panics are not our interface",
    ),
    ("#[ignore", "a test runs, or says why it was skipped"),
];

const FORBIDDEN_MACROS: &[&str] = &["todo", "unimplemented"];

/// Marks of unfinished work, in code and comments. What is left to do goes to the tracker or to ARCHITECTURE.md.
const UNFINISHED: &[&str] = &["FIXME", "XXX"];

/// Files that people write; captured payloads, snapshots and fuzz corpora are left as they came.
const WRITTEN: &[&str] = &["rs", "toml", "md", "yaml", "yml", "sh"];
const CAPTURED: &[&str] = &["tests/fixtures/", "fuzz/corpus/"];

/// The tables of this test name what they forbid.
const TABLES: &str = "tests/tidy/";

/// Rules for every Rust file.
pub(crate) fn check(file: &File) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if !file.text.starts_with("//!") {
        complaints.push(file.complain(1, "begins with a `//!` line that says what is in it"));
    }
    if file.path.ends_with("/mod.rs") {
        complaints.push(file.complain(
            1,
            "a module is `name.rs` beside `name/`, so that each open tab has a name",
        ));
    }
    let folders = file.path.split('/').rev().skip(1);
    if let Some(name) = folders
        .chain([file.stem()])
        .find(|name| EMPTY_NAMES.contains(name))
    {
        complaints.push(file.complain(
            1,
            format!("`{name}` says nothing: name the file after the one thing in it"),
        ));
    }
    let code = rust::take_apart(&file.text).code;
    for (index, line) in code.lines().enumerate() {
        for (attribute, why) in FORBIDDEN_ATTRIBUTES
            .iter()
            .filter(|(attribute, _)| line.contains(attribute))
        {
            complaints.push(file.complain(index + 1, format!("`{attribute}]`: {why}")));
        }
    }
    for path in rust::named_paths(&code) {
        let after = code.lines().nth(path.line - 1).unwrap_or_default();
        if let Some(name) = path
            .segments
            .last()
            .filter(|name| FORBIDDEN_MACROS.contains(&name.as_str()))
            && after.contains(&format!("{name}!"))
        {
            complaints.push(file.complain(path.line, format!("`{name}!` is unfinished work")));
        }
    }
    complaints
}

/// Test files may be as long as their tables; everything else is counted.
pub(crate) fn is_measured(file: &File) -> bool {
    !file.is_under(&["tests/", "benches/", "fuzz/"]) && file.stem() != "tests"
}

/// Lines without the tests at the end of the file.
pub(crate) fn length(file: &File) -> usize {
    rust::without_tests(&file.text).lines().count()
}

pub(crate) fn check_length(file: &File) -> Vec<Complaint> {
    let is_entry_point = file.path.starts_with("functions/") && file.path.ends_with("/src/main.rs");
    let limit = if is_entry_point {
        ENTRY_POINT_LINES_MAX
    } else {
        LINES_MAX
    };
    let lines = length(file);
    if is_measured(file) && lines > limit {
        vec![file.complain(
            limit + 1,
            format!("{lines} lines without tests, {limit} are allowed: split it by what it does"),
        )]
    } else {
        Vec::new()
    }
}

/// Rules for every text that people write.
pub(crate) fn check_text(file: &File) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    if file.is_under(CAPTURED) || !(file.has_extension(WRITTEN) || file.path.ends_with("/run")) {
        return complaints;
    }
    for (index, line) in file.text.lines().enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            complaints.push(file.complain(index + 1, "blank at the end of the line"));
        }
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        let unfinished = words.filter(|word| UNFINISHED.contains(word));
        if !file.path.starts_with(TABLES) {
            complaints.extend(unfinished.map(|word| {
                file.complain(
                    index + 1,
                    format!("`{word}`: finish it, or say in words what is left"),
                )
            }));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        let file = File::new(path, text);
        check(&file).len() + check_length(&file).len() + check_text(&file).len()
    }

    #[test]
    fn a_file_says_what_is_in_it() {
        assert_eq!(count("src/a.rs", "use std::fmt;\n"), 1);
        assert_eq!(count("src/a.rs", "//! An alert.\n"), 0);
    }

    #[test]
    fn names_say_something() {
        for path in [
            "src/a/mod.rs",
            "src/utils.rs",
            "cli/src/helpers.rs",
            "src/common/clock.rs",
            "src/misc.rs",
            "src/alert/types.rs",
        ] {
            assert_eq!(count(path, "//! A.\n"), 1, "{path}");
        }
        assert_eq!(count("src/typesetting.rs", "//! A.\n"), 0);
    }

    #[test]
    fn files_are_short_without_their_tests() {
        let long = format!("//! A.\n{}", "fn a() {}\n".repeat(LINES_MAX));
        assert_eq!(count("src/a.rs", &long), 1);
        assert_eq!(count("tests/scenarios/a.rs", &long), 0);
        let tests = format!(
            "//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "// a\n".repeat(LINES_MAX)
        );
        assert_eq!(count("src/a.rs", &tests), 0);
        let main = format!("//! A.\n{}", "// a\n".repeat(ENTRY_POINT_LINES_MAX));
        assert_eq!(count("functions/create-work-item/src/main.rs", &main), 1);
        assert_eq!(count("cli/src/main.rs", &main), 0);
    }

    #[test]
    fn tests_are_not_hidden() {
        assert_eq!(count("src/a.rs", "//! A.\n#[should_panic]\nfn a() {}\n"), 1);
        assert_eq!(
            count(
                "src/a.rs",
                "//! A.\n#[should_panic(expected = \"b\")]\nfn a() {}\n"
            ),
            1
        );
        assert_eq!(
            count("src/a.rs", "//! A.\n#[ignore = \"slow\"]\nfn a() {}\n"),
            1
        );
        assert_eq!(
            count(
                "src/a.rs",
                "//! A `#[ignore]` in words.\nconst A: &str = \"#[ignore]\";\n"
            ),
            0
        );
    }

    #[test]
    fn nothing_is_left_unfinished() {
        assert_eq!(count("src/a.rs", "//! A.\nfn a() { todo!() }\n"), 1);
        assert_eq!(
            count(
                "src/a.rs",
                "//! A.\nfn a() { std::unimplemented!(\"b\") }\n"
            ),
            1
        );
        assert_eq!(count("src/a.rs", "//! A.\n// FIXME\n"), 1);
        assert_eq!(
            check_text(&File::new("docs/a.md", "XXX: what was it?\n")).len(),
            1
        );
        assert_eq!(
            check_text(&File::new("docs/a.md", "a number like XXXXX\n")).len(),
            0
        );
    }

    #[test]
    fn no_trailing_blanks() {
        assert_eq!(check_text(&File::new("docs/a.md", "a \nb\t\n")).len(), 2);
        assert_eq!(
            check_text(&File::new("tests/fixtures/a.yaml", "a \n")).len(),
            0
        );
    }
}
