//! How incidents are written, and into which staging table.

use super::problem::{Problem, Problems};
use super::written::Transport;
use crate::domain::connection::{PartnerType, WriteBy};
use crate::domain::redact;

/// Longest name of a table (ServiceNow's `sys_db_object.name`).
const TABLE_NAME_BYTES_MAX: usize = 80;

/// The way, with the table that it needs.
pub(super) fn check(
    transport: Transport,
    staging_table: Option<String>,
    partner: PartnerType,
    problems: &mut Problems,
) -> WriteBy {
    let mut no = |path: &str, found: String, expected: &str, hint: &str| {
        problems.push(Problem::new(path, found, expected, hint));
        WriteBy::Table
    };
    match (transport, staging_table) {
        (Transport::Table, None) => WriteBy::Table,
        (Transport::Table, Some(_)) => no(
            "staging_table",
            "a staging table".to_owned(),
            "nothing, or `transport` `import_set`",
            "the Table API writes into the incidents themselves",
        ),
        (Transport::ImportSet, _) if partner != PartnerType::Servicenow => no(
            "transport",
            "`import_set`".to_owned(),
            "`table`",
            "only ServiceNow has import sets",
        ),
        (Transport::ImportSet, None) => no(
            "staging_table",
            "nothing".to_owned(),
            "the name of a staging table",
            "such as `u_azure_alert`: docs/connections/servicenow.md has its columns and its transform map",
        ),
        (Transport::ImportSet, Some(name)) if !is_table(&name) => no(
            "staging_table",
            redact::echo("staging_table", &name),
            "the name of a table: lower-case letters, digits and `_`",
            "the name, not the label; such as `u_azure_alert`",
        ),
        (Transport::ImportSet, Some(staging_table)) => WriteBy::ImportSet { staging_table },
    }
}

/// It becomes part of an address.
fn is_table(name: &str) -> bool {
    (1..=TABLE_NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
