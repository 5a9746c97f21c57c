//! A log of numbered snapshots: compare-and-swap on stores that know create-only writes and nothing else.
//!
//! The `n`th snapshot is the object `u64::MAX − n`, padded, so that the newest lists first. Whoever creates `n + 1` has
//! seen `n`; whoever finds it taken lost the race and reads the head again. Each snapshot carries its writer's id: after
//! a lost answer a writer finds its own id there and knows that it won (rule R12).
//!
//! What is below the head is removed some time after it was succeeded. So a free place `n + 1` proves that `n` is the
//! head only to somebody who has seen `n` a short while ago: whoever stood still in between looks again ([`standstill`]).
//!
//! [`standstill`]: super::standstill

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::objects::{Creation, Objects, StoreFailure, StoreTrouble, corrupt};
use super::standstill::{Moment, STANDSTILL_MAX};
use super::stored::{self, VERSION, Versioned};
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
    /// When we saw that it is the newest.
    pub seen: Moment,
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
    version: u32,
    writer: &'a str,
    at: Timestamp,
    state: &'a T,
}

#[derive(Deserialize)]
struct Reading<T> {
    #[serde(default = "stored::first")]
    version: u32,
    writer: String,
    at: Timestamp,
    state: T,
}

impl<T: DeserializeOwned> Versioned for Reading<T> {
    fn version(&self) -> u32 {
        self.version
    }
}

/// A log of numbered snapshots in a folder.
#[derive(Debug, Clone)]
pub struct NumberedLog {
    objects: Objects,
    folder: String,
    /// Before anything of it was looked at.
    opened: Moment,
}

impl NumberedLog {
    /// The log in this folder.
    pub fn new(objects: Objects, folder: String) -> Self {
        let opened = Moment::now(objects.clock());
        Self {
            objects,
            folder,
            opened,
        }
    }

    fn path(&self, number: u64) -> String {
        format!("{}/{:020}", self.folder, u64::MAX - number)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        number: u64,
    ) -> Result<Option<(String, Head<T>)>, StoreFailure> {
        let path = self.path(number);
        let seen = Moment::now(self.objects.clock());
        let Some(content) = self.objects.get(&path).await? else {
            return Ok(None);
        };
        let read: Reading<T> = stored::read(&path, &content)?;
        Ok(Some((
            read.writer,
            Head {
                number,
                at: read.at,
                state: read.state,
                seen,
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
        Ok(self.head_and_numbers().await?.map(|(head, _)| head))
    }

    /// The newest snapshot, and the numbers of all, newest first.
    pub async fn head_and_numbers<T: DeserializeOwned>(
        &self,
    ) -> Result<Option<(Head<T>, Vec<u64>)>, StoreFailure> {
        // A snapshot can be removed between listing and reading; then there is a newer one, or none any more.
        for _ in 0..3 {
            // That it is the newest is known as of the listing.
            let seen = Moment::now(self.objects.clock());
            let numbers = self.numbers().await?;
            let Some(&newest) = numbers.first() else {
                return Ok(None);
            };
            if let Some((_, head)) = self.read(newest).await? {
                return Ok(Some((Head { seen, ..head }, numbers)));
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
        let seen = Moment::now(self.objects.clock());
        let (numbers, guessed) = futures_util::future::join(self.numbers(), self.read(guess)).await;
        match numbers?.first() {
            None => Ok(None),
            Some(&newest) if newest == guess => match guessed? {
                Some((_, head)) => Ok(Some(Head { seen, ..head })),
                None => self.head().await,
            },
            Some(_) => self.head().await,
        }
    }

    /// Appends after `after`, the head that the decision was made on, or `None` for an empty log. `writer` must be new for
    /// each append.
    pub async fn append<T: Serialize + DeserializeOwned + Clone>(
        &self,
        after: Option<&Head<T>>,
        writer: &str,
        at: Timestamp,
        state: &T,
    ) -> Result<Append<T>, StoreFailure> {
        let number = after.map_or(0, |head| head.number + 1);
        let seen = after.map_or(self.opened, |head| head.seen);
        let path = self.path(number);
        let writing = Writing {
            version: VERSION,
            writer,
            at,
            state,
        };
        let content = stored::content(&path, &writing)?;
        let written = Moment::now(self.objects.clock());
        let appended = match self.objects.create(&path, content).await {
            Ok(Creation::Made) => Append::Won(Head {
                number,
                at,
                state: state.clone(),
                seen: written,
            }),
            Ok(Creation::Existed) => self.who_won(number, writer).await?,
            // It may have been written all the same: look once before giving up.
            Err(failure) => match self.read::<T>(number).await {
                Ok(Some((winner, head))) if winner == writer => Append::Won(head),
                _ => return Err(failure),
            },
        };
        match appended {
            Append::Won(head) if seen.age(self.objects.clock()) > STANDSTILL_MAX => {
                self.unless_overtaken(head).await
            }
            appended => Ok(appended),
        }
    }

    /// We stood still between the look and the append: what was seen may long be succeeded and removed, and the place after
    /// it be free again. Ours counts only if nothing is above it.
    async fn unless_overtaken<T: DeserializeOwned>(
        &self,
        ours: Head<T>,
    ) -> Result<Append<T>, StoreFailure> {
        match self.head::<T>().await? {
            Some(theirs) if theirs.number > ours.number => Ok(Append::Lost(theirs)),
            Some(head) => Ok(Append::Won(head)),
            None => Err(corrupt(&self.folder)),
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
                // S3 says 409 while somebody else's write goes on (reliability-security §0.5), and that one may have failed.
                None => Err(StoreFailure {
                    operation: "create",
                    path: self.path(number),
                    trouble: StoreTrouble::Unavailable,
                }),
            },
        }
    }

    /// Removes what is below the head and was succeeded before `cutoff`, the oldest first, at most `most`. The head stays,
    /// whatever its age: it is what the next append counts from. So does the very first: whoever takes a log for empty
    /// without looking finds it there, and knows better.
    pub async fn prune(&self, cutoff: Timestamp, most: usize) -> Result<usize, StoreFailure> {
        let numbers = self.numbers().await?;
        self.prune_of(&numbers, cutoff, most).await
    }

    /// The same of numbers that were listed already, newest first. It reads one snapshot if there is nothing to remove, and
    /// few if there is.
    pub async fn prune_of(
        &self,
        numbers: &[u64],
        cutoff: Timestamp,
        most: usize,
    ) -> Result<usize, StoreFailure> {
        let numbers = numbers.strip_suffix(&[0]).unwrap_or(numbers);
        // When a snapshot was succeeded stands in the next one.
        let Some(second_oldest) = numbers.len().checked_sub(2) else {
            return Ok(0);
        };
        if !self.is_older(numbers[second_oldest], cutoff).await? {
            return Ok(0);
        }
        // Times grow with the numbers, but for what clocks differ: the newest one that is old enough, by halving.
        let (mut young, mut old) = (0, second_oldest);
        while young < old {
            let middle = young + (old - young) / 2;
            if self.is_older(numbers[middle], cutoff).await? {
                old = middle;
            } else {
                young = middle + 1;
            }
        }
        let below = &numbers[old + 1..];
        self.remove(&below[below.len().saturating_sub(most)..])
            .await
    }

    /// Removes these snapshots, given newest first: the oldest goes first, but for the very first, which goes last.
    pub(super) async fn remove(&self, numbers: &[u64]) -> Result<usize, StoreFailure> {
        let (others, first) = match numbers.strip_suffix(&[0]) {
            Some(others) => (others, Some(0)),
            None => (numbers, None),
        };
        for number in others.iter().rev().copied().chain(first) {
            self.objects.delete(&self.path(number)).await?;
        }
        Ok(numbers.len())
    }

    /// True if a snapshot was written before `cutoff`; also if it is gone, which only the old ones are.
    async fn is_older(&self, number: u64, cutoff: Timestamp) -> Result<bool, StoreFailure> {
        let read = self.read::<IgnoredAny>(number).await?;
        Ok(read.is_none_or(|(_, head)| head.at < cutoff))
    }
}

#[cfg(test)]
mod tests;
