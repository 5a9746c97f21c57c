//! Whatever Azure Monitor sends: what becomes of each captured form, that no JSON makes the parser stumble, and what
//! memory it takes. Every fixture under `tests/fixtures` is a case; a new one needs no line here.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and most of the plumbing is in plain functions"
)]

mod any_json;
mod fixtures;
mod memory;
mod work_items;
