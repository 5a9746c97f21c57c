//! What was sent, as the reconciliation needs it: news that are written before a cursor moves, and a log per day of which
//! they become a part once a day.
//!
//! A cursor that has moved has its news here; news whose cursor did not move tell of rows that the sink has all the same.

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::numbered_log::{Append, Head, NumberedLog};
use super::objects::{Objects, StoreFailure};
use super::stored::{self, WithVersion};
use crate::domain::ledger::{Day, DayLedger, News};
use crate::domain::name::ConnectionName;
use crate::domain::sync_window::Stream;
use crate::domain::timestamp::Timestamp;

/// News that become a part of the days at once: some ten megabytes of memory, if each is of a full page.
pub const NEWS_MAX: usize = 64;

/// News that are read at once.
const AT_ONCE: usize = 8;

/// Snapshots of a day that one removal takes away.
const PRUNED_MAX: usize = 64;

/// The ledgers.
#[derive(Debug, Clone)]
pub struct Ledgers {
    objects: Objects,
}

impl Ledgers {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn folder(connection: &ConnectionName, stream: Stream) -> String {
        format!("ledgers/{connection}/{}", stream.as_str())
    }

    fn day(&self, connection: &ConnectionName, stream: Stream, day: Day) -> NumberedLog {
        let folder = Self::folder(connection, stream);
        NumberedLog::new(
            self.objects.clone(),
            format!("{folder}/days/{}", day.as_key()),
        )
    }

    /// Writes news down, under a name of their own.
    pub async fn tell(
        &self,
        connection: &ConnectionName,
        stream: Stream,
        name: &str,
        news: &News,
    ) -> Result<(), StoreFailure> {
        let path = format!("{}/news/{name}", Self::folder(connection, stream));
        let content = stored::content(&path, &WithVersion::new(news))?;
        self.objects.keep(&path, content).await?;
        Ok(())
    }

    /// Some of the news that are no part of the days yet, by name.
    pub async fn news(
        &self,
        connection: &ConnectionName,
        stream: Stream,
    ) -> Result<Vec<(String, News)>, StoreFailure> {
        let folder = format!("{}/news", Self::folder(connection, stream));
        let names = self.objects.list_first(&folder, None, NEWS_MAX).await?;
        let read = futures_util::stream::iter(names).map(|name| {
            let path = format!("{folder}/{name}");
            async move {
                // Another run may have made it a part of the days meanwhile.
                let Some(content) = self.objects.get(&path).await? else {
                    return Ok(None);
                };
                let news: WithVersion<News> = stored::read(&path, &content)?;
                Ok(Some((name, news.content)))
            }
        });
        let read: Vec<_> = read.buffered(AT_ONCE).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Removes news that are a part of the days now.
    pub async fn forget_news(
        &self,
        connection: &ConnectionName,
        stream: Stream,
        names: &[String],
    ) -> Result<(), StoreFailure> {
        let folder = format!("{}/news", Self::folder(connection, stream));
        for name in names {
            self.objects.delete(&format!("{folder}/{name}")).await?;
        }
        Ok(())
    }

    /// A day; `None` if nothing is known of it.
    pub async fn read_day(
        &self,
        connection: &ConnectionName,
        stream: Stream,
        day: Day,
    ) -> Result<Option<Head<DayLedger>>, StoreFailure> {
        self.day(connection, stream, day).head().await
    }

    /// Writes a day down; false if somebody else was faster.
    pub async fn write_day(
        &self,
        connection: &ConnectionName,
        (stream, day): (Stream, Day),
        after: Option<&Head<DayLedger>>,
        writer: &str,
        now: Timestamp,
        state: &DayLedger,
    ) -> Result<bool, StoreFailure> {
        let log = self.day(connection, stream, day);
        let Append::Won(_) = log.append(after, writer, now, state).await? else {
            return Ok(false);
        };
        // What is not removed now is removed with the next one.
        let cutoff = now.minus(super::cursors::KEPT_FOR);
        if let Err(failure) = log.prune(cutoff, PRUNED_MAX).await {
            tracing::debug!(%connection, %failure, "old snapshots of a day stay for now");
        }
        Ok(true)
    }

    /// Removes days before one.
    pub async fn forget_days_before(
        &self,
        connection: &ConnectionName,
        stream: Stream,
        first: Day,
    ) -> Result<(), StoreFailure> {
        let folder = format!("{}/days", Self::folder(connection, stream));
        for name in self.objects.folders(&folder).await? {
            if Day::from_key(&name).is_some_and(|day| day < first) {
                self.remove_all(&format!("{folder}/{name}")).await?;
            }
        }
        Ok(())
    }

    /// Removes all of a stream, so that the next run begins anew.
    pub async fn reset(
        &self,
        connection: &ConnectionName,
        stream: Stream,
    ) -> Result<(), StoreFailure> {
        self.remove_all(&Self::folder(connection, stream)).await
    }

    /// The oldest of a log goes first, so that what is left if it stops half way is still the newest.
    async fn remove_all(&self, folder: &str) -> Result<(), StoreFailure> {
        for name in self.objects.list(folder).await?.into_iter().rev() {
            self.objects.delete(&format!("{folder}/{name}")).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::Sent;
    use crate::stores::test_clock::in_memory;

    const STREAM: Stream = Stream::Incident;

    fn name() -> ConnectionName {
        ConnectionName::parse("contoso").unwrap()
    }

    #[tokio::test]
    async fn news_are_told_until_they_are_forgotten() {
        let ledgers = Ledgers::new(in_memory());
        let day = Day::of(Timestamp::from_millis(0));
        let news = News {
            sent: vec![Sent("a".to_owned(), day, 1, 2)],
            gone: Vec::new(),
        };
        for one in ["one", "two", "two"] {
            ledgers.tell(&name(), STREAM, one, &news).await.unwrap();
        }
        let found = ledgers.news(&name(), STREAM).await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], ("one".to_owned(), news));
        let gone = ["one".to_owned()];
        ledgers.forget_news(&name(), STREAM, &gone).await.unwrap();
        assert_eq!(ledgers.news(&name(), STREAM).await.unwrap().len(), 1);
        let other = Stream::ChangeRequest;
        assert!(ledgers.news(&name(), other).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn of_two_who_saw_the_same_day_one_writes_it_and_old_days_go() {
        let ledgers = Ledgers::new(in_memory());
        let now = Timestamp::from_millis(0);
        let (day, ledger) = (Day::of(now), DayLedger::default());
        let place = (STREAM, day);
        let name = name();
        let written = ledgers.write_day(&name, place, None, "a", now, &ledger);
        assert!(written.await.unwrap());
        let written = ledgers.write_day(&name, place, None, "b", now, &ledger);
        assert!(!written.await.unwrap());
        let read = |day| ledgers.read_day(&name, STREAM, day);
        assert!(read(day).await.unwrap().is_some());
        ledgers
            .forget_days_before(&name, STREAM, day)
            .await
            .unwrap();
        assert!(read(day).await.unwrap().is_some());
        let next = day.next();
        ledgers
            .forget_days_before(&name, STREAM, next)
            .await
            .unwrap();
        assert!(read(day).await.unwrap().is_none());
    }
}
