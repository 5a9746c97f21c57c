//! Stories of the connector, told over real HTTP: each test is a fact, in the words of who would miss it. The plumbing is
//! in [`bed`]; a file per story.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a story fails by panicking, and most of the plumbing is in plain functions"
)]

mod bed;

mod alert_becomes_work_item;
mod alert_delivered_again;
mod bad_bodies;
mod bad_requests;
mod connection_is_missing;
mod entra_tokens;
mod events;
mod every_alert;
mod fault_of_our_own;
mod fields;
mod foreign_alerts;
mod four_processes;
mod gate_and_pace;
mod groups;
mod hosts;
#[cfg(feature = "http2")]
mod http2;
mod import_sets;
mod issuers;
mod key_vault;
mod killed_between_steps;
mod limit_is_announced;
mod log_rows;
mod missed_alerts;
mod odd_alerts;
mod over_before_made;
mod product_misbehaves;
mod reconciliation;
mod renewal;
mod reply_was_lost;
mod retention;
mod rows;
mod secrets_never_leak;
mod slow_senders;
mod state_is_damaged;
mod store_calls;
mod store_fails;
mod storms;
mod sync_records;
