//! `itsmc connection …`: set up, look at and test connections.

mod add;
mod import;
mod list;
mod login;
mod remove;
mod schema;
mod show;
pub(in crate::commands) mod stored;
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
    Add(add::Add),
    List(list::List),
    Show(show::Show),
    Test(test::Test),
    Login(login::Login),
    Remove(remove::Remove),
    Import(import::Import),
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
            Self::Login(login) => login.run(data, output).await,
            Self::Remove(remove) => remove.run(data, output).await,
            Self::Import(import) => import.run(data, output).await,
            Self::Schema(schema) => schema.run(output),
        }
    }
}
