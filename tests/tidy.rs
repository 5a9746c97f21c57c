//! The rules of the tree, as tests: what may import what, what a file looks like, which words are used, what the docs promise.
//!
//! The rules are tables at the top of each module below, with the reason beside each row. Every rule is a plain function over
//! (path, text), and has a planted violation in its own module, so that a rule which stopped biting fails too.
//! `cargo tidy` runs this file alone. It reads files and uses nothing of the library.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a file of the repository that cannot be read is a failure of the test, and reading files is what this test does"
)]

#[path = "tidy/docs.rs"]
mod docs;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/outgoing.rs"]
mod outgoing;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/security.rs"]
mod security;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use tree::{Complaint, File, Tree};

#[test]
fn imports_go_one_way() {
    none_of_the_rust_files(imports::check);
}

#[test]
fn domain_and_inbound_do_no_io_know_no_clock_and_are_not_async() {
    none_of_the_rust_files(imports::check_purity);
}

#[test]
fn the_simulators_and_the_library_do_not_know_each_other() {
    none(
        Tree::read()
            .files()
            .filter(|file| file.path.ends_with("Cargo.toml"))
            .flat_map(imports::check_manifest),
    );
}

#[test]
fn nothing_shipped_trusts_anybody_unchecked_or_goes_where_it_is_sent() {
    none(Tree::read().files().flat_map(outgoing::check));
}

#[test]
fn rust_files_have_the_shape_that_we_agreed_on() {
    none_of_the_rust_files(shape::check);
}

#[test]
fn files_are_one_thing_and_short() {
    let tree = Tree::read();
    let mut lengths: Vec<usize> = tree
        .rust()
        .filter(|file| shape::is_measured(file))
        .map(shape::length)
        .collect();
    lengths.sort_unstable();
    if let (Some(median), Some(longest)) = (lengths.get(lengths.len() / 2), lengths.last()) {
        println!(
            "{} files, median {median} lines, longest {longest}, tests apart",
            lengths.len()
        );
    }
    none(tree.rust().flat_map(shape::check_length));
}

#[test]
fn no_trailing_blanks_and_nothing_marked_as_unfinished() {
    none(Tree::read().files().flat_map(shape::check_text));
}

#[test]
fn one_thing_has_one_word() {
    none(Tree::read().files().flat_map(words::check_vocabulary));
}

#[test]
fn nothing_of_a_machine_and_no_secret_is_in_the_tree() {
    none(Tree::read().files().flat_map(words::check_leaks));
}

#[test]
fn paths_named_in_the_docs_exist() {
    let tree = Tree::read();
    none(
        tree.files()
            .flat_map(|file| docs::check_paths(file, |path| tree.has(path))),
    );
}

#[test]
fn the_settings_page_lists_what_the_code_reads_and_nothing_else() {
    let tree = Tree::read();
    let code: Vec<&File> = tree
        .rust()
        .filter(|file| docs::reads_settings(&file.path))
        .collect();
    match tree.file(docs::SETTINGS_PAGE) {
        Some(page) if !code.is_empty() => none(docs::check_settings(page, &code)),
        _ => println!(
            "skipped: {} or src/settings.rs is not there yet",
            docs::SETTINGS_PAGE
        ),
    }
}

#[test]
fn what_a_manifest_asks_for_is_used() {
    let tree = Tree::read();
    none(
        tree.files()
            .filter(|file| file.path.ends_with("Cargo.toml"))
            .flat_map(|manifest| manifests::check(&tree, manifest)),
    );
}

#[test]
fn the_security_page_answers_every_row_and_its_tests_exist() {
    let tree = Tree::read();
    let tests = tree.rust().flat_map(security::functions).collect();
    match tree.file(security::PAGE) {
        Some(page) => none(security::check(page, &tests)),
        None => none([Complaint {
            path: security::PAGE.to_owned(),
            line: 1,
            what: "it is not there".to_owned(),
        }]),
    }
}

fn none_of_the_rust_files(rule: fn(&File) -> Vec<Complaint>) {
    none(Tree::read().rust().flat_map(rule));
}

/// Fails with every complaint at once: whoever broke three rules wants to hear of three.
fn none(complaints: impl IntoIterator<Item = Complaint>) {
    let lines: Vec<String> = complaints
        .into_iter()
        .map(|complaint| complaint.to_string())
        .collect();
    assert!(
        lines.is_empty(),
        "{} to mend:\n{}",
        lines.len(),
        lines.join("\n")
    );
}
