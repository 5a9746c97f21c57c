//! Time and chance of a simulated process: the paused clock of the runtime, a wall clock that is off by a constant, and
//! a generator of its own.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::{Clock, Entropy};
use tokio::time::Instant;

use crate::dice::Dice;

/// When every run begins: 2026-03-01T10:00:00Z.
pub const BEGINNING_MS: i64 = 1_772_359_200_000;

/// The moment of the paused clock.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the simulated clock's owner"
)]
pub fn moment() -> Instant {
    Instant::now()
}

/// Waits on the paused clock: it jumps as soon as nobody has anything else to do.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the simulated clock's owner"
)]
pub async fn pause(span: Duration) {
    if !span.is_zero() {
        tokio::time::sleep(span).await;
    }
}

/// The clock of one process.
#[derive(Debug)]
pub struct SimClock {
    started: Instant,
    skew_ms: i64,
}

impl SimClock {
    /// A clock that reads the beginning at `started`, but for its skew.
    pub fn new(started: Instant, skew_ms: i64) -> Self {
        Self { started, skew_ms }
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.monotonic().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(BEGINNING_MS + self.skew_ms + elapsed)
    }

    fn monotonic(&self) -> Duration {
        moment().saturating_duration_since(self.started)
    }

    async fn sleep(&self, span: Duration) {
        pause(span).await;
    }
}

/// The chance of one process.
#[derive(Debug)]
pub struct SimEntropy(Mutex<Dice>);

impl SimEntropy {
    /// From a generator.
    pub fn new(dice: Dice) -> Self {
        Self(Mutex::new(dice))
    }
}

impl Entropy for SimEntropy {
    fn dice(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bits()
    }
}
