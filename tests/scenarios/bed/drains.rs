//! The drain, when the story wants it.

use std::time::Duration;

use itsm_connector::flows::{Core, drain};
use itsm_connector::ports::Clock as _;

use super::{CONNECTION, TestBed};

/// How much time passes between two drains of [`TestBed::settle`]: more than any claim or gate lasts.
const BETWEEN_DRAINS: Duration = Duration::from_secs(16 * 60);

/// How many drains a story may take to come to rest.
const DRAINS_MAX: usize = 60;

impl TestBed {
    /// One run of the drain, as at the desk.
    pub(crate) async fn drain(&self) -> drain::Drained {
        self.drain_within(Duration::from_secs(55)).await
    }

    /// One run of the drain where the platform gives it so long.
    pub(crate) async fn drain_within(&self, span: Duration) -> drain::Drained {
        let runs = Box::pin(drain::run(self.core(), span)).await;
        let mine = runs
            .unwrap()
            .into_iter()
            .find(|(name, _)| name.as_str() == CONNECTION);
        mine.map(|(_, drained)| drained).unwrap_or_default()
    }

    /// Drains, and lets time pass, until nothing is pending or it is plain that it never will be.
    pub(crate) async fn settle(&self) {
        for _ in 0..DRAINS_MAX {
            self.drain().await;
            if self.pending().await == 0 {
                return;
            }
            self.pass(BETWEEN_DRAINS);
            self.servicenow
                .catches_up_with(self.clock.now().as_millis());
        }
    }

    /// One run of the drain in another process.
    pub(crate) async fn drains_with(&self, core: &Core) {
        let runs = Box::pin(drain::run(core, Duration::from_secs(55))).await;
        runs.unwrap();
    }
}
