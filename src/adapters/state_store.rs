//! Opens the object store that `ITSMC_STATE` names.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

/// Where state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateLocation {
    /// A folder; every write is on disk before it counts.
    Folder(PathBuf),
    /// Nowhere: it is gone with the process.
    Memory,
}

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

/// Opens a store.
pub fn open(location: &StateLocation) -> Result<Arc<dyn ObjectStore>, NotOpened> {
    match location {
        StateLocation::Memory => Ok(Arc::new(InMemory::new())),
        StateLocation::Folder(folder) => {
            let not_opened = |reason: String| NotOpened {
                location: format!("`{}`", folder.display()),
                reason,
            };
            make_folder(folder).map_err(|error| not_opened(error.kind().to_string()))?;
            let store = LocalFileSystem::new_with_prefix(folder)
                .map_err(|error| not_opened(error.to_string()))?;
            Ok(Arc::new(store.with_fsync(true)))
        }
    }
}

/// The state holds the text of alerts: it is nobody's but the owner's.
#[expect(
    clippy::disallowed_methods,
    reason = "the folder of the local store is made here"
)]
fn make_folder(folder: &std::path::Path) -> std::io::Result<()> {
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
