//! A store that is not quite as it should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// What is odd about a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// It takes a create for a replace, as some that speak S3 do.
    IgnoresCreateOnly,
    /// It does what it is asked and says that it failed.
    LosesReplies,
    /// It tries again by itself after it did what it was asked, and says that it was there already.
    TriesAgainByItself,
    /// It says of everything that another write of the same name goes on, as S3 does by 409, and keeps nothing.
    IsBusyWithAnother,
    /// It does nothing.
    IsAway,
}

/// A store in memory with an oddity.
#[derive(Debug)]
pub(crate) struct OddStore {
    inner: InMemory,
    oddity: Oddity,
    puts: AtomicUsize,
}

impl OddStore {
    pub(crate) fn new(oddity: Oddity) -> Arc<Self> {
        Arc::new(Self {
            inner: InMemory::new(),
            oddity,
            puts: AtomicUsize::new(0),
        })
    }

    /// How often something was to be put.
    pub(crate) fn puts(&self) -> usize {
        self.puts.load(Ordering::SeqCst)
    }
}

impl std::fmt::Display for OddStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OddStore({:?})", self.oddity)
    }
}

fn failed() -> Error {
    Error::Generic {
        store: "odd",
        source: "no answer".into(),
    }
}

#[async_trait]
impl ObjectStore for OddStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        self.puts.fetch_add(1, Ordering::SeqCst);
        match self.oddity {
            Oddity::IgnoresCreateOnly => {
                options.mode = PutMode::Overwrite;
                self.inner.put_opts(location, payload, options).await
            }
            Oddity::LosesReplies => {
                self.inner.put_opts(location, payload, options).await?;
                Err(failed())
            }
            Oddity::TriesAgainByItself => {
                self.inner
                    .put_opts(location, payload.clone(), options.clone())
                    .await?;
                self.inner.put_opts(location, payload, options).await
            }
            Oddity::IsBusyWithAnother => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "409".into(),
            }),
            Oddity::IsAway => Err(failed()),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.oddity {
            Oddity::IsAway => Err(failed()),
            _ => self.inner.get_opts(location, options).await,
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
