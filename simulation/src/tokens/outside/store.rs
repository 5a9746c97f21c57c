//! The store of the state, as one process sees it.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as Stored,
};

use super::Ports;

impl std::fmt::Display for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("simulated")
    }
}

fn unavailable() -> object_store::Error {
    object_store::Error::Generic {
        store: "simulated",
        source: "simulated".into(),
    }
}

#[async_trait]
impl ObjectStore for Ports {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Stored<PutResult> {
        let memory: Arc<InMemory> = Arc::clone(&self.world().memory);
        let put =
            || futures_util::FutureExt::now_or_never(memory.put_opts(location, payload, options));
        self.0
            .risky(put)
            .await
            .flatten()
            .unwrap_or_else(|| Err(unavailable()))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Stored<Box<dyn MultipartUpload>> {
        Err(unavailable())
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Stored<GetResult> {
        let memory: Arc<InMemory> = Arc::clone(&self.world().memory);
        let get = || futures_util::FutureExt::now_or_never(memory.get_opts(location, options));
        self.0
            .risky(get)
            .await
            .flatten()
            .unwrap_or_else(|| Err(unavailable()))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Stored<Path>>,
    ) -> BoxStream<'static, Stored<Path>> {
        self.world().memory.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Stored<ObjectMeta>> {
        let listing = self.world().memory.list(prefix);
        let life = Arc::clone(&self.0);
        futures_util::stream::once(async move {
            match life.risky(|| ()).await {
                Some(()) => listing,
                None => futures_util::stream::iter([Err(unavailable())]).boxed(),
            }
        })
        .flatten()
        .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Stored<ListResult> {
        self.world().memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Stored<()> {
        Err(unavailable())
    }
}
