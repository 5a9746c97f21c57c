//! Whether this process stood still between a look at the state and what it did because of it.
//!
//! A process can be stopped anywhere: `SIGSTOP`, a frozen container, a laptop that sleeps. Two clocks are compared,
//! because neither sees everything. The monotonic one counts while a process is stopped or its container is frozen; on
//! Linux and macOS it stands still while the machine itself sleeps (`CLOCK_MONOTONIC`, `CLOCK_UPTIME_RAW`). The wall clock
//! goes on through that sleep, but somebody may set it. The larger of the two spans counts: at worst a listing too many.
//! What nobody here can tell is a machine that slept and whose wall clock has not been set again yet.

use std::time::Duration;

use crate::domain::timestamp::Timestamp;
use crate::ports::Clock;

/// The longest that may lie between a look at a log's head and the end of the append that counts from it, before the log
/// is looked at once more. Above all that a healthy run does in between (three calls of twenty seconds to the product),
/// and a small part of the age at which a snapshot that was succeeded is removed (`flows/retention.rs`): within it,
/// nothing that was seen can be gone.
pub const STANDSTILL_MAX: Duration = Duration::from_secs(5 * 60);

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    wall: Timestamp,
    monotonic: Duration,
}

impl Moment {
    /// Now.
    pub fn now(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: clock.monotonic(),
        }
    }

    /// How long ago this moment was, by whichever clock has seen more.
    pub fn age(self, clock: &dyn Clock) -> Duration {
        let now = Self::now(clock);
        now.wall
            .since(self.wall)
            .max(now.monotonic.saturating_sub(self.monotonic))
    }
}
