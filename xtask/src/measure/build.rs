//! Builds the functions as they are shipped, and weighs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::table::Row;
use crate::report;

/// The functions, by package and binary.
const FUNCTIONS: [&str; 3] = ["create-work-item", "scheduled-sync", "token-refresher"];

/// What only the desk and the tests need; a function that has one of these was built with the wrong features.
const NEVER_IN_A_FUNCTION: [&str; 6] = [
    "clap",
    "schemars",
    "simulators",
    "proptest",
    "rcgen",
    "tempfile",
];

/// The binaries, in the order of [`FUNCTIONS`].
pub(super) struct Built(Vec<PathBuf>);

impl Built {
    pub(super) fn create_work_item(&self) -> &Path {
        &self.0[0]
    }
}

/// Builds them with the profile `release`, each by `-p`, so that no other package adds features to them.
pub(super) fn functions() -> Result<Built, String> {
    report::told("building the functions; a first build takes minutes …");
    let mut arguments = vec![
        "build",
        "--release",
        "--message-format=json-render-diagnostics",
    ];
    for function in FUNCTIONS {
        arguments.extend(["-p", function]);
    }
    let messages = cargo(&arguments)?;
    let built: Vec<(String, PathBuf)> = messages.lines().filter_map(executable).collect();
    let find = |name: &str| {
        let found = built.iter().find(|(target, _)| target == name);
        found.map(|(_, path)| path.clone())
    };
    let binaries: Option<Vec<PathBuf>> = FUNCTIONS.into_iter().map(find).collect();
    for function in FUNCTIONS {
        let tree = cargo(&["tree", "-e", "normal", "--prefix", "none", "-p", function])?;
        if let Some(stranger) = stranger(&tree) {
            return Err(format!("{function} is built with `{stranger}`"));
        }
    }
    binaries
        .map(Built)
        .ok_or_else(|| "cargo built no binary of a function".to_owned())
}

/// A row for each.
pub(super) fn sizes(built: &Built) -> Result<Vec<Row>, String> {
    let size = |(name, path): (&str, &PathBuf)| {
        let bytes = std::fs::metadata(path)
            .map_err(|error| format!("{}: {error}", path.display()))?
            .len();
        let megabytes = bytes as f64 / 1e6;
        Ok(Row::new(format!("size of {name}"), megabytes, "MB").below(7.0))
    };
    FUNCTIONS.into_iter().zip(&built.0).map(size).collect()
}

fn cargo(arguments: &[&str]) -> Result<String, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo {} failed", arguments.join(" ")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Name and path of the binary that a line of cargo's messages tells of.
fn executable(line: &str) -> Option<(String, PathBuf)> {
    #[derive(Deserialize)]
    struct Message {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let message: Message = serde_json::from_str(line).ok()?;
    Some((message.target.name, message.executable?))
}

fn stranger(tree: &str) -> Option<&'static str> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let mut found = names.filter_map(|name| {
        NEVER_IN_A_FUNCTION
            .into_iter()
            .find(|stranger| *stranger == name)
    });
    found.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_found_among_cargos_messages() {
        let library = r#"{"reason":"compiler-artifact","target":{"name":"a"},"executable":null}"#;
        let binary = r#"{"reason":"compiler-artifact","target":{"name":"b"},"executable":"/t/b"}"#;
        let end = r#"{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable(end), None);
        assert_eq!(
            executable(binary),
            Some(("b".to_owned(), PathBuf::from("/t/b")))
        );
    }

    #[test]
    fn what_only_the_desk_needs_is_seen() {
        assert_eq!(stranger("create-work-item v0.1.0\nserde v1\n"), None);
        assert_eq!(
            stranger("create-work-item v0.1.0\nclap v4.5.0\n"),
            Some("clap")
        );
        assert_eq!(stranger("clap_of_thunder v1\n"), None);
    }
}
