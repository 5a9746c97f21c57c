//! The connector as it runs: its core, on a listener, in a thread of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use itsm_connector::domain::webhook_auth::WebhookAuth;
use itsm_connector::flows::Core;
use itsm_connector::flows::callers::Callers;
use itsm_connector::hosts::intake::Intake;
use itsm_connector::hosts::local::serve_until;
use itsm_connector::ports::KeySet;
use tokio::net::TcpListener;

use super::LOOPBACK;

/// A process of the connector: its core, its listener.
pub(super) struct Process {
    pub(super) intake: Arc<Intake>,
    pub(super) address: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Process {
    /// A thread with a runtime of its own, as a function has: what a story does meanwhile does not hold it up.
    #[expect(
        clippy::disallowed_methods,
        reason = "the bed owns the process that it runs"
    )]
    pub(super) fn start(core: Core, auth: WebhookAuth, keys: Option<Arc<dyn KeySet>>) -> Self {
        let clock = Arc::clone(&core.clock);
        let callers = match keys {
            Some(keys) => Callers::by_token(auth, clock, keys),
            None => Callers::by_key(auth, clock),
        };
        let intake = Arc::new(Intake::for_callers(core, callers));
        let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let (served, log) = (
            Arc::clone(&intake),
            tracing::dispatcher::get_default(Clone::clone),
        );
        let thread = std::thread::spawn(move || {
            let _log = tracing::dispatcher::set_default(&log);
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                serve_until(served, listener, stopped).await.unwrap();
            });
        });
        Self {
            intake,
            address,
            stop,
            thread,
        }
    }

    pub(super) fn end(self) {
        let _ = self.stop.send(());
        self.thread.join().unwrap();
    }
}
