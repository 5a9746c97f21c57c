//! What a manifest asks for is used: a crate that nothing names is built, checked and updated for nothing.

use crate::tree::{Complaint, File, Tree};

/// Crates that are named in no source, and why they are asked for.
const UNNAMED: &[(&str, &str)] = &[(
    "aws-lc-rs",
    "its features decide how all others build it: the C library, and the names of ring",
)];

/// Crates whose library has another name.
const RENAMED: &[(&str, &str)] = &[("rustls-webpki", "webpki")];

const SECTIONS: &[&str] = &["[dependencies]", "[dev-dependencies]"];

/// The packages of a manifest that no source beside it names.
pub(crate) fn check(tree: &Tree, manifest: &File) -> Vec<Complaint> {
    let folder = manifest.path.trim_end_matches("Cargo.toml");
    let sources: Vec<&File> = tree
        .rust()
        .filter(|file| match folder {
            "" => file.is_under(&["src/", "tests/", "benches/"]),
            _ => file.path.starts_with(folder),
        })
        .collect();
    asked_for(manifest)
        .filter(|(_, name)| !UNNAMED.iter().any(|(unnamed, _)| unnamed == name))
        .filter(|(_, name)| {
            let renamed = RENAMED.iter().find(|(package, _)| package == name);
            let library =
                renamed.map_or_else(|| name.replace('-', "_"), |(_, name)| (*name).to_owned());
            !sources.iter().any(|file| names(&file.text, &library))
        })
        .map(|(line, name)| {
            manifest.complain(line, format!("`{name}` is asked for and used nowhere"))
        })
        .collect()
}

fn asked_for(manifest: &File) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    manifest
        .text
        .lines()
        .enumerate()
        .filter_map(move |(index, line)| {
            if line.starts_with('[') {
                inside = SECTIONS.contains(&line.trim());
            }
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let is_name = inside && name.starts_with(|c: char| c.is_ascii_lowercase());
            is_name.then_some((index + 1, name))
        })
}

/// As a word of its own.
fn names(text: &str, library: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c: char| !is_part(c))
        .any(|word| word == library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_packages_are_found_in_their_sections() {
        let manifest = File::new(
            "Cargo.toml",
            "[package]\nname = \"a\"\n[dependencies]\nbytes.workspace = true\naws-lc-rs = { version = \"1\" }\n# no\n[lints]\nworkspace = true\n",
        );
        let found: Vec<(usize, &str)> = asked_for(&manifest).collect();
        assert_eq!(found, [(4, "bytes"), (5, "aws-lc-rs")]);
        assert!(names("use bytes::Bytes;", "bytes"));
        assert!(!names("let kilobytes = 1;", "bytes"));
    }
}
