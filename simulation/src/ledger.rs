//! The book of a run: every port call in order, what came of it, and what must not have happened.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::counters::Counters;

/// Calls that a failing run shows.
const SHOWN: usize = 200;

/// One port call.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which, from 1.
    pub number: u64,
    /// When it began, since the beginning of the run.
    pub at: Duration,
    /// Whose it was.
    pub node: Arc<str>,
    /// What was asked.
    pub what: String,
    /// What came of it; empty if its caller did not live to see it.
    pub outcome: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.at.as_millis();
        let number = if self.number == 0 {
            String::new()
        } else {
            self.number.to_string()
        };
        write!(
            f,
            "{:>6}  {:>2}:{:02}:{:02}.{:03}  {:<11}  {:<96}  {}",
            number,
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1000 % 60,
            ms % 1000,
            self.node,
            self.what,
            self.outcome
        )
    }
}

/// Something that must not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant, by the names of reliability-security §3.1 and DESIGN §1.
    pub invariant: &'static str,
    /// What was seen.
    pub seen: String,
}

/// Which call is to be a process's last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KillAt {
    /// The number of the call.
    pub call: u64,
    /// Whether it is still done.
    pub after: bool,
}

#[derive(Debug, Default)]
struct Pages {
    calls: u64,
    hash: u64,
    lines: VecDeque<Line>,
    counters: Counters,
    violations: Vec<Violation>,
}

/// The book.
#[derive(Debug)]
pub struct Ledger {
    pages: Mutex<Pages>,
    keep_all: bool,
    kills: Vec<KillAt>,
}

impl Ledger {
    /// An empty book; with `keep_all` it keeps every line and not only the newest.
    pub fn new(keep_all: bool, kills: Vec<KillAt>) -> Self {
        Self {
            pages: Mutex::default(),
            keep_all,
            kills,
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down that a call begins; its number.
    pub fn begin(&self, at: Duration, node: &Arc<str>, what: String) -> u64 {
        let mut pages = self.pages();
        pages.calls += 1;
        let number = pages.calls;
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let hash = hashed(hashed(pages.hash ^ at_ms, node.as_bytes()), what.as_bytes());
        pages.hash = hash;
        self.keep(
            &mut pages,
            Line {
                number,
                at,
                node: Arc::clone(node),
                what,
                outcome: String::new(),
            },
        );
        number
    }

    /// Writes down what came of a call.
    pub fn end(&self, number: u64, outcome: impl Into<String>) {
        let outcome = outcome.into();
        let mut pages = self.pages();
        pages.hash = hashed(pages.hash ^ number, outcome.as_bytes());
        let line = pages
            .lines
            .iter_mut()
            .rev()
            .find(|line| line.number == number);
        if let Some(line) = line {
            line.outcome = outcome;
        }
    }

    /// Writes a line that is no call.
    pub fn note(&self, at: Duration, node: &str, what: String) {
        let mut pages = self.pages();
        let number = 0;
        pages.hash = hashed(pages.hash, what.as_bytes());
        self.keep(
            &mut pages,
            Line {
                number,
                at,
                node: node.into(),
                what,
                outcome: String::new(),
            },
        );
    }

    fn keep(&self, pages: &mut Pages, line: Line) {
        if !self.keep_all && pages.lines.len() == SHOWN {
            pages.lines.pop_front();
        }
        pages.lines.push_back(line);
    }

    /// Whether this call is the one to die at, and if so whether after it.
    pub fn dies_at(&self, number: u64) -> Option<bool> {
        let kill = self.kills.iter().find(|kill| kill.call == number);
        kill.map(|kill| kill.after)
    }

    /// Counts something.
    pub fn count(&self, name: &'static str) {
        self.pages().counters.add(name);
    }

    /// Writes down what must not have happened.
    pub fn accuse(&self, invariant: &'static str, seen: impl Into<String>) {
        let seen = seen.into();
        let mut pages = self.pages();
        let at = pages.lines.back().map_or(Duration::ZERO, |line| line.at);
        let line = Line {
            number: 0,
            at,
            node: "VIOLATION".into(),
            what: format!("{invariant}: {seen}"),
            outcome: String::new(),
        };
        self.keep(&mut pages, line);
        pages.violations.push(Violation { invariant, seen });
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.pages().calls
    }

    /// A hash over all calls, their times and outcomes.
    pub fn hash(&self) -> u64 {
        self.pages().hash
    }

    /// The counts, the violations and the lines.
    pub fn close(&self) -> (Counters, Vec<Violation>, Vec<Line>) {
        let mut pages = self.pages();
        (
            std::mem::take(&mut pages.counters),
            std::mem::take(&mut pages.violations),
            std::mem::take(&mut pages.lines).into(),
        )
    }
}

/// FNV-1a, going on from a state.
fn hashed(state: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(state ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}
