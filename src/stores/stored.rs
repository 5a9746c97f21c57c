//! What all stored objects have in common: JSON, with the version of its form. Missing, damaged and too new are three
//! things, and none is taken for another.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::objects::{StoreFailure, StoreTrouble};

/// The version of all forms so far. It rises when an older program would misread the new form; a field that may be
/// missing (`#[serde(default)]`) does not raise it.
pub(super) const VERSION: u32 = 1;

/// The version of objects that were written before versions were: the first.
pub(super) fn first() -> u32 {
    1
}

/// A form that says its version.
pub(super) trait Versioned: DeserializeOwned {
    /// The version of what was read.
    fn version(&self) -> u32;
}

/// Anything plain, with its version beside its fields.
#[derive(Serialize, Deserialize)]
pub(super) struct WithVersion<T> {
    #[serde(default = "crate::stores::stored::first")]
    version: u32,
    #[serde(flatten)]
    pub(super) content: T,
}

impl<T> WithVersion<T> {
    pub(super) fn new(content: T) -> Self {
        Self {
            version: VERSION,
            content,
        }
    }
}

impl<T: DeserializeOwned> Versioned for WithVersion<T> {
    fn version(&self) -> u32 {
        self.version
    }
}

#[derive(Deserialize)]
struct OnlyVersion {
    #[serde(default = "crate::stores::stored::first")]
    version: u32,
}

/// Reads an object's content. An object of a newer form is refused even if it could be read: what it means is not known.
pub(super) fn read<T: Versioned>(path: &str, content: &[u8]) -> Result<T, StoreFailure> {
    let trouble = match serde_json::from_slice::<T>(content) {
        Ok(read) if read.version() <= VERSION => return Ok(read),
        Ok(_) => StoreTrouble::Newer,
        Err(_) => match serde_json::from_slice::<OnlyVersion>(content) {
            Ok(only) if only.version > VERSION => StoreTrouble::Newer,
            _ => StoreTrouble::Corrupt,
        },
    };
    Err(StoreFailure {
        operation: "read",
        path: path.to_owned(),
        trouble,
    })
}

/// An object's content. Boxed: the vector may have as much to spare as it holds, and a store in memory would keep that too.
pub(super) fn content<T: Serialize>(path: &str, form: &T) -> Result<Bytes, StoreFailure> {
    match serde_json::to_vec(form) {
        Ok(content) => Ok(Bytes::from(content.into_boxed_slice())),
        Err(_) => Err(super::objects::corrupt(path)),
    }
}
