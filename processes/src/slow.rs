//! Senders that take connections and hardly say anything, and good alerts in the middle of them: how those are answered, and
//! how much memory the process takes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use simulators::server::{Server, now_ms};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::alerts::{Condition, Manner, Plan, tag};
use crate::product::Product;
use crate::program::Program;
use crate::sender::{CONNECTION, request};
use crate::wire::{self, Exchange};
use crate::{Trouble, desk, ms, pause};

/// What the process may take.
pub const LIMIT_BYTES: u64 = 64_000_000;

/// Longer than Azure waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was not made at once is made by the timer's drain, which comes each minute.
const SETTLES_WITHIN: Duration = Duration::from_secs(150);

/// Between two good alerts.
const ALERT_EVERY: Duration = Duration::from_millis(200);

/// Between two bytes of a slow sender.
const BYTE_EVERY_MS: u64 = 250;

/// Before a connection that was ended is taken anew.
const AGAIN_AFTER_MS: u64 = 500;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// Connections that say nothing.
    pub idle: usize,
    /// Senders of each slow kind: half a head, a body byte by byte, nearly all of a long body.
    pub slow: usize,
    /// For how long.
    pub within: Duration,
    /// The program.
    pub binary: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Answers to good alerts by status; 0 is none.
    pub statuses: BTreeMap<u16, usize>,
    /// How long each took, milliseconds, in order.
    pub took_ms: Vec<u64>,
    /// Connections that bad senders had taken.
    pub taken: usize,
    /// Work items in the end.
    pub made: usize,
    /// The most memory that the process ever had, bytes.
    pub peak_memory: u64,
}

/// How a bad sender behaves.
#[derive(Debug, Clone, Copy)]
enum Manners {
    Silent,
    SlowHead,
    SlowBody,
    LongBody,
}

/// Runs it in a folder.
pub async fn run(order: &Order, folder: &Path) -> Result<Outcome, Trouble> {
    let product = Product::new(1, true, now_ms());
    let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let server = Server::start(product, listen, None).await;
    let server = server.map_err(|error| format!("the product: {error}"))?;
    desk::define(folder, server.address()).await?;
    let state = format!("file://{}", folder.join("state").display());
    let environment = desk::environment(folder, state, server.address());
    let log = folder.join("process.log");
    let program = Program::start(&order.binary, &environment, &log).await?;
    let (address, until) = (program.address(), Instant::now() + order.within);

    let manners = [
        (Manners::Silent, order.idle),
        (Manners::SlowHead, order.slow),
        (Manners::SlowBody, order.slow),
        (Manners::LongBody, order.slow),
    ];
    let bad = manners
        .into_iter()
        .flat_map(|(manners, times)| (0..times).map(move |_| misbehave(address, manners, until)));
    let good = async {
        // Once they have all come.
        pause(ms(order.within / 10)).await;
        let mut answers = Vec::new();
        while Instant::now() < until {
            answers.push(deliver(address, answers.len()).await);
            pause(ms(ALERT_EVERY)).await;
        }
        answers
    };
    let (taken, answers) = tokio::join!(join_all(bad), good);

    let mut outcome = Outcome {
        taken: taken.into_iter().sum(),
        ..Outcome::default()
    };
    let sent = answers.len();
    for (status, took_ms) in answers {
        *outcome.statuses.entry(status).or_insert(0) += 1;
        outcome.took_ms.push(took_ms);
    }
    outcome.took_ms.sort_unstable();
    let began = Instant::now();
    while server.lock().items_made() < sent && began.elapsed() < SETTLES_WITHIN {
        pause(500).await;
    }
    outcome.made = server.lock().items_made();
    outcome.peak_memory = program.peak_memory().unwrap_or(0);
    Ok(outcome)
}

async fn deliver(address: SocketAddr, n: usize) -> (u16, u64) {
    let plan = Plan {
        tag: tag(n),
        severity: format!("Sev{}", n % 5),
        fired_ms: 0,
        resolved_ms: None,
        manner: Manner::Well,
    };
    let request = request(&plan, Condition::Fired);
    let began = Instant::now();
    let status = match wire::exchange(address, &request, PATIENCE).await {
        Exchange::Answered(answer) => answer.status(),
        _ => 0,
    };
    (status, ms(began.elapsed()))
}

/// Takes a connection, and another one whenever it is ended; says how many.
async fn misbehave(address: SocketAddr, manners: Manners, until: Instant) -> usize {
    let mut taken = 0;
    while Instant::now() < until {
        if let Ok(stream) = TcpStream::connect(address).await {
            taken += 1;
            let left = until.saturating_duration_since(Instant::now());
            let _ = tokio::time::timeout(left, hold(stream, manners)).await;
        }
        pause(AGAIN_AFTER_MS).await;
    }
    taken
}

/// Holds a connection until it is ended by the other side.
async fn hold(stream: TcpStream, manners: Manners) {
    let length = match manners {
        Manners::LongBody => 1024 * 1024,
        _ => 60_000,
    };
    let head = format!(
        "POST /api/create-work-item/{CONNECTION} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    let (at_once, slowly) = match manners {
        Manners::Silent => (Vec::new(), Vec::new()),
        Manners::SlowHead => (Vec::new(), head.into_bytes()),
        Manners::SlowBody => (head.into_bytes(), vec![b' '; length]),
        Manners::LongBody => {
            let mut nearly_all = head.into_bytes();
            nearly_all.resize(nearly_all.len() + length - 100, b' ');
            (nearly_all, vec![b' '; 99])
        }
    };
    let (mut read, mut write) = stream.into_split();
    let writing = async {
        let mut sent = write.write_all(&at_once).await;
        for byte in slowly {
            pause(BYTE_EVERY_MS).await;
            if sent.is_err() {
                break;
            }
            sent = write.write_all(&[byte]).await;
        }
        std::future::pending::<()>().await;
    };
    let mut heard = [0; 512];
    let reading =
        async { while matches!(read.read(&mut heard).await, Ok(length) if length > 0) {} };
    tokio::select! { biased; () = reading => {}, () = writing => {} }
}

impl Outcome {
    fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.took_ms.len() * percent).div_ceil(100).max(1);
        self.took_ms.get(rank - 1).copied().unwrap_or(0)
    }

    /// True if every good alert was answered 2xx and made, and the memory stayed within its limit.
    pub fn is_right(&self) -> bool {
        let answered_2xx = self
            .statuses
            .keys()
            .all(|status| (200..300).contains(status));
        let sent = self.took_ms.len();
        sent > 0 && answered_2xx && self.made == sent && self.peak_memory < LIMIT_BYTES
    }

    /// The report.
    pub fn text(&self, order: &Order) -> String {
        format!(
            "{} idle connections and 3 times {} slow senders for {} s, {} connections in all\nanswers      {:?}; median {} ms, p99 {} ms, longest {} ms\nwork items   {}\nmemory       {:.1} MB at most\n",
            order.idle,
            order.slow,
            order.within.as_secs(),
            self.taken,
            self.statuses,
            self.percentile(50),
            self.percentile(99),
            self.percentile(100),
            self.made,
            self.peak_memory as f64 / 1e6,
        )
    }
}
