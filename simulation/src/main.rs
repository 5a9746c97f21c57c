//! `simulation`: runs seeds and the crash matrix, and says what came of them.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use simulation::matrix::{self, Extent};
use simulation::planted::Planted;
use simulation::report::{SEEDS_FOR_SOMETIMES, Tally};
use simulation::seeds::{self, Request};
use simulation::swarm::Variant;

/// Runs the real flows and adapters under simulated faults. Exit status 0: nothing is wrong; 1: something is; 2: the
/// command line is.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Exactly these seeds.
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["seeds", "from"])]
    seed: Vec<u64>,
    /// Which product.
    #[arg(long, value_enum, default_value_t = Which::Both)]
    variant: Which,
    /// Print every port call.
    #[arg(long)]
    trace: bool,
    /// Report as JSON.
    #[arg(long)]
    json: bool,
    /// Run the crash matrix only, and of it also each pair of faults.
    #[arg(long, conflicts_with_all = ["seeds", "from", "seed"])]
    exhaustive: bool,
    /// Of the crash matrix, only this case.
    #[arg(long, requires = "exhaustive")]
    case: Option<String>,
    /// Take a defence away, to see it missed: conflicts-succeed, answers-undurable, loses-markers, unknown-is-refused, blind-audit.
    #[arg(long, value_parser = planted)]
    planted: Option<Planted>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// The product refuses a second record with our key.
    Enforced,
    /// It does not.
    BestEffort,
    /// Each seed with both.
    Both,
}

fn planted(word: &str) -> Result<Planted, String> {
    let found = Planted::ALL.into_iter().find(|bug| bug.as_str() == word);
    found.ok_or_else(|| {
        let words: Vec<&str> = Planted::ALL.iter().map(|bug| bug.as_str()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "how fast the simulation runs is told by a real clock"
)]
fn stopwatch() -> Instant {
    Instant::now()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let variants = match arguments.variant {
        Which::Enforced => vec![Variant::Enforced],
        Which::BestEffort => vec![Variant::BestEffort],
        Which::Both => Variant::ALL.to_vec(),
    };
    let began = stopwatch();
    let mut tally = Tally::default();
    let is_chosen = !arguments.seed.is_empty();
    if !is_chosen && arguments.planted.is_none() {
        let case = arguments.case.as_deref();
        let extent = if arguments.exhaustive {
            Extent::Pairs
        } else {
            Extent::Singles
        };
        tally.merge(matrix::run_all(&variants, extent, case, arguments.trace));
    }
    if !arguments.exhaustive {
        let seeds = if is_chosen {
            arguments.seed.clone()
        } else {
            (arguments.from..arguments.from.saturating_add(arguments.seeds)).collect()
        };
        let request = Request {
            seeds,
            variants,
            planted: arguments.planted,
            trace: arguments.trace,
        };
        let runs = (request.seeds.len() * request.variants.len()) as u64;
        let shows = std::io::stderr().is_terminal() && !is_chosen;
        tally.merge(seeds::run_all(&request, &|done| {
            if shows && (done.is_multiple_of(50) || done == runs) {
                let _ = write!(std::io::stderr(), "\r{done} of {runs} runs ");
            }
        }));
        if shows {
            let _ = writeln!(std::io::stderr());
        }
    }
    let counts = !is_chosen
        && !arguments.exhaustive
        && arguments.seeds >= SEEDS_FOR_SOMETIMES
        && matches!(arguments.variant, Which::Both);
    report(&arguments, &tally, began.elapsed(), counts)
}

fn report(arguments: &Arguments, tally: &Tally, took: Duration, counts: bool) -> ExitCode {
    let mut out = String::new();
    if arguments.json {
        out.push_str(&tally.as_json(took, counts).to_string());
        out.push('\n');
    } else {
        for line in &tally.traces {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(&tally.as_text(took, counts));
        for (n, failure) in tally.failures.iter().enumerate() {
            if n == 0 {
                out.push_str(&failure.as_text());
            } else if n < 20 {
                out.push_str(&format!(
                    "\nFAILED  {} {}\n",
                    failure.name,
                    failure.variant.as_str()
                ));
                out.push_str(&failure.summary());
            }
        }
    }
    let _ = std::io::stdout().write_all(out.as_bytes());
    if tally.is_green(counts) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
