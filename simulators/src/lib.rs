//! The outside world of the connector as servers that speak its wire.
//!
//! Each simulator is a state machine, [`machine::Machine`]: a request and the time go in, an answer comes out. The
//! same machine answers in process under a paused clock, and over loopback by [`server::Server`]. Nothing in here
//! knows the connector: the shapes are written from the vendors' documentation, so that an error of ours cannot be on
//! both sides of the wire.

pub mod alerts_management;
pub mod aws_sts;
pub mod cherwell;
pub mod dataverse;
pub mod entra;
pub mod fault;
pub mod issuer;
pub mod journal;
pub mod jwt;
pub mod key_vault;
pub mod logs_ingestion;
pub mod machine;
pub mod server;
pub mod servicenow;
