//! What can be asked of `itsmc`: one file per command.

mod alert;
mod connection;
mod dead;
mod explain;
mod record;
mod status;
mod sync;
mod tokens;
mod up;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use itsm_connector::domain::name::{ActionName, ConnectionName};

use crate::failure::Failure;
use crate::output::Output;

/// Where the options of every command stand in their help.
const GLOBAL: &str = "Options of every command";

/// Azure Monitor alerts into ITSM products, once, and back.
#[derive(Debug, Parser)]
#[command(
    name = "itsmc",
    version,
    max_term_width = 100,
    after_help = "Begin with `itsmc up --send-sample`: everything in this terminal, no cloud, no account.\n\n\
        Exit code: 0 did it, 1 it does not work or is not there, 2 used wrongly."
)]
pub(crate) struct Cli {
    /// Where the desk's data is; `ITSMC_VAULT` and `ITSMC_STATE` win where they are set
    #[arg(long, global = true, value_name = "DIR", default_value = "./.itsmc", help_heading = GLOBAL)]
    pub(crate) data: PathBuf,
    /// One JSON document on standard output in place of text
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do. Each says of itself what it is for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(up::Up),
    #[command(subcommand)]
    Connection(connection::Connection),
    #[command(subcommand)]
    Alert(alert::Alert),
    #[command(subcommand)]
    Record(record::Record),
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    Status(status::Status),
    #[command(subcommand)]
    Sync(sync::Sync),
    /// Look at and try again what was given up or not understood
    #[command(subcommand)]
    Dead(dead::Dead),
    /// Tell how a work item came about, step by step
    Explain(explain::Explain),
}

impl Command {
    /// What is logged if `RUST_LOG` says nothing: a command tells its own mistakes, a host does not.
    pub(crate) fn logs(&self) -> &'static str {
        match self {
            Self::Up(_) => "warn",
            Self::Connection(_)
            | Self::Alert(_)
            | Self::Record(_)
            | Self::Tokens(_)
            | Self::Status(_)
            | Self::Sync(_)
            | Self::Dead(_)
            | Self::Explain(_) => "off",
        }
    }
}

/// Does it.
pub(crate) async fn run(cli: &Cli, output: &Output) -> Result<(), Failure> {
    match &cli.command {
        Command::Up(up) => up.run(&cli.data, output).await,
        Command::Connection(connection) => connection.run(&cli.data, output).await,
        Command::Alert(alert) => alert.run(&cli.data, output).await,
        Command::Record(record) => record.run(&cli.data, output).await,
        Command::Tokens(tokens) => tokens.run(&cli.data, output).await,
        Command::Status(status) => status.run(&cli.data, output).await,
        Command::Sync(sync) => sync.run(&cli.data, output).await,
        Command::Dead(dead) => dead.run(&cli.data, output).await,
        Command::Explain(explain) => explain.run(&cli.data, output).await,
    }
}

/// A connection's name on the command line.
pub(crate) fn connection_name(text: &str) -> Result<ConnectionName, String> {
    ConnectionName::parse(text).map_err(|expected| format!("expected {expected}"))
}

/// An action's name on the command line.
pub(crate) fn action_name(text: &str) -> Result<ActionName, String> {
    ActionName::parse(text).map_err(|expected| format!("expected {expected}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn look(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("itsmc "), "{path} shows no example");
            command
                .get_subcommands()
                .filter(|command| command.get_name() != "help")
                .for_each(|command| look(command, &path));
        }
        look(&Cli::command(), "");
    }

    #[test]
    fn the_global_options_stand_anywhere() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        let before = parse("itsmc --json --data d status").unwrap();
        let after = parse("itsmc status --json --data d").unwrap();
        assert!(before.json && after.json);
        assert_eq!(before.data, after.data);
        for wrong in [
            "itsmc",
            "itsmc connection",
            "itsmc connection test",
            "itsmc connection test Contoso",
            "itsmc connection test ../x",
            "itsmc alert send",
            "itsmc up --listen localhost:7071",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
