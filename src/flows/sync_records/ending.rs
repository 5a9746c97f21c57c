//! The end of a connection's turn: what is told of it, in the log and in `ServiceDeskLog_CL`.

use super::streams::Syncing;
use super::{CALL_MAX, Stopped, Synced};
use crate::domain::batch::BatchCutter;
use crate::domain::gate::Gate;
use crate::domain::log_row::LogRow;
use crate::domain::table::Table;
use crate::flows::log_rows;
use crate::stores::gates::SeenGate;

impl Syncing<'_> {
    pub(super) async fn finish(mut self, ended: Result<(), Stopped>) -> Synced {
        if let Err(stopped) = &ended {
            self.synced.stopped_because = Some(stopped.to_string());
            self.synced.has_failed = !stopped.is_well();
            self.synced.hint = Some(stopped.hint());
        }
        let (name, synced) = (&self.connection.name, &self.synced);
        let rows = synced.rows_total();
        match &ended {
            Err(stopped) if !stopped.is_well() => {
                tracing::warn!(connection = %name, rows, failure = %stopped, hint = stopped.hint(), "the sync did not come to its end");
            }
            _ => {
                let complete_until = synced.complete_until.map(|until| until.to_string());
                tracing::info!(connection = %name, rows, windows = synced.windows, calls = synced.product_calls, complete_until, is_backfilled = synced.is_backfilled, stopped_because = synced.stopped_because, "synchronised");
            }
        }
        self.log(&ended).await;
        self.synced
    }

    /// One row for who looks in Log Analytics. What the sink cannot be told there stands in our own log.
    async fn log(&self, ended: &Result<(), Stopped>) {
        let (at, run) = (self.core.clock.now(), &self.run_id);
        let mut row = match ended {
            Err(Stopped::Product(failure)) => LogRow::of_failure(at, failure, run),
            // The sink would refuse this one too, and the store's trouble is no record of the product's.
            Err(Stopped::Sink(_) | Stopped::Store(_) | Stopped::Overtaken) => return,
            // Nothing was asked: what closed the gate goes on.
            Err(Stopped::GateClosed) => match self.core.gates.read(&self.connection.name).await {
                Ok(SeenGate {
                    gate:
                        Gate {
                            because: Some(failure),
                            ..
                        },
                    ..
                }) => LogRow::of_failure(at, &failure, run),
                _ => return,
            },
            Ok(()) | Err(Stopped::NoTime) => {
                let rows = self.synced.rows_total();
                let mut row = LogRow::info(
                    at,
                    "sync_finished",
                    format!("{rows} records were sent"),
                    run,
                );
                row.synced_until = self.synced.complete_until;
                row.expires_at = log_rows::ends_at(self.core, &self.connection.name).await;
                row
            }
        };
        row.records = Some(self.synced.rows_total());
        self.tell_reader(row).await;
    }

    /// A row of `ServiceDeskLog_CL` about this connection.
    pub(super) async fn tell_reader(&self, row: LogRow) {
        let row = row.about(&self.connection.name, self.connection.partner_type);
        let mut cutter = BatchCutter::new(Table::ServiceDeskLog);
        if cutter.push(&row).is_err() {
            return;
        }
        let Some(batch) = cutter.finish() else { return };
        let sent = self
            .sync
            .sink
            .send(Table::ServiceDeskLog, &batch, CALL_MAX)
            .await;
        if let Err(failure) = sent {
            let failure = failure.failure();
            tracing::warn!(connection = %self.connection.name, %failure, hint = failure.hint(), "the sync's own row was not taken");
        }
    }
}
