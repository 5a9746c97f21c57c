//! How a dependency was when it was last used.

use serde::Serialize;

use super::name::ConnectionName;
use super::timestamp::Timestamp;

/// How a dependency was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// Whether it did what was asked.
    pub works: bool,
    /// When.
    pub at: Timestamp,
    /// What to do, where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
}

/// Something of a connection that ends before long, or has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// Of which connection.
    pub connection: ConnectionName,
    /// What.
    pub what: &'static str,
    /// When.
    pub ends_at: Timestamp,
    /// Whether that has passed.
    pub has_ended: bool,
}
