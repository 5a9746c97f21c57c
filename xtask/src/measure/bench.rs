//! Where a run takes place: a folder that goes with it, vaults in it, and the environment of a function.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::alerts::CONNECTION;
use super::product::Product;

/// The webhook key of the runs. Whoever knows it can send alerts to a process that is gone.
pub(super) const KEY: &str = "a key for figures";

/// A folder for a run.
pub(super) struct Bench(tempfile::TempDir);

impl Bench {
    /// Below the target folder: on the disk that a person works on, and not in a file system in memory.
    pub(super) fn new() -> Result<Self, String> {
        let beside = std::env::current_exe().map_err(|error| error.to_string())?;
        let folder = beside.parent().unwrap_or(Path::new("."));
        tempfile::Builder::new()
            .prefix("figures-")
            .tempdir_in(folder)
            .map(Self)
            .map_err(|error| format!("{}: {error}", folder.display()))
    }

    /// A folder of this name, which is not there yet.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A vault that knows the product.
    pub(super) fn vault(&self, name: &str, product: &Product) -> Result<PathBuf, String> {
        let folder = self.folder(name);
        let file = folder.join(format!("itsm-connection-{CONNECTION}.json"));
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&file, product.definition()))
            .map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(folder)
    }
}

/// Where a function keeps its state.
#[derive(Debug, Clone)]
pub(super) enum State {
    Memory,
    Folder(PathBuf),
}

/// What every function of a run is told; nothing else is in its environment.
pub(super) fn environment(vault: &Path, state: &State, product: &Product) -> Vec<(String, String)> {
    let state = match state {
        State::Memory => "memory:///".to_owned(),
        State::Folder(folder) => format!("file://{}", folder.display()),
    };
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(KEY));
    [
        ("ITSMC_VAULT", format!("file://{}", vault.display())),
        ("ITSMC_STATE", state),
        ("ITSMC_ALLOW_HOSTS", product.address.to_string()),
        ("ITSMC_WEBHOOK_AUTH", "key".to_owned()),
        ("ITSMC_WEBHOOK_KEYS", hash),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
