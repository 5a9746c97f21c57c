//! What the workspace does to itself that cargo cannot: `cargo run -p xtask -- measure`.

#![expect(
    clippy::disallowed_methods,
    reason = "a command of the developer: it owns its clock, its files, its threads and the processes that it starts"
)]

use std::process::ExitCode;

mod measure;
mod report;

const USAGE: &str =
    "usage: cargo run --profile simulation -p xtask -- measure [PART]... [--json] [--quick]

  measure   builds the functions as they are shipped and measures them (docs/performance.md)
    PART      sizes, starts, answers, memory, storms; all of them if none is named
    --json    figures as JSON on stdout
    --quick   a tenth of the samples: to see that it works, not to quote";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["measure", options @ ..] => measure::run(options),
        ["help" | "--help" | "-h"] => report::data(USAGE),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::told(&error);
            ExitCode::from(2)
        }
    }
}
