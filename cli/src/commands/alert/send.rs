//! `itsmc alert send`: posts an alert as an action group would, and shows the answer.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::entropy::OsEntropy;
use itsm_connector::ports::Clock as _;
use serde_json::Value;

use crate::failure::Failure;
use crate::output::Output;
use crate::webhook::{To, show};
use crate::{files, sample_alert};

/// Send an alert from a file to a running webhook.
///
/// Without `--url` it goes to the webhook of `itsmc up`. The same alert sent twice makes one work item.
#[derive(Debug, Args)]
#[command(after_help = "Example: the sample of `itsmc up`, made new\n\n  \
    itsmc alert send .itsmc/sample-alert.json --fresh")]
pub(crate) struct Send {
    /// The alert, in Azure's Common Alert Schema; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    to: To,
    /// Give it a new id and the time of now, so that it is a new alert
    #[arg(long)]
    fresh: bool,
}

impl Send {
    /// Sends it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let webhook = self.to.webhook(data, &self.file)?;
        show(&webhook.post(self.alert()?, output).await?, output)
    }

    fn alert(&self) -> Result<Bytes, Failure> {
        let bytes = files::read_named(&self.file)?;
        if !self.fresh {
            return Ok(bytes.into());
        }
        let mut alert: Value = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::wrong_usage(
                format!("`{}` is not JSON: {error}", self.file.display()),
                "without `--fresh` it is sent as it is",
            )
        })?;
        if !sample_alert::freshen(&mut alert, SystemClock::default().now(), &OsEntropy) {
            return Err(Failure::wrong_usage(
                format!("`{}` has no `data.essentials`", self.file.display()),
                "`--fresh` is for alerts of the Common Alert Schema; without it the file is sent as it is",
            ));
        }
        Ok(alert.to_string().into())
    }
}
