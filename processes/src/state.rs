//! Where the processes keep their state, and what can happen to it. At the desk that is a folder; what a round asks of it
//! is here in one place, so that another store brings its own: an address, a way in for the checker, a way to be away and
//! a way to be full.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use itsm_connector::adapters::state_store;
use object_store::ObjectStore;
use rustix::fs::{CWD, FallocateFlags, RenameFlags, fallocate, renameat_with};
use tokio::sync::{Mutex, MutexGuard};

use crate::{Trouble, pause};

/// What is in the place of the state while it is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoy {
    /// A file: every name below it is an error.
    File,
    /// An empty folder, as an unmounted disk leaves it.
    Hole,
}

/// A state folder.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    decoys: PathBuf,
    /// A disk of its own that can be filled; why not, if it could not be had.
    disk: Result<Disk, Trouble>,
    /// Held while it is away: no process starts meanwhile, for it would begin a new state.
    moving: Mutex<()>,
}

#[derive(Debug)]
struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be unmounted now is when its last user ends.
        let _ = run("umount", &["-l".as_ref(), self.0.as_ref()]);
    }
}

fn run(program: &str, arguments: &[&std::ffi::OsStr]) -> Result<(), Trouble> {
    let ran = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match ran {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program}`: {status}")),
        Err(error) => Err(format!("`{program}`: {error}")),
    }
}

fn told(path: &Path) -> impl FnOnce(std::io::Error) -> Trouble {
    move |error| format!("{}: {error}", path.display())
}

impl State {
    /// Below a folder, with room for so many MiB where a disk of its own can be had.
    pub fn new(under: &Path, room_mib: usize) -> Result<Self, Trouble> {
        let outer = under.join("disk");
        let folder = outer.join("state");
        let decoys = outer.join("decoys");
        std::fs::create_dir(&outer).map_err(told(&outer))?;
        let size = format!("size={room_mib}m");
        let mount: [&std::ffi::OsStr; 6] = [
            "-t".as_ref(),
            "tmpfs".as_ref(),
            "-o".as_ref(),
            size.as_ref(),
            "processes".as_ref(),
            outer.as_ref(),
        ];
        let disk = run("mount", &mount).map(|()| Disk(outer.clone()));
        for folder in [&folder, &decoys, &decoys.join("hole")] {
            std::fs::create_dir(folder).map_err(told(folder))?;
        }
        let file = decoys.join("file");
        std::fs::write(&file, "not the state").map_err(told(&file))?;
        Ok(Self {
            folder,
            decoys,
            disk,
            moving: Mutex::default(),
        })
    }

    /// The value of `ITSMC_STATE`.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.display())
    }

    /// The store, for whoever looks afterwards.
    pub fn open(&self) -> Result<Arc<dyn ObjectStore>, Trouble> {
        state_store::folder(&self.folder).map_err(|error| error.to_string())
    }

    /// Why it cannot be full; `None` if it can.
    pub fn cannot_be_full(&self) -> Option<&str> {
        self.disk.as_ref().err().map(String::as_str)
    }

    /// Keeps it where it is as long as the guard lives.
    pub async fn stays(&self) -> MutexGuard<'_, ()> {
        self.moving.lock().await
    }

    /// Takes it away for a while, in one step, and brings it back in one.
    pub async fn is_away(&self, decoy: Decoy, ms: u64) -> Result<(), Trouble> {
        let _stays = self.stays().await;
        let decoy = self.decoys.join(match decoy {
            Decoy::File => "file",
            Decoy::Hole => "hole",
        });
        let exchange = || {
            let exchanged = renameat_with(CWD, &self.folder, CWD, &decoy, RenameFlags::EXCHANGE);
            exchanged.map_err(|error| format!("{}: {error}", decoy.display()))
        };
        exchange()?;
        pause(ms).await;
        exchange()?;
        if decoy.is_dir() {
            // What was written into the hole was never acknowledged.
            std::fs::remove_dir_all(&decoy).map_err(told(&decoy))?;
            std::fs::create_dir(&decoy).map_err(told(&decoy))?;
        }
        Ok(())
    }

    /// Fills its disk to the last byte for a while. False if it has no disk of its own.
    pub async fn is_full(&self, ms: u64) -> Result<bool, Trouble> {
        let Ok(Disk(disk)) = &self.disk else {
            return Ok(false);
        };
        let ballast = disk.join("ballast");
        let file = std::fs::File::create(&ballast).map_err(told(&ballast))?;
        let mut length = 0;
        for step in [8 << 20, 256 << 10, 4 << 10] {
            while fallocate(&file, FallocateFlags::empty(), length, step).is_ok() {
                length += step;
            }
        }
        pause(ms).await;
        drop(file);
        std::fs::remove_file(&ballast).map_err(told(&ballast))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_away_and_back_and_nothing_of_it_is_missing() {
        let under = tempfile::tempdir().unwrap();
        let state = State::new(under.path(), 8).unwrap();
        std::fs::write(state.folder.join("kept"), "x").unwrap();
        for decoy in [Decoy::File, Decoy::Hole] {
            let look = async {
                pause(20).await;
                assert_eq!(state.folder.is_dir(), decoy == Decoy::Hole);
                assert!(!state.folder.join("kept").exists());
                if decoy == Decoy::Hole {
                    std::fs::write(state.folder.join("lost"), "x").unwrap();
                }
            };
            let (away, ()) = futures_util::future::join(state.is_away(decoy, 60), look).await;
            away.unwrap();
            assert!(state.folder.join("kept").exists() && !state.folder.join("lost").exists());
        }
    }

    #[tokio::test]
    async fn a_full_disk_takes_nothing_and_an_emptied_one_does() {
        let under = tempfile::tempdir().unwrap();
        let state = State::new(under.path(), 8).unwrap();
        if let Some(why) = state.cannot_be_full() {
            println!("SKIPPED: no disk of its own: {why}");
            return;
        }
        let file = state.folder.join("x");
        let look = async {
            pause(100).await;
            std::fs::write(&file, "x").unwrap_err()
        };
        let (full, error) = futures_util::future::join(state.is_full(200), look).await;
        assert!(full.unwrap());
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        std::fs::write(&file, "x").unwrap();
    }
}
