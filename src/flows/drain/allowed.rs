//! What the product allows the drain: as many calls as it announced, less what was used of them.

use std::cell::Cell;

use crate::domain::allowance::{CALLS_PER_EVENT, Meter};
use crate::domain::name::ConnectionName;
use crate::flows::Core;
use crate::stores::objects::StoreFailure;

/// Calls after which it is written down how many were used, where the limit is so small that its share is less.
const NOTED_EVERY_MIN: u64 = 8;

/// The calls of one drain.
pub(super) struct Allowed<'a> {
    core: &'a Core,
    connection: &'a ConnectionName,
    meter: Meter,
    /// Events that are being settled.
    under_way: Cell<u64>,
    /// What was used when it was last written down.
    noted: Cell<u64>,
}

impl<'a> Allowed<'a> {
    /// What is known in this process, or was written down by another.
    pub(super) async fn read(
        core: &'a Core,
        connection: &'a ConnectionName,
    ) -> Result<Self, StoreFailure> {
        let meter = core.products.meter(connection);
        let now = core.clock.now();
        if meter.read(now).is_none()
            && let Some(told) = core.allowances.read(connection).await?
            && told.is_current(now)
        {
            meter.learns(told);
        }
        let noted = Cell::new(meter.read(now).map_or(0, |known| known.used));
        Ok(Self {
            core,
            connection,
            meter,
            under_way: Cell::new(0),
            noted,
        })
    }

    /// One more event is begun, if its calls will not be refused. The caller says when it has ended.
    pub(super) fn begin(&self) -> bool {
        let under_way = self.under_way.get() + 1;
        let is_allowed = match self.meter.read(self.core.clock.now()) {
            Some(known) => known.left() >= (under_way * CALLS_PER_EVENT).min(known.limit),
            None => true,
        };
        if is_allowed {
            self.under_way.set(under_way);
        }
        is_allowed
    }

    /// An event has ended; what it used is written down now and then, so that whoever goes on after a crash knows of all
    /// but a part of what is kept back.
    pub(super) async fn end(&self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        if let Some(known) = self.meter.read(self.core.clock.now())
            && known.used.abs_diff(self.noted.get()) >= NOTED_EVERY_MIN.max(known.kept_back() / 2)
        {
            self.note().await;
        }
    }

    /// Writes down what was used. A store that fails here costs the next drain a few refused calls, no alert.
    pub(super) async fn note(&self) {
        let now = self.core.clock.now();
        let Some(known) = self.meter.read(now) else {
            return;
        };
        if self.noted.replace(known.used) == known.used {
            return;
        }
        let writer = self.core.writer_id();
        let noted = self
            .core
            .allowances
            .note(self.connection, known, &writer, now)
            .await;
        if let Err(failure) = noted {
            tracing::warn!(connection = %self.connection, %failure, "what was used of the product's limit was not written down");
        }
    }
}
