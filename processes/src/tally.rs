//! What came of all rounds, in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::alerts::Condition;
use crate::evidence::Deed;
use crate::history::Verdict;
use crate::round::{Order, Ran};

/// What must have happened in a storm of half a minute; a storm without it proves nothing of it.
const MUST_HAVE_BEEN: [&str; 6] = [
    "killed",
    "stopped",
    "no file of one process may grow",
    "state away, a file in its place",
    "state away, an empty folder in its place",
    "promised",
];

/// The sums of all rounds.
#[derive(Debug, Default)]
pub struct Tally {
    rounds: u64,
    sums: BTreeMap<(usize, String), u64>,
    peak_memory: u64,
    violations: u64,
    no_disk: Option<String>,
}

/// The parts of the report, in their order.
const PARTS: [&str; 5] = ["happened", "proxy", "sent", "answered", "product"];

impl Tally {
    fn add(&mut self, part: usize, what: impl Into<String>, n: u64) {
        *self.sums.entry((part, what.into())).or_insert(0) += n;
    }

    /// Adds a round.
    pub fn add_round(&mut self, ran: &Ran) {
        self.rounds += 1;
        for (deed, n) in &ran.deeds {
            self.add(0, *deed, *n);
        }
        for (fault, n) in &ran.faults {
            self.add(1, *fault, *n);
        }
        self.add(1, "requests", ran.lines.len() as u64);
        for ((_, condition), verdict) in &ran.evidence.verdicts {
            let word = match condition {
                Condition::Fired => "Fired",
                Condition::Resolved => "Resolved",
            };
            self.add(2, word, 1);
            self.add(
                2,
                match verdict {
                    Verdict::Ok => "promised",
                    Verdict::Unknown => "unknown to the end",
                    Verdict::Fail => "refused",
                },
                1,
            );
        }
        self.add(2, "tries", ran.history.tries().len() as u64);
        for ((status, word), n) in ran.history.answers() {
            let answer = match status {
                0 => format!("none, {word}"),
                status => format!("{status} {word}"),
            };
            self.add(3, answer, n as u64);
        }
        for effect in &ran.evidence.effects {
            self.add(
                4,
                match &effect.deed {
                    Deed::Made => "made",
                    Deed::Resolved => "resolved",
                    Deed::Reopened => "reopened",
                    Deed::ClosedAsDuplicate => "closed as duplicates",
                    Deed::Other(_) => "other writes",
                },
                1,
            );
        }
        self.add(4, "calls", ran.calls as u64);
        self.add(4, "drains at the end", ran.rest.drains as u64);
        self.peak_memory = self.peak_memory.max(ran.peak_memory);
        self.violations += ran.violations.len() as u64;
        self.no_disk = self.no_disk.take().or_else(|| ran.no_disk.clone());
    }

    /// How many violations there were.
    pub fn violations(&self) -> u64 {
        self.violations
    }

    /// What should have happened and never did.
    pub fn never(&self) -> Vec<&'static str> {
        let has_been = |what: &str| {
            self.sums
                .iter()
                .any(|((_, name), n)| name == what && *n > 0)
        };
        let mut all = MUST_HAVE_BEEN.to_vec();
        if self.no_disk.is_none() {
            all.push("disk full");
        }
        all.extend(crate::proxy::Fault::ALL.map(crate::proxy::Fault::name));
        all.retain(|what| !has_been(what));
        // Rare by intention: see the proxy's dice.
        all.retain(|what| !what.ends_with("in front of it"));
        all
    }

    /// The report.
    pub fn text(&self, seconds: f64) -> String {
        let mut out = format!("{} rounds, {seconds:.0} s\n", self.rounds);
        for (n, part) in PARTS.iter().enumerate() {
            let of_this = self.sums.iter().filter(|((part, _), _)| *part == n);
            let words: Vec<String> = of_this
                .map(|((_, what), n)| format!("{what} {n}"))
                .collect();
            let _ = writeln!(out, "{part:<11} {}", words.join(" · "));
        }
        if let Some(why) = &self.no_disk {
            let _ = writeln!(
                out,
                "SKIPPED     the full disk, for all processes at once: {why}"
            );
        }
        let memory = self.peak_memory as f64 / 1e6;
        let _ = writeln!(out, "memory      {memory:.1} MB at most in one process");
        let _ = writeln!(out, "violations  {}", self.violations);
        out
    }
}

/// What is wrong with a round, and how to run it again.
pub fn failure(order: &Order, ran: &Ran, folder: &std::path::Path) -> String {
    let uniqueness = if order.keys_are_unique {
        "unique"
    } else {
        "best-effort"
    };
    let mut out = format!(
        "\nFAILED  seed {} ({uniqueness})\n  again: cargo run -p processes -- --seed {} --keys {uniqueness} --rounds 1 --round-seconds {} --alerts-per-second {}\n  logs of the processes: {}\n",
        order.seed,
        order.seed,
        order.storm.as_secs(),
        order.alerts_per_second,
        folder.display()
    );
    let mut told = std::collections::BTreeSet::new();
    for violation in &ran.violations {
        let _ = writeln!(out, "\n  {violation}");
        if let Some(tag) = violation
            .tag
            .as_ref()
            .filter(|tag| told.insert((*tag).clone()))
            && told.len() <= 3
        {
            let _ = writeln!(out, "{}", ran.story(tag));
        }
    }
    out
}
