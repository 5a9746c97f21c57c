//! A vault in a folder, for the desk: `DIR/<secret name>.json`, mode 0600, in a folder of mode 0700.
//!
//! It keeps the newest version of each secret only. What names that version is when and where it was written, nothing of its
//! content: a version's name stands in logs, and a hash of what somebody has chosen could be found out by guessing. When a
//! value expires it is not told; those who care find it in the value.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use async_trait::async_trait;

use crate::adapters::entropy::OsEntropy;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::kept::{self, Kept, VaultVersion, VersionSeen};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::ports::{Entropy as _, Vault};

/// A vault in a folder.
#[derive(Debug, Clone)]
pub struct FileVault {
    folder: PathBuf,
}

impl FileVault {
    /// In this folder. It is made at the first write.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, operation: &'static str, name: &str) -> Result<PathBuf, CallFailure> {
        if kept::is_name(name) {
            return Ok(self.folder.join(format!("{name}.json")));
        }
        Err(CallFailure::new(
            "the file vault",
            operation,
            Effect::NotSent,
            Kind::Invalid,
            "a secret's name has letters, digits and hyphens only",
        ))
    }

    fn look(
        &self,
        operation: &'static str,
        name: &str,
    ) -> Result<Option<(Secret, VersionSeen)>, CallFailure> {
        let path = self.path(operation, name)?;
        read(&path).map_err(|error| Self::failure(operation, &path, &error))
    }

    fn failure(operation: &'static str, path: &Path, error: &std::io::Error) -> CallFailure {
        let kind = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Kind::NoRights,
            _ => Kind::Unavailable,
        };
        let detail = format!("`{}`: {}", path.display(), error.kind());
        CallFailure::new("the file vault", operation, Effect::NotSent, kind, detail)
    }

    #[cfg(unix)]
    fn make_folder(&self) -> std::io::Result<()> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        std::fs::set_permissions(&self.folder, std::fs::Permissions::from_mode(0o700))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the owner of the vault's files"
    )]
    #[cfg(not(unix))]
    fn make_folder(&self) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)
    }

    /// A new file beside the old one, on disk before it takes its place: a crash leaves the one or the other, whole.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the owner of the vault's files"
    )]
    fn write(&self, path: &Path, value: &Secret) -> std::io::Result<VaultVersion> {
        self.make_folder()?;
        // New for each write: two at once, also in two containers where both are process 1, must not share it.
        let temporary = path.with_extension(format!("{:016x}.new", OsEntropy.dice()));
        let written = write_new(&temporary, value).and_then(|version| {
            std::fs::rename(&temporary, path)?;
            Ok(version)
        });
        if written.is_err() {
            // Half a secret is a secret too. If it cannot be removed, the error that is told is the first.
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the owner of the vault's files"
)]
fn write_new(path: &Path, value: &Secret) -> std::io::Result<VaultVersion> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(value.expose().as_bytes())?;
    file.sync_all()?;
    Ok(written(&file.metadata()?)?.version)
}

/// The value and its version, from one open file: what takes its place meanwhile is not mixed in. `None` if it is not there.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the owner of the vault's files"
)]
fn read(path: &Path) -> std::io::Result<Option<(Secret, VersionSeen)>> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(Some((Secret::new(text), written(&file.metadata()?)?)))
}

/// When and where a file was written. The file before it was still there then, so that the two differ in place at least.
fn written(file: &std::fs::Metadata) -> std::io::Result<VersionSeen> {
    let since = file
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let name = format!("{:x}x{:x}", since.as_nanos(), place(file));
    Ok(VersionSeen {
        version: VaultVersion::parse(&name).map_err(std::io::Error::other)?,
        is_enabled: true,
        created: Timestamp::UNIX_EPOCH.plus(since),
        expires: None,
    })
}

#[cfg(unix)]
fn place(file: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(file)
}

#[cfg(not(unix))]
fn place(_file: &std::fs::Metadata) -> u64 {
    0
}

#[async_trait]
impl Vault for FileVault {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        let kept = |(value, seen): (Secret, VersionSeen)| Kept {
            value,
            version: seen.version,
            expires: None,
        };
        Ok(self.look("read secret", name)?.map(kept))
    }

    async fn set(
        &self,
        name: &str,
        value: &Secret,
        _expires: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        let path = self.path("write secret", name)?;
        self.write(&path, value)
            .map_err(|error| Self::failure("write secret", &path, &error))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the owner of the vault's files"
    )]
    async fn list(&self, prefix: &str) -> Result<Vec<String>, CallFailure> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Self::failure("list secrets", &self.folder, &error)),
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| {
                entry
                    .file_name()
                    .to_str()?
                    .strip_suffix(".json")
                    .map(str::to_owned)
            })
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn versions(&self, name: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        let newest = self.look("list versions", name)?;
        Ok(newest.map(|(_, seen)| seen).into_iter().collect())
    }

    /// One that was replaced is gone already.
    async fn disable(&self, name: &str, version: &VaultVersion) -> Result<(), CallFailure> {
        match self.look("disable version", name)? {
            Some((_, newest)) if newest.version == *version => Err(CallFailure::new(
                "the file vault",
                "disable version",
                Effect::NotSent,
                Kind::Invalid,
                format!("`{version}` is the newest version of `{name}`"),
            )),
            _ => Ok(()),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the owner of the vault's files"
    )]
    async fn remove(&self, name: &str) -> Result<(), CallFailure> {
        let path = self.path("remove secret", name)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Self::failure("remove secret", &path, &error))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[cfg(unix)]
    async fn keeps_secrets_for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let vault = FileVault::new(folder.path().join("vault"));
        assert!(vault.get("itsm-connection-a").await.unwrap().is_none());
        assert_eq!(vault.list("itsm-").await.unwrap(), [""; 0]);
        for (name, value) in [
            ("itsm-connection-a", "one"),
            ("itsm-connection-a", "two"),
            ("itsm-tokens-a", "three"),
        ] {
            vault.set(name, &Secret::from(value), None).await.unwrap();
        }
        let kept = vault.get("itsm-connection-a").await.unwrap().unwrap();
        assert_eq!(kept.value.expose(), "two");
        assert_eq!(
            vault.list("itsm-connection-").await.unwrap(),
            ["itsm-connection-a"]
        );
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path().join("vault")), 0o700);
        assert_eq!(
            mode(folder.path().join("vault/itsm-connection-a.json")),
            0o600
        );
        vault.remove("itsm-connection-a").await.unwrap();
        vault.remove("itsm-connection-a").await.unwrap();
        assert!(vault.get("itsm-connection-a").await.unwrap().is_none());
        assert!(vault.get("../../etc/passwd").await.is_err());
    }
}
