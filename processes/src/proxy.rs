//! Between the processes and the product: a proxy that loses, holds and cuts, by dice, and writes down what it did.

mod fault;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use simulation::dice::Dice;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::alerts::tag_in;
use crate::wire::{self, Exchange, Message};
use crate::{Trouble, ms, pause};
pub use fault::Fault;

/// The product answers within this, whoever still waits for it.
const UPSTREAM_WITHIN: Duration = Duration::from_secs(60);

/// One request and what was done to it.
#[derive(Debug, Clone)]
pub struct Line {
    at_ms: u64,
    /// Method and target.
    what: String,
    /// The alert that a create was for.
    tag: Option<String>,
    /// The record that it was for.
    sys_id: Option<String>,
    fault: Option<Fault>,
    /// The product's status; 0 if it was never asked.
    status: u16,
}

impl Line {
    /// True if it is about this alert or this record.
    pub fn concerns(&self, tag: &str, sys_ids: &BTreeSet<String>) -> bool {
        let is_its_record = |id: &String| sys_ids.contains(id);
        self.tag.as_deref() == Some(tag) || self.sys_id.as_ref().is_some_and(is_its_record)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.tag.as_deref().unwrap_or_default();
        write!(
            f,
            "{:>7} ms  {} {tag} -> {}",
            self.at_ms, self.what, self.status
        )?;
        match self.fault {
            Some(fault) => write!(f, "  {fault:?}"),
            None => Ok(()),
        }
    }
}

struct Shared {
    upstream: SocketAddr,
    began: Instant,
    dice: Mutex<Dice>,
    lines: Mutex<Vec<Line>>,
    is_stormy: AtomicBool,
    is_down: AtomicBool,
    under_way: AtomicUsize,
}

/// The proxy. It stops when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Before a product, calm.
    pub async fn start(upstream: SocketAddr, seed: u64, began: Instant) -> Result<Self, Trouble> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(|error| format!("the proxy: {error}"))?;
        let address = listener
            .local_addr()
            .map_err(|error| format!("the proxy: {error}"))?;
        let shared = Arc::new(Shared {
            upstream,
            began,
            dice: Mutex::new(Dice::new(seed, "proxy")),
            lines: Mutex::default(),
            is_stormy: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on things go wrong, or not.
    pub fn is_stormy(&self, stormy: bool) {
        self.shared.is_stormy.store(stormy, Ordering::SeqCst);
    }

    /// From now on nobody is let through, or everybody.
    pub fn is_down(&self, down: bool) {
        self.shared.is_down.store(down, Ordering::SeqCst);
    }

    /// Waits until nothing is on its way any more, also what is held.
    pub async fn is_idle(&self) {
        while self.shared.under_way.load(Ordering::SeqCst) > 0 {
            pause(20).await;
        }
    }

    /// What it did.
    pub fn lines(&self) -> Vec<Line> {
        locked(&self.shared.lines).clone()
    }

    /// How often each fault struck.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        let mut faults: BTreeMap<_, _> = Fault::ALL.iter().map(|fault| (fault.name(), 0)).collect();
        for fault in locked(&self.shared.lines)
            .iter()
            .filter_map(|line| line.fault)
        {
            *faults.entry(fault.name()).or_insert(0) += 1;
        }
        faults
    }

    /// The records of which a call was disturbed.
    pub fn disturbed(&self) -> BTreeSet<String> {
        let lines = locked(&self.shared.lines);
        let disturbed = lines.iter().filter(|line| line.fault.is_some());
        disturbed.filter_map(|line| line.sys_id.clone()).collect()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            // It ends with its connection: what a client does to it is no error of the proxy.
            tokio::spawn(async move { shared.serve(stream).await });
        }
    }
}

impl Shared {
    async fn serve(&self, mut stream: TcpStream) {
        let mut rest = Vec::new();
        // An answer goes out as soon as it is there.
        let _ = stream.set_nodelay(true);
        loop {
            if self.is_down.load(Ordering::SeqCst) {
                return;
            }
            let Some(request) = wire::read(&mut stream, &mut rest).await else {
                return;
            };
            self.under_way.fetch_add(1, Ordering::SeqCst);
            let goes_on = self.pass(&mut stream, &request).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            if !goes_on {
                return;
            }
        }
    }

    /// Passes a request on, as it is fated; false if its connection is over.
    async fn pass(&self, stream: &mut TcpStream, request: &Message) -> bool {
        let fault = self.fate();
        let place = self.note(request, fault);
        match fault {
            Some(Fault::CutBefore) => return false,
            Some(Fault::Unavailable) => return send(stream, &fault::page_503()).await,
            Some(Fault::Busy) => return send(stream, &fault::bare_429()).await,
            Some(Fault::Late(span)) => pause(span).await,
            _ => {}
        }
        let forwarded = wire::exchange(self.upstream, request, UPSTREAM_WITHIN).await;
        let Exchange::Answered(answer) = forwarded else {
            return false;
        };
        if let Some(line) = locked(&self.lines).get_mut(place) {
            line.status = answer.status();
        }
        match fault {
            Some(Fault::CutAfter) => false,
            Some(Fault::Truncated) => {
                let bytes = answer.framed("keep-alive");
                let most = bytes.len().saturating_sub(answer.body.len() / 2 + 1);
                // Whoever has gone has lost it anyway.
                let _ = stream
                    .write_all(bytes.get(..most).unwrap_or_default())
                    .await;
                let _ = stream.flush().await;
                false
            }
            Some(Fault::Held(span)) => {
                pause(span).await;
                send(stream, &answer).await
            }
            _ => send(stream, &answer).await,
        }
    }

    fn fate(&self) -> Option<Fault> {
        let is_stormy = self.is_stormy.load(Ordering::SeqCst);
        is_stormy.then(|| Fault::draw(&mut locked(&self.dice)))?
    }

    fn note(&self, request: &Message, fault: Option<Fault>) -> usize {
        let (method, target) = request.line();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let in_path = path.strip_prefix("/api/now/table/incident/");
        let line = Line {
            at_ms: ms(self.began.elapsed()),
            what: format!("{method} {path}"),
            tag: body["short_description"].as_str().and_then(tag_in),
            sys_id: in_path.or(body["sys_id"].as_str()).map(str::to_owned),
            fault,
            status: 0,
        };
        let mut lines = locked(&self.lines);
        lines.push(line);
        lines.len() - 1
    }
}

async fn send(stream: &mut TcpStream, answer: &Message) -> bool {
    stream.write_all(&answer.framed("keep-alive")).await.is_ok()
}

#[cfg(test)]
mod tests;
