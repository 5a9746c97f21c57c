//! Once a day what was sent is held against the product's own counts: of all days at once, then of halves of those that do
//! not agree, and a day that does not agree is looked through. What is missing there is sent.
//!
//! Nothing is judged that changed since the last window's overlap: that is the live windows' business. Counts know no
//! access controls, so what a day has beyond what it shows is written down and counted with it the next time.

mod look;

use super::streams::Syncing;
use super::{Stopped, tidying};
use crate::domain::failure::CallFailure;
use crate::domain::ledger::{Check, Day, DayLedger, Days, Ledger, News};
use crate::domain::log_row::{Category, LogRow};
use crate::domain::sync_window::{Ask, Live, Order, RecordCount, Stream, Window};
use crate::domain::timestamp::Timestamp;
use crate::stores::cursors::Cursor;
use crate::stores::numbered_log::Head;

impl Syncing<'_> {
    /// One step of what is owed once a day; false if nothing is.
    pub(super) async fn reconcile_next(&mut self) -> Result<bool, Stopped> {
        let (now, every) = (self.core.clock.now(), self.rules().reconcile_every);
        let is_due = |(_, head): &(&Stream, &Head<Live>)| {
            let at = head.state.reconciled_at;
            at.is_none_or(|at| now.since(at) >= every)
        };
        let of_records = |stream: &Stream| stream.record_type().is_some();
        let mut due = self.lives.iter().filter(|(stream, _)| of_records(stream));
        let Some(stream) = due.find(is_due).map(|(stream, _)| *stream) else {
            return Ok(false);
        };
        let cursor = Cursor::Ledger(stream);
        let mut head = match self.read::<Ledger>(cursor).await? {
            Some(head) => head,
            None => self.put(cursor, None, Ledger::default()).await?,
        };
        match Box::pin(self.step(stream, &mut head)).await {
            // It does not count for us, or does not let us count: that is told once a day, and stops nothing.
            Err(Stopped::Product(failure)) if !failure.concerns_every_call() => {
                self.conclude(stream, &mut head, Some(&failure)).await?;
            }
            stepped => stepped?,
        }
        Ok(true)
    }

    async fn step(&mut self, stream: Stream, head: &mut Head<Ledger>) -> Result<(), Stopped> {
        let Some(settled) = self.settled.get(&stream).copied() else {
            return self.fold(stream, head).await;
        };
        if head.state.check.is_none() {
            return self.begin_check(stream, head, settled).await;
        }
        let mut ledger = head.state.clone();
        if let Some(day) = ledger.sweep() {
            return self.sweep((stream, day), head, ledger).await;
        }
        let Some(days) = head.state.next() else {
            return self.conclude(stream, head, None).await;
        };
        let window = days.window(settled);
        let counted = if window.from < window.until {
            self.count(stream, window).await?
        } else {
            RecordCount {
                records: 0,
                revisions: None,
            }
        };
        let differs = ledger.counted(counted);
        let mut looked = Ok(());
        if let Some(day) = differs {
            let place = (stream, day);
            let look = self.look_through(place, &mut ledger, settled, counted);
            looked = Box::pin(look).await;
        }
        // Also how far it has come if it has not come to the end.
        self.write(Cursor::Ledger(stream), head, ledger).await?;
        looked
    }

    /// Takes out of a day what was sent as deleted.
    async fn sweep(
        &mut self,
        (stream, day): (Stream, Day),
        head: &mut Head<Ledger>,
        mut ledger: Ledger,
    ) -> Result<(), Stopped> {
        let name = &self.connection.name;
        let before = self.state.ledgers.read_day(name, stream, day).await?;
        if let Some(before) = before {
            let mut state = before.state.clone();
            ledger.takes_out_the_gone(&mut state);
            if state != before.state {
                self.write_day((stream, day), Some(&before), &state).await?;
            }
            ledger.sums_up(day, &state);
        }
        self.write(Cursor::Ledger(stream), head, ledger).await
    }

    /// Makes some of the news a part of their days; once there are none left, the ledgers know all that was sent before the
    /// moment at which this began.
    async fn fold(&mut self, stream: Stream, head: &mut Head<Ledger>) -> Result<(), Stopped> {
        let name = &self.connection.name;
        let complete_until = self
            .lives
            .get(&stream)
            .map(|live| live.state.complete_until);
        let ledgers = self.state.ledgers.clone();
        let news = ledgers.news(name, stream).await?;
        if news.is_empty() {
            let settled = complete_until.unwrap_or(Timestamp::UNIX_EPOCH);
            self.settled.insert(stream, settled);
            return Ok(());
        }
        let (mut names, mut all) = (Vec::new(), News::default());
        for (news_name, one) in news {
            names.push(news_name);
            all.sent.extend(one.sent);
            all.gone.extend(one.gone);
        }
        let mut ledger = head.state.clone();
        all.sent.retain(|sent| sent.1 >= self.first_day);
        all.sent.sort_unstable_by_key(|sent| sent.1);
        for of_day in all.sent.chunk_by(|one, other| one.1 == other.1) {
            let Some(day) = of_day.first().map(|sent| sent.1) else {
                continue;
            };
            let before = ledgers.read_day(name, stream, day).await?;
            let mut state = before
                .as_ref()
                .map(|head| head.state.clone())
                .unwrap_or_default();
            for sent in of_day {
                state.note(&sent.0, sent.2, sent.3);
            }
            self.write_day((stream, day), before.as_ref(), &state)
                .await?;
            ledger.sums_up(day, &state);
        }
        ledger.hears_of(all.gone, self.core.clock.now());
        self.write(Cursor::Ledger(stream), head, ledger).await?;
        // Only now: what is told of twice counts once, what is told of nowhere is taken for missing.
        Ok(ledgers.forget_news(name, stream, &names).await?)
    }

    async fn write_day(
        &self,
        place: (Stream, Day),
        before: Option<&Head<DayLedger>>,
        state: &DayLedger,
    ) -> Result<(), Stopped> {
        let (core, name) = (self.core, &self.connection.name);
        let (writer, now) = (core.writer_id(), core.clock.now());
        let ledgers = &self.state.ledgers;
        let written = ledgers.write_day(name, place, before, &writer, now, state);
        match written.await? {
            true => Ok(()),
            false => Err(Stopped::Overtaken),
        }
    }

    async fn begin_check(
        &mut self,
        stream: Stream,
        head: &mut Head<Ledger>,
        settled: Timestamp,
    ) -> Result<(), Stopped> {
        // The first whole day of which everything was read.
        let backfill = self.backfills.get(&stream);
        let read_from = backfill.map_or(settled, |backfill| backfill.state.oldest);
        let from = self.first_day.max(Day::of(read_from)).next();
        let until = Day::of(settled).next().max(from);
        let name = &self.connection.name;
        self.state
            .ledgers
            .forget_days_before(name, stream, from)
            .await?;
        tidying::run(self.core, &self.state, name).await;
        let mut ledger = head.state.clone();
        ledger.begin(Days { from, until }, self.core.clock.now());
        self.write(Cursor::Ledger(stream), head, ledger).await
    }

    /// How many records were made in a window, and the sum of their revisions.
    async fn count(&mut self, stream: Stream, window: Window) -> Result<RecordCount, Stopped> {
        let Some(record_type) = stream.record_type() else {
            return Ok(RecordCount {
                records: 0,
                revisions: None,
            });
        };
        let asked = self.by_day(window);
        let within = self.leave().await?;
        let counted = self.source.count(record_type, &asked, within).await;
        self.heard(counted).await
    }

    fn by_day(&self, window: Window) -> Ask {
        Ask {
            order: Order::Created,
            ..self.rules().first(window, None)
        }
    }

    /// Writes down that it is done for today, and says what came of it.
    async fn conclude(
        &mut self,
        stream: Stream,
        head: &mut Head<Ledger>,
        refused: Option<&CallFailure>,
    ) -> Result<(), Stopped> {
        let now = self.core.clock.now();
        let mut ledger = head.state.clone();
        let check = ledger.end();
        let began = check.as_ref().map_or(now, |check| check.began);
        self.write(Cursor::Ledger(stream), head, ledger).await?;
        let Some(mut live) = self.lives.remove(&stream) else {
            return Ok(());
        };
        let mut state = live.state.clone();
        state.reconciled_at = Some(began);
        let written = self.write(Cursor::Live(stream), &mut live, state).await;
        self.lives.insert(stream, live);
        written?;
        let mut row = match (refused, &check) {
            (Some(failure), _) => LogRow::of_failure(now, failure, &self.run_id),
            (None, Some(check)) => told(check, now, &self.run_id),
            (None, None) => return Ok(()),
        };
        row.record_type = stream.record_type();
        let (name, stream, message) = (&self.connection.name, stream.as_str(), &row.message);
        match row.hint {
            None => tracing::info!(connection = %name, stream, message, "reconciled"),
            Some(_) => {
                tracing::warn!(connection = %name, stream, message, hint = row.hint, "reconciled")
            }
        }
        self.tell_reader(row).await;
        Ok(())
    }
}

/// What came of it, for who looks in Log Analytics.
fn told(check: &Check, now: Timestamp, run: &str) -> LogRow {
    let Check {
        days,
        missing,
        deleted,
        looked_through,
        too_large,
        ..
    } = check;
    let mut message = format!(
        "records of {days} days were counted and {looked_through} of them looked through: {missing} records were missing and have been sent, {deleted} had been deleted"
    );
    if *too_large > 0 {
        message.push_str(&format!(
            "; {too_large} days have too many records to be looked through"
        ));
    }
    let mut row = if *missing == 0 && *too_large == 0 {
        LogRow::info(now, "reconciled", message, run)
    } else {
        let hint = "now and then a record is committed later than the sync waits for it; where there are many each day, look for scripts that change records without their time of change";
        LogRow::error(
            now,
            Category::UnexpectedResponse,
            "records_were_missing",
            message,
            hint,
            run,
        )
    };
    row.records = Some(missing + deleted);
    row
}
