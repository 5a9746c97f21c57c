//! One connection's turn: the live window of each stream, then slices of the past, then the live windows again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Budget, State, Stopped, Sync, Synced, streams};
use crate::domain::connection::Connection;
use crate::domain::failure::Kind;
use crate::domain::ledger::Day;
use crate::domain::sync_window::{Backfill, Live, Open, Rules, Slice, Stream, Window};
use crate::domain::timestamp::Timestamp;
use crate::flows::Core;
use crate::flows::gatekeeper::Gatekeeper;
use crate::ports::RecordSource;
use crate::stores::cursors::Cursor;
use crate::stores::numbered_log::Head;

/// How long a stream is left alone that the product refuses: the deletes of a product whose administrator does not let us
/// see them must not cost a call a minute.
const REFUSED_FOR: Duration = Duration::from_secs(6 * 60 * 60);

/// How often the live windows are read while slices are: a minute of records is what a window waits for anyhow.
const LIVE_EVERY: Duration = Duration::from_secs(60);

/// A day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One connection's turn.
pub(super) struct Syncing<'a> {
    pub core: &'a Core,
    pub sync: &'a Sync,
    pub connection: &'a Connection,
    pub source: Arc<dyn RecordSource>,
    pub gatekeeper: Gatekeeper<'a>,
    pub state: State,
    pub budget: Budget,
    pub run_id: String,
    pub synced: Synced,
    /// Where the backfill ends, while it is at that.
    pub oldest: Option<Timestamp>,
    /// Where this run of it began.
    pub began: Option<Timestamp>,
    /// Rows of a page, less than usual where records are long.
    pub rows_a_page: u32,
    /// The first day on which records are reconciled.
    pub first_day: Day,
    pub lives: BTreeMap<Stream, Head<Live>>,
    pub backfills: BTreeMap<Stream, Head<Backfill>>,
    /// Streams whose ledgers know all that was sent before a moment.
    pub settled: BTreeMap<Stream, Timestamp>,
}

impl<'a> Syncing<'a> {
    pub(super) async fn begin(
        core: &'a Core,
        sync: &'a Sync,
        connection: &'a Arc<Connection>,
        budget: Budget,
        run_id: String,
    ) -> Result<Self, Stopped> {
        let source = core.products.records(connection).await;
        Ok(Self {
            core,
            sync,
            source: source.map_err(Stopped::Product)?,
            gatekeeper: Gatekeeper::new(core, &connection.name).await?,
            state: State::of(core),
            connection,
            budget,
            run_id,
            synced: Synced::default(),
            oldest: None,
            began: None,
            rows_a_page: sync.rules.page,
            first_day: Day::of(
                core.clock
                    .now()
                    .minus(DAY * u32::from(connection.sync.days)),
            ),
            lives: BTreeMap::new(),
            backfills: BTreeMap::new(),
            settled: BTreeMap::new(),
        })
    }

    pub(super) fn rules(&self) -> &'a Rules {
        &self.sync.rules
    }

    /// All that there is to do, or as much as there is time for; what came of it.
    pub(super) async fn run(mut self) -> Synced {
        let ended = self.all().await;
        self.finish(ended).await
    }

    async fn all(&mut self) -> Result<(), Stopped> {
        let streams = streams(self.connection);
        for stream in &streams {
            self.load(*stream).await?;
        }
        loop {
            let began = self.core.clock.monotonic();
            let mut refused = None;
            for stream in &streams {
                match self.live(*stream).await {
                    Ok(()) => {}
                    // The others may be well.
                    Err(Stopped::Product(failure)) if !failure.concerns_every_call() => {
                        let name = &self.connection.name;
                        tracing::warn!(connection = %name, stream = stream.as_str(), %failure, hint = failure.hint(), "this part of the sync waits");
                        if *stream != Stream::Deletions {
                            refused.get_or_insert(failure);
                        }
                    }
                    Err(stopped) => return Err(stopped),
                }
            }
            if let Some(failure) = refused {
                return Err(Stopped::Product(failure));
            }
            loop {
                if !self.next_slice().await? {
                    self.synced.is_backfilled = true;
                    if !self.reconcile_next().await? {
                        return Ok(());
                    }
                }
                let passed = self.core.clock.monotonic().saturating_sub(began);
                if passed >= LIVE_EVERY {
                    break;
                }
            }
        }
    }

    /// The cursors of a stream as they are; at the first run, both begin.
    async fn load(&mut self, stream: Stream) -> Result<(), Stopped> {
        let (cursor, now) = (Cursor::Live(stream), self.core.clock.now());
        let live = match self.read::<Live>(cursor).await? {
            Some(live) => live,
            None => {
                let live = Live::begin(self.rules(), now, &self.run_id);
                self.put(cursor, None, live).await?
            }
        };
        let began_at = live.state.began_at;
        self.lives.insert(stream, live);
        // What was deleted before the first run is not asked for: nothing of it was ever sent.
        if stream == Stream::Deletions {
            return Ok(());
        }
        let cursor = Cursor::Backfill(stream);
        let oldest = began_at.minus(DAY * u32::from(self.connection.sync.days));
        let mut backfill = match self.read::<Backfill>(cursor).await? {
            Some(backfill) => backfill,
            None => {
                let backfill = Backfill::begin(began_at, oldest, now, &self.run_id);
                self.put(cursor, None, backfill).await?
            }
        };
        // A connection may ask for more days than it did.
        backfill.state.oldest = backfill.state.oldest.min(oldest);
        self.backfills.insert(stream, backfill);
        Ok(())
    }

    /// The live windows of a stream: the one that a run did not come to the end of, and the one behind it.
    async fn live(&mut self, stream: Stream) -> Result<(), Stopped> {
        let Some(mut head) = self.lives.remove(&stream) else {
            return Ok(());
        };
        let walked = self.live_windows(stream, &mut head).await;
        if stream != Stream::Deletions {
            let until = head.state.complete_until;
            let least = self
                .synced
                .complete_until
                .map_or(until, |so_far| so_far.min(until));
            self.synced.complete_until = Some(least);
        }
        self.lives.insert(stream, head);
        walked
    }

    async fn live_windows(&mut self, stream: Stream, head: &mut Head<Live>) -> Result<(), Stopped> {
        let (cursor, now) = (Cursor::Live(stream), self.core.clock.now());
        if head.state.refused_until.is_some_and(|until| now < until) {
            return Ok(());
        }
        let is_left = head.state.open.is_some();
        // One behind it, and no more: a slow product would always have another second to read.
        for _ in 0..1 + u8::from(is_left) {
            if !head.state.open_next(self.rules(), self.core.clock.now()) {
                break;
            }
            match self.walk(stream, cursor, head).await {
                Err(Stopped::Product(failure))
                    if stream == Stream::Deletions
                        && matches!(failure.kind, Kind::NoRights | Kind::NotFound) =>
                {
                    let mut refused = head.state.clone();
                    refused.refused_until = Some(now.plus(REFUSED_FOR));
                    self.write(cursor, head, refused).await?;
                    return Err(Stopped::Product(failure));
                }
                walked => walked?,
            }
        }
        Ok(())
    }

    /// Reads the newest slice that is not there yet, of all streams; false if all are.
    async fn next_slice(&mut self) -> Result<bool, Stopped> {
        let rules = self.rules();
        let mut newest: Option<(Timestamp, Stream)> = None;
        for (stream, head) in &mut self.backfills {
            let edge = head.state.edge;
            if head.state.open_next(rules) && newest.is_none_or(|(so_far, _)| edge > so_far) {
                newest = Some((edge, *stream));
            }
        }
        self.oldest = None;
        let Some((_, stream)) = newest else {
            return Ok(false);
        };
        let Some(mut head) = self.backfills.remove(&stream) else {
            return Ok(false);
        };
        self.oldest = Some(head.state.oldest);
        self.began.get_or_insert(head.state.edge);
        let walked = self.walk(stream, Cursor::Backfill(stream), &mut head).await;
        self.backfills.insert(stream, head);
        walked.map(|()| true)
    }

    /// A slice that a person asked for, of all streams.
    pub(super) async fn run_slice(mut self, window: Window) -> Synced {
        let ended = self.slices(window).await;
        self.finish(ended).await
    }

    async fn slices(&mut self, window: Window) -> Result<(), Stopped> {
        for stream in streams(self.connection) {
            let cursor = Cursor::Slice(stream, window);
            let fresh = Slice {
                open: Some(Open::new(window)),
                rows: 0,
                run: self.run_id.clone(),
            };
            let mut head = match self.read::<Slice>(cursor).await? {
                // Asked for again after it was done: all of it once more.
                Some(head) if head.state.open.is_none() => {
                    self.put(cursor, Some(&head), fresh).await?
                }
                Some(head) => head,
                None => self.put(cursor, None, fresh).await?,
            };
            match self.walk(stream, cursor, &mut head).await {
                Err(Stopped::Product(failure))
                    if stream == Stream::Deletions && !failure.concerns_every_call() => {}
                walked => walked?,
            }
        }
        Ok(())
    }

    pub(super) async fn read<C: DeserializeOwned>(
        &self,
        cursor: Cursor,
    ) -> Result<Option<Head<C>>, Stopped> {
        let name = &self.connection.name;
        Ok(self.state.cursors.read(name, cursor).await?)
    }

    /// Writes a cursor down.
    pub(super) async fn put<C: Serialize + DeserializeOwned + Clone>(
        &self,
        cursor: Cursor,
        after: Option<&Head<C>>,
        state: C,
    ) -> Result<Head<C>, Stopped> {
        let (name, writer) = (&self.connection.name, self.core.writer_id());
        let now = self.core.clock.now();
        let written = self
            .state
            .cursors
            .write(name, cursor, after, &writer, now, &state);
        written.await?.ok_or(Stopped::Overtaken)
    }

    /// The same behind what is known of it.
    pub(super) async fn write<C: Serialize + DeserializeOwned + Clone>(
        &self,
        cursor: Cursor,
        head: &mut Head<C>,
        state: C,
    ) -> Result<(), Stopped> {
        *head = self.put(cursor, Some(head), state).await?;
        Ok(())
    }
}
