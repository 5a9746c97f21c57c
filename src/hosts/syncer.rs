//! The `scheduled-sync` as the hosts see it: a run within a time. One that is cut off loses nothing: the next goes on from
//! the last row that was accepted.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;

use super::function::{Function, NotListed, Rhythm};
use crate::flows::Core;
use crate::flows::sync_records::{self, Sync};
use crate::ports::Clock;

/// How often it is to be run: the schedules in the documentation and in `infra/` say so too.
pub const EVERY: Duration = Duration::from_secs(5 * 60);

/// How often it runs at the desk, where a tick costs nothing.
pub const DESK_EVERY: Duration = Duration::from_secs(60);

/// When it first runs there: by then the alerts that were waiting have been finished.
pub(super) const DESK_FIRST: Duration = Duration::from_secs(5);

/// How long a run may take where nobody says: a function of the Consumption plan has five minutes (azure-platform §5.4).
pub(super) const WITHIN: Duration = Duration::from_secs(240);

/// Reads records of connections back.
#[derive(Debug)]
pub struct Syncer {
    core: Core,
    sync: Sync,
}

impl Syncer {
    /// Over the flows.
    pub fn new(core: Core, sync: Sync) -> Self {
        Self { core, sync }
    }

    /// What it works with.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// One run.
    pub async fn run(&self, span: Duration) {
        run(&self.core, &self.sync, span).await;
    }
}

#[async_trait(?Send)]
impl Function for Syncer {
    fn clock(&self) -> &dyn Clock {
        &*self.core.clock
    }

    fn rhythm(&self) -> Rhythm {
        Rhythm {
            every: EVERY,
            within: WITHIN,
        }
    }

    /// What goes wrong with a connection is in the log and in `ServiceDeskLog_CL`.
    async fn tick(&self, within: Duration) -> Result<(), NotListed> {
        self.run(within).await;
        Ok(())
    }

    fn done(&self) -> &'static str {
        "synchronised"
    }
}

/// One run over a core that others use too. A panic is a line in the log.
pub async fn run(core: &Core, sync: &Sync, span: Duration) {
    let run = AssertUnwindSafe(Box::pin(sync_records::run(core, sync, span)));
    if run.catch_unwind().await.is_err() {
        tracing::error!(
            hint = "report it with the lines before this one; the next run goes on",
            "a fault in the sync"
        );
    }
}
