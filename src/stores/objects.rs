//! The object store as the other stores see it: create-only, with time limits, and with names that cannot climb.

mod failure;

use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

pub use failure::{StoreFailure, StoreTrouble};

use super::last_seen::LastSeen;
use crate::domain::timestamp::Timestamp;
use crate::ports::Clock;

/// How long one request to the store may take (rule R3: two tries of two seconds fit into the intake's answer).
pub const STORE_CALL_MAX: Duration = Duration::from_secs(2);

/// Names that one listing reads at most: a bound for memory, far above what a healthy state holds.
pub const LISTING_MAX: usize = 200_000;

/// What came of a create-only write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// It is there now, and we made it.
    Made,
    /// It was there already.
    Existed,
}

/// The object store.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    last_seen: Option<LastSeen>,
    lists_in_order: bool,
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.store)
    }
}

impl Objects {
    /// Over any object store that honours create-only writes.
    pub fn new(store: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            last_seen: None,
            lists_in_order: false,
        }
    }

    /// The same, over a store that lists names in order, or not: Azure Blob and S3 do.
    #[must_use]
    pub fn listed_in_order(mut self, lists_in_order: bool) -> Self {
        self.lists_in_order = lists_in_order;
        self
    }

    /// The clock of this process.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The same, and the health page is told how it does.
    #[must_use]
    pub fn watched_by(mut self, last_seen: LastSeen) -> Self {
        self.last_seen = Some(last_seen);
        self
    }

    /// Passes a result on, and tells the health page.
    fn told<T>(&self, result: Result<T, StoreFailure>) -> Result<T, StoreFailure> {
        if let Some(last_seen) = &self.last_seen {
            match &result {
                Ok(_) => last_seen.works("state store"),
                Err(failure) => last_seen.fails("state store", failure.hint()),
            }
        }
        result
    }

    /// Writes an object that must not be there yet.
    pub async fn create(&self, path: &str, content: Bytes) -> Result<Creation, StoreFailure> {
        let location = Path::from(path);
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        let put = self
            .store
            .put_opts(&location, PutPayload::from_bytes(content), options);
        self.told(match timed("create", path, put).await {
            Ok(Ok(_)) => Ok(Creation::Made),
            // Azurite and S3 answer a lost race in several ways (reliability-security rule R12).
            Ok(Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            )) => Ok(Creation::Existed),
            Ok(Err(error)) => Err(failure("create", path, &error)),
            Err(too_slow) => Err(too_slow),
        })
    }

    /// Writes an object that may be there already, and is what we would write. "It is there" is looked at before it is
    /// believed: S3 answers 409 while another write of the same name goes on, which may still fail, and `object_store`
    /// tells that as if the object existed (reliability-security §0.5, rule R12).
    pub async fn keep(&self, path: &str, content: Bytes) -> Result<Creation, StoreFailure> {
        match self.create(path, content).await? {
            Creation::Made => Ok(Creation::Made),
            Creation::Existed if Box::pin(self.get(path)).await?.is_some() => Ok(Creation::Existed),
            Creation::Existed => Err(StoreFailure {
                operation: "create",
                path: path.to_owned(),
                trouble: StoreTrouble::Unavailable,
            }),
        }
    }

    /// Reads an object; `None` if it is not there.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>, StoreFailure> {
        let location = Path::from(path);
        let read = async {
            let found = self.store.get(&location).await?;
            found.bytes().await
        };
        self.told(match timed("get", path, read).await {
            Ok(Ok(content)) => Ok(Some(content)),
            Ok(Err(object_store::Error::NotFound { .. })) => Ok(None),
            Ok(Err(error)) => Err(failure("get", path, &error)),
            Err(too_slow) => Err(too_slow),
        })
    }

    /// The names below a folder, in order, without the folder's own name. At most [`LISTING_MAX`].
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, StoreFailure> {
        let prefix = Path::from(folder);
        let mut names = Vec::new();
        let listing = async {
            let mut entries = self.store.list(Some(&prefix));
            while let Some(entry) = entries.try_next().await? {
                names.extend(name_below(&prefix, &entry.location));
                if names.len() >= LISTING_MAX {
                    break;
                }
            }
            Ok(())
        };
        listed(folder, listing).await?;
        names.sort_unstable();
        Ok(names)
    }

    /// The first `max` names below a folder that come after `after`, in order, without the folder's own name. However
    /// many there are, no more than `max` are in memory, and where the store lists in order, no more pages are asked for
    /// than have them. If the store is too slow for all of them, the first of those that it told of.
    pub async fn list_first(
        &self,
        folder: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, StoreFailure> {
        let prefix = Path::from(folder);
        // Stores may list in any order; the heap's top is what goes when a smaller one comes. It grows as it must: a page
        // is a few names most of the time, and room for all that it may hold is not free.
        let mut first = BinaryHeap::new();
        let listing = async {
            let mut entries = match after {
                Some(after) => {
                    let offset = Path::from(format!("{folder}/{after}"));
                    self.store.list_with_offset(Some(&prefix), &offset)
                }
                None => self.store.list(Some(&prefix)),
            };
            // A server that says it is S3 may list as it likes: it is believed as long as it has kept to the order.
            let mut in_order = self.lists_in_order;
            while let Some(entry) = entries.try_next().await? {
                let name = name_below(&prefix, &entry.location);
                if let Some(name) = name.filter(|name| after.is_none_or(|after| &**name > after)) {
                    in_order &= first.peek().is_none_or(|last| *last < name);
                    first.push(name);
                }
                if first.len() > max {
                    first.pop();
                    if in_order {
                        break;
                    }
                }
            }
            Ok(())
        };
        let listed = listed(folder, listing).await;
        match listed {
            Err(failure) if failure.trouble != StoreTrouble::TimedOut || first.is_empty() => {
                Err(failure)
            }
            _ => Ok(first.into_sorted_vec()),
        }
    }

    /// The names below a folder of what was written since `since` by the store's own clock, in no order; at most
    /// [`LISTING_MAX`].
    pub async fn written_since(
        &self,
        folder: &str,
        since: Timestamp,
    ) -> Result<Vec<String>, StoreFailure> {
        let prefix = Path::from(folder);
        let mut names = Vec::new();
        let listing = async {
            let mut entries = self.store.list(Some(&prefix));
            while let Some(entry) = entries.try_next().await? {
                if entry.last_modified.timestamp_millis() >= since.as_millis() {
                    names.extend(name_below(&prefix, &entry.location));
                }
                if names.len() >= LISTING_MAX {
                    break;
                }
            }
            Ok(())
        };
        listed(folder, listing).await?;
        Ok(names)
    }

    /// True if there is anything below a folder.
    pub async fn has_any(&self, folder: &str) -> Result<bool, StoreFailure> {
        let prefix = Path::from(folder);
        let mut found = false;
        let listing = async {
            found = self.store.list(Some(&prefix)).try_next().await?.is_some();
            Ok(())
        };
        listed(folder, listing).await?;
        Ok(found)
    }

    /// The folders right below a folder, in order.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreFailure> {
        let prefix = Path::from(folder);
        match timed(
            "list",
            folder,
            self.store.list_with_delimiter(Some(&prefix)),
        )
        .await?
        {
            Ok(found) => {
                let mut names: Vec<String> = found
                    .common_prefixes
                    .iter()
                    .filter_map(|path| path.filename().map(str::to_owned))
                    .collect();
                names.sort_unstable();
                Ok(names)
            }
            Err(object_store::Error::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(failure("list", folder, &error)),
        }
    }

    /// Removes an object; without an error if it is not there (S3 and memory say nothing, others do).
    pub async fn delete(&self, path: &str) -> Result<(), StoreFailure> {
        let location = Path::from(path);
        match timed("delete", path, self.store.delete(&location)).await? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failure("delete", path, &error)),
        }
    }
}

/// A name without that of the folder that it is below.
fn name_below(folder: &Path, name: &Path) -> Option<String> {
    let below = name.as_ref().strip_prefix(folder.as_ref())?;
    if folder.as_ref().is_empty() || below.is_empty() {
        return Some(below.to_owned());
    }
    below.strip_prefix('/').map(str::to_owned)
}

/// A listing takes many requests, and so ten times as long as one. A folder that is not there is empty.
async fn listed(
    folder: &str,
    listing: impl Future<Output = Result<(), object_store::Error>>,
) -> Result<(), StoreFailure> {
    match tokio::time::timeout(STORE_CALL_MAX * 10, listing).await {
        Ok(Ok(()) | Err(object_store::Error::NotFound { .. })) => Ok(()),
        Ok(Err(error)) => Err(failure("list", folder, &error)),
        Err(_) => Err(StoreFailure {
            operation: "list",
            path: folder.to_owned(),
            trouble: StoreTrouble::TimedOut,
        }),
    }
}

async fn timed<T>(
    operation: &'static str,
    path: &str,
    call: impl Future<Output = Result<T, object_store::Error>>,
) -> Result<Result<T, object_store::Error>, StoreFailure> {
    tokio::time::timeout(STORE_CALL_MAX, call)
        .await
        .map_err(|_| StoreFailure {
            operation,
            path: path.to_owned(),
            trouble: StoreTrouble::TimedOut,
        })
}

fn failure(operation: &'static str, path: &str, error: &object_store::Error) -> StoreFailure {
    let trouble = match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => StoreTrouble::Denied,
        _ => StoreTrouble::Unavailable,
    };
    tracing::debug!(operation, path, %error, "the state store failed");
    StoreFailure {
        operation,
        path: path.to_owned(),
        trouble,
    }
}

/// The failure for an object whose content cannot be read.
pub(super) fn corrupt(path: &str) -> StoreFailure {
    StoreFailure {
        operation: "read",
        path: path.to_owned(),
        trouble: StoreTrouble::Corrupt,
    }
}
