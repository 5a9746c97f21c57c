//! A folder in which every write is on disk before it counts: `object_store`'s own, except for how it makes the folders
//! of a new object. It makes them and has each on disk before it begins to write; here that goes on beside the write, and
//! the write counts when both are done. Every slot has a folder, so an alert waits for it: see `docs/performance.md`.

use std::fmt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use futures_util::future;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A folder in which every write is on disk before it counts.
#[derive(Debug)]
pub(super) struct DurableFolder(LocalFileSystem);

impl DurableFolder {
    /// In this folder, which exists.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let store = LocalFileSystem::new_with_prefix(folder)?;
        Ok(Self(store.with_fsync(true)))
    }
}

impl fmt::Display for DurableFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
        let file = self.0.path_to_filesystem(location)?;
        let Some(folder) = file.parent().filter(|folder| !folder.exists()) else {
            return self.0.put_opts(location, payload, options).await;
        };
        let folder = folder.to_owned();
        let changed = beside(move || make(&folder)).await?;
        // The innermost folder is brought to disk by the write, after the object is in it.
        let put = self.0.put_opts(location, payload, options);
        let (put, kept) = future::join(put, beside(move || bring_to_disk(&changed))).await;
        kept.and(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Location, to: &Location, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
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
