//! `itsmc sync`: records of the ITSM product into Log Analytics, or into a file at the desk.

mod reset;
mod run;
mod status;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

/// Read records of the ITSM product back, and see how far that is
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n\n  itsmc sync run contoso")]
pub(crate) enum Sync {
    Run(run::Run),
    Status(status::Status),
    Reset(reset::Reset),
}

impl Sync {
    /// Does it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Run(run) => run.run(data, output).await,
            Self::Status(status) => status.run(data, output).await,
            Self::Reset(reset) => reset.run(data, output).await,
        }
    }
}
