//! Which set of tokens is meant, without a word of what is in it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::timestamp::Timestamp;

/// Longest mark.
const CHARS_MAX: usize = 64;

/// The name of one set of tokens: drawn by whoever is about to obtain it, kept in it, and named in journals and logs. A
/// version of the vault's cannot serve for it: a folder of files has no versions, and a write whose answer was lost has none
/// that we know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark(String);

/// Why a text is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lower-case letters, digits and hyphens, at most 64")]
pub struct NotAMark;

impl Mark {
    /// Reads a mark: lower-case letters, digits and hyphens, at most 64.
    pub fn parse(text: &str) -> Result<Self, NotAMark> {
        let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let plain = !text.is_empty() && text.len() <= CHARS_MAX && text.bytes().all(is_plain);
        plain.then(|| Self(text.to_owned())).ok_or(NotAMark)
    }

    /// From two numbers of chance.
    pub fn of_dice(one: u64, other: u64) -> Self {
        Self(format!("{one:016x}{other:016x}"))
    }

    /// The mark of a set that has none of its own.
    pub fn of_login(at: Timestamp) -> Self {
        Self(format!("login-{}", at.as_key().to_ascii_lowercase()))
    }

    /// The mark as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.0
    }
}

impl TryFrom<String> for Mark {
    type Error = NotAMark;

    fn try_from(text: String) -> Result<Self, NotAMark> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_plain_word() {
        for mark in [
            Mark::of_dice(0, u64::MAX),
            Mark::of_login(Timestamp::from_millis(1_772_359_200_123)),
        ] {
            assert_eq!(Mark::parse(mark.as_str()), Ok(mark));
        }
        for text in ["", "A", "a/b", "a b", &"a".repeat(65)] {
            assert_eq!(Mark::parse(text), Err(NotAMark), "{text}");
        }
    }
}
