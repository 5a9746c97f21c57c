//! The docs are true: paths that they name exist, and the settings page lists what the code reads.

use std::collections::BTreeMap;

use crate::rust;
use crate::tree::{Complaint, File};

pub(crate) const SETTINGS_PAGE: &str = "docs/settings.md";

const PREFIX: &str = "ITSMC_";

/// The pages whose paths are checked; everything under `docs/` besides.
const PAGES: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "infra/README.md",
];

/// A name in backticks that begins so is a path of ours.
const FOLDERS: &[&str] = &[
    "src/",
    "functions/",
    "cli/",
    "simulators/",
    "simulation/",
    "tests/",
    "infra/",
    "docs/",
    "xtask/",
    "benches/",
    "fuzz/",
    ".ci/",
    ".cargo/",
];

/// With one of these in it, it is a pattern.
const PATTERN: &[char] = &['<', '*', '…', '{'];

pub(crate) fn check_paths(file: &File, exists: impl Fn(&str) -> bool) -> Vec<Complaint> {
    let in_docs = file.is_under(&["docs/"]) && file.has_extension(&["md"]);
    if !in_docs && !PAGES.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let missing = in_backticks(&file.text).filter(|(_, name)| is_path(name) && !exists(bare(name)));
    missing
        .map(|(line, name)| file.complain(line, format!("`{name}` does not exist")))
        .collect()
}

/// Whether this is one of the files that read the environment.
pub(crate) fn reads_settings(path: &str) -> bool {
    path == "src/settings.rs" || path.starts_with("src/settings/")
}

/// Variables in the code and not on the page, and the other way round.
pub(crate) fn check_settings(page: &File, code: &[&File]) -> Vec<Complaint> {
    let mut read: BTreeMap<String, (&File, usize)> = BTreeMap::new();
    for file in code {
        for literal in rust::take_apart(rust::without_tests(&file.text)).strings {
            read.extend(variables(&literal.text).map(|name| (name, (*file, literal.line))));
        }
    }
    let mut listed: BTreeMap<String, usize> = BTreeMap::new();
    for (index, line) in page.text.lines().enumerate() {
        listed.extend(variables(line).map(|name| (name, index + 1)));
    }
    let forgotten = read.iter().filter(|(name, _)| !listed.contains_key(*name));
    let invented = listed.iter().filter(|(name, _)| !read.contains_key(*name));
    forgotten
        .map(|(name, (file, line))| {
            file.complain(
                *line,
                format!("`{name}` is read here and not on {SETTINGS_PAGE}"),
            )
        })
        .chain(invented.map(|(name, line)| {
            page.complain(*line, format!("`{name}` is read nowhere in src/settings"))
        }))
        .collect()
}

/// Inline code outside of fenced blocks, with its line. A fence may hold a tree or a transcript, which name what they like.
fn in_backticks(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().flat_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        let skip = fenced || fence;
        line.split('`')
            .skip(1)
            .step_by(2)
            .filter(move |_| !skip)
            .map(move |name| (index + 1, name))
    })
}

fn is_path(name: &str) -> bool {
    FOLDERS.iter().any(|folder| name.starts_with(folder)) && !name.contains(PATTERN)
}

/// `tests/witnesses/run servicenow` and `src/lib.rs:12` name the file before the blank and the colon.
fn bare(name: &str) -> &str {
    name.split([' ', ':', '#']).next().unwrap_or(name)
}

/// `ITSMC_…` names of at least one letter after the prefix.
fn variables(text: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let names = text
        .split(move |c| !is_part(c))
        .filter(|word| word.starts_with(PREFIX) && word.len() > PREFIX.len());
    names.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_went_away_is_found() {
        let page = File::new(
            "docs/a.md",
            "`src/gone.rs` and `src/here.rs`\n\n`infra/gone/`, `tests/gone/run x`",
        );
        let lines: Vec<usize> = check_paths(&page, |path| path == "src/here.rs")
            .iter()
            .map(|complaint| complaint.line)
            .collect();
        assert_eq!(lines, [1, 3, 3]);
    }

    #[test]
    fn patterns_commands_and_other_pages_are_left_alone() {
        let text = "`src/<product>.rs` `tests/*/run` `functions/…` `cargo test` `/src/x`\n```\n`src/x`\n```\n";
        assert_eq!(check_paths(&File::new("README.md", text), |_| false), []);
        assert_eq!(
            check_paths(&File::new("CHANGELOG.md", "`src/gone.rs`"), |_| false),
            []
        );
        assert_eq!(
            check_paths(
                &File::new("README.md", "`src/lib.rs:12` `tests/witnesses/run b`"),
                |path| !path.contains([' ', ':'])
            ),
            []
        );
    }

    #[test]
    fn the_settings_page_and_the_code_are_compared_both_ways() {
        let page = File::new(SETTINGS_PAGE, "| `ITSMC_STATE` |\n| `ITSMC_GONE` |");
        let code = File::new(
            "src/settings.rs",
            "//! `ITSMC_COMMENT`\nconst A: &str = \"ITSMC_STATE\";\nconst B: &str = \"ITSMC_NEW\";\n#[cfg(test)]\nmod tests {\n const C: &str = \"ITSMC_TEST\";\n}\n",
        );
        let found: Vec<String> = check_settings(&page, &[&code])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "src/settings.rs:3: `ITSMC_NEW` is read here and not on docs/settings.md",
                "docs/settings.md:2: `ITSMC_GONE` is read nowhere in src/settings"
            ]
        );
    }
}
