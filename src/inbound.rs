//! Formats that we are sent: bytes in, domain out. No I/O, nothing async, no clock.

pub mod alerts_management;
pub mod bearer;
pub mod common_alert_schema;
pub mod webhook;
