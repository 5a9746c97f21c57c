//! `itsmc connection remove`: takes a connection and its tokens out of the vault.

use std::path::Path;

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::backlog;
use itsm_connector::stores::connections::{SECRET_PREFIX, TOKENS_PREFIX};
use serde_json::json;

use super::stored;
use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::Output;
use crate::prompt;

/// Remove a connection and its tokens.
///
/// Alerts that still wait for it are kept. After a day without a connection of this name they are given up, and can be
/// seen as dead letters.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc connection remove demo --yes")]
pub(crate) struct Remove {
    /// The connection
    #[arg(value_parser = connection_name)]
    name: ConnectionName,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl Remove {
    /// Removes it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let (desk, name) = (Desk::open(data)?, &self.name);
        stored::read(&desk, name).await?;
        let pending = backlog::look(&desk.core()?, name).await?.count;
        if pending > 0 {
            output.warning(
                format!("alerts that wait for `{name}`: {pending}"),
                "they are kept for a day; add a connection of this name until then, or they become dead letters",
            );
        }
        if !self.yes {
            if !prompt::somebody_is_there() {
                return Err(Failure::wrong_usage(
                    format!("nobody is there to be asked whether `{name}` is to be removed"),
                    "`--yes` removes it without asking",
                ));
            }
            if !prompt::confirm(&format!("Remove the connection `{name}` and its tokens?"))? {
                return Err(Failure::does_not_work(
                    format!("the connection `{name}` was not removed"),
                    "answer `y`, or give `--yes`",
                ));
            }
        }
        // The definition first: tokens without a connection harm nobody, a connection without tokens fails.
        let vault = desk.vault();
        vault.remove(&format!("{SECRET_PREFIX}{name}")).await?;
        vault.remove(&format!("{TOKENS_PREFIX}{name}")).await?;
        if output.is_json() {
            output.document(&json!({ "removed": name, "pending": pending }));
        } else {
            output.line(format!("removed the connection `{name}` and its tokens"));
        }
        Ok(())
    }
}
