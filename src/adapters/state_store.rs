//! Opens the object store that `ITSMC_STATE` names.

mod client;
mod cloud;
mod durable_folder;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;

pub use cloud::Opening;
use durable_folder::DurableFolder;

/// The store could not be opened.
#[derive(Debug)]
pub struct NotOpened {
    location: String,
    reason: String,
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the state store {} cannot be opened: {}",
            self.location, self.reason
        )
    }
}

impl std::error::Error for NotOpened {}

/// State that is gone with the process.
pub fn memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// State in a folder; every write is on disk before it counts (object_store does not do that by itself).
pub fn folder(folder: &Path) -> Result<Arc<dyn ObjectStore>, NotOpened> {
    let not_opened = |reason: String| NotOpened {
        location: format!("`{}`", folder.display()),
        reason,
    };
    make_folder(folder).map_err(|error| not_opened(error.kind().to_string()))?;
    let store = DurableFolder::new(folder).map_err(|error| not_opened(error.to_string()))?;
    Ok(Arc::new(store))
}

/// The state holds the text of alerts: it is nobody's but the owner's.
#[cfg_attr(
    not(unix),
    expect(
        clippy::disallowed_methods,
        reason = "the folder of the local store is made here"
    )
)]
fn make_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
    }
    #[cfg(not(unix))]
    std::fs::create_dir_all(folder)
}
