//! The files of the repository as (path, text), and what a rule says about one of them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// What builds and tools leave behind; the same names as in `.gitignore`, at any depth because `fuzz/` builds for itself.
const NOT_OURS: &[&str] = &[".git", ".itsmc", ".venv", "node_modules", "target"];

/// One text file. Its path is relative to the root and written with `/`.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Where a rule is broken and how; prints as `path:line: what`, which editors make a link of.
#[derive(Debug, PartialEq)]
pub(crate) struct Complaint {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl File {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The name without folder and extension.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    pub(crate) fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extensions.contains(&extension))
    }

    pub(crate) fn complain(&self, line: usize, what: impl Into<String>) -> Complaint {
        Complaint {
            path: self.path.clone(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Every text file of the repository.
pub(crate) struct Tree {
    root: PathBuf,
    files: BTreeMap<String, File>,
}

impl Tree {
    pub(crate) fn read() -> Self {
        let mut tree = Tree {
            root: PathBuf::from(env!("CARGO_MANIFEST_DIR")),
            files: BTreeMap::new(),
        };
        tree.collect(&tree.root.clone());
        assert!(
            tree.has("Cargo.toml"),
            "{} is not the root of the repository",
            tree.root.display()
        );
        tree
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.has_extension(&["rs"]))
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Whether a file of this name is there, or a folder with a file in it: git does not keep an empty one.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.root.join(path).is_file() || self.files.keys().any(|file| file.starts_with(&folder))
    }

    fn collect(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().unwrap();
            // In a work tree beside the first, `.git` is a file.
            if NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            if kind.is_dir() {
                self.collect(&entry.path());
            } else if kind.is_file() {
                self.keep(&entry.path());
            }
        }
    }

    /// What is not UTF-8 is not text; a file that went away since the folder was listed is nobody's business.
    fn keep(&mut self, path: &Path) {
        if let Ok(text) = fs::read_to_string(path) {
            let path = path
                .strip_prefix(&self.root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            self.files.insert(path.clone(), File { path, text });
        }
    }
}
