//! A machine behind a socket: HTTP/1.1 over loopback, plain or TLS, with the wall clock.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::machine::Machine;

mod connection;
mod control;
mod delivery;
mod tls;

pub use delivery::pause;
pub use tls::Tls;

/// A machine that serves until it is stopped or dropped.
#[derive(Debug)]
pub struct Server<M> {
    machine: Arc<Mutex<M>>,
    address: SocketAddr,
    is_tls: bool,
    accepting: Option<JoinHandle<()>>,
}

impl<M: Machine + 'static> Server<M> {
    /// Serves `machine` on the current runtime. Port 0 takes a free one.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is a listener: the server outlives the call by intention"
    )]
    pub async fn start(machine: M, listen: SocketAddr, tls: Option<Tls>) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let machine = Arc::new(Mutex::new(machine));
        let is_tls = tls.is_some();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&machine), tls, address));
        Ok(Self {
            machine,
            address,
            is_tls,
            accepting: Some(accepting),
        })
    }
}

impl<M> Server<M> {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, or with `https`; no slash at the end.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The machine, to keep.
    pub fn machine(&self) -> Arc<Mutex<M>> {
        Arc::clone(&self.machine)
    }

    /// The machine, to look at or to change now. Not to be held over an await.
    pub fn lock(&self) -> MutexGuard<'_, M> {
        lock(&self.machine)
    }

    /// Stops: no more connections, those that are open are dropped.
    pub async fn stop(mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // It was aborted, so what it returns says nothing.
            let _ = accepting.await;
        }
    }
}

impl<M> Drop for Server<M> {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

/// The time for the machine: Unix milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "a machine has no clock, so its server brings one"
)]
pub fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A machine is never left half changed by a panic that matters here, so a poisoned lock is taken.
fn lock<M>(machine: &Mutex<M>) -> MutexGuard<'_, M> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes connections. They live in the set, so that aborting this drops them all.
async fn accept<M: Machine + 'static>(
    listener: TcpListener,
    machine: Arc<Mutex<M>>,
    tls: Option<Tls>,
    address: SocketAddr,
) {
    let mut connections = JoinSet::new();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let origin: Arc<str> = format!("{scheme}://{address}").into();
    loop {
        let stream: TcpStream = tokio::select! {
            biased;
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        let (machine, tls, origin) = (Arc::clone(&machine), tls.clone(), Arc::clone(&origin));
        connections.spawn(async move {
            // What a client does to its own connection is no error of the server.
            let _ = connection::serve(stream, tls, machine, origin).await;
        });
    }
}
