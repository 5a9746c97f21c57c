//! Everything that touches the outside: each fills a port.

pub mod alerts_management;
pub mod azure_tokens;
pub mod clock;
pub mod entra_keys;
pub mod entra_tenant;
pub mod entropy;
pub mod file_vault;
pub mod http;
pub mod itsm;
pub mod key_vault;
pub mod logs_ingestion;
pub mod oauth;
pub mod row_sinks;
pub mod state_store;
pub mod token_source;
