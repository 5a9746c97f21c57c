//! `itsmc explain NUMBER`: how a work item came about, step by step.

use std::path::Path;

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::explain;
use itsm_connector::stores::connections::SECRET_PREFIX;

use super::connection_name;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{Output, harmless};

/// Tell how a work item came about, step by step.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n\n  itsmc explain INC0010001\n\nIt reads the work item once; its correlation id names the rest."
)]
pub(crate) struct Explain {
    /// The number that people use
    number: String,
    /// Its connection; may be left out if there is only one
    #[arg(long, value_parser = connection_name)]
    connection: Option<ConnectionName>,
}

impl Explain {
    /// Tells it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        desk.existing_state()?;
        let core = desk.core()?;
        let name = match &self.connection {
            Some(name) => name.clone(),
            None => only_connection(&desk).await?,
        };
        output.progress(format!("reading {} of {name}", harmless(&self.number)));
        let story = explain::run(&core, &name, &self.number)
            .await
            .map_err(|reason| {
                Failure::does_not_work(
                    format!("`{}`: {reason}", harmless(&self.number)),
                    reason.hint(),
                )
            })?;
        output.settle();
        if output.is_json() {
            output.document(&story);
            return Ok(());
        }
        output.line(format!(
            "{}  {}",
            story.work_item.number, story.work_item.url
        ));
        output.line(format!(
            "connection {name}, action {}, slot {}, item {}",
            story.action,
            story.slot,
            story.generation + 1
        ));
        if story.some_removed {
            output.line(
                "some steps are missing: all but the first and the last are kept for 7 days only",
            );
        }
        for step in &story.steps {
            output.line(format!("{}  {}", step.at, step.what));
            if let Some(failure) = &step.failure {
                output.line(format!("{:26}after: {failure}", ""));
            }
        }
        for event in &story.events {
            output.line(format!("event {event}"));
        }
        Ok(())
    }
}

async fn only_connection(desk: &Desk) -> Result<ConnectionName, Failure> {
    let secrets = desk.vault().list(SECRET_PREFIX).await?;
    let mut names = secrets
        .iter()
        .filter_map(|secret| ConnectionName::parse(secret.strip_prefix(SECRET_PREFIX)?).ok());
    match (names.next(), names.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::does_not_work(
            "there is no connection",
            "`itsmc connection add` makes one",
        )),
        _ => Err(Failure::wrong_usage(
            "there are several connections",
            "name one: `--connection NAME`",
        )),
    }
}
