//! What a seed decides before its run begins: how much of the world there is, and which faults are on.
//!
//! Each class of fault has its own probability, drawn per seed, and about half of them are off: with all of them on at
//! once most runs would be nothing but one long outage (swarm testing, Groce 2012).

use std::fmt;
use std::time::Duration;

use itsm_connector::domain::retention::Ages;

pub use crate::class::Class;
use crate::dice::Dice;
use crate::rarer::{self, Rarer};
use crate::shape::Shape;

/// Whether the product refuses a second record with our key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// It does, and that is known.
    Enforced,
    /// It ignores our key without a word.
    BestEffort,
}

impl Variant {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Enforced, Self::BestEffort];

    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::BestEffort => "best-effort",
        }
    }
}

/// What a seed decides.
#[derive(Debug, Clone)]
pub struct Swarm {
    /// The seed.
    pub seed: u64,
    /// The product.
    pub variant: Variant,
    /// How many alerts fire.
    pub alerts: u64,
    /// How many processes take them.
    pub hosts: u64,
    /// How the action is set up.
    pub shape: Shape,
    /// What a quarter of the seeds has beside.
    pub rarer: Option<Rarer>,
    /// The probability of each class of fault, in the order of [`Class::ALL`].
    rates: Vec<f64>,
    /// How long faults happen.
    pub storm: Duration,
    /// How long a call to the store takes at least and at most, in milliseconds.
    pub store_ms: (u64, u64),
    /// How long a call to the product takes at least and at most, in milliseconds.
    pub product_ms: (u64, u64),
    /// How long a drain is given.
    pub drain_span: Duration,
    /// Whether a drain that is over its time is left to run on.
    pub zombies: bool,
    /// How far clocks are off, in milliseconds, one after the other.
    pub skew_ms: i64,
}

impl Swarm {
    /// Draws.
    pub fn draw(seed: u64, variant: Variant) -> Self {
        let mut dice = Dice::new(seed, "swarm");
        let mut shape = Shape::draw(&mut dice);
        let rarer = rarer::draw(seed, &mut shape);
        let rates = if dice.chance(0.25) {
            few(&mut dice)
        } else {
            many(&mut dice)
        };
        let mut rates = rates;
        // Two items of one slot need a process that stands still between its last look at the clock and its send, for
        // longer than its claim: here that is what a process does.
        if dice.chance(0.08)
            && let Some(rate) = rates.get_mut(Class::Freeze as usize)
        {
            *rate = 0.3 + 0.4 * dice.fraction();
        }
        // Nobody waits for longer than what is done is kept; here a gate that is closed for hours would make them.
        if rarer.is_some_and(|rarer| rarer.ages.is_some())
            && let Some(rate) = rates.get_mut(Class::LimitedLong as usize)
        {
            *rate = 0.0;
        }
        let fastest = dice.between(1, 5);
        let slowest = dice.between(5, 400);
        Self {
            seed,
            variant,
            alerts: dice.between(1, 6),
            hosts: dice.between(1, 4),
            shape,
            rarer,
            rates,
            storm: Duration::from_secs(45 * 60),
            store_ms: (fastest, fastest + dice.between(1, 30)),
            product_ms: (slowest, slowest * 3),
            drain_span: Duration::from_secs(if dice.chance(0.8) { 50 } else { 28 }),
            zombies: dice.chance(0.5),
            skew_ms: i64::try_from(dice.below(30_001)).unwrap_or(0),
        }
    }

    /// No faults at all, fixed times: 10 ms for the store, 100 ms for the product.
    pub fn calm(seed: u64, variant: Variant) -> Self {
        Self {
            seed,
            variant,
            alerts: 1,
            hosts: 1,
            shape: Shape::default(),
            rarer: None,
            rates: vec![0.0; Class::ALL.len()],
            storm: Duration::ZERO,
            store_ms: (10, 10),
            product_ms: (100, 100),
            drain_span: Duration::from_secs(50),
            zombies: false,
            skew_ms: 0,
        }
    }

    /// After how long what is old is removed, if that is not after days.
    pub fn ages(&self) -> Option<Ages> {
        self.rarer.and_then(|rarer| rarer.ages)
    }

    /// The probability of a class.
    pub fn rate(&self, class: Class) -> f64 {
        self.rates.get(class as usize).copied().unwrap_or(0.0)
    }

    /// The same with another probability for a class.
    #[must_use]
    pub fn with(mut self, class: Class, rate: f64) -> Self {
        if let Some(place) = self.rates.get_mut(class as usize) {
            *place = rate;
        }
        self
    }

    /// The skew of the `n`th process: none, all of it, all of it the other way, half.
    pub fn skew_of(&self, n: usize) -> i64 {
        match n % 4 {
            0 => 0,
            1 => self.skew_ms,
            2 => -self.skew_ms,
            _ => self.skew_ms / 2,
        }
    }
}

/// About half of the classes are on: mostly a little, sometimes a lot.
fn many(dice: &mut Dice) -> Vec<f64> {
    let draw = |class: &Class| {
        let on = dice.chance(0.5);
        let share = dice.fraction().powi(2);
        if on { class.most() * share } else { 0.0 }
    };
    Class::ALL.iter().map(draw).collect()
}

/// One to four classes are on, and strike hard: what needs the same trouble several times in a row happens here.
fn few(dice: &mut Dice) -> Vec<f64> {
    let mut rates = vec![0.0; Class::ALL.len()];
    for _ in 0..dice.between(1, 4) {
        let place = usize::try_from(dice.below(Class::ALL.len() as u64)).unwrap_or(0);
        if let (Some(rate), Some(class)) = (rates.get_mut(place), Class::ALL.get(place)) {
            *rate = (class.most() * (1.0 + 3.0 * dice.fraction())).min(class.utmost());
        }
    }
    rates
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  alerts {}, hosts {}, store {}..{} ms, product {}..{} ms, drain {} s{}, clocks ±{} ms, faults for {} min",
            self.alerts,
            self.hosts,
            self.store_ms.0,
            self.store_ms.1,
            self.product_ms.0,
            self.product_ms.1,
            self.drain_span.as_secs(),
            if self.zombies { " (runs on)" } else { "" },
            self.skew_ms,
            self.storm.as_secs() / 60
        )?;
        writeln!(f, "  action: {}", self.shape)?;
        if let Some(ages) = self.ages() {
            let minutes = ages.done_for.as_secs() / 60;
            writeln!(f, "  what is done is removed after {minutes} min")?;
        }
        let on: Vec<String> = Class::ALL
            .iter()
            .filter(|class| self.rate(**class) > 0.0)
            .map(|class| format!("{} {:.2} %", class.as_str(), self.rate(*class) * 100.0))
            .collect();
        write!(f, "  faults: {}", on.join(", "))
    }
}
