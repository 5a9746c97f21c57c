//! `itsmc alert …`: send alerts by hand.

mod send;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

/// Send alerts by hand.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: the sample of `itsmc up`, made new\n\n  \
    itsmc alert send .itsmc/sample-alert.json --fresh")]
pub(crate) enum Alert {
    Send(send::Send),
}

impl Alert {
    /// Does it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Send(send) => send.run(data, output).await,
        }
    }
}
