//! What was sent of the end of a window, so that the next one, which begins before that end, does not send it again.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::domain::timestamp::Timestamp;

/// The most versions that are remembered: half a megabyte in each snapshot of a cursor. What is forgotten is sent twice.
const SEEN_MAX: usize = 20_000;

/// Bytes of one of them as it is written: milliseconds, then the hash.
const ENTRY_BYTES: usize = 16;

/// Versions of records, each by its time and a hash of 64 bits over id, time and revision. With the most that are
/// remembered, one in 10^15 versions would be taken for another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen(BTreeSet<(i64, u64)>);

impl Seen {
    /// Remembers a version. Of too many, the oldest are forgotten.
    pub fn insert(&mut self, id: &str, at: Timestamp, revision: i64) {
        self.0.insert((at.as_millis(), hash(id, at, revision)));
        while self.0.len() > SEEN_MAX {
            self.0.pop_first();
        }
    }

    /// True if this version is remembered.
    pub fn contains(&self, id: &str, at: Timestamp, revision: i64) -> bool {
        // Most windows hold nothing but what is new: then nothing is hashed.
        let any = self.0.last().is_some_and(|last| last.0 >= at.as_millis());
        any && self.0.contains(&(at.as_millis(), hash(id, at, revision)))
    }

    /// Forgets what was changed before a moment.
    pub fn forget_before(&mut self, moment: Timestamp) {
        self.0 = self.0.split_off(&(moment.as_millis(), 0));
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn hash(id: &str, at: Timestamp, revision: i64) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(at.as_millis().to_be_bytes());
    hasher.update(revision.to_be_bytes());
    hasher.update(id.as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self
            .0
            .iter()
            .flat_map(|(at, hash)| [at.to_be_bytes(), hash.to_be_bytes()])
            .flatten()
            .collect();
        serializer.serialize_str(&BASE64.encode(&bytes))
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let damaged = || serde::de::Error::custom("expected pairs of time and hash in base64");
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| damaged())?;
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(damaged());
        }
        let entry = |entry: &[u8; ENTRY_BYTES]| {
            let both = u128::from_be_bytes(*entry);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the two halves of what was written as two numbers of 64 bits"
            )]
            let (at, hash) = ((both >> 64) as u64, both as u64);
            (at.cast_signed(), hash)
        };
        Ok(Self(entries.iter().map(entry).collect()))
    }
}
