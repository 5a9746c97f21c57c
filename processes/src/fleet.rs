//! The processes of a round, over one state: some live, some are dead, some stand still.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Trouble;
use crate::program::Program;
use crate::state::State;

/// What happened to processes, counted.
pub type Deeds = BTreeMap<&'static str, u64>;

#[derive(Debug)]
struct Node {
    program: Option<Program>,
    /// Where the last one listened: a sender does not know that it died.
    address: SocketAddr,
}

/// The processes.
#[derive(Debug)]
pub struct Fleet {
    binary: PathBuf,
    environment: Vec<(&'static str, String)>,
    logs: PathBuf,
    nodes: Vec<Mutex<Node>>,
    deeds: Mutex<Deeds>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    /// Places for `size` processes; nothing is started yet.
    pub fn new(
        binary: PathBuf,
        environment: Vec<(&'static str, String)>,
        logs: PathBuf,
        size: usize,
    ) -> Self {
        let node = || {
            Mutex::new(Node {
                program: None,
                address: SocketAddr::from(([127, 0, 0, 1], 1)),
            })
        };
        Self {
            binary,
            environment,
            logs,
            nodes: (0..size).map(|_| node()).collect(),
            deeds: Mutex::default(),
        }
    }

    /// How many places there are.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    fn node(&self, n: usize) -> Option<MutexGuard<'_, Node>> {
        self.nodes.get(n).map(locked)
    }

    /// Something happened.
    pub fn count(&self, deed: &'static str) {
        *locked(&self.deeds).entry(deed).or_insert(0) += 1;
    }

    /// What happened so far.
    pub fn deeds(&self) -> Deeds {
        locked(&self.deeds).clone()
    }

    /// Starts the process of a place, unless it lives.
    pub async fn start(&self, n: usize, state: &State) -> Result<(), Trouble> {
        if self.node(n).is_none_or(|node| node.program.is_some()) {
            return Ok(());
        }
        let _stays = state.stays().await;
        let log = self.logs.join(format!("process-{n}.log"));
        let program = Program::start(&self.binary, &self.environment, &log).await?;
        if let Some(mut node) = self.node(n) {
            node.address = program.address();
            node.program = Some(program);
        }
        self.count("started");
        Ok(())
    }

    /// `kill -9`. False if it was dead.
    pub fn kill(&self, n: usize) -> bool {
        let program = self.node(n).and_then(|mut node| node.program.take());
        let lived = program.is_some();
        drop(program);
        lived
    }

    /// Does something to a living process. False if it is dead.
    pub fn with(&self, n: usize, what: impl FnOnce(&Program)) -> bool {
        let node = self.node(n);
        let program = node.as_ref().and_then(|node| node.program.as_ref());
        program.map(what).is_some()
    }

    /// Where a sender believes that a process listens.
    pub fn address(&self, n: usize) -> SocketAddr {
        self.node(n)
            .map_or(SocketAddr::from(([127, 0, 0, 1], 1)), |node| node.address)
    }

    /// The most memory that any living process ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let peaks = self.nodes.iter().filter_map(|node| {
            let node = locked(node);
            node.program.as_ref().and_then(Program::peak_memory)
        });
        peaks.max().unwrap_or(0)
    }

    /// All end, at once and without a word.
    pub fn kill_all(&self) {
        for n in 0..self.size() {
            self.kill(n);
        }
    }
}
