//! `itsmc tokens …`: how the connections' tokens stand, and their renewal by hand.

mod refresh;
mod status;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;
pub(in crate::commands) use refresh::refresh;
pub(in crate::commands) use status::words;

/// Look at the tokens of connections, and renew them by hand.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example: when does somebody have to log in again?\n\n  itsmc tokens status"
)]
pub(crate) enum Tokens {
    Status(status::Status),
    Refresh(refresh::Refresh),
}

impl Tokens {
    /// Does it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Status(status) => status.run(data, output).await,
            Self::Refresh(refresh) => refresh.run(data, output).await,
        }
    }
}
