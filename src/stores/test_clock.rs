//! A clock for the stores' own tests: it stands at a moment until it is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use object_store::memory::InMemory;

use super::objects::Objects;
use crate::domain::timestamp::Timestamp;
use crate::ports::Clock;

/// The clock.
#[derive(Debug, Default)]
pub(super) struct TestClock {
    wall_ms: AtomicI64,
    monotonic_ms: AtomicU64,
}

impl TestClock {
    /// Only the wall clock goes on: the machine slept.
    pub(super) fn sleep_through(&self, span: Duration) {
        let ms = i64::try_from(span.as_millis()).unwrap();
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Only the monotonic clock goes on: the process was stopped, and somebody set the wall clock back meanwhile.
    pub(super) fn stop_for(&self, span: Duration) {
        let ms = u64::try_from(span.as_millis()).unwrap();
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall_ms.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
    }

    async fn sleep(&self, _: Duration) {}
}

/// Objects in memory, under a clock that stands.
pub(super) fn in_memory() -> Objects {
    Objects::new(Arc::new(InMemory::new()), Arc::new(TestClock::default()))
}
