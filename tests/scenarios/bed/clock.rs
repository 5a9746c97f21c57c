//! A clock that goes with the machine's and can be moved ahead, and dice that a seed decides.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::{Clock, Entropy};

/// What is waited for so long is a host's timer.
const TIMER_MIN: Duration = Duration::from_secs(60);

/// The machine's clock and what was passed over.
#[derive(Debug, Default)]
pub(crate) struct MovableClock {
    machine: SystemClock,
    ahead_ms: AtomicU64,
    timers: AtomicU64,
}

impl MovableClock {
    pub(crate) fn pass(&self, span: Duration) {
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.ahead_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// How often a host has begun to wait for its timer: its first tick, which comes with its start, is over then.
    pub(crate) fn timers(&self) -> u64 {
        self.timers.load(Ordering::SeqCst)
    }

    fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        self.machine.now().plus(self.ahead())
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic() + self.ahead()
    }

    /// A host's timer: here the story says when it ticks. Shorter waits are over at once, and have passed.
    async fn sleep(&self, span: Duration) {
        if span >= TIMER_MIN {
            self.timers.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        self.pass(span);
    }
}

/// SplitMix64: the same dice in each run.
#[derive(Debug, Default)]
pub(crate) struct Dice(AtomicU64);

impl Entropy for Dice {
    fn dice(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
