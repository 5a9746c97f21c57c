//! Many alerts in a minute to one process: how it answers, how much memory it takes, and whether everything is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use simulators::server::{Server, now_ms};

use crate::alerts::{Condition, Manner, Plan, tag};
use crate::product::Product;
use crate::program::Program;
use crate::sender::request;
use crate::wire::{self, Exchange};
use crate::{Trouble, desk, ms, pause};

/// Longer than Azure waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was not made at once is made by the timer's drain, which comes each minute.
const SETTLES_WITHIN: Duration = Duration::from_secs(150);

/// Where the state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In the process.
    Memory,
    /// In a folder, every write on disk before it counts.
    Folder,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// How many alerts.
    pub alerts: usize,
    /// In what time, evenly.
    pub within: Duration,
    /// Where the state is.
    pub state: Where,
    /// The program.
    pub binary: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Answers by status; 0 is none.
    pub statuses: BTreeMap<u16, usize>,
    /// How long each took, milliseconds, in order.
    pub took_ms: Vec<u64>,
    /// Work items in the end.
    pub made: usize,
    /// Of those, more than one for the same alert.
    pub doubled: usize,
    /// The most memory that the process ever had, bytes.
    pub peak_memory: u64,
}

/// Runs it in a folder.
pub async fn run(order: &Order, folder: &Path) -> Result<Outcome, Trouble> {
    let product = Product::new(1, true, now_ms());
    let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let server = Server::start(product, listen, None).await;
    let server = server.map_err(|error| format!("the product: {error}"))?;
    desk::define(folder, server.address()).await?;
    let state = match order.state {
        Where::Memory => "memory:///".to_owned(),
        Where::Folder => format!("file://{}", folder.join("state").display()),
    };
    let environment = desk::environment(folder, state, server.address());
    let log = folder.join("process.log");
    let program = Program::start(&order.binary, &environment, &log).await?;

    let every = order.within / u32::try_from(order.alerts.max(1)).unwrap_or(u32::MAX);
    let sending = (0..order.alerts).map(|n| {
        let at = every * u32::try_from(n).unwrap_or(u32::MAX);
        let address = program.address();
        async move {
            let plan = Plan {
                tag: tag(n),
                severity: format!("Sev{}", n % 5),
                fired_ms: 0,
                resolved_ms: None,
                manner: Manner::Well,
            };
            let request = request(&plan, Condition::Fired);
            pause(ms(at)).await;
            let began = Instant::now();
            let exchange = wire::exchange(address, &request, PATIENCE).await;
            let status = match exchange {
                Exchange::Answered(answer) => answer.status(),
                _ => 0,
            };
            (status, ms(began.elapsed()))
        }
    });
    let answers = join_all(sending).await;
    let mut outcome = Outcome::default();
    for (status, took_ms) in answers {
        *outcome.statuses.entry(status).or_insert(0) += 1;
        outcome.took_ms.push(took_ms);
    }
    outcome.took_ms.sort_unstable();

    let began = Instant::now();
    while server.lock().items_made() < order.alerts && began.elapsed() < SETTLES_WITHIN {
        pause(500).await;
    }
    outcome.peak_memory = program.peak_memory().unwrap_or(0);
    let mut tags: BTreeMap<Option<String>, usize> = BTreeMap::new();
    for item in server.lock().items() {
        *tags.entry(item.tag).or_insert(0) += 1;
    }
    outcome.made = tags.len();
    outcome.doubled = tags.values().filter(|times| **times > 1).count();
    Ok(outcome)
}

impl Outcome {
    fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.took_ms.len() * percent).div_ceil(100).max(1);
        self.took_ms.get(rank - 1).copied().unwrap_or(0)
    }

    /// True if every answer was 2xx and everything is there, once.
    pub fn is_right(&self, order: &Order) -> bool {
        let answered_2xx = self
            .statuses
            .keys()
            .all(|status| (200..300).contains(status));
        answered_2xx && self.made == order.alerts && self.doubled == 0
    }

    /// The report.
    pub fn text(&self, order: &Order) -> String {
        let place = match order.state {
            Where::Memory => "memory",
            Where::Folder => "a folder",
        };
        format!(
            "{} alerts in {} s, state in {place}\nanswers      {:?}; median {} ms, p99 {} ms, longest {} ms\nwork items   {} ({} doubled)\nmemory       {:.1} MB at most\n",
            order.alerts,
            order.within.as_secs(),
            self.statuses,
            self.percentile(50),
            self.percentile(99),
            self.percentile(100),
            self.made,
            self.doubled,
            self.peak_memory as f64 / 1e6,
        )
    }
}
