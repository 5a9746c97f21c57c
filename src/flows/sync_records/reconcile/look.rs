//! The look through one day whose counts do not agree: what is missing there is sent, and what is gone is told.

use super::super::Stopped;
use super::super::streams::Syncing;
use super::super::walk::Told;
use crate::domain::batch::BatchCutter;
use crate::domain::ledger::{DAY_RECORDS_MAX, Day, DayLedger, Days, HalfSeen, Ledger};
use crate::domain::record::{Details, Fields, REVISION_OF_A_DELETION, Record};
use crate::domain::service_desk_row::ServiceDeskRow;
use crate::domain::sync_window::{
    Ask, Position, RecordCount, RecordRead, Stream, Window, whole_second,
};
use crate::domain::table::Table;
use crate::domain::timestamp::Timestamp;

/// Records that are asked after with one call: their keys fit into an address.
const ASKED_AFTER_MAX: usize = 50;

/// A day that is looked through.
struct Look {
    stream: Stream,
    /// When its records were made.
    window: Window,
    /// What changed from here on is not judged.
    judged_before: Timestamp,
    ledger: DayLedger,
    cutter: BatchCutter,
    told: Told,
    /// What the product shows.
    half: HalfSeen,
    missing: u64,
    deleted: u64,
}

impl Syncing<'_> {
    /// Looks through a day whose counts do not agree. If a run does not come to its end, what it found is sent, and the next
    /// one goes on from there.
    pub(super) async fn look_through(
        &mut self,
        (stream, day): (Stream, Day),
        ledger: &mut Ledger,
        settled: Timestamp,
        counted: RecordCount,
    ) -> Result<(), Stopped> {
        let name = &self.connection.name;
        let before = self.state.ledgers.read_day(name, stream, day).await?;
        let state = before.as_ref().map(|head| head.state.clone());
        let mut state = state.unwrap_or_default();
        // Of some it was heard since this reconciliation began.
        ledger.takes_out_the_gone(&mut state);
        let Some(check) = &mut ledger.check else {
            return Ok(());
        };
        if counted.records > DAY_RECORDS_MAX as u64 {
            check.too_large += 1;
            ledger.done();
            return Ok(());
        }
        let half = check.open.clone();
        let is_of_one_run = half.is_none();
        let half = half.unwrap_or_else(|| HalfSeen::nothing(counted, settled));
        let mut look = Look {
            stream,
            window: Days::of(day).window(half.settled),
            judged_before: half.settled.minus(self.rules().overlap),
            ledger: state,
            cutter: BatchCutter::new(Table::ServiceDesk),
            told: Told::default(),
            half,
            missing: 0,
            deleted: 0,
        };
        let looked = self.look_at_the_day(&mut look).await;
        self.send(&mut look).await?;
        check.missing += look.missing;
        check.deleted += look.deleted;
        let counted_after = match looked {
            Ok(counted_after) => counted_after,
            Err(stopped) => {
                check.open = Some(look.half);
                return Err(stopped);
            }
        };
        check.looked_through += 1;
        let counted = look.half.counted;
        look.ledger.unseen = look.half.shown.beyond(counted);
        self.write_day((stream, day), before.as_ref(), &look.ledger)
            .await?;
        ledger.sums_up(day, &look.ledger);
        // Over minutes a record that came and one that went may leave the figures as they were.
        ledger.looked_through(day, is_of_one_run && counted_after == counted);
        Ok(())
    }

    /// All that the product shows, what it shows no more, and what it counts then.
    async fn look_at_the_day(&mut self, look: &mut Look) -> Result<RecordCount, Stopped> {
        self.look_at_all(look).await?;
        self.look_for_the_absent(look).await?;
        self.count(look.stream, look.window).await
    }

    /// What the product shows of the day; what of it was never sent waits to be.
    async fn look_at_all(&mut self, look: &mut Look) -> Result<(), Stopped> {
        let from = look.half.after.clone();
        let mut next = Some(Ask {
            after: from,
            ..self.by_day(look.window)
        });
        while let Some(mut asked) = next {
            let page = self.page(look.stream, &mut asked).await?;
            next = self.rules().onward(&asked, page.found());
            self.put_aside_all(look.stream, &page.unreadable).await?;
            let unreadable = page.unreadable.iter().filter_map(|row| row.id.clone());
            look.half.seen.extend(unreadable);
            for read in &page.records {
                let (id, record) = (&read.position.id, &read.record);
                let (changed_at, revision) = (record.changed_at, record.revision);
                let changed_ms = changed_at.as_millis();
                if changed_at < look.judged_before && !look.ledger.has(id, changed_ms, revision) {
                    self.push(look, read).await?;
                    look.ledger.note(id, changed_ms, revision);
                    look.missing += 1;
                }
                look.half.seen.insert(id.clone());
                look.half.shown.add(revision);
                look.half.after = Some(read.position.clone());
            }
        }
        Ok(())
    }

    /// What was sent and is not shown: some of it the product does not have any more. Not to be shown is not to be deleted;
    /// counts tell the two apart.
    async fn look_for_the_absent(&mut self, look: &mut Look) -> Result<(), Stopped> {
        let absent = look.ledger.absent(&look.half.seen, look.judged_before);
        let mut left: Vec<Vec<String>> = absent
            .chunks(ASKED_AFTER_MAX)
            .map(<[String]>::to_vec)
            .collect();
        while let Some(mut ids) = left.pop() {
            let existing = self.existing(look.stream, &ids).await?;
            if existing == 0 {
                for id in &ids {
                    self.push_deletion(look, id).await?;
                }
            } else if existing < ids.len() as u64 {
                left.push(ids.split_off(ids.len() / 2));
                left.push(ids);
                continue;
            }
            for id in &ids {
                look.ledger.forget(id);
            }
        }
        Ok(())
    }

    async fn existing(&mut self, stream: Stream, ids: &[String]) -> Result<u64, Stopped> {
        let Some(record_type) = stream.record_type() else {
            return Ok(0);
        };
        let within = self.leave().await?;
        let existing = self.source.existing(record_type, ids, within).await;
        self.heard(existing).await
    }

    /// Nobody says when it was deleted: the row has the time at which this was seen.
    async fn push_deletion(&mut self, look: &mut Look, id: &str) -> Result<(), Stopped> {
        let Some(record_type) = look.stream.record_type() else {
            return Ok(());
        };
        let seen_at = whole_second(self.core.clock.now());
        let read = RecordRead {
            position: Position {
                at: seen_at,
                id: id.to_owned(),
            },
            made_at: None,
            record: Record {
                connection: self.connection.name.clone(),
                partner_type: self.connection.partner_type,
                id: id.to_owned(),
                number: String::new(),
                changed_at: seen_at,
                revision: REVISION_OF_A_DELETION,
                is_deleted: true,
                correlation_id: None,
                fields: Fields::default(),
                details: Details::empty(record_type),
            },
        };
        look.deleted += 1;
        self.push(look, &read).await
    }

    async fn push(&mut self, look: &mut Look, read: &RecordRead) -> Result<(), Stopped> {
        let row = ServiceDeskRow::new(&read.record, &self.run_id);
        match look.cutter.push(&row) {
            Ok(None) => {}
            Ok(Some(full)) => {
                self.ship(look.stream, full).await?;
                let told = std::mem::take(&mut look.told);
                self.tell_ledgers(&told).await?;
            }
            Err(_) => return Ok(()),
        }
        look.told.note(read, self.first_day);
        Ok(())
    }

    async fn send(&mut self, look: &mut Look) -> Result<(), Stopped> {
        if let Some(batch) = look.cutter.finish() {
            self.ship(look.stream, batch).await?;
            let told = std::mem::take(&mut look.told);
            self.tell_ledgers(&told).await?;
        }
        Ok(())
    }
}
