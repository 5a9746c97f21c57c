//! The `token-refresher` as the hosts see it: a run within a time, which is not cut off by a polite stop.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;

use super::function::{Function, NotListed, Rhythm};
use crate::domain::name::ConnectionName;
use crate::flows::Core;
use crate::flows::refresh_tokens::{self, Order};
use crate::ports::Clock;

/// How often it is to be run: the schedules in the documentation and in `infra/` say so too. Tokens are renewed two ticks
/// ahead of their end, so that one may fail.
pub const EVERY: Duration = Duration::from_secs(5 * 60);

/// How often it runs at the desk beside the webhook, where a tick costs nothing.
pub const DESK_EVERY: Duration = Duration::from_secs(60);

/// How long a run may take where nobody says.
pub(super) const WITHIN: Duration = Duration::from_secs(240);

/// Below this the issuer is never asked (rule R36): the platform's limit is too low.
const TIME_MIN: Duration = Duration::from_secs(64);

/// Renews the tokens of connections.
#[derive(Debug)]
pub struct Refresher {
    core: Core,
    /// Which connections; all in the vault where nothing is said.
    only: Option<Vec<ConnectionName>>,
    /// Held during a run.
    running: tokio::sync::Mutex<()>,
}

impl Refresher {
    /// Over the flows.
    pub fn new(core: Core, only: Option<Vec<ConnectionName>>) -> Self {
        Self {
            core,
            only,
            running: tokio::sync::Mutex::default(),
        }
    }

    /// What it works with.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// One run. False if something went wrong beyond a single connection.
    pub async fn run(&self, span: Duration) -> bool {
        let _running = self.running.lock().await;
        if span < TIME_MIN {
            let (has_seconds, needs_seconds) = (span.as_secs(), TIME_MIN.as_secs());
            tracing::warn!(
                has_seconds,
                needs_seconds,
                hint = "give the function two minutes or more: an issuer is asked only if what it gives can be stored",
                "too little time to renew a token"
            );
        }
        run(&self.core, self.only.as_deref(), span, EVERY).await
    }
}

#[async_trait(?Send)]
impl Function for Refresher {
    fn clock(&self) -> &dyn Clock {
        &*self.core.clock
    }

    fn rhythm(&self) -> Rhythm {
        Rhythm {
            every: EVERY,
            within: WITHIN,
        }
    }

    async fn tick(&self, within: Duration) -> Result<(), NotListed> {
        match self.run(within).await {
            true => Ok(()),
            false => Err(NotListed),
        }
    }

    fn done(&self) -> &'static str {
        "refreshed"
    }

    /// What an issuer gave is stored before the process ends.
    async fn at_rest(&self) {
        drop(self.running.lock().await);
    }
}

/// One run over a core that others use too. A panic is a line in the log.
pub async fn run(
    core: &Core,
    only: Option<&[ConnectionName]>,
    span: Duration,
    tick: Duration,
) -> bool {
    let order = Order {
        span,
        tick,
        forced: false,
    };
    match AssertUnwindSafe(refresh_tokens::run(core, order, only))
        .catch_unwind()
        .await
    {
        Ok(Ok(_)) => true,
        Ok(Err(failure)) => {
            tracing::error!(%failure, hint = failure.hint(), "the connections could not be listed; no token was looked at");
            false
        }
        Err(_) => {
            tracing::error!(
                hint = "report it with the lines before this one; the next run goes on",
                "a fault in the token-refresher"
            );
            false
        }
    }
}
