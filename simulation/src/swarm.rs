//! What a seed decides before its run begins: how much of the world there is, and which faults are on.
//!
//! Each class of fault has its own probability, drawn per seed, and about half of them are off: with all of them on at
//! once most runs would be nothing but one long outage (swarm testing, Groce 2012).

use std::fmt;
use std::time::Duration;

use crate::dice::Dice;

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

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident $word:literal $most:literal,)*) => {
        /// A class of fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Class { $($(#[$doc])* $name,)* }

        impl Class {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its name in reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The highest probability that is drawn for it, per call that it may hit.
            fn most(self) -> f64 {
                match self { $(Self::$name => $most,)* }
            }
        }
    };
}

classes! {
    /// The store fails before it has done anything.
    StoreFails "store: fails" 0.08,
    /// The store does it, and the answer is an error.
    StoreLosesAnswer "store: done, answer lost" 0.08,
    /// The store does it, and no answer comes.
    StoreFallsSilent "store: done, no answer" 0.04,
    /// The store neither does it nor answers.
    StoreHangs "store: hangs" 0.03,
    /// The store does it after its caller has given up.
    StoreActsLate "store: done late" 0.03,
    /// The store takes its time.
    StoreSlow "store: slow" 0.10,
    /// The store is away for a while.
    StoreDown "store: down" 1.0,
    /// The vault fails.
    VaultFails "vault: fails" 0.3,
    /// The vault does not answer.
    VaultHangs "vault: hangs" 0.2,
    /// The vault is away for a while.
    VaultDown "vault: down" 1.0,
    /// No connection to the product.
    NotSent "product: not sent" 0.15,
    /// The connection is reset before the request is read.
    Reset "product: reset" 0.1,
    /// Not executed, and no answer.
    LostBefore "product: lost before" 0.15,
    /// Executed, and no answer.
    LostAfter "product: lost after" 0.25,
    /// Executed up to a minute later, and no answer.
    Late "product: late" 0.2,
    /// Takes longer than anybody waits, or nearly.
    Slow "product: slow" 0.15,
    /// The answer is cut.
    Cut "product: cut" 0.1,
    /// 429 for some seconds.
    LimitedBriefly "product: 429 short" 0.15,
    /// 429 for an hour or two.
    LimitedLong "product: 429 long" 0.01,
    /// 429 by too many calls at once.
    TooManyAtOnce "product: 429 bare" 0.1,
    /// A maintenance page with status 200.
    Page "product: page" 0.1,
    /// The page of a sleeping instance.
    Hibernating "product: hibernating" 0.04,
    /// 500, not executed.
    Fails "product: 500" 0.1,
    /// 500, executed and committed.
    FailsCommitted "product: 500 committed" 0.15,
    /// 503.
    Unavailable "product: 503" 0.1,
    /// Executed; the answer is no JSON.
    BrokenJson "product: broken JSON" 0.1,
    /// Executed; the answer is about another record.
    Foreign "product: foreign record" 0.08,
    /// The access token is revoked.
    TokenRevoked "product: token revoked" 0.1,
    /// 401 although the token is good.
    Unauthorized "product: 401" 0.04,
    /// 403 by a rule.
    Forbidden "product: 403" 0.01,
    /// An error that repeats every secret that came in.
    Echo "product: echoes secrets" 0.05,
    /// A search that is two minutes behind.
    Stale "product: stale search" 0.3,
    /// A process dies at a port call.
    Crash "crash" 0.03,
    /// A process stands still right before it sends.
    Freeze "freeze" 0.12,
    /// A timer does not fire, or fires twice.
    Timer "timer" 0.3,
    /// A person closes a work item.
    Person "person" 1.0,
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
        let rates = Class::ALL
            .iter()
            .map(|class| {
                let on = dice.chance(0.5);
                // Cubed: mostly little, sometimes a lot.
                let share = dice.fraction().powi(2);
                if on { class.most() * share } else { 0.0 }
            })
            .collect();
        let fastest = dice.between(1, 5);
        let slowest = dice.between(5, 400);
        Self {
            seed,
            variant,
            alerts: dice.between(1, 5),
            hosts: dice.between(1, 4),
            rates,
            storm: Duration::from_secs(45 * 60),
            store_ms: (fastest, fastest + dice.between(1, 30)),
            product_ms: (slowest, slowest * 3),
            drain_span: Duration::from_secs(if dice.chance(0.8) { 50 } else { 28 }),
            zombies: dice.chance(0.5),
            skew_ms: i64::try_from(dice.below(20_001)).unwrap_or(0),
        }
    }

    /// No faults at all, fixed times: 10 ms for the store, 100 ms for the product.
    pub fn calm(seed: u64, variant: Variant) -> Self {
        Self {
            seed,
            variant,
            alerts: 1,
            hosts: 1,
            rates: vec![0.0; Class::ALL.len()],
            storm: Duration::ZERO,
            store_ms: (10, 10),
            product_ms: (100, 100),
            drain_span: Duration::from_secs(50),
            zombies: false,
            skew_ms: 0,
        }
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
        let on: Vec<String> = Class::ALL
            .iter()
            .filter(|class| self.rate(**class) > 0.0)
            .map(|class| format!("{} {:.2} %", class.as_str(), self.rate(*class) * 100.0))
            .collect();
        write!(f, "  faults: {}", on.join(", "))
    }
}
