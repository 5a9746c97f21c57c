//! What many runs come to: figures, what was seen at least once, and for each failure how to see it again.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::counters::{Counters, SOMETIMES};
use crate::ledger::{Line, Violation};
use crate::planted::Planted;
use crate::run::Ran;
use crate::swarm::{Class, Variant};

/// Seeds after which everything in [`SOMETIMES`] must have happened.
pub const SEEDS_FOR_SOMETIMES: u64 = 2_000;

/// A run that failed.
#[derive(Debug)]
pub struct Failure {
    /// The seed, or the case of the crash matrix.
    pub name: String,
    /// The product.
    pub variant: Variant,
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// The settings that were drawn.
    pub settings: String,
    /// The newest port calls.
    pub lines: Vec<Line>,
    /// How to see it again.
    pub replay: String,
}

/// How to run a seed again.
pub fn replay_seed(seed: u64, variant: Variant, planted: Option<Planted>) -> String {
    let planted = planted.map_or_else(String::new, |bug| format!(" --planted {}", bug.as_str()));
    format!(
        "cargo run -p simulation -- --seed {seed} --variant {}{planted} --trace",
        variant.as_str()
    )
}

/// How to run a case of the crash matrix again.
pub fn replay_case(case: &str, variant: Variant) -> String {
    format!(
        "cargo run -p simulation -- --exhaustive --case '{case}' --variant {} --trace",
        variant.as_str()
    )
}

/// What many runs come to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Runs by seed.
    pub seeded: u64,
    /// Runs of the crash matrix.
    pub matrix: u64,
    /// Runs that were made twice and compared.
    pub repeated: u64,
    /// Port calls.
    pub calls: u64,
    /// Time on the simulated clocks.
    pub simulated: Duration,
    /// What happened, counted.
    pub counters: Counters,
    /// Runs that failed.
    pub failures: Vec<Failure>,
    /// The port calls of runs that were to be traced and did not fail.
    pub traces: Vec<String>,
}

impl Tally {
    /// Adds a run.
    pub fn add(&mut self, ran: &Ran) {
        self.calls += ran.calls;
        self.simulated += ran.took;
        self.counters.merge(&ran.counters);
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: Self) {
        self.seeded += other.seeded;
        self.matrix += other.matrix;
        self.repeated += other.repeated;
        self.calls += other.calls;
        self.simulated += other.simulated;
        self.counters.merge(&other.counters);
        self.failures.extend(other.failures);
        self.traces.extend(other.traces);
    }

    /// What should have happened at least once and has not.
    pub fn never(&self) -> Vec<&'static str> {
        let sometimes = SOMETIMES.iter().map(|one| one.name);
        let faults = Class::ALL.iter().map(|class| class.as_str());
        sometimes
            .chain(faults)
            .filter(|name| self.counters.get(name) == 0)
            .collect()
    }

    /// True if all is well. `counts` says whether there were runs enough for everything to have happened.
    pub fn is_green(&self, counts: bool) -> bool {
        self.failures.is_empty() && (!counts || self.never().is_empty())
    }

    /// As JSON.
    pub fn as_json(&self, took: Duration, counts: bool) -> serde_json::Value {
        let failures: Vec<_> = self
            .failures
            .iter()
            .map(|failure| {
                let violations: Vec<_> = failure
                    .violations
                    .iter()
                    .map(|violation| json!({ "invariant": violation.invariant, "seen": violation.seen }))
                    .collect();
                json!({
                    "name": failure.name,
                    "variant": failure.variant.as_str(),
                    "violations": violations,
                    "replay": failure.replay,
                })
            })
            .collect();
        let counters: serde_json::Map<_, _> = self
            .counters
            .iter()
            .map(|(name, count)| (name.to_owned(), count.into()))
            .collect();
        json!({
            "green": self.is_green(counts),
            "runs": self.seeded + self.matrix,
            "seeded": self.seeded,
            "matrix": self.matrix,
            "repeated": self.repeated,
            "port_calls": self.calls,
            "seconds": took.as_secs_f64(),
            "simulated_hours": self.simulated.as_secs() / 3600,
            "counters": counters,
            "never": if counts { self.never() } else { Vec::new() },
            "failures": failures,
        })
    }

    /// For people.
    pub fn as_text(&self, took: Duration, counts: bool) -> String {
        let mut out = String::new();
        let seconds = took.as_secs_f64().max(0.001);
        let runs = self.seeded + self.matrix + self.repeated;
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        line(format!(
            "runs           {} by seed, {} of the crash matrix, {} repeated; {:.0} a second over {:.1} s",
            self.seeded,
            self.matrix,
            self.repeated,
            runs as f64 / seconds,
            seconds
        ));
        line(format!(
            "simulated      {} h, {} port calls",
            self.simulated.as_secs() / 3600,
            self.calls
        ));
        for name in [
            "alerts",
            "deliveries",
            "undelivered after all retries",
            "never sent: muted",
            "slots with dead letters",
            "dead letters of settled alerts",
            "transient extra items",
        ] {
            line(format!("{name:<48} {:>9}", self.counters.get(name)));
        }
        line("faults".to_owned());
        for class in Class::ALL {
            let count = self.counters.get(class.as_str());
            let mark = if counts && count == 0 { "  NEVER" } else { "" };
            line(format!("  {:<48} {count:>9}{mark}", class.as_str()));
        }
        line("sometimes".to_owned());
        for one in SOMETIMES {
            let count = self.counters.get(one.name);
            let mark = if counts && count == 0 { "  NEVER" } else { "" };
            line(format!("  {:<48} {count:>9}{mark}", one.name));
        }
        line(format!("violations     {}", self.failures.len()));
        out
    }
}

impl Failure {
    /// All that is needed to begin looking.
    pub fn as_text(&self) -> String {
        let mut out = format!(
            "\nFAILED  {} {}\n{}\n",
            self.name,
            self.variant.as_str(),
            self.settings
        );
        for line in &self.lines {
            let _ = writeln!(out, "{line}");
        }
        out.push_str(&self.summary());
        out
    }

    /// What is wrong, and how to see it again.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        for violation in &self.violations {
            let _ = writeln!(out, "  {}: {}", violation.invariant, violation.seen);
        }
        let _ = writeln!(out, "  replay: {}", self.replay);
        out
    }
}
