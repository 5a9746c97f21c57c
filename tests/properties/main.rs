//! Facts that hold for every text and every field, not for one example: what senders write never reaches a record of
//! somebody else, and what people write in ours stays.
#![expect(
    clippy::unwrap_used,
    reason = "a property fails by panicking, and most of the plumbing is in plain functions"
)]

mod bed;
mod hostile_text;
mod persons_edit;
