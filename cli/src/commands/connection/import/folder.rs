//! The folder that the templates go to: what is there already is compared before anything is written.

use std::path::{Path, PathBuf};

use itsm_connector::domain::text;
use serde_json::{Value, json};

use super::exported::ActionGroup;
use crate::failure::{Exit, Failure, Trouble};
use crate::files;

/// The table of ids and connections.
const TABLE: &str = "connections.json";

/// Longest part of a file's name that comes from an action group's.
const NAME_CHARS_MAX: usize = 80;

/// Files that are to be written into a folder.
pub(super) struct Folder {
    path: PathBuf,
    files: Vec<(String, String)>,
}

impl Folder {
    /// The files, compared with what is there.
    pub(super) fn prepare(
        path: &Path,
        groups: &[ActionGroup],
        templates: &[Value],
        table: &[Value],
        replace: bool,
    ) -> Result<Self, Failure> {
        let mut contents: Vec<(String, String)> = Vec::new();
        for (group, template) in groups.iter().zip(templates) {
            let name = free_name(&group.name, &contents);
            contents.push((name, pretty(template)));
        }
        contents.push((TABLE.to_owned(), pretty(&json!({ "connections": table }))));
        let mut troubles = Vec::new();
        for (name, content) in &contents {
            let place = path.join(name);
            let there = files::read_own(&place)?;
            if !replace && there.is_some_and(|there| there != *content) {
                troubles.push(Trouble {
                    error: format!("`{}` is there and says something else", place.display()),
                    hint: "`--replace` overwrites it; or name another folder by `--out`".to_owned(),
                });
            }
        }
        if !troubles.is_empty() {
            return Err(Failure {
                exit: Exit::WrongUsage,
                troubles,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            files: contents,
        })
    }

    /// Writes them, for their owner only: the addresses of other receivers may hold keys.
    pub(super) fn write(&self) -> Result<(), Failure> {
        files::make_folder(&self.path)?;
        for (name, content) in &self.files {
            files::write_own(&self.path.join(name), content)?;
        }
        Ok(())
    }

    /// The files, as a person names them.
    pub(super) fn names(&self) -> Vec<String> {
        let place = |(name, _): &(String, String)| self.path.join(name).display().to_string();
        self.files.iter().map(place).collect()
    }
}

fn pretty(value: &Value) -> String {
    format!(
        "{}\n",
        serde_json::to_string_pretty(value).unwrap_or_default()
    )
}

/// A file's name that no other has: nothing of a group's name but letters, digits, `-` and `_` gets into it.
fn free_name(group: &str, taken: &[(String, String)]) -> String {
    let plain: String = group
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let plain = text::cut(plain.trim_matches('-'), NAME_CHARS_MAX).replace(text::CUT_MARK, "");
    let is_free = |name: &String| taken.iter().all(|(other, _)| other != name);
    std::iter::once(format!("action-group-{plain}.json"))
        .chain((2..).map(|n| format!("action-group-{plain}-{n}.json")))
        .find(is_free)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_names_no_file_outside_of_the_folder() {
        let mut taken = Vec::new();
        for (group, file) in [
            ("Ops on call", "action-group-ops-on-call.json"),
            ("ops-on-call", "action-group-ops-on-call-2.json"),
            ("../../etc/passwd", "action-group-etc-passwd.json"),
            ("", "action-group-.json"),
        ] {
            let name = free_name(group, &taken);
            assert_eq!(name, file);
            taken.push((name, String::new()));
        }
        assert!(free_name(&"x".repeat(500), &taken).len() < 100);
    }
}
