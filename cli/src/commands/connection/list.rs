//! `itsmc connection list`: all connections of the vault, and whether they can be used.

use std::path::Path;

use clap::Args;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::domain::connection::Grant;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::Clock as _;
use serde::Serialize;

use super::stored::{self, Stored};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{Output, hint_line};

/// List all connections.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc connection list --json")]
pub(crate) struct List {}

#[derive(Serialize)]
struct Row {
    name: ConnectionName,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<Grant>,
    actions: Vec<String>,
    /// When it expired in the vault, which keeps nobody from using it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_at: Option<Timestamp>,
}

impl List {
    /// Lists them.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        let now = SystemClock::default().now();
        let mut rows = Vec::new();
        for name in stored::names(&desk.vault()).await? {
            let stored = stored::read(&desk, &name).await?;
            rows.push(row(name, &stored, now));
        }
        if output.is_json() {
            output.document(&serde_json::json!({ "connections": rows }));
        } else if rows.is_empty() {
            output.words(format!("no connections in `{}`", desk.vault_place()));
            output.words(hint_line(
                "`itsmc connection add` makes one; `itsmc up` makes a first one by itself",
            ));
        } else {
            let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
            output.table(
                &["NAME", "PRODUCT", "SERVER", "GRANT", "ACTIONS", "USABLE"],
                &cells,
            );
            for row in &rows {
                if let Some(end) = row.expired_at {
                    output.line(format!("\n{}: {}", row.name, stored::has_expired(end)));
                    output.line(hint_line(
                        "renew what it holds, and store it with another date: `az keyvault secret set-attributes --expires`",
                    ));
                }
            }
        }
        Ok(())
    }
}

fn row(name: ConnectionName, stored: &Stored, now: Timestamp) -> Row {
    let why_not = stored.unusable(now);
    let connection = stored.connection.as_ref().ok();
    Row {
        name,
        usable: why_not.is_none(),
        why_not,
        product: connection.map(|connection| connection.partner_type.product()),
        server_url: connection.map(|connection| connection.server.to_string()),
        grant: connection.map(|connection| connection.grant),
        actions: connection
            .map(|connection| connection.actions.keys().map(ToString::to_string).collect())
            .unwrap_or_default(),
        expired_at: stored.expires.filter(|end| *end <= now),
    }
}

fn cells(row: &Row) -> Vec<String> {
    let unknown = || "-".to_owned();
    vec![
        row.name.to_string(),
        row.product.map_or_else(unknown, str::to_owned),
        row.server_url.clone().unwrap_or_else(unknown),
        row.grant
            .map_or_else(unknown, |grant| stored::grant_words(grant).to_owned()),
        row.actions.len().to_string(),
        row.why_not
            .as_ref()
            .map_or_else(|| "yes".to_owned(), |why| format!("no: {why}")),
    ]
}
