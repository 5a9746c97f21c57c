//! The walk through one open window: pages out of the product, batches into the sink, then what the reconciliation needs to
//! know of them, and only then the cursor.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::batch::{Batch, BatchCutter};
use crate::domain::failure::{CallFailure, Kind};
use crate::domain::ledger::{Day, News, Sent};
use crate::domain::service_desk_row::ServiceDeskRow;
use crate::domain::sync_window::{Ask, Position, RecordPage, RecordRead, Stream, Unreadable, Walk};
use crate::domain::table::Table;
use crate::flows::gatekeeper::{self, Leave};
use crate::flows::ship::ship;
use crate::stores::cursors::Cursor;
use crate::stores::numbered_log::Head;
use crate::stores::set_aside::SetAside;

use super::streams::Syncing;
use super::{CALL_MAX, CALL_MIN, Progress, Stopped};

/// Rows that wait for their batch, and how far the walk is with them.
struct Waiting {
    cutter: BatchCutter,
    /// The place of the last row that was looked at.
    last: Option<Position>,
    rows: Told,
}

/// Rows by what is remembered of them.
#[derive(Default)]
pub(super) struct Told {
    /// For the next window.
    versions: Vec<(Position, i64)>,
    /// For the reconciliation.
    news: BTreeMap<Stream, News>,
}

impl Waiting {
    fn new() -> Self {
        Self {
            cutter: BatchCutter::new(Table::ServiceDesk),
            last: None,
            rows: Told::default(),
        }
    }
}

impl Told {
    /// One more. Of what was made before the days that are reconciled nothing is noted.
    pub(super) fn note(&mut self, read: &RecordRead, first_day: Day) {
        let (record, place) = (&read.record, &read.position);
        self.versions.push((place.clone(), record.revision));
        let stream = Stream::from(record.record_type());
        let day = read.made_at.map(Day::of).filter(|day| *day >= first_day);
        if record.is_deleted {
            let news = self.news.entry(stream).or_default();
            news.gone.push(record.id.clone());
        } else if let Some(day) = day {
            let changed_ms = record.changed_at.as_millis();
            let sent = Sent(record.id.clone(), day, changed_ms, record.revision);
            self.news.entry(stream).or_default().sent.push(sent);
        }
    }
}

impl Syncing<'_> {
    /// Reads the cursor's open window from where it is to its end, and writes down that it has come there.
    ///
    /// What was read before a failure is sent all the same, as far as there is time: the next run need not read it again.
    pub(super) async fn walk<C: Walk>(
        &mut self,
        stream: Stream,
        cursor: Cursor,
        head: &mut Head<C>,
    ) -> Result<(), Stopped> {
        let Some(open) = head.state.open().cloned() else {
            return Ok(());
        };
        let mut waiting = Waiting::new();
        let mut next = Some(self.rules().first(open.window, open.after));
        while let Some(mut asked) = next {
            let page = match self.page(stream, &mut asked).await {
                Ok(page) => page,
                Err(stopped) => {
                    self.flush(stream, cursor, head, &mut waiting).await?;
                    return Err(stopped);
                }
            };
            next = self.rules().onward(&asked, page.found());
            self.put_aside_all(stream, &page.unreadable).await?;
            for read in &page.records {
                self.take(stream, cursor, head, &mut waiting, read).await?;
            }
            self.tell(stream, head, waiting.last.as_ref());
        }
        let batch = waiting.cutter.finish();
        if let Some(batch) = batch {
            self.ship(stream, batch).await?;
        }
        let (last, sent) = (waiting.last.take(), waiting.rows);
        self.advance(cursor, head, last, sent, true).await?;
        self.synced.windows += 1;
        Ok(())
    }

    /// One page, if the gate is open and there is time. Where records are so long that the answer is not read, a shorter
    /// one is asked for, and from then on for the rest of the run.
    pub(super) async fn page(
        &mut self,
        stream: Stream,
        asked: &mut Ask,
    ) -> Result<RecordPage, Stopped> {
        loop {
            if asked.skip == 0 && asked.limit <= self.rules().page {
                asked.limit = asked.limit.min(self.rows_a_page);
            }
            let within = self.leave().await?;
            let page = self.source.page(stream, asked, within).await;
            let shorter = self.rules().shorter(asked);
            match (self.heard(page).await, shorter) {
                (Err(Stopped::Product(failure)), Some(rows)) if failure.kind == Kind::TooLong => {
                    let name = &self.connection.name;
                    tracing::info!(connection = %name, stream = stream.as_str(), rows, "a page was too long; shorter ones are asked for");
                    self.rows_a_page = rows;
                }
                (page, _) => return page,
            }
        }
    }

    /// How long a call to the product may take, if the gate is open and there is time for one.
    pub(super) async fn leave(&mut self) -> Result<Duration, Stopped> {
        let core = self.core;
        if !self.budget.can_start(&*core.clock, CALL_MIN) {
            return Err(Stopped::NoTime);
        }
        if self.gatekeeper.leave().await? == Leave::Closed {
            return Err(Stopped::GateClosed);
        }
        self.synced.product_calls += 1;
        Ok(self.budget.left(&*core.clock).min(CALL_MAX))
    }

    /// Tells the gate what came of a call. What is refused for its own sake says nothing of the product: a table that we
    /// may not read is no outage.
    pub(super) async fn heard<T>(&mut self, answer: Result<T, CallFailure>) -> Result<T, Stopped> {
        let told = answer.as_ref().map(|_| ());
        gatekeeper::tell(self.core, self.connection, told).await;
        self.gatekeeper.after_round().await?;
        answer.map_err(Stopped::Product)
    }

    async fn take<C: Walk>(
        &mut self,
        stream: Stream,
        cursor: Cursor,
        head: &mut Head<C>,
        waiting: &mut Waiting,
        read: &RecordRead,
    ) -> Result<(), Stopped> {
        let (position, record) = (&read.position, &read.record);
        if head.state.was_sent(position, record.revision) {
            waiting.last = Some(position.clone());
            return Ok(());
        }
        let row = ServiceDeskRow::new(record, &self.run_id);
        match waiting.cutter.push(&row) {
            Ok(None) => {}
            // The batch holds all rows before this one.
            Ok(Some(full)) => {
                self.ship(stream, full).await?;
                let sent = std::mem::take(&mut waiting.rows);
                self.advance(cursor, head, waiting.last.take(), sent, false)
                    .await?;
            }
            Err(_) => {
                let reason = "the row cannot be written as JSON";
                self.put_aside(stream, Some(position.id.clone()), "", reason)
                    .await?;
                waiting.last = Some(position.clone());
                return Ok(());
            }
        }
        waiting.rows.note(read, self.first_day);
        waiting.last = Some(position.clone());
        Ok(())
    }

    /// Sends what waits, before a run ends early.
    async fn flush<C: Walk>(
        &mut self,
        stream: Stream,
        cursor: Cursor,
        head: &mut Head<C>,
        waiting: &mut Waiting,
    ) -> Result<(), Stopped> {
        if let Some(batch) = waiting.cutter.finish() {
            self.ship(stream, batch).await?;
        }
        if waiting.last.is_some() {
            let sent = std::mem::take(&mut waiting.rows);
            self.advance(cursor, head, waiting.last.take(), sent, false)
                .await?;
        }
        Ok(())
    }

    /// Hands a batch over. What the sink has not acknowledged comes again.
    pub(super) async fn ship(&mut self, stream: Stream, batch: Batch) -> Result<(), Stopped> {
        let (core, sync) = (self.core, self.sync);
        let shipped = ship(
            &*sync.sink,
            &*core.clock,
            Table::ServiceDesk,
            batch,
            CALL_MAX,
        )
        .await;
        let shipped = match shipped {
            Ok(shipped) => shipped,
            Err(not) => {
                self.synced.sink_calls += u64::from(not.before.calls);
                let failure = not.failure.failure().clone();
                if let Some(wait) = failure.retry_after() {
                    sync.rest(core.clock.monotonic().saturating_add(wait));
                }
                return Err(Stopped::Sink(failure));
            }
        };
        self.synced.sink_calls += u64::from(shipped.calls);
        *self.synced.rows.entry(stream).or_default() += shipped.rows as u64;
        for refused in &shipped.set_aside {
            let key = key_of(&refused.row);
            let reason = refused.failure.to_string();
            self.put_aside(stream, key, "", &reason).await?;
        }
        Ok(())
    }

    /// Moves the cursor, behind rows that the sink has (I13).
    async fn advance<C: Walk>(
        &mut self,
        cursor: Cursor,
        head: &mut Head<C>,
        after: Option<Position>,
        sent: Told,
        is_finished: bool,
    ) -> Result<(), Stopped> {
        self.tell_ledgers(&sent).await?;
        let mut state = head.state.clone();
        if let Some(after) = after {
            let before = state.open().and_then(|open| open.after.as_ref());
            assert!(
                before.is_none_or(|before| *before < after),
                "a cursor never goes back"
            );
            state.accepted(self.rules(), after, &sent.versions, &self.run_id);
        }
        if is_finished {
            state.finished(self.rules());
        }
        self.write(cursor, head, state).await
    }

    /// Before the cursor moves: what no ledger knows of, the reconciliation would take for missing.
    pub(super) async fn tell_ledgers(&self, sent: &Told) -> Result<(), Stopped> {
        for (stream, news) in &sent.news {
            let (connection, name) = (&self.connection.name, self.core.writer_id());
            let ledgers = &self.state.ledgers;
            ledgers.tell(connection, *stream, &name, news).await?;
        }
        Ok(())
    }

    pub(super) async fn put_aside_all(
        &mut self,
        stream: Stream,
        rows: &[Unreadable],
    ) -> Result<(), Stopped> {
        for row in rows {
            self.put_aside(stream, row.id.clone(), &row.path, row.reason)
                .await?;
        }
        Ok(())
    }

    /// Before the cursor passes it: a row that nobody could read is never nothing.
    async fn put_aside(
        &mut self,
        stream: Stream,
        id: Option<String>,
        path: &str,
        reason: &str,
    ) -> Result<(), Stopped> {
        let aside = SetAside {
            stream: stream.as_str().to_owned(),
            id,
            path: path.to_owned(),
            reason: reason.to_owned(),
            at: self.core.clock.now(),
            run: self.run_id.clone(),
        };
        let name = &self.connection.name;
        if self.state.set_aside.keep(name, &aside).await? {
            tracing::warn!(connection = %name, stream = aside.stream, id = aside.id, path, reason, "a row was set aside");
            self.synced.set_aside += 1;
        }
        Ok(())
    }

    fn tell<C: Walk>(&self, stream: Stream, head: &Head<C>, last: Option<&Position>) {
        let (Some(watch), Some(open)) = (&self.sync.watch, head.state.open()) else {
            return;
        };
        let at = last.or(open.after.as_ref()).map(|place| place.at);
        watch.told(&Progress {
            connection: self.connection.name.clone(),
            stream,
            window: open.window,
            at: at.unwrap_or(open.window.from),
            rows: self.synced.rows_total(),
            oldest: self.oldest,
            began: self.began.unwrap_or(open.window.until),
        });
    }
}

/// The product's own key of a row that the sink refused.
fn key_of(row: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Key<'a> {
        #[serde(rename = "RecordKey", borrow)]
        record_key: std::borrow::Cow<'a, str>,
    }
    let key: Key<'_> = serde_json::from_slice(row).ok()?;
    key.record_key.rsplit('/').next().map(str::to_owned)
}
