//! `itsmc connection …`: set up, look at and test connections.

mod add;
mod list;
mod remove;
mod schema;
mod show;
mod stored;
mod test;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

/// Set up, look at and test connections.
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example: the connection that `itsmc up` makes, step by step\n\n  \
    itsmc connection test demo"
)]
pub(crate) enum Connection {
    /// Set up a connection to an ITSM instance
    Add(add::Add),
    /// List all connections
    List(list::List),
    /// Show a connection, without its secrets
    Show(show::Show),
    /// Test a connection step by step
    Test(test::Test),
    /// Remove a connection and its tokens
    Remove(remove::Remove),
    /// Print the JSON Schema of a connection's definition
    Schema(schema::Schema),
}

impl Connection {
    /// Does it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(data, output).await,
            Self::List(list) => list.run(data, output).await,
            Self::Show(show) => show.run(data, output).await,
            Self::Test(test) => test.run(data, output).await,
            Self::Remove(remove) => remove.run(data, output).await,
            Self::Schema(schema) => schema.run(output),
        }
    }
}
