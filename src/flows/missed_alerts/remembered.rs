//! What a process remembers of Azure's list, so that an alert that is on it four times is looked up once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::identity::EventId;

/// Events that are remembered: some hundred kilobytes.
const EVENTS_MAX: usize = 10_000;

/// When the next look is due in this process, and what it has seen to be known.
#[derive(Debug, Default)]
pub struct Remembered {
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    /// On the monotonic clock.
    next_at: Option<Duration>,
    known: BTreeSet<EventId>,
    in_order: VecDeque<EventId>,
}

impl Remembered {
    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if this process has not looked for so long that it should: until then it asks the store nothing.
    pub(super) fn is_due(&self, monotonic: Duration) -> bool {
        self.inside().next_at.is_none_or(|at| monotonic >= at)
    }

    pub(super) fn next_at(&self, monotonic: Duration) {
        self.inside().next_at = Some(monotonic);
    }

    pub(super) fn knows(&self, event: &EventId) -> bool {
        self.inside().known.contains(event)
    }

    pub(super) fn remember(&self, event: EventId) {
        let mut inside = self.inside();
        if !inside.known.insert(event.clone()) {
            return;
        }
        inside.in_order.push_back(event);
        if inside.in_order.len() > EVENTS_MAX
            && let Some(oldest) = inside.in_order.pop_front()
        {
            inside.known.remove(&oldest);
        }
    }
}
