//! The `token-refresher`: every few minutes, the tokens that must be renewed are, each step written down before it is done
//! (DESIGN §8).
//!
//! For each connection, if it is due or somebody wishes it: a lease; the intent; the call to the issuer; the new set into the
//! vault, and read back; one call to the product by it; the version before it out of use; what was superseded revoked. A
//! crash anywhere is finished by the next run. What to do when is decided in [`crate::domain::renewal`]; here it is done.
//!
//! A connection for which there is nothing to do costs two reads of our own state, and neither vault nor issuer is asked.

mod storing;
mod told;
pub(super) mod turn;

use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Serialize;

use super::{Budget, Core, log_rows};
use crate::domain::failure::CallFailure;
use crate::domain::name::ConnectionName;
use crate::domain::renewal::{Input, LoginNeeded};
use crate::domain::timestamp::Timestamp;
use crate::stores::connections::Lookup;
use crate::stores::objects::StoreFailure;
pub use storing::Unstored;
use turn::{LEASE_FOR, Turn};

/// Connections that are worked on at once: each waits for others most of the time.
const CONNECTIONS_AT_ONCE: usize = 4;

/// What is kept back of a run's time for writing down and giving the leases back (rule R42).
const RESERVE: Duration = Duration::from_secs(3);

/// A wish that nobody could serve, because it is of a connection that renews its tokens by itself, goes after this.
const WISH_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How a run goes.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// How long it may take.
    pub span: Duration,
    /// When the next one comes.
    pub tick: Duration,
    /// Whether tokens are renewed although they need not be.
    pub forced: bool,
}

/// What became of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Refreshed {
    /// True if there is a new set of tokens in the vault.
    pub renewed: bool,
    /// True if there was nothing to do.
    pub is_idle: bool,
    /// True if another process was at it.
    pub busy: bool,
    /// When the access token ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_ends_at: Option<Timestamp>,
    /// When the refresh token ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_ends_at: Option<Timestamp>,
    /// That a person is needed, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginNeeded>,
    /// What went wrong; it is tried again at the next run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<CallFailure>,
}

/// Why nothing could be done for a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRefreshed {
    /// Our own state.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// The vault, or the connection's definition in it.
    #[error(transparent)]
    Call(#[from] CallFailure),
}

impl NotRefreshed {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Store(failure) => failure.hint(),
            Self::Call(failure) => failure.hint(),
        }
    }
}

/// What became of each connection.
pub type Report = Vec<(ConnectionName, Result<Refreshed, NotRefreshed>)>;

/// Goes over the connections: those that are named, or all in the vault. One that fails never stops another.
pub async fn run(
    core: &Core,
    order: Order,
    only: Option<&[ConnectionName]>,
) -> Result<Report, NotRefreshed> {
    let budget = Budget::new(&*core.clock, order.span.saturating_sub(RESERVE));
    if core.soundness.to_be_proven().is_some() {
        let (id, now) = (core.writer_id(), core.clock.now());
        Box::pin(core.soundness.prove_when_due(&id, now)).await?;
    }
    let names = match only {
        Some(names) => names.to_vec(),
        None => core.token_sets.connections().await?,
    };
    let mut report: Report = futures_util::stream::iter(names)
        .map(|name| async move {
            let refreshed = Box::pin(refresh(core, &name, order, budget)).await;
            told::outcome(&name, &refreshed);
            (name, refreshed)
        })
        .buffer_unordered(CONNECTIONS_AT_ONCE)
        .collect()
        .await;
    report.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(report)
}

async fn refresh(
    core: &Core,
    name: &ConnectionName,
    order: Order,
    budget: Budget,
) -> Result<Refreshed, NotRefreshed> {
    let idle = Refreshed {
        is_idle: true,
        ..Refreshed::default()
    };
    let (state, wished_at) =
        futures_util::future::try_join(core.renewals.read(name), core.wishes.read(name)).await?;
    let now = core.clock.now();
    let state = state.map(|head| head.state).unwrap_or_default();
    log_rows::see(core, name, &state);
    if !order.forced && !state.is_due(now, wished_at) {
        serve(core, name, wished_at, |at| state.serves(at)).await?;
        return Ok(idle);
    }
    let connection = match core.connections.look_up(name).await {
        Lookup::Found(connection) => connection,
        // Somebody has removed it since it was listed.
        Lookup::Absent => return Ok(idle),
        Lookup::Unusable(failure) | Lookup::NotAsked(failure) => return Err(failure.into()),
    };
    let holder = core.writer_id();
    let lease = turn::lease_of(name);
    let taken = core.leases.take(&lease, &holder, now, LEASE_FOR).await?;
    let Some(lease) = taken else {
        return Ok(Refreshed { busy: true, ..idle });
    };
    let mut turn = Turn::new(core, connection, order, budget).await?;
    let done = turn.run(wished_at, Input::Begin).await;
    let refreshed = turn.outcome();
    let state = turn.end().await;
    log_rows::see(core, name, &state);
    // If the lease cannot be given back it runs out by itself.
    if let Err(failure) = lease.release(core.clock.now()).await {
        tracing::warn!(connection = %name, %failure, "the refresher's lease was not given back");
    }
    done?;
    serve(core, name, wished_at, |at| state.serves(at)).await?;
    Ok(refreshed)
}

/// Takes a wish away that was served, or that nobody can serve.
async fn serve(
    core: &Core,
    name: &ConnectionName,
    wished_at: Option<Timestamp>,
    is_served: impl FnOnce(Timestamp) -> bool,
) -> Result<(), StoreFailure> {
    let is_old = |at: Timestamp| core.clock.now().since(at) > WISH_FOR;
    match wished_at {
        Some(at) if is_served(at) || is_old(at) => core.wishes.remove(name).await,
        _ => Ok(()),
    }
}

/// The next run looks at this connection: its definition or its tokens were changed by a person.
pub async fn wake(core: &Core, name: &ConnectionName) -> Result<(), StoreFailure> {
    let Some(head) = core.renewals.read(name).await? else {
        return Ok(());
    };
    let mut state = head.state.clone();
    state.due_at = None;
    if state == head.state {
        return Ok(());
    }
    let (writer, now) = (core.writer_id(), core.clock.now());
    // Whoever was faster is at it, and looks for himself.
    core.renewals
        .write(name, Some(&head), &writer, now, &state)
        .await?;
    Ok(())
}
