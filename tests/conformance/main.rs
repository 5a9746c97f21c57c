//! What every implementation of a port must do: written once, run for all of them. An implementation joins by one line at
//! the end of its suite.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a suite fails by panicking, and its checks are plain functions"
)]

mod clouds;
mod earlier_state;
mod in_process;
mod itsm_product;
mod numbered_log;
mod odd_store;
mod record_source;
mod row_sink;
mod soundness;
mod state_store;
mod vault;
