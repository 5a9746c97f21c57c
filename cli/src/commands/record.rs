//! `itsmc record …`: work items of log records.

mod send;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

/// Make work items of log records by hand.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example: the second row of what was exported from Log Analytics\n\n  \
    itsmc record send query_data.csv --row 2"
)]
pub(crate) enum Record {
    Send(send::Send),
}

impl Record {
    /// Does it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Send(send) => send.run(data, output).await,
        }
    }
}
