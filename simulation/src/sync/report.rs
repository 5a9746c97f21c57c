//! What came of the seeds.

use std::collections::BTreeMap;

use super::check;
use super::rivals::{Algorithm, Rival};
use super::world::World;

/// What came of one seed.
#[derive(Debug, Clone, Default)]
pub struct Ran {
    /// Which.
    pub seed: u64,
    /// What is wrong.
    pub violations: Vec<String>,
    /// What happened.
    pub events: BTreeMap<&'static str, u64>,
    /// Final states at the end.
    pub states: u64,
    /// Of them missing.
    pub missing: u64,
    /// Rows that the sink has.
    pub rows: u64,
    /// Rows that it has again, and how many of them it may.
    pub repeats: (u64, u64),
    /// What the rivals lack.
    pub rivals: BTreeMap<Algorithm, u64>,
}

impl Ran {
    /// One that did not run.
    pub fn failed(seed: u64, why: &str) -> Self {
        Self {
            seed,
            violations: vec![why.to_owned()],
            ..Self::default()
        }
    }

    /// Of a world at its end.
    pub fn of(seed: u64, world: &World, rivals: &[Rival]) -> Self {
        let states: usize = check::TABLES
            .iter()
            .map(|table| check::standing(world, table).len())
            .sum();
        let mut lost = BTreeMap::new();
        for rival in rivals {
            *lost.entry(rival.algorithm).or_default() += rival.missing();
        }
        let missing = check::missing(world).len() as u64;
        let taken = world.taken();
        Self {
            seed,
            violations: world.violations().clone(),
            events: world.counts().events,
            states: states as u64,
            missing,
            rows: taken.rows,
            repeats: (taken.repeats, taken.excused),
            rivals: lost,
        }
    }
}

/// All seeds together.
#[derive(Debug, Default)]
pub struct Sum {
    /// Seeds.
    pub seeds: u64,
    all: Ran,
    /// Seeds in which a rival lost something.
    lossy: BTreeMap<Algorithm, u64>,
    /// Those in which something is wrong.
    pub failures: Vec<Ran>,
}

impl Sum {
    /// Others beside these.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.take(&other.all);
        for (algorithm, seeds) in other.lossy {
            *self.lossy.entry(algorithm).or_default() += seeds;
        }
        self.failures.extend(other.failures);
    }

    /// One more.
    pub fn add(&mut self, ran: Ran) {
        self.seeds += 1;
        self.take(&ran);
        for (algorithm, lost) in &ran.rivals {
            *self.lossy.entry(*algorithm).or_default() += u64::from(*lost > 0);
        }
        if !ran.violations.is_empty() {
            self.failures.push(ran);
        }
    }

    fn take(&mut self, ran: &Ran) {
        for (event, times) in &ran.events {
            *self.all.events.entry(event).or_default() += times;
        }
        for (algorithm, lost) in &ran.rivals {
            *self.all.rivals.entry(*algorithm).or_default() += lost;
        }
        self.all.states += ran.states;
        self.all.missing += ran.missing;
        self.all.rows += ran.rows;
        self.all.repeats.0 += ran.repeats.0;
        self.all.repeats.1 += ran.repeats.1;
    }

    /// For people.
    pub fn as_text(&self) -> String {
        let all = &self.all;
        let mut text = format!(
            "sync: {} seeds, {} final states, {} missing; {} rows, {} of them again ({} may be)\n",
            self.seeds, all.states, all.missing, all.rows, all.repeats.0, all.repeats.1
        );
        for algorithm in Algorithm::ALL {
            let lost = all.rivals.get(&algorithm).copied().unwrap_or_default();
            let seeds = self.lossy.get(&algorithm).copied().unwrap_or_default();
            text.push_str(&format!(
                "  beside it, {:<30} {lost} missing, in {seeds} seeds\n",
                algorithm.as_str()
            ));
        }
        for (event, times) in &all.events {
            text.push_str(&format!("  {event:<32} {times}\n"));
        }
        for failure in self.failures.iter().take(10) {
            text.push_str(&format!("\nFAILED seed {}\n", failure.seed));
            for violation in failure.violations.iter().take(5) {
                text.push_str(&format!("  {violation}\n"));
            }
            text.push_str(&format!("  again: --sync --seed {}\n", failure.seed));
        }
        text
    }
}
