//! The command `itsmc`: set up a connection, test it, run everything at the desk, look.
//!
//! Data goes to standard output, words to standard error. The exit code is 0 for "did it", 1 for "it does not work", and
//! 2 for "used wrongly".

mod alert_delivery;
mod commands;
mod desk;
mod failure;
mod files;
mod log_record;
mod login;
mod output;
mod prompt;
mod rehearsal;
mod sample_alert;
mod spans;
mod webhook;

use std::process::ExitCode;

use clap::Parser as _;
use itsm_connector::{settings, telemetry};

use commands::Cli;
use failure::{Exit, Failure};
use output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    telemetry::start(
        &settings::log_filter_or(cli.command.logs()),
        telemetry::Lines::Stderr,
    );
    let output = Output::new(cli.json);
    let done = match runtime() {
        Ok(runtime) => runtime.block_on(commands::run(&cli, &output)),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                Exit::DoesNotWork,
                format!("the operating system refused a runtime: {error}"),
                "it is short of file descriptors or memory; `ulimit -n` shows the first",
            )
        })
}
