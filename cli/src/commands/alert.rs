//! `itsmc alert …`: look at alerts and send them by hand.

mod preview;
mod send;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

/// Look at what an alert would make, and send alerts by hand.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples: the sample of `itsmc up`\n\n  \
    itsmc alert preview .itsmc/sample-alert.json\n  \
    itsmc alert send .itsmc/sample-alert.json --fresh")]
pub(crate) enum Alert {
    Preview(preview::Preview),
    Send(send::Send),
}

impl Alert {
    /// Does it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Preview(preview) => preview.run(data, output).await,
            Self::Send(send) => send.run(data, output).await,
        }
    }
}
