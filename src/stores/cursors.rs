//! How far the sync has come, per connection and stream: numbered logs that move only by appending, so that of two who read
//! the same records one writes it down, and nobody ever takes it back (I13).

use std::time::Duration;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::name::ConnectionName;
use crate::domain::sync_window::{Stream, Window};
use crate::domain::timestamp::Timestamp;

/// How long a snapshot is kept after the next one: well above what anybody may stand still between a look and an append
/// ([`super::standstill`]), and long enough to see what went wrong.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(60 * 60);

/// What the folder of a slice's cursor begins with.
const SLICE_PREFIX: &str = "slice-";

/// How many appends lie between two looks for what may be removed, and the most that one removes: a removal is a call to
/// the store each, and an append must not wait for many.
const PRUNE_EVERY: u64 = 32;
const PRUNED_MAX: usize = 64;

/// Which cursor of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// The live windows of a stream ([`Live`](crate::domain::sync_window::Live)).
    Live(Stream),
    /// The slices before them ([`Backfill`](crate::domain::sync_window::Backfill)).
    Backfill(Stream),
    /// A slice that a person asked for ([`Slice`](crate::domain::sync_window::Slice)).
    Slice(Stream, Window),
    /// The reconciliation of a stream ([`Ledger`](crate::domain::ledger::Ledger)).
    Ledger(Stream),
}

/// The cursors.
#[derive(Debug, Clone)]
pub struct Cursors {
    objects: Objects,
}

impl Cursors {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn log(&self, connection: &ConnectionName, cursor: Cursor) -> NumberedLog {
        let folder = match cursor {
            Cursor::Live(stream) => format!("cursors/{connection}/{}/live", stream.as_str()),
            Cursor::Backfill(stream) => {
                format!("cursors/{connection}/{}/backfill", stream.as_str())
            }
            Cursor::Ledger(stream) => format!("cursors/{connection}/{}/ledger", stream.as_str()),
            Cursor::Slice(stream, window) => format!(
                "cursors/{connection}/{}/{SLICE_PREFIX}{}-{}",
                stream.as_str(),
                window.from.as_key(),
                window.until.as_key()
            ),
        };
        NumberedLog::new(self.objects.clone(), folder)
    }

    /// How far it has come; `None` if it never began. A damaged snapshot is a failure, never a beginning.
    pub async fn read<T: DeserializeOwned>(
        &self,
        connection: &ConnectionName,
        cursor: Cursor,
    ) -> Result<Option<Head<T>>, StoreFailure> {
        self.log(connection, cursor).head().await
    }

    /// Writes down how far it has come; `None` if somebody else was faster.
    pub async fn write<T: Serialize + DeserializeOwned + Clone>(
        &self,
        connection: &ConnectionName,
        cursor: Cursor,
        after: Option<&Head<T>>,
        writer: &str,
        now: Timestamp,
        state: &T,
    ) -> Result<Option<Head<T>>, StoreFailure> {
        let log = self.log(connection, cursor);
        let head = match log.append(after, writer, now, state).await? {
            Append::Won(head) => head,
            Append::Lost(_) => return Ok(None),
        };
        if head.number % PRUNE_EVERY == PRUNE_EVERY - 1 {
            // What is not removed now is removed later: it is no part of the cursor's move.
            if let Err(failure) = log.prune(now.minus(KEPT_FOR), PRUNED_MAX).await {
                tracing::debug!(%connection, %failure, "old snapshots of a cursor stay for now");
            }
        }
        Ok(Some(head))
    }

    /// Removes the cursors of slices that moved last before a moment; how many there were. What cannot be read stays.
    pub async fn forget_slices(
        &self,
        connection: &ConnectionName,
        moment: Timestamp,
    ) -> Result<usize, StoreFailure> {
        let mut removed = 0;
        for stream in Stream::ALL {
            let folder = format!("cursors/{connection}/{}", stream.as_str());
            let slices = self.objects.folders(&folder).await?;
            for slice in slices.iter().filter(|name| name.starts_with(SLICE_PREFIX)) {
                let log = NumberedLog::new(self.objects.clone(), format!("{folder}/{slice}"));
                let Ok(Some((head, numbers))) = log.head_and_numbers::<IgnoredAny>().await else {
                    continue;
                };
                if head.at < moment {
                    log.remove(&numbers).await?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// Removes every cursor of a stream, so that the next run begins anew; how many snapshots went.
    pub async fn reset(
        &self,
        connection: &ConnectionName,
        stream: Stream,
    ) -> Result<usize, StoreFailure> {
        let folder = format!("cursors/{connection}/{}", stream.as_str());
        let mut removed = 0;
        for cursor in self.objects.folders(&folder).await? {
            let log = format!("{folder}/{cursor}");
            // The oldest goes first, so that what is left if it stops half way is still the newest.
            for name in self.objects.list(&log).await?.into_iter().rev() {
                self.objects.delete(&format!("{log}/{name}")).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sync_window::{Live, Rules};
    use crate::stores::test_clock::in_memory;

    fn name() -> ConnectionName {
        ConnectionName::parse("contoso").unwrap()
    }

    #[tokio::test]
    async fn of_two_who_saw_the_same_cursor_one_moves_it() {
        let cursors = Cursors::new(in_memory());
        let (name, cursor) = (name(), Cursor::Live(Stream::Incident));
        let now = Timestamp::from_millis(1_000_000);
        let live = Live::begin(&Rules::default(), now, "r");
        assert!(cursors.read::<Live>(&name, cursor).await.unwrap().is_none());
        let head = cursors
            .write(&name, cursor, None, "a", now, &live)
            .await
            .unwrap();
        assert!(head.is_some());
        let mut further = live.clone();
        further.complete_until = now;
        let moved = cursors
            .write(&name, cursor, head.as_ref(), "b", now, &further)
            .await;
        assert!(moved.unwrap().is_some());
        let zombie = cursors
            .write(&name, cursor, head.as_ref(), "c", now, &live)
            .await;
        assert!(zombie.unwrap().is_none(), "it would take the cursor back");
        let read = cursors.read::<Live>(&name, cursor).await.unwrap().unwrap();
        assert_eq!(read.state, further);
    }

    #[tokio::test]
    async fn the_cursor_of_an_old_slice_goes_and_no_other_does() {
        let cursors = Cursors::new(in_memory());
        let rules = Rules::default();
        let live = Live::begin(&rules, Timestamp::from_millis(1_000_000), "r");
        let at = Timestamp::from_millis;
        let slice = |n: i64| Window {
            from: at(n * 1000),
            until: at(n * 1000 + 500),
        };
        let stream = Stream::Incident;
        for (cursor, written) in [
            (Cursor::Live(stream), 5),
            (Cursor::Slice(stream, slice(1)), 5),
            (Cursor::Slice(stream, slice(2)), 50),
        ] {
            let now = at(written);
            let written = cursors.write(&name(), cursor, None, "a", now, &live).await;
            assert!(written.unwrap().is_some());
        }
        assert_eq!(cursors.forget_slices(&name(), at(20)).await.unwrap(), 1);
        let (cursors, name) = (&cursors, name());
        let is_there = |cursor| cursors.read::<Live>(&name, cursor);
        assert!(is_there(Cursor::Live(stream)).await.unwrap().is_some());
        let young = Cursor::Slice(stream, slice(2));
        assert!(is_there(young).await.unwrap().is_some());
        let old = Cursor::Slice(stream, slice(1));
        assert!(is_there(old).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_reset_takes_the_cursors_of_one_stream() {
        let cursors = Cursors::new(in_memory());
        let now = Timestamp::from_millis(1_000_000);
        let live = Live::begin(&Rules::default(), now, "r");
        for stream in Stream::ALL {
            let cursor = Cursor::Live(stream);
            let written = cursors.write(&name(), cursor, None, "a", now, &live).await;
            assert!(written.unwrap().is_some());
        }
        assert_eq!(cursors.reset(&name(), Stream::Incident).await.unwrap(), 1);
        let left = |stream| {
            let cursors = cursors.clone();
            async move {
                let read = cursors.read::<Live>(&name(), Cursor::Live(stream)).await;
                read.unwrap().is_some()
            }
        };
        assert!(!left(Stream::Incident).await);
        assert!(left(Stream::ChangeRequest).await && left(Stream::Deletions).await);
    }
}
