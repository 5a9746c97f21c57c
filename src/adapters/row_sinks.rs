//! Where rows go at the desk, without Azure: files, and a database of one file.

pub mod folder;
#[cfg(feature = "desk")]
pub mod sqlite;
