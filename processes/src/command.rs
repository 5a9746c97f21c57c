//! The command line.
#![expect(
    clippy::disallowed_methods,
    reason = "the command measures real time and keeps the files of what failed"
)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use processes::round::{self, Order};
use processes::tally::{self, Tally};
use processes::{Trouble, backfill, flood, memory, outage, program, slow};

/// A storm that is shorter need not have had everything in it.
const STORM_FOR_EVERYTHING: Duration = Duration::from_secs(30);

/// Runs the shipped program as real processes in storms of faults, and checks what came of it. Exit status 0: nothing is
/// wrong; 1: something is; 2: it could not be run.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
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

/// Large figures, one at a time.
#[derive(Debug, Subcommand)]
enum Other {
    /// An outage of a day, then recovery within the limit that the product announces; paused clock.
    Outage {
        /// Alerts in the outage.
        #[arg(long, default_value_t = 100_000)]
        alerts: usize,
        /// Calls an hour that the product allows.
        #[arg(long, default_value_t = 20_000)]
        per_hour: u64,
        /// How long the product is down.
        #[arg(long, default_value_t = 24)]
        hours: u64,
        /// Decides all that is drawn.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Many alerts in a minute to one real process.
    Flood {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        alerts: usize,
        /// In what time.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The state in memory, in place of a folder.
        #[arg(long)]
        in_memory: bool,
        /// The profile that the program is built with.
        #[arg(long, default_value = "dev")]
        profile: String,
    },
    /// Senders that take connections and hardly say anything, and good alerts in the middle of them.
    Slow {
        /// Connections that say nothing.
        #[arg(long, default_value_t = 1_000)]
        idle: usize,
        /// Senders of each slow kind: half a head, a body byte by byte, nearly all of a long body.
        #[arg(long, default_value_t = 100)]
        slow: usize,
        /// For how long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The profile that the program is built with.
        #[arg(long, default_value = "dev")]
        profile: String,
    },
    /// A first sync of 120 days by the real `scheduled-sync`.
    Backfill {
        /// How many records the table has.
        #[arg(long, default_value_t = 1_000_000)]
        records: u64,
        /// How often the process is killed on its way.
        #[arg(long, default_value_t = 0)]
        kills: u64,
        /// The profile that the program is built with.
        #[arg(long, default_value = "dev")]
        profile: String,
        /// The program, if it is built already.
        #[arg(long)]
        binary: Option<PathBuf>,
    },
    /// The memory of one real process that drains what came in a day.
    Memory {
        /// How many alerts wait.
        #[arg(long, default_value_t = 100_000)]
        alerts: usize,
        /// How long it may drain.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// The profile that the program is built with.
        #[arg(long, default_value = "dev")]
        profile: String,
    },
}

/// The function that takes alerts.
const ALERTS: &str = "create-work-item";

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
    if let Some(Other::Outage {
        alerts,
        per_hour,
        hours,
        seed,
    }) = arguments.other
    {
        let outage = Duration::from_secs(hours * 3600);
        let order = outage::Order {
            alerts,
            outage,
            per_hour,
            seed,
        };
        let began = Instant::now();
        return code(outage::run(order).map(|outcome| {
            say(&outcome.text(order, began.elapsed().as_secs_f64()));
            outcome.violations.is_empty()
        }));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ran = runtime
        .map_err(|error| error.to_string())
        .and_then(|runtime| {
            runtime.block_on(async {
                match &arguments.other {
                    Some(other) => Box::pin(figure(other)).await,
                    None => Box::pin(run(&arguments)).await,
                }
            })
        });
    code(ran)
}

async fn figure(other: &Other) -> Result<bool, Trouble> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    match other {
        Other::Outage { .. } => Ok(true),
        Other::Flood {
            alerts,
            seconds,
            in_memory,
            profile,
        } => {
            let order = flood::Order {
                alerts: *alerts,
                within: Duration::from_secs(*seconds),
                state: if *in_memory {
                    flood::Where::Memory
                } else {
                    flood::Where::Folder
                },
                binary: program::build(ALERTS, profile)?,
            };
            let outcome = flood::run(&order, folder.path()).await?;
            say(&outcome.text(&order));
            Ok(outcome.is_right(&order))
        }
        Other::Slow {
            idle,
            slow,
            seconds,
            profile,
        } => {
            let order = slow::Order {
                idle: *idle,
                slow: *slow,
                within: Duration::from_secs(*seconds),
                binary: program::build(ALERTS, profile)?,
            };
            let outcome = slow::run(&order, folder.path()).await?;
            say(&outcome.text(&order));
            Ok(outcome.is_right())
        }
        Other::Backfill {
            records,
            kills,
            profile,
            binary,
        } => {
            let order = backfill::Order {
                records: *records,
                kills: *kills,
                binary: match binary {
                    Some(binary) => binary.clone(),
                    None => program::build("scheduled-sync", profile)?,
                },
            };
            let outcome = backfill::run(&order, folder.path()).await?;
            say(&outcome.text(&order));
            Ok(outcome.is_right(&order))
        }
        Other::Memory {
            alerts,
            seconds,
            profile,
        } => {
            let order = memory::Order {
                alerts: *alerts,
                within: Duration::from_secs(*seconds),
                binary: program::build(ALERTS, profile)?,
            };
            let outcome = memory::run(&order, folder.path()).await?;
            say(&outcome.text(&order));
            Ok(outcome.peak_memory < memory::LIMIT_BYTES)
        }
    }
}

fn code(ran: Result<bool, Trouble>) -> ExitCode {
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
    let binary = program::build(ALERTS, &arguments.profile)?;
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
