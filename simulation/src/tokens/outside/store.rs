//! The store of the state, as one process sees it.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use itsm_connector::domain::renewal::Renewal;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as Stored,
};

use super::{Life, Ports};
use crate::tokens::bugs::Bug;
use crate::tokens::weather::{MINUTE, Part};
use crate::tokens::world::World;

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
        if self.0.is_down(Part::Store, "writes to the store") {
            return Err(unavailable());
        }
        let lease = location.as_ref().starts_with("leases/renewal-");
        if lease && self.world().bug == Some(Bug::NoLease) {
            return Ok(PutResult {
                e_tag: None,
                version: None,
                extensions: Default::default(),
            });
        }
        let memory: Arc<InMemory> = Arc::clone(&self.world().memory);
        let text = payload.clone();
        let put = || {
            let put = memory.put_opts(location, payload, options);
            let put = futures_util::FutureExt::now_or_never(put);
            if let Some(Ok(_)) = &put {
                self.world().written(location.as_ref(), &text, &self.0);
            }
            put
        };
        let what = if lease {
            "writes a lease"
        } else {
            "writes to the store"
        };
        self.0
            .risky(what, put)
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
        if self.0.is_down(Part::Store, "reads the store") {
            return Err(unavailable());
        }
        let memory: Arc<InMemory> = Arc::clone(&self.world().memory);
        let get = || futures_util::FutureExt::now_or_never(memory.get_opts(location, options));
        self.0
            .risky("reads the store", get)
            .await
            .flatten()
            .unwrap_or_else(|| Err(unavailable()))
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Stored<Path>>,
    ) -> BoxStream<'static, Stored<Path>> {
        let life = Arc::clone(&self.0);
        let locations = locations.inspect(move |location| {
            if let Ok(location) = location {
                life.world.removed(location.as_ref());
            }
        });
        self.world().memory.delete_stream(locations.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Stored<ObjectMeta>> {
        let listing = self.world().memory.list(prefix);
        let life = Arc::clone(&self.0);
        futures_util::stream::once(async move {
            let what = "lists the store";
            if life.is_down(Part::Store, what) {
                return futures_util::stream::iter([Err(unavailable())]).boxed();
            }
            match life.risky(what, || ()).await {
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

impl World {
    /// What somebody may wait for has been written.
    fn written(&self, path: &str, payload: &PutPayload, by: &Life) {
        let writer = by.id;
        let mut inner = self.inner();
        let book = &mut inner.book;
        let mut is_called = false;
        let mut is_leased = true;
        match path.split('/').next() {
            Some("leases") => {
                book.leases.insert(writer, self.now_ms());
                book.leased_to = Some(writer);
                return;
            }
            Some("renewals") => {
                let before = book.renewal.take();
                book.renewal = state_of(payload);
                let login = |state: &Option<Renewal>| state.as_ref().and_then(|state| state.login);
                is_called = login(&before).is_none() && login(&book.renewal).is_some();
                // Who had it and stood still writes on from what they saw last: if nobody has written meanwhile, that is so.
                let had_it = book.leases.get(&writer);
                is_leased = by.is_safe()
                    || book.leased_to == Some(writer)
                    || had_it.is_some_and(|at_ms| by.stood_still_since(*at_ms));
                book.wrote(writer);
            }
            Some("refresh-wanted") => book.is_wished = true,
            Some("gates") => {
                book.gate = state_of(payload).unwrap_or_default();
                book.breaks += 1;
            }
            _ => return,
        }
        let now = self.now_ms();
        let was_killed = book.killed_ms.last().is_some_and(|at| now - at < MINUTE);
        let delivered = book.delivered_and_at_work().cloned();
        let has_one = delivered.is_some_and(|one| inner.issuer.takes(&one.refresh, now));
        drop(inner);
        self.tell();
        if !is_leased {
            self.violated("who had no lease wrote down where the renewal stands".to_owned());
        }
        if is_called && !was_killed {
            if self.vaults_refresh_token_lives() {
                self.violated("a person is called, and the vault has a good refresh token".into());
            } else if has_one {
                self.violated("a person is called, and a process has a good refresh token".into());
            }
        }
    }

    fn removed(&self, path: &str) {
        if path.starts_with("refresh-wanted/") {
            self.inner().book.is_wished = false;
            self.tell();
        }
    }
}

#[derive(serde::Deserialize)]
struct Written<T> {
    state: T,
}

fn state_of<T: serde::de::DeserializeOwned>(payload: &PutPayload) -> Option<T> {
    let text: Vec<u8> = payload.iter().flatten().copied().collect();
    let written: Written<T> = serde_json::from_slice(&text).ok()?;
    Some(written.state)
}
