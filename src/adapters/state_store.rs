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
    if everybody_may_write(folder) {
        let reason = "everybody may write to this folder, and who does can suppress alerts; take that right away: `chmod go-w`";
        return Err(not_opened(reason.to_owned()));
    }
    let store = DurableFolder::new(folder).map_err(|error| not_opened(error.to_string()))?;
    Ok(Arc::new(store))
}

/// A folder whose rights cannot be read is told of by its first use.
fn everybody_may_write(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        folder.metadata().is_ok_and(|of| of.mode() & 0o002 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        false
    }
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn s33_a_state_folder_that_everybody_may_write_to_is_refused() {
        let above = tempfile::tempdir().unwrap();
        let place = above.path().join("state");
        assert!(folder(&place).is_ok());
        assert_eq!(
            place.metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o777)).unwrap();
        let refused = folder(&place).unwrap_err().to_string();
        assert!(refused.contains("everybody may write"), "{refused}");
    }
}
