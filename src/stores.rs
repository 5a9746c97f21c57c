//! Our own state: plain code over the object store and the vault, the same on every backend.
//!
//! Objects are only ever created, never replaced, so that create-only is all that a store must be able to do. What
//! changes over time is a log of numbered snapshots ([`numbered_log`]).

pub mod allowances;
pub mod announced;
pub mod connections;
pub mod cursors;
pub mod dead_letters;
pub mod facts;
pub mod gates;
pub mod journal;
pub mod last_seen;
pub mod leases;
pub mod ledgers;
pub mod looks;
pub mod notices;
pub mod numbered_log;
pub mod objects;
pub mod pending;
pub mod probe;
pub mod quarantine;
pub mod renewals;
pub mod set_aside;
pub mod slots;
pub mod soundness;
pub mod standstill;
mod stored;
pub mod storms;
pub mod sweeps;
#[cfg(test)]
mod test_clock;
pub mod token_sets;
pub mod wishes;
