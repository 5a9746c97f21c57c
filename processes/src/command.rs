//! The command line.
#![expect(
    clippy::disallowed_methods,
    reason = "the command measures real time and keeps the files of what failed"
)]

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use processes::round::{self, Order};
use processes::tally::{self, Tally};
use processes::{Trouble, program};

/// A storm that is shorter need not have had everything in it.
const STORM_FOR_EVERYTHING: Duration = Duration::from_secs(30);

/// Runs the shipped program as real processes in storms of faults, and checks what came of it. Exit status 0: nothing is
/// wrong; 1: something is; 2: it could not be run.
#[derive(Debug, Parser)]
struct Arguments {
    /// For how long, in place of --rounds.
    #[arg(long, conflicts_with = "rounds")]
    minutes: Option<u64>,
    /// How many rounds.
    #[arg(long, default_value_t = 2)]
    rounds: u64,
    /// How long the storm of a round is.
    #[arg(long, default_value_t = 15)]
    round_seconds: u64,
    /// The seed of the first round; each further one has the next.
    #[arg(long)]
    seed: Option<u64>,
    /// Whether the product keeps our keys unique.
    #[arg(long, value_enum, default_value_t = Keys::InTurn)]
    keys: Keys,
    /// Alerts per second of storm.
    #[arg(long, default_value_t = 12)]
    alerts_per_second: usize,
    /// Processes over one state.
    #[arg(long, default_value_t = 4)]
    processes: usize,
    /// The profile that the program is built with.
    #[arg(long, default_value = "dev")]
    profile: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Keys {
    /// The product refuses a second record with our key.
    Unique,
    /// It does not.
    BestEffort,
    /// One round so, the next so.
    InTurn,
}

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ran = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(Box::pin(run(&arguments))));
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            say(&format!("cannot be run: {trouble}\n"));
            ExitCode::from(2)
        }
    }
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

async fn run(arguments: &Arguments) -> Result<bool, Trouble> {
    let binary = program::build(&arguments.profile)?;
    let began = Instant::now();
    let until = arguments
        .minutes
        .map(|minutes| Duration::from_secs(minutes * 60));
    let first = arguments.seed.unwrap_or(1);
    let (mut tally, mut round) = (Tally::default(), 0);
    loop {
        let is_over = match until {
            Some(until) => began.elapsed() >= until,
            None => round >= arguments.rounds,
        };
        if is_over {
            break;
        }
        let order = Order {
            seed: first + round,
            keys_are_unique: match arguments.keys {
                Keys::Unique => true,
                Keys::BestEffort => false,
                Keys::InTurn => round.is_multiple_of(2),
            },
            storm: Duration::from_secs(arguments.round_seconds),
            alerts_per_second: arguments.alerts_per_second,
            processes: arguments.processes,
            binary: binary.clone(),
        };
        let mut folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let ran = Box::pin(round::run(&order, folder.path())).await?;
        tally.add_round(&ran);
        if !ran.violations.is_empty() {
            folder.disable_cleanup(true);
            say(&tally::failure(&order, &ran, folder.path()));
        }
        round += 1;
    }
    say(&tally.text(began.elapsed().as_secs_f64()));
    let storm =
        Duration::from_secs(arguments.round_seconds) * u32::try_from(round).unwrap_or(u32::MAX);
    let never = tally.never();
    if storm >= STORM_FOR_EVERYTHING && !never.is_empty() {
        say(&format!("NEVER       {}\n", never.join(", ")));
        return Ok(false);
    }
    Ok(tally.violations() == 0)
}
