//! One connector between Azure Monitor and the ITSM product of an organisation.
//!
//! Layers, from the inside out; imports go one way, and `tests/tidy.rs` says so:
//!
//! - [`domain`]: pure values and decisions.
//! - [`ports`]: what the core asks of the outside.
//! - [`inbound`]: formats that we are sent; [`stores`]: our own state; [`flows`]: what the product does;
//!   [`adapters`]: everything that touches the outside.
//! - [`hosts`]: where a function runs; [`settings`], [`telemetry`], [`wiring`]: how it is put together.
//!
//! An alert's way is told in [`flows::create_work_item`].

pub mod adapters;
pub mod domain;
pub mod flows;
pub mod hosts;
pub mod inbound;
pub mod ports;
pub mod settings;
pub mod stores;
pub mod telemetry;
pub mod wiring;
