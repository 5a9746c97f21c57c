//! Pure values and decisions: no I/O, no clock, nothing async. Everything else imports this; it imports nothing of ours.

pub mod alert;
pub mod alert_to_work_item;
pub mod allowance;
pub mod backoff;
pub mod connection;
pub mod definition;
pub mod failure;
pub mod gate;
pub mod grouping;
pub mod identity;
pub mod name;
pub mod network;
pub mod pace;
pub mod redact;
pub mod retention;
pub mod row;
pub mod secret;
pub mod server_url;
pub mod sighting;
pub mod slot;
pub mod storm;
pub mod text;
pub mod timestamp;
pub mod token;
pub mod webhook_auth;
pub mod work_item;
