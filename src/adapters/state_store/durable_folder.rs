//! A folder in which every write is on disk before it counts: `object_store`'s own, except for how it makes the folders
//! of a new object. It makes them and has each on disk before it begins to write; here that goes on beside the write, and
//! the write counts when both are done. Every slot has a folder, so an alert waits for it: see `docs/performance.md`.
//!
//! A folder that is away (a disk that was unmounted, a share that was lost) must not be taken for an empty one: what is
//! written into the hole in its place is gone when it comes back, and what is read there was never missing. So each
//! operation looks whether the folder is still the one that was opened, and counts only if it is.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures_util::future;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A folder in which every write is on disk before it counts.
#[derive(Debug)]
pub(super) struct DurableFolder {
    store: LocalFileSystem,
    root: Root,
}

impl DurableFolder {
    /// In this folder, which exists.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let store = LocalFileSystem::new_with_prefix(folder)?;
        Ok(Self {
            store: store.with_fsync(true),
            root: Root::open(folder),
        })
    }

    /// What was answered to a put, if the folder was there. It may have gone and come back meanwhile: then the object is
    /// not where it should be.
    fn believed(&self, file: &Path, put: Result<PutResult>) -> Result<PutResult> {
        if !matches!(put, Ok(_) | Err(Error::AlreadyExists { .. })) {
            return put;
        }
        self.root.check()?;
        let is_there = file.exists();
        self.root.check()?;
        if is_there {
            put
        } else {
            Err(away("it was away for a moment"))
        }
    }
}

/// The folder that was opened.
#[derive(Debug, Clone)]
struct Root {
    path: PathBuf,
    /// Device and number of the folder, where there are such things.
    identity: Option<(u64, u64)>,
}

impl Root {
    fn open(path: &Path) -> Self {
        Self {
            identity: identity(path),
            path: path.to_owned(),
        }
    }

    /// Whether it is still there, and still the same.
    fn check(&self) -> Result<()> {
        let now = identity(&self.path);
        if now.is_some() && now == self.identity {
            Ok(())
        } else {
            Err(away("it is away, or another is in its place"))
        }
    }
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    let found = folder.metadata().ok().filter(std::fs::Metadata::is_dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Some((found.dev(), found.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        Some((0, 0))
    }
}

fn away(detail: &str) -> Error {
    Error::Generic {
        store: "LocalFileSystem",
        source: format!("the folder of the state is not usable: {detail}").into(),
    }
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for DurableFolder {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.root.check()?;
        let file = self.store.path_to_filesystem(location)?;
        let Some(folder) = file.parent().filter(|folder| !folder.exists()) else {
            let put = self.store.put_opts(location, payload, options).await;
            return self.believed(&file, put);
        };
        let folder = folder.to_owned();
        let changed = beside(move || make(&folder)).await?;
        // The innermost folder is brought to disk by the write, after the object is in it.
        let put = self.store.put_opts(location, payload, options);
        let (put, kept) = future::join(put, beside(move || bring_to_disk(&changed))).await;
        self.believed(&file, kept.and(put))
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        let got = self.store.get_opts(location, options).await;
        self.root.check()?;
        got
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        let root = self.root.clone();
        let end = stream::once(async move { root.check() }).filter_map(|end| async { end.err() });
        let listed = self.store.list(prefix);
        match self.root.check() {
            Ok(()) => listed.chain(end.map(Err)).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        let listed = self.store.list_with_delimiter(prefix).await;
        self.root.check()?;
        listed
    }

    async fn copy_opts(&self, from: &Location, to: &Location, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

/// Makes a folder, and those around it that are missing; returns the folders around it that got a new entry.
#[expect(
    clippy::disallowed_methods,
    reason = "the folders of the local store are made here"
)]
fn make(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let around = folder.ancestors().skip(1);
    let missing = folder
        .ancestors()
        .take_while(|folder| !folder.exists())
        .count();
    std::fs::create_dir_all(folder)?;
    Ok(around.take(missing).map(Path::to_owned).collect())
}

#[cfg_attr(
    unix,
    expect(
        clippy::disallowed_methods,
        reason = "the folders of the local store are brought to disk here"
    )
)]
fn bring_to_disk(folders: &[PathBuf]) -> std::io::Result<()> {
    // Elsewhere than on Unix a folder cannot be opened for that.
    #[cfg(unix)]
    for folder in folders {
        std::fs::File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = folders;
    Ok(())
}

/// Off the thread that answers, as `object_store` does with its own.
#[expect(
    clippy::disallowed_methods,
    reason = "object_store does the same below; the caller's time limit covers both"
)]
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Generic {
        store: "LocalFileSystem",
        source,
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(Error::PermissionDenied {
                path: String::new(),
                source: error.into(),
            })
        }
        Ok(Err(error)) => Err(failed(error.into())),
        Err(error) => Err(failed(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;
    use object_store::{ObjectStoreExt as _, PutMode};

    use super::*;

    fn create() -> PutOptions {
        PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        }
    }

    #[tokio::test]
    async fn an_object_in_new_folders_is_created_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableFolder::new(folder.path()).unwrap();
        for place in ["a/b/c/1", "a/b/c/2", "a/d/1", "1"] {
            let place = Location::from(place);
            let put = || store.put_opts(&place, PutPayload::from_static(b"x"), create());
            put().await.unwrap();
            assert!(
                matches!(put().await, Err(Error::AlreadyExists { .. })),
                "{place}"
            );
            assert_eq!(store.get(&place).await.unwrap().bytes().await.unwrap(), "x");
        }
        let listed = store
            .list_with_delimiter(Some(&Location::from("a")))
            .await
            .unwrap();
        assert_eq!(
            listed.common_prefixes,
            [Location::from("a/b"), Location::from("a/d")]
        );
    }

    #[tokio::test]
    async fn of_many_that_create_the_same_object_in_a_new_folder_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableFolder::new(folder.path()).unwrap();
        let place = Location::from("slots/a/0");
        let puts = (0..20).map(|_| store.put_opts(&place, PutPayload::from_static(b"x"), create()));
        let made = future::join_all(puts).await;
        assert_eq!(made.iter().filter(|put| put.is_ok()).count(), 1);
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test takes the folder away")]
    async fn a_folder_that_is_away_is_an_error_and_never_an_empty_one() {
        let outer = tempfile::tempdir().unwrap();
        let (here, away) = (outer.path().join("state"), outer.path().join("away"));
        std::fs::create_dir(&here).unwrap();
        let store = DurableFolder::new(&here).unwrap();
        let (kept, new) = (Location::from("a/kept"), Location::from("a/new"));
        let put = async |place: &Location| {
            store
                .put_opts(place, PutPayload::from_static(b"x"), create())
                .await
        };
        put(&kept).await.unwrap();
        for a_hole_is_in_its_place in [false, true] {
            std::fs::rename(&here, &away).unwrap();
            if a_hole_is_in_its_place {
                std::fs::create_dir(&here).unwrap();
            }
            let is_away = |error: Error| matches!(error, Error::Generic { .. });
            assert!(is_away(put(&new).await.unwrap_err()));
            assert!(is_away(store.get(&kept).await.unwrap_err()));
            let listed: Result<Vec<_>> = store.list(None).try_collect().await;
            assert!(is_away(listed.unwrap_err()));
            assert!(is_away(store.list_with_delimiter(None).await.unwrap_err()));
            if a_hole_is_in_its_place {
                std::fs::remove_dir(&here).unwrap();
            }
            assert!(!here.exists(), "nothing was made in its place");
            std::fs::rename(&away, &here).unwrap();
            assert!(store.get(&kept).await.is_ok());
        }
    }

    #[test]
    fn every_folder_that_got_an_entry_is_brought_to_disk() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let changed = make(&at("a/b/c")).unwrap();
        assert_eq!(changed, [at("a/b"), at("a"), folder.path().to_owned()]);
        assert_eq!(make(&at("a/b/d")).unwrap(), [at("a/b")]);
        bring_to_disk(&changed).unwrap();
        assert!(make(&at("a/b/d")).unwrap().is_empty());
    }
}
