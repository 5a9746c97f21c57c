//! The sync: records that changed in the ITSM product go to Log Analytics, every final state of them, at least once.
//!
//! One sync per connection at a time (a lease says which; correctness does not depend on it). What changed lately goes
//! first, in closed windows; then what the connection's past days hold, a slice a day, the newest first, while the live
//! windows go on. A cursor moves only after the sink has the rows before it. Once a day what was sent is held against the
//! product's own counts.

mod ending;
mod reconcile;
mod report;
mod streams;
mod tidying;
mod walk;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;

use super::{Budget, Core, log_rows};
use crate::domain::connection::Connection;
use crate::domain::failure::CallFailure;
use crate::domain::name::ConnectionName;
use crate::domain::sync_window::{Rules, Stream, Window};
use crate::ports::RowSink;
use crate::stores::connections::Lookup;
use crate::stores::cursors::Cursors;
use crate::stores::ledgers::Ledgers;
use crate::stores::objects::StoreFailure;
use crate::stores::set_aside::SetAsides;
pub use report::{Progress, Synced, Watch};
use streams::Syncing;

/// Connections that are synchronised at once: their products wait on themselves, and each has a page in memory.
const CONNECTIONS_AT_ONCE: usize = 4;

/// The longest that one page may take, and one batch: a page of a thousand records takes a busy instance seconds.
const CALL_MAX: Duration = Duration::from_secs(30);

/// The least time with which a page is still asked for: what is sent must be acknowledged too.
const CALL_MIN: Duration = Duration::from_secs(5);

/// What is kept back of a run's time for the rows that are not sent yet, for writing down and for the lease.
const RESERVE: Duration = Duration::from_secs(5);

/// How a sync is run.
pub struct Sync {
    /// Where the rows go.
    pub sink: Arc<dyn RowSink>,
    /// How it reads.
    pub rules: Rules,
    /// Only these connections; `None`: all that the vault has.
    pub only: Option<Vec<ConnectionName>>,
    /// Who is told how it goes on.
    pub watch: Option<Arc<dyn Watch>>,
    /// Until then, on the monotonic clock, the sink has asked to be left alone.
    pub rests_until: Mutex<Duration>,
}

impl std::fmt::Debug for Sync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sync")
            .field("rules", &self.rules)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

impl Sync {
    /// All connections into a sink.
    pub fn into(sink: Arc<dyn RowSink>) -> Self {
        Self {
            sink,
            rules: Rules::default(),
            only: None,
            watch: None,
            rests_until: Mutex::default(),
        }
    }
}

impl Sync {
    fn rests(&self, now: Duration) -> bool {
        let until = self.rests_until.lock();
        now < *until.unwrap_or_else(PoisonError::into_inner)
    }

    fn rest(&self, until: Duration) {
        let mut rests = self
            .rests_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *rests = until.max(*rests);
    }
}

/// Why a sync of a connection ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The time is up; the next run goes on.
    #[error("the time was up")]
    NoTime,
    /// The product wants to be left alone.
    #[error("the connection's gate is closed")]
    GateClosed,
    /// Another run has moved the cursor: it has sent the same rows.
    #[error("another run was faster")]
    Overtaken,
    /// The product.
    #[error(transparent)]
    Product(CallFailure),
    /// Where the rows go.
    #[error(transparent)]
    Sink(CallFailure),
    /// Our own state.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

impl Stopped {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoTime | Self::Overtaken => "nothing to do: the next run goes on",
            Self::GateClosed => "nothing to do at once: `itsmc status` says why and until when",
            Self::Product(failure) | Self::Sink(failure) => failure.hint(),
            Self::Store(failure) => failure.hint(),
        }
    }

    /// True if nothing is wrong.
    pub fn is_well(&self) -> bool {
        matches!(self, Self::NoTime | Self::Overtaken)
    }
}

/// Synchronises every connection, some at once, within `span`; how each ended. One that fails never stops another.
pub async fn run(core: &Core, sync: &Sync, span: Duration) -> Vec<(ConnectionName, Synced)> {
    let budget = Budget::new(&*core.clock, span.saturating_sub(RESERVE));
    if sync.rests(core.clock.monotonic()) {
        tracing::info!("the sync waits as long as its sink has asked for");
        return Vec::new();
    }
    let names = match &sync.only {
        Some(names) => names.clone(),
        None => match core.connections.names().await {
            Ok(names) => names,
            Err(failure) => {
                tracing::error!(%failure, hint = failure.hint(), "the sync does not know the connections");
                return Vec::new();
            }
        },
    };
    let syncs = futures_util::stream::iter(names.clone())
        .map(|name| async move {
            let synced = sync_connection(core, sync, &name, budget).await;
            (name, synced)
        })
        .buffer_unordered(CONNECTIONS_AT_ONCE)
        .filter_map(|(name, synced)| async move { synced.map(|synced| (name, synced)) })
        .collect::<Vec<_>>();
    let mut reports = Box::pin(syncs).await;
    // After them: what they have found goes along.
    let within = CALL_MAX.min(budget.left(&*core.clock) + RESERVE);
    log_rows::send(core, &*sync.sink, &names, within).await;
    reports.sort_by(|one, other| one.0.cmp(&other.0));
    reports
}

/// `None` if there is no time for it, or somebody else is doing it.
async fn sync_connection(
    core: &Core,
    sync: &Sync,
    name: &ConnectionName,
    budget: Budget,
) -> Option<Synced> {
    if !budget.can_start(&*core.clock, CALL_MIN) {
        return None;
    }
    let connection = match core.connections.look_up(name).await {
        Lookup::Found(connection) => connection,
        Lookup::Absent => {
            tracing::warn!(connection = %name, "there is no such connection to synchronise");
            log_rows::missing(core, name).await;
            return Some(Synced::not_begun("there is no such connection"));
        }
        Lookup::Unusable(failure) | Lookup::NotAsked(failure) => {
            tracing::warn!(connection = %name, %failure, hint = failure.hint(), "the sync waits for its connection");
            log_rows::unusable(core, name, None, &failure).await;
            return Some(Synced::not_begun("the connection cannot be used"));
        }
    };
    let run = core.writer_id();
    let span = budget.left(&*core.clock) + RESERVE;
    let lease = core
        .leases
        .take(&format!("sync-{name}"), &run, core.clock.now(), span)
        .await;
    let lease = match lease {
        Ok(Some(lease)) => lease,
        // Somebody else is at it: that is success.
        Ok(None) => return None,
        Err(failure) => {
            tracing::error!(connection = %name, %failure, hint = failure.hint(), "the sync's lease could not be asked for");
            return Some(Synced::not_begun("the state store failed"));
        }
    };
    let synced = match Syncing::begin(core, sync, &connection, budget, run).await {
        Ok(syncing) => Box::pin(syncing.run()).await,
        Err(stopped) => {
            tracing::warn!(connection = %name, failure = %stopped, hint = stopped.hint(), "the sync did not begin");
            if let Stopped::Product(failure) = &stopped {
                log_rows::unusable(core, name, Some(connection.partner_type), failure).await;
            }
            Synced::not_begun(&stopped.to_string())
        }
    };
    // If the lease cannot be given back it runs out by itself.
    if let Err(failure) = lease.release(core.clock.now()).await {
        tracing::warn!(connection = %name, %failure, "the sync's lease was not given back");
    }
    Some(synced)
}

/// Sends what changed in a window once more, whatever the cursors say: a slice that a person asks for. It has a cursor of
/// its own, so that the same command goes on where it was broken off.
pub async fn run_slice(
    core: &Core,
    sync: &Sync,
    connection: &Arc<Connection>,
    window: Window,
    span: Duration,
) -> Synced {
    let budget = Budget::new(&*core.clock, span.saturating_sub(RESERVE));
    match Syncing::begin(core, sync, connection, budget, core.writer_id()).await {
        Ok(syncing) => Box::pin(syncing.run_slice(window)).await,
        Err(stopped) => Synced::not_begun(&stopped.to_string()),
    }
}

/// What a sync reads and writes of our own state.
struct State {
    cursors: Cursors,
    ledgers: Ledgers,
    set_aside: SetAsides,
}

impl State {
    fn of(core: &Core) -> Self {
        Self {
            cursors: Cursors::new(core.objects.clone()),
            ledgers: Ledgers::new(core.objects.clone()),
            set_aside: SetAsides::new(core.objects.clone()),
        }
    }
}

/// The streams of a connection.
pub fn streams(connection: &Connection) -> Vec<Stream> {
    let types = connection.sync.record_types.iter().copied();
    types
        .map(Stream::from)
        .chain(std::iter::once(Stream::Deletions))
        .collect()
}
