//! The state store as a process of the sync sees it: memory that all share, calls that fail or lose their answer, and a look
//! at each cursor that is written.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::Bug;
use super::check;
use super::world::Process;
use crate::clock::pause;

type BoxStream<T> = futures_util::stream::BoxStream<'static, T>;

/// The store of one process.
#[derive(Debug, Clone)]
pub struct Store(Arc<Process>);

impl Store {
    /// The store as this process sees it.
    pub fn new(process: Arc<Process>) -> Self {
        Self(process)
    }

    /// Where nobody heeds the lease, each scheduler has one of its own.
    fn place(&self, location: &Path) -> Path {
        let text = location.as_ref();
        match text.strip_prefix("leases/") {
            Some(rest) if !self.0.world.heeds_lease => {
                Path::from(format!("leases-{}/{rest}", self.0.scheduler))
            }
            _ => location.clone(),
        }
    }

    async fn call<T>(&self, act: impl Future<Output = Result<T>>) -> Result<T> {
        let world = &self.0.world;
        self.0.step().await;
        pause(Duration::from_millis(world.between(5, 60))).await;
        if world.strikes("store calls that fail", 0.01) {
            return Err(unavailable());
        }
        let done = act.await;
        self.0.step().await;
        if world.strikes("store answers lost", 0.01) {
            return Err(unavailable());
        }
        done
    }

    /// A cursor is there now.
    fn watch(&self, location: &Path, payload: &PutPayload) {
        if location.as_ref().contains("/news/") {
            let content: Vec<u8> = payload.iter().flatten().copied().collect();
            let news: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
            let sent = news["sent"].as_array().into_iter().flatten();
            let version = |sent: &serde_json::Value| {
                let key = sent[0].as_str()?.to_owned();
                Some((key, sent[2].as_i64()?, sent[3].as_i64()?))
            };
            self.0.world.told().extend(sent.filter_map(version));
        }
        if !location.as_ref().starts_with("cursors/") {
            return;
        }
        let content: Vec<u8> = payload.iter().flatten().copied().collect();
        let world = &self.0.world;
        world.count("cursors written");
        check::cursor(world, location.as_ref(), &content);
        self.0.unconfirmed.store(0, Ordering::Relaxed);
    }

    /// What a bug writes in place of a cursor.
    fn written(&self, location: &Path, payload: PutPayload) -> PutPayload {
        let forgets = self.0.world.bug == Some(Bug::NoMemory);
        if !forgets || !location.as_ref().ends_with("live") && !location.as_ref().contains("/live/")
        {
            return payload;
        }
        let content: Vec<u8> = payload.iter().flatten().copied().collect();
        let Ok(mut snapshot) = serde_json::from_slice::<serde_json::Value>(&content) else {
            return payload;
        };
        if let Some(state) = snapshot["state"].as_object_mut() {
            state.remove("seen");
        }
        PutPayload::from(snapshot.to_string())
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated store")
    }
}

fn unavailable() -> object_store::Error {
    object_store::Error::Generic {
        store: "simulated store",
        source: "unavailable".into(),
    }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let memory = &self.0.world.memory;
        let place = self.place(location);
        if self.0.world.bug == Some(Bug::ForgetsWhatWasSent) && location.as_ref().contains("/news/")
        {
            return Ok(PutResult {
                e_tag: None,
                version: None,
                extensions: Default::default(),
            });
        }
        let payload = self.written(location, payload);
        self.call(async {
            let done = memory.put_opts(&place, payload.clone(), options).await;
            if done.is_ok() {
                self.watch(location, &payload);
            }
            done
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let memory = &self.0.world.memory;
        memory.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let place = self.place(location);
        self.call(self.0.world.memory.get_opts(&place, options))
            .await
    }

    fn delete_stream(&self, locations: BoxStream<Result<Path>>) -> BoxStream<Result<Path>> {
        self.0.world.memory.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<Result<ObjectMeta>> {
        let store = self.clone();
        let prefix = store.place(&prefix.cloned().unwrap_or_default());
        let own = format!("leases-{}/", self.0.scheduler);
        let listing = async move {
            let memory = Arc::clone(&store.0.world.memory);
            let act = async move { memory.list(Some(&prefix)).try_collect::<Vec<_>>().await };
            match store.call(act).await {
                Ok(found) => {
                    let named = |mut meta: ObjectMeta| {
                        if let Some(rest) = meta.location.as_ref().strip_prefix(&own) {
                            meta.location = Path::from(format!("leases/{rest}"));
                        }
                        Ok(meta)
                    };
                    found.into_iter().map(named).collect()
                }
                Err(error) => vec![Err(error)],
            }
        };
        futures_util::stream::once(listing)
            .map(futures_util::stream::iter)
            .flatten()
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(self.0.world.memory.list_with_delimiter(prefix))
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.world.memory.copy_opts(from, to, options).await
    }
}
