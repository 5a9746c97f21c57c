//! `simulation`: runs seeds and the crash matrix, and says what came of them.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use simulation::matrix::{self, Extent};
use simulation::planted::Planted;
use simulation::planted::hunt::{EXPECTED, Expected, hunt, look};
use simulation::report::{SEEDS_FOR_SOMETIMES, Tally};
use simulation::seeds::{self, Request};
use simulation::stop::Stop;
use simulation::swarm::Variant;
use simulation::sync::{self, Bug};
use simulation::tokens;

/// A fifth of a run is making and dropping small things; this allocator takes half of that off. Only this program has it:
/// nothing that ships does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// Begin no further run after this: `90s`, `10m`, `8h`.
    #[arg(long, value_parser = span)]
    time_box: Option<Duration>,
    /// Red if the time box was over before so many seeds were run.
    #[arg(long, default_value_t = 0)]
    at_least: u64,
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
    #[arg(long, conflicts_with = "seed")]
    exhaustive: bool,
    /// Of the crash matrix, only this case.
    #[arg(long, requires = "exhaustive")]
    case: Option<String>,
    /// Take a defence away, to see it missed; `help` lists them.
    #[arg(long, value_parser = planted)]
    planted: Option<Planted>,
    /// Take each defence away in turn, and see each of them missed within the seeds that its share allows.
    #[arg(long, conflicts_with_all = ["seeds", "seed", "exhaustive", "planted"])]
    planted_bugs: bool,
    /// Run the sync before a table that changes while it is read; with `--planted-bugs` each of its defences taken away.
    /// With `--exhaustive` a run of it that dies at each of its calls.
    #[arg(long, conflicts_with_all = ["planted", "measure"])]
    sync: bool,
    /// With how many of so many seeds each planted bug, or the one that is named, is found.
    #[arg(long, value_name = "SEEDS", conflicts_with_all = ["seeds", "seed", "exhaustive"])]
    measure: Option<u64>,
    /// Of tokens alone: every death in one renewal, with `--exhaustive` each pair of them, and seeds of 400 days; with
    /// `--planted-bugs` each of their defences taken away.
    #[arg(long, conflicts_with_all = ["planted", "measure"])]
    tokens: bool,
    /// How many days a run of tokens goes on.
    #[arg(long, default_value_t = tokens::life::DAYS)]
    days: i64,
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
    Planted::parse(word).ok_or_else(|| {
        let told = |bug: &Planted| format!("  {:<30} {}", bug.as_str(), bug.meaning());
        let all: Vec<String> = Planted::ALL.iter().map(told).collect();
        format!("expected one of\n{}", all.join("\n"))
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
    if arguments.tokens {
        return tokens_all(&arguments, began);
    }
    if arguments.sync {
        return sync_all(&arguments, began);
    }
    if arguments.planted_bugs || arguments.measure.is_some() {
        return hunt_all(&arguments, began);
    }
    let mut tally = Tally::default();
    let mut enough = true;
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
        let stop = Stop::on_ctrl_c();
        let go_on = watched(&arguments, &request, began, stop.clone());
        tally.merge(seeds::run_all(&request, &go_on));
        if std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr());
        }
        let whole = tally.seeded / request.variants.len() as u64;
        if whole < request.seeds.len() as u64 {
            let next = arguments.from + whole;
            let why = if stop.is_asked_for() {
                "stopped"
            } else {
                "the time box was over"
            };
            println_out(&format!(
                "{why} after {whole} of {} seeds; go on with --from {next}",
                request.seeds.len()
            ));
        }
        if !is_chosen && whole < arguments.at_least {
            println_out(&format!(
                "TOO FEW SEEDS: {whole}, {} are asked for",
                arguments.at_least
            ));
            enough = false;
        }
    }
    let counts = !is_chosen
        && !arguments.exhaustive
        && tally.seeded / 2 >= SEEDS_FOR_SOMETIMES
        && matches!(arguments.variant, Which::Both);
    let told = report(&arguments, &tally, began.elapsed(), counts);
    if enough { told } else { ExitCode::FAILURE }
}

/// `90s`, `10m`, `8h`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number and a unit: 90s, 10m, 8h".to_owned();
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

/// Runs between two lines that say how far it is, where nobody sits at a terminal.
const TOLD_EVERY: u64 = 20_000;

/// Shows how far it is, and says when the time box is over or somebody has asked for the end.
fn watched(
    arguments: &Arguments,
    request: &Request,
    began: Instant,
    stop: Stop,
) -> impl Fn(u64) -> bool + Sync + use<> {
    let runs = (request.seeds.len() * request.variants.len()) as u64;
    let shows = std::io::stderr().is_terminal() && arguments.seed.is_empty();
    let time_box = arguments.time_box;
    move |done| {
        let tells = if shows {
            done.is_multiple_of(50) || done == runs
        } else {
            done.is_multiple_of(TOLD_EVERY)
        };
        if tells {
            let rate = done as f64 / began.elapsed().as_secs_f64().max(0.001);
            let (before, after) = if shows { ("\r", " ") } else { ("", "\n") };
            let _ = write!(
                std::io::stderr(),
                "{before}{done} of {runs} runs, {rate:.0} a second{after}"
            );
        }
        !stop.is_asked_for() && time_box.is_none_or(|time_box| began.elapsed() < time_box)
    }
}

fn println_out(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Seeds within which a planted bug of the sync must be found.
const SYNC_BUG_SEEDS: u64 = 60;

/// Runs the sync's seeds, or hunts its planted bugs.
fn sync_all(arguments: &Arguments, began: Instant) -> ExitCode {
    if arguments.planted_bugs {
        let mut all_found = true;
        for bug in Bug::ALL {
            let mut seeds = arguments.from..arguments.from + SYNC_BUG_SEEDS;
            let first = seeds.find(|seed| !sync::run_seed(*seed, Some(bug)).violations.is_empty());
            all_found &= first.is_some();
            let told = first.map_or("NOT FOUND".to_owned(), |seed| {
                format!("found by seed {seed}")
            });
            println_out(&format!("  {:<28} {told}", bug.as_str()));
        }
        return if all_found {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    if arguments.exhaustive {
        let sum = sync::matrix::run_all();
        let seconds = began.elapsed().as_secs_f64();
        println_out(&format!("{}sync: {seconds:.0} s", sum.as_text()));
        return match sum.failures.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        };
    }
    let seeds = if arguments.seed.is_empty() {
        (arguments.from..arguments.from.saturating_add(arguments.seeds)).collect()
    } else {
        arguments.seed.clone()
    };
    let is_over = || {
        arguments
            .time_box
            .is_some_and(|time_box| began.elapsed() >= time_box)
    };
    let sum = sync::run_all(&seeds, &is_over);
    println_out(&format!(
        "{}sync: {:.0} s",
        sum.as_text(),
        began.elapsed().as_secs_f64()
    ));
    if sum.seeds < arguments.at_least {
        println_out(&format!("TOO FEW SEEDS: {}", sum.seeds));
        return ExitCode::FAILURE;
    }
    if sum.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs what there is of tokens.
fn tokens_all(arguments: &Arguments, began: Instant) -> ExitCode {
    let is_chosen = !arguments.seed.is_empty();
    let request = tokens::Request {
        seeds: match is_chosen {
            true => arguments.seed.clone(),
            false => (arguments.from..arguments.from.saturating_add(arguments.seeds)).collect(),
        },
        is_chosen,
        exhaustive: arguments.exhaustive,
        planted_bugs: arguments.planted_bugs,
        trace: arguments.trace,
        at_least: arguments.at_least,
        days: arguments.days,
    };
    let is_over = || {
        arguments
            .time_box
            .is_some_and(|time_box| began.elapsed() >= time_box)
    };
    let is_well = tokens::run(&request, &is_over, println_out);
    println_out(&format!("tokens: {:.0} s", began.elapsed().as_secs_f64()));
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Hunts each planted bug; red if one is not found.
fn hunt_all(arguments: &Arguments, began: Instant) -> ExitCode {
    let wanted = |expected: &&Expected| arguments.planted.is_none_or(|bug| expected.bug == bug);
    let mut all_found = true;
    let mut out = std::io::stdout();
    let _ = writeln!(out, "planted bugs");
    for expected in EXPECTED.iter().filter(wanted) {
        let row = match arguments.measure {
            Some(seeds) => look(expected, arguments.from, arguments.from + seeds).as_measured(),
            None => {
                let hunted = hunt(expected, arguments.from);
                all_found &= hunted.first.is_some();
                hunted.as_text()
            }
        };
        let _ = writeln!(out, "{row}");
    }
    let seconds = began.elapsed().as_secs_f64();
    let _ = writeln!(out, "planted bugs: {seconds:.0} s");
    if all_found {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
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
