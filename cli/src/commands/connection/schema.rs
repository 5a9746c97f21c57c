//! `itsmc connection schema`: the JSON Schema of a definition, for editors and pipelines.

use clap::Args;
use itsm_connector::domain::definition;

use crate::failure::Failure;
use crate::output::Output;

/// Print the JSON Schema of a connection's definition.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc connection schema > connection.schema.json")]
pub(crate) struct Schema {}

impl Schema {
    /// Prints it.
    pub(crate) fn run(&self, output: &Output) -> Result<(), Failure> {
        output.document(&definition::json_schema());
        Ok(())
    }
}
