//! The object store as a process sees it: memory that all share, and the faults of a network in between.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::backlog::Deed;
use crate::clock::pause;
use crate::counters;
use crate::planted::Planted;
use crate::process::Process;
use crate::swarm::Class;

/// Longer than anybody waits for the store.
const SILENCE: Duration = Duration::from_secs(30);

type BoxStream<T> = futures_util::stream::BoxStream<'static, T>;

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Fails,
    LosesAnswer,
    FallsSilent,
    Hangs,
    ActsLate,
    Conflicts,
}

/// A write whose answer did not come, or was a conflict.
#[derive(Debug)]
struct Unconfirmed {
    /// What was to be written; of several tries the last.
    tried: Bytes,
    /// True if several of the process's tasks tried to write there: which of them reads back cannot be told.
    by_several: bool,
}

/// The store of one process.
#[derive(Debug, Clone)]
pub struct FaultyStore {
    process: Arc<Process>,
    /// Objects whose making was not confirmed to us.
    unconfirmed: Arc<Mutex<BTreeMap<Path, Unconfirmed>>>,
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated store")
    }
}

impl FaultyStore {
    /// The store as this process sees it.
    pub fn new(process: Arc<Process>) -> Self {
        Self {
            process,
            unconfirmed: Arc::default(),
        }
    }

    /// Draws what goes wrong, and takes the time that it takes.
    async fn trouble(&self, what: &str) -> Option<Trouble> {
        let scene = &self.process.scene;
        if scene.store_is_down() {
            scene.ledger.count(Class::StoreDown.as_str());
            let silent = scene.weather().chance(0.2);
            return Some(if silent {
                Trouble::Hangs
            } else {
                Trouble::Fails
            });
        }
        if scene.strikes(Class::StoreSlow) {
            let ms = scene.weather().between(200, 4000);
            // Nobody waits that long: to its caller the call has failed.
            if ms > 1_500 {
                self.process.watch_store_failure(what);
            }
            pause(Duration::from_millis(ms)).await;
        }
        let is_put = what.starts_with("store create");
        let conflicts = is_put.then_some((Class::StoreConflicts, Trouble::Conflicts));
        [
            (Class::StoreFails, Trouble::Fails),
            (Class::StoreLosesAnswer, Trouble::LosesAnswer),
            (Class::StoreFallsSilent, Trouble::FallsSilent),
            (Class::StoreHangs, Trouble::Hangs),
            (Class::StoreActsLate, Trouble::ActsLate),
        ]
        .into_iter()
        .chain(conflicts)
        .find_map(|(class, trouble)| scene.strikes(class).then_some(trouble))
    }

    /// One call: begun, troubled, done, ended.
    async fn call<T>(
        &self,
        what: String,
        later: impl FnOnce(),
        act: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let scene = &self.process.scene;
        let shown = what.clone();
        let call = self.process.begin(what, scene.swarm.store_ms).await;
        let trouble = self.trouble(&shown).await;
        if trouble.is_some() {
            self.process.watch_store_failure(&shown);
        }
        match trouble {
            None => {
                let done = act.await;
                call.end(word(&done)).await;
                done
            }
            Some(Trouble::Fails) => {
                call.end("fails").await;
                Err(unavailable())
            }
            Some(Trouble::LosesAnswer) => {
                let done = act.await;
                call.end(format!("{}, answer lost", word(&done))).await;
                Err(unavailable())
            }
            Some(Trouble::FallsSilent) => {
                let done = act.await;
                call.end(format!("{}, silence", word(&done))).await;
                pause(SILENCE).await;
                Err(unavailable())
            }
            Some(Trouble::Hangs) => {
                call.end("hangs").await;
                pause(SILENCE).await;
                Err(unavailable())
            }
            Some(Trouble::Conflicts) => {
                call.end("409, and not there").await;
                Err(object_store::Error::AlreadyExists {
                    path: shown,
                    source: "409 ConditionalRequestConflict".into(),
                })
            }
            Some(Trouble::ActsLate) => {
                later();
                call.end("hangs, acts late").await;
                pause(SILENCE).await;
                Err(unavailable())
            }
        }
    }

    fn later(&self, deed: Deed) -> impl FnOnce() + use<> {
        let scene = Arc::clone(&self.process.scene);
        move || {
            let wait = Duration::from_millis(scene.weather().between(1_000, 20_000));
            scene.backlog().add(scene.elapsed() + wait, deed);
        }
    }

    fn unconfirmed(&self) -> MutexGuard<'_, BTreeMap<Path, Unconfirmed>> {
        self.unconfirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// An append whose answer was lost reads its object back at once, before anything is listed.
    fn watch_get(&self, location: &Path) -> Option<Bytes> {
        let is_slot = location.as_ref().starts_with("slots/");
        let tried = self.unconfirmed().remove(location);
        if is_slot || location.as_ref().starts_with("leases/") {
            let content = self.process.scene.peek(location.as_ref());
            let content = content.unwrap_or_default();
            let by_several = tried.as_ref().is_some_and(|tried| tried.by_several);
            let is_unconfirmed = tried.is_some_and(|tried| tried.tried == content);
            if is_unconfirmed && is_slot {
                self.process.scene.ledger.count(counters::OWN_WRITE);
            }
            let is_own = is_unconfirmed && !by_several;
            self.process
                .watch_read_back(location.as_ref(), &content, is_own);
            if is_unconfirmed {
                return Planted::on_read_back(&self.process, &content);
            }
        }
        None
    }
}

fn unavailable() -> object_store::Error {
    object_store::Error::Generic {
        store: "simulated store",
        source: "unavailable".into(),
    }
}

fn word<T>(done: &Result<T>) -> &'static str {
    match done {
        Ok(_) => "ok",
        Err(object_store::Error::AlreadyExists { .. }) => "exists",
        Err(object_store::Error::NotFound { .. }) => "not there",
        Err(_) => "fails",
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let scene = &self.process.scene;
        if let Some(pretended) = Planted::instead_of_put(&self.process, location, &payload) {
            return Ok(pretended);
        }
        let payload = Planted::on_payload(&self.process, location, payload);
        self.process.watch_try(location.as_ref());
        if ["slots/", "leases/"]
            .iter()
            .any(|folder| location.as_ref().starts_with(folder))
        {
            let tried = payload.clone().into();
            let mut unconfirmed = self.unconfirmed();
            let by_several = unconfirmed.contains_key(location);
            let tried = Unconfirmed { tried, by_several };
            unconfirmed.insert(location.clone(), tried);
        }
        let late = Deed::Create(location.clone(), payload.clone());
        let act = async {
            let content = payload.clone();
            let done = scene.memory.put_opts(location, payload, options).await;
            if done.is_ok() {
                for content in &content {
                    self.process.watch_made(location.as_ref(), content);
                }
                scene.watch_begun_anew(location.as_ref());
            }
            done
        };
        let done = self
            .call(format!("store create {location}"), self.later(late), act)
            .await;
        if done.is_ok() {
            self.unconfirmed().remove(location);
        }
        Planted::on_put(&self.process, location, done)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.process
            .scene
            .memory
            .put_multipart_opts(location, options)
            .await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let scene = &self.process.scene;
        let act = scene.memory.get_opts(location, options);
        let done = self.call(format!("store get {location}"), || {}, act).await;
        if done.is_err() {
            // It may have been its writer's: whoever else reads it is no witness for it.
            self.unconfirmed().remove(location);
            self.process.watch_not_read_back(location.as_ref());
        }
        if done.is_ok()
            && let Some(instead) = self.watch_get(location)
        {
            let other = InMemory::new();
            other.put(location, PutPayload::from(instead)).await?;
            return other.get(location).await;
        }
        done
    }

    fn delete_stream(&self, locations: BoxStream<Result<Path>>) -> BoxStream<Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    let one = futures_util::stream::iter([Ok(location.clone())]).boxed();
                    let removing = store.process.scene.memory.delete_stream(one);
                    let act = async {
                        store.process.scene.watch_removal(location.as_ref());
                        Planted::on_removal(&store.process, &location);
                        removing.try_collect::<Vec<_>>().await.map(|_| ())
                    };
                    let late = store.later(Deed::Delete(location.clone()));
                    let what = format!("store delete {location}");
                    store.call(what, late, act).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned().unwrap_or_default());
        let listing = async move {
            let memory = Arc::clone(&store.process.scene.memory);
            store
                .unconfirmed()
                .retain(|location, _| !location.prefix_matches(&prefix));
            let folder = prefix.clone();
            let act = async move { memory.list(Some(&folder)).try_collect::<Vec<_>>().await };
            let listed = store.call(format!("store list {prefix}"), || {}, act).await;
            match listed {
                Ok(found) => found.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        };
        futures_util::stream::once(listing)
            .map(futures_util::stream::iter)
            .flatten()
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let scene = &self.process.scene;
        let shown = prefix.cloned().unwrap_or_default();
        let act = scene.memory.list_with_delimiter(prefix);
        self.call(format!("store folders {shown}"), || {}, act)
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.process.scene.memory.copy_opts(from, to, options).await
    }
}
