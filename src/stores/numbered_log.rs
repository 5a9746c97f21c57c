//! A log of numbered snapshots: compare-and-swap on stores that know create-only writes and nothing else.
//!
//! The `n`th snapshot is the object `u64::MAX − n`, padded, so that the newest lists first. Whoever creates `n + 1` has
//! seen `n`; whoever finds it taken lost the race and reads the head again. Each snapshot carries its writer's id: after
//! a lost answer a writer finds its own id there and knows that it won (rule R12).

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::objects::{Creation, Objects, StoreFailure, corrupt};
use crate::domain::timestamp::Timestamp;

/// The newest snapshot of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<T> {
    /// Its number, from 0.
    pub number: u64,
    /// When it was written, by its writer's clock.
    pub at: Timestamp,
    /// What it says.
    pub state: T,
}

/// What came of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Append<T> {
    /// It is the head now.
    Won(Head<T>),
    /// Somebody else was faster; this is the head as they left it.
    Lost(Head<T>),
}

#[derive(Serialize)]
struct Writing<'a, T> {
    writer: &'a str,
    at: Timestamp,
    state: &'a T,
}

#[derive(Deserialize)]
struct Reading<T> {
    writer: String,
    at: Timestamp,
    state: T,
}

/// A log of numbered snapshots in a folder.
#[derive(Debug, Clone)]
pub struct NumberedLog {
    objects: Objects,
    folder: String,
}

impl NumberedLog {
    /// The log in this folder.
    pub fn new(objects: Objects, folder: String) -> Self {
        Self { objects, folder }
    }

    fn path(&self, number: u64) -> String {
        format!("{}/{:020}", self.folder, u64::MAX - number)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        number: u64,
    ) -> Result<Option<(String, Head<T>)>, StoreFailure> {
        let path = self.path(number);
        let Some(content) = self.objects.get(&path).await? else {
            return Ok(None);
        };
        let read: Reading<T> = serde_json::from_slice(&content).map_err(|_| corrupt(&path))?;
        Ok(Some((
            read.writer,
            Head {
                number,
                at: read.at,
                state: read.state,
            },
        )))
    }

    /// All numbers, newest first.
    pub async fn numbers(&self) -> Result<Vec<u64>, StoreFailure> {
        let names = self.objects.list(&self.folder).await?;
        Ok(names
            .iter()
            .filter_map(|name| name.parse::<u64>().ok())
            .map(|inverted| u64::MAX - inverted)
            .collect())
    }

    /// The newest snapshot, if there is one.
    pub async fn head<T: DeserializeOwned>(&self) -> Result<Option<Head<T>>, StoreFailure> {
        // A snapshot can be pruned between listing and reading; then there is a newer one.
        for _ in 0..3 {
            let Some(&newest) = self.numbers().await?.first() else {
                return Ok(None);
            };
            if let Some((_, head)) = self.read(newest).await? {
                return Ok(Some(head));
            }
        }
        Err(corrupt(&self.folder))
    }

    /// All snapshots that are still there, oldest first.
    pub async fn history<T: DeserializeOwned>(&self) -> Result<Vec<Head<T>>, StoreFailure> {
        let mut snapshots = Vec::new();
        for number in self.numbers().await?.into_iter().rev() {
            if let Some((_, head)) = self.read(number).await? {
                snapshots.push(head);
            }
        }
        Ok(snapshots)
    }

    /// The newest snapshot, reading what is usually the newest while listing: one round trip where the guess is right.
    pub async fn head_guessing<T: DeserializeOwned>(
        &self,
        guess: u64,
    ) -> Result<Option<Head<T>>, StoreFailure> {
        let (numbers, guessed) = futures_util::future::join(self.numbers(), self.read(guess)).await;
        match numbers?.first() {
            None => Ok(None),
            Some(&newest) if newest == guess => match guessed? {
                Some((_, head)) => Ok(Some(head)),
                None => self.head().await,
            },
            Some(_) => self.head().await,
        }
    }

    /// Appends after `seen` (the head that the decision was made on, or `None` for an empty log). `writer` must be new
    /// for each append.
    pub async fn append<T: Serialize + DeserializeOwned + Clone>(
        &self,
        seen: Option<u64>,
        writer: &str,
        at: Timestamp,
        state: &T,
    ) -> Result<Append<T>, StoreFailure> {
        let number = seen.map_or(0, |number| number + 1);
        let path = self.path(number);
        let content =
            serde_json::to_vec(&Writing { writer, at, state }).map_err(|_| corrupt(&path))?;
        // Boxed: a store in memory would keep what the vector has to spare.
        let content = Bytes::from(content.into_boxed_slice());
        match self.objects.create(&path, content).await {
            Ok(Creation::Made) => Ok(Append::Won(Head {
                number,
                at,
                state: state.clone(),
            })),
            Ok(Creation::Existed) => self.who_won(number, writer).await,
            // It may have been written all the same: look once before giving up.
            Err(failure) => match self.read::<T>(number).await {
                Ok(Some((winner, head))) if winner == writer => Ok(Append::Won(head)),
                _ => Err(failure),
            },
        }
    }

    async fn who_won<T: DeserializeOwned>(
        &self,
        number: u64,
        writer: &str,
    ) -> Result<Append<T>, StoreFailure> {
        match self.read(number).await? {
            Some((winner, head)) if winner == writer => Ok(Append::Won(head)),
            _ => match self.head().await? {
                Some(head) => Ok(Append::Lost(head)),
                None => Err(corrupt(&self.path(number))),
            },
        }
    }

    /// Removes all snapshots but the newest `keep`. Only ever below the head: the head itself is what the next append
    /// counts from.
    pub async fn prune(&self, keep: usize) -> Result<usize, StoreFailure> {
        let mut pruned = 0;
        for number in self.numbers().await?.into_iter().skip(keep.max(1)) {
            self.objects.delete(&self.path(number)).await?;
            pruned += 1;
        }
        Ok(pruned)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;

    fn log() -> NumberedLog {
        NumberedLog::new(
            Objects::new(Arc::new(InMemory::new())),
            "slots/x".to_owned(),
        )
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[tokio::test]
    async fn the_newest_is_the_head_and_lists_first() {
        let log = log();
        assert_eq!(log.head::<u32>().await.unwrap(), None);
        let mut seen = None;
        for n in 0..12u32 {
            let Append::Won(head) = log
                .append(seen, &format!("w{n}"), at(i64::from(n)), &n)
                .await
                .unwrap()
            else {
                panic!("nobody else writes");
            };
            seen = Some(head.number);
        }
        assert_eq!(
            log.head::<u32>().await.unwrap(),
            Some(Head {
                number: 11,
                at: at(11),
                state: 11
            })
        );
        assert_eq!(
            log.head_guessing::<u32>(1)
                .await
                .unwrap()
                .map(|head| head.state),
            Some(11)
        );
        assert_eq!(
            log.head_guessing::<u32>(11)
                .await
                .unwrap()
                .map(|head| head.state),
            Some(11)
        );
        assert_eq!(log.prune(2).await.unwrap(), 10);
        assert_eq!(log.numbers().await.unwrap(), [11, 10]);
    }

    #[tokio::test]
    async fn of_two_that_saw_the_same_head_one_wins() {
        let log = log();
        let first = log.append(None, "a", at(0), &1).await.unwrap();
        let second = log.append(None, "b", at(0), &2).await.unwrap();
        assert!(matches!(first, Append::Won(_)));
        assert_eq!(
            second,
            Append::Lost(Head {
                number: 0,
                at: at(0),
                state: 1
            })
        );
    }

    #[tokio::test]
    async fn a_writer_that_finds_its_own_id_has_won() {
        let log = log();
        log.append(None, "a", at(0), &1).await.unwrap();
        let again = log.append(None, "a", at(0), &1).await.unwrap();
        assert!(
            matches!(again, Append::Won(_)),
            "its first answer was lost: {again:?}"
        );
    }

    #[tokio::test]
    async fn corrupt_is_not_missing() {
        let objects = Objects::new(Arc::new(InMemory::new()));
        let log = NumberedLog::new(objects.clone(), "slots/x".to_owned());
        objects
            .create(&log.path(0), Bytes::from_static(b"{\"writer\":"))
            .await
            .unwrap();
        let failure = log.head::<u32>().await.unwrap_err();
        assert_eq!(
            failure.to_string(),
            "state store: `read` of `slots/x/18446744073709551615`: what is stored cannot be read"
        );
    }
}
