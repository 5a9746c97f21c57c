//! The shipped program as real processes over loopback, in storms of faults, and a checker of what came of it.
//!
//! What the simulation cannot have is here: the binary itself, sockets, files, signals. A simulated ServiceNow is behind a
//! proxy that loses, holds and cuts; the processes are killed and stopped; their state is taken away and fills up; alerts
//! come as an action group sends them. Then all is quiet, what waits is drained, and a [`checker`] holds what the sender
//! was told against what the product has done. It is a package of its own, as `simulation/` is, because it is a command
//! that also runs for hours, and so that the tests of the library need not build it.
//!
//! Linux only: it takes signals, limits and the exchange of two names by the kernel.
#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    reason = "real processes, real time, real files: this is what the command is for"
)]

pub mod alerts;
pub mod backfill;
pub mod chaos;
pub mod checker;
pub mod desk;
pub mod evidence;
pub mod fleet;
pub mod flood;
pub mod history;
pub mod memory;
pub mod outage;
pub mod product;
pub mod program;
pub mod proxy;
pub mod quiet;
pub mod round;
pub mod sender;
pub mod slow;
pub mod state;
pub mod tally;
pub mod vault;
pub mod wire;

use std::time::Duration;

/// What goes wrong with the machine itself, in words.
pub type Trouble = String;

/// Milliseconds of a span.
fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Waits by the real clock.
async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
