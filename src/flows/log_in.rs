//! A person's login: the password becomes tokens, in one request to the issuer, and is kept nowhere (promise P7). From
//! there on it is the way of every renewal: stored, read back, proven, and only then is the older one taken away.

use std::sync::Arc;
use std::time::Duration;

use super::refresh_tokens::turn::{CALL_MAX, LEASE_FOR, Turn, lease_of};
use super::refresh_tokens::{NotRefreshed, Order, Refreshed};
use super::{Budget, Core};
use crate::domain::connection::Connection;
use crate::domain::failure::CallFailure;
use crate::domain::renewal::Input;
use crate::domain::secret::Secret;
use crate::domain::token::{Mark, TokenSet};
use crate::stores::leases::Held;
use crate::stores::objects::StoreFailure;
use crate::stores::token_sets::Found;

/// How long a refresher that is at this connection is waited for: as long as a turn's lease lasts after a crash.
const LEASE_WITHIN: Duration = Duration::from_secs(200);

/// How often it is looked whether it is done.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long all of it may take.
const WITHIN: Duration = Duration::from_secs(180);

/// The desk looks every minute, functions every five; what is stored here is good for both.
const TICK: Duration = Duration::from_secs(5 * 60);

/// Why a login did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum NotLoggedIn {
    /// The issuer did not give tokens; nothing was stored.
    #[error(transparent)]
    Issuer(CallFailure),
    /// The vault could not be asked, or did not take them.
    #[error(transparent)]
    Vault(CallFailure),
    /// Our own state.
    #[error(transparent)]
    Store(#[from] StoreFailure),
    /// Another process is at this connection's tokens.
    #[error("another process is renewing the tokens of this connection")]
    Busy,
}

/// What a login gave.
#[derive(Debug)]
pub struct LoggedIn {
    /// How the connection's tokens stand now.
    pub tokens: Refreshed,
    /// Whether there is a refresh token: without one it works until the access token ends.
    pub has_refresh_token: bool,
}

/// Logs in and stores what it gives.
pub async fn run(
    core: &Core,
    connection: &Arc<Connection>,
    password: &Secret,
) -> Result<LoggedIn, NotLoggedIn> {
    let lease = lease(core, connection).await?;
    let done = Box::pin(leased(core, connection, password)).await;
    // If the lease cannot be given back it runs out by itself.
    let _ = lease.release(core.clock.now()).await;
    done
}

async fn lease(core: &Core, connection: &Connection) -> Result<Held, NotLoggedIn> {
    let (name, holder) = (lease_of(&connection.name), core.writer_id());
    let gives_up_at = core.clock.monotonic().saturating_add(LEASE_WITHIN);
    loop {
        let now = core.clock.now();
        if let Some(lease) = core.leases.take(&name, &holder, now, LEASE_FOR).await? {
            return Ok(lease);
        }
        if core.clock.monotonic() >= gives_up_at {
            return Err(NotLoggedIn::Busy);
        }
        core.clock.sleep(LOOK_EVERY).await;
    }
}

async fn leased(
    core: &Core,
    connection: &Arc<Connection>,
    password: &Secret,
) -> Result<LoggedIn, NotLoggedIn> {
    let name = &connection.name;
    let issuer = core
        .products
        .issuer(connection)
        .map_err(NotLoggedIn::Issuer)?;
    // Before the issuer is asked: a vault that cannot be read cannot be written to either.
    let before = core
        .token_sets
        .read(name)
        .await
        .map_err(NotLoggedIn::Vault)?;
    let user = connection.username.as_deref().unwrap_or_default();
    let at = core.clock.now();
    let issued = issuer
        .log_in(user, password, CALL_MAX)
        .await
        .map_err(NotLoggedIn::Issuer)?;
    let mark = Mark::of_dice(core.entropy.dice(), core.entropy.dice());
    let mut set = TokenSet::of_login(issued, at, connection.refresh_token_life, mark);
    if let Found::Set(old, _) = &before {
        set = set.in_place_of(old);
    }
    let has_refresh_token = set.refresh.is_some();
    let order = Order {
        span: WITHIN,
        tick: TICK,
        forced: false,
    };
    let budget = Budget::new(&*core.clock, WITHIN);
    let mut turn = Turn::new(core, Arc::clone(connection), order, budget).await?;
    let input = turn.store_login(set, &before).await;
    if let Input::NotStored(failure) = input {
        return Err(NotLoggedIn::Vault(failure));
    }
    let done = turn.run(None, input).await;
    let tokens = turn.outcome();
    turn.end().await;
    match done {
        Ok(()) => Ok(LoggedIn {
            tokens,
            has_refresh_token,
        }),
        Err(NotRefreshed::Store(failure)) => Err(NotLoggedIn::Store(failure)),
        Err(NotRefreshed::Call(failure)) => Err(NotLoggedIn::Vault(failure)),
    }
}
