//! A vault in a folder, for the desk: `DIR/<secret name>.json`, mode 0600, in a folder of mode 0700.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::adapters::entropy::OsEntropy;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::secret::Secret;
use crate::ports::{Entropy as _, Vault};

/// Longest name of a secret: Key Vault's limit.
const NAME_CHARS_MAX: usize = 127;

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

    /// No name that others choose becomes a path: only Key Vault's own alphabet does.
    fn path(&self, operation: &'static str, name: &str) -> Result<PathBuf, CallFailure> {
        let plain = !name.is_empty()
            && name.len() <= NAME_CHARS_MAX
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if plain {
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
    fn write(&self, path: &Path, value: &Secret) -> std::io::Result<()> {
        self.make_folder()?;
        // New for each write: two at once, also in two containers where both are process 1, must not share it.
        let temporary = path.with_extension(format!("{:016x}.new", OsEntropy.dice()));
        let written = write_new(&temporary, value).and_then(|()| std::fs::rename(&temporary, path));
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
fn write_new(path: &Path, value: &Secret) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(value.expose().as_bytes())?;
    file.sync_all()
}

#[async_trait]
impl Vault for FileVault {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the owner of the vault's files"
    )]
    async fn get(&self, name: &str) -> Result<Option<Secret>, CallFailure> {
        let path = self.path("read secret", name)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Self::failure("read secret", &path, &error)),
        }
    }

    async fn set(&self, name: &str, value: &Secret) -> Result<(), CallFailure> {
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
        vault
            .set("itsm-connection-a", &Secret::from("one"))
            .await
            .unwrap();
        vault
            .set("itsm-connection-a", &Secret::from("two"))
            .await
            .unwrap();
        vault
            .set("itsm-tokens-a", &Secret::from("three"))
            .await
            .unwrap();
        assert_eq!(
            vault
                .get("itsm-connection-a")
                .await
                .unwrap()
                .unwrap()
                .expose(),
            "two"
        );
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
