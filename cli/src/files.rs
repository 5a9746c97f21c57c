//! The files that the command itself reads and writes: for their owner only, and whole or not at all.

use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::failure::Failure;

/// Longest file that is read: as long as what the webhook takes.
const BYTES_MAX: u64 = 1024 * 1024;

/// Reads an alert or a definition, or standard input for `-`.
pub(crate) fn read_named(path: &Path) -> Result<Vec<u8>, Failure> {
    let hint = "an alert is at most 256 KB and a definition 25 KB; this is another file";
    read_up_to(path, BYTES_MAX, hint)
}

/// Reads what a person exported from Azure, or standard input for `-`.
pub(crate) fn read_export(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let hint = "Azure takes no template over 4 MB; export the action groups alone, by `az monitor action-group list`";
    read_up_to(path, bytes_max, hint)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command's files have their owner here"
)]
pub(crate) fn read_up_to(path: &Path, bytes_max: u64, too_long: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(bytes_max + 1)
            .read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        Failure::wrong_usage(
            format!("`{}` cannot be read: {error}", path.display()),
            "name a file, or `-` for standard input",
        )
    })?;
    if bytes.len() as u64 > bytes_max {
        return Err(Failure::wrong_usage(
            format!(
                "`{}` is longer than {} MiB",
                path.display(),
                bytes_max / (1024 * 1024)
            ),
            too_long,
        ));
    }
    Ok(bytes)
}

/// Reads a file of ours; `None` if it is not there.
#[expect(
    clippy::disallowed_methods,
    reason = "the command's files have their owner here"
)]
pub(crate) fn read_own(path: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused("read", path, &error)),
    }
}

/// Writes a file of ours, mode 0600: a new one beside the old, on disk before it takes its place.
pub(crate) fn write_own(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    write(&beside, path, text).map_err(|error| refused("write", path, &error))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the command's files have their owner here"
)]
fn write(beside: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}

/// Makes a folder of ours, mode 0700. One that is there already stays as it is, unless anybody may write to it.
#[cfg_attr(
    not(unix),
    expect(
        clippy::disallowed_methods,
        reason = "the command's files have their owner here"
    )
)]
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| path.metadata())
            .map_err(|error| refused("make", path, &error))
            .and_then(|found| {
                if found.mode() & 0o002 == 0 {
                    return Ok(());
                }
                Err(Failure::wrong_usage(
                    format!("anybody may write to `{}`", path.display()),
                    "`chmod 700` it, or name another folder by `--data`: secrets are kept there",
                ))
            })
    }
    #[cfg(not(unix))]
    std::fs::create_dir_all(path).map_err(|error| refused("make", path, &error))
}

/// Locks a folder for this process, until the file that is returned is dropped. `None`: another process has it.
#[expect(
    clippy::disallowed_methods,
    reason = "the command's files have their owner here"
)]
pub(crate) fn lock(path: &Path) -> Result<Option<std::fs::File>, Failure> {
    write_own_if_absent(path)?;
    let file = std::fs::File::open(path).map_err(|error| refused("lock", path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(refused("lock", path, &error)),
    }
}

fn write_own_if_absent(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Ok(());
    }
    write_own(path, "")
}

fn refused(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::does_not_work(
        format!("cannot {what} `{}`: {error}", path.display()),
        "the folder of `--data` must be yours, on a disk with room",
    )
}
