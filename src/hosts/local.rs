//! The desk: plain HTTP and timers in this process.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::http_server::{self, Answers};
use super::intake::Intake;
use super::refresher;
use super::reply::Reply;
use super::syncer;
use super::{Function, Rhythm};
use crate::flows::sync_records::Sync;

/// Serves a function until the process is asked to stop.
pub async fn serve(function: Arc<dyn Function>, listen: SocketAddr) -> std::io::Result<()> {
    if function.webhook().is_some() {
        let listener = TcpListener::bind(listen).await?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        return serve_until(function, listener, asked_to_stop()).await;
    }
    let stop = async {
        asked_to_stop().await;
        function.at_rest().await;
    };
    tokio::select! {
        biased;
        () = stop => {}
        () = tick_for_ever(&*function) => {}
    }
    Ok(())
}

/// Serves the webhook of a function on a listener, with its timer, until `stop` ends; then lets what is under way end.
pub async fn serve_until(
    function: Arc<dyn Function>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let desk = Arc::new(Desk(Arc::clone(&function)));
    http_server::serve_until(desk, listener, tick_for_ever(&*function), stop).await;
    Ok(())
}

/// At the start, and then as often as the function says. A tick that is cut off loses nothing, and what goes wrong in one
/// is in the log.
async fn tick_for_ever(function: &dyn Function) {
    let Rhythm { every, within } = function.rhythm();
    loop {
        let _ = function.tick(within).await;
        function.clock().sleep(every).await;
    }
}

/// The same, and renews tokens and reads records back beside it: everything at the desk in one process.
pub async fn serve_everything_until(
    intake: Arc<Intake>,
    sync: &Sync,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let core = intake.core();
    let running = tokio::sync::Mutex::new(());
    let refreshing = async {
        loop {
            // Alerts first: what a renewal reads of the vault would be known to them for ten minutes.
            core.clock.sleep(refresher::DESK_EVERY).await;
            let run = running.lock().await;
            refresher::run(core, None, refresher::WITHIN, refresher::DESK_EVERY).await;
            drop(run);
        }
    };
    // A run that is cut off by the end of the process loses nothing.
    let syncing = async {
        core.clock.sleep(syncer::DESK_FIRST).await;
        loop {
            syncer::run(core, sync, syncer::WITHIN).await;
            core.clock.sleep(syncer::DESK_EVERY).await;
        }
    };
    let stop = async {
        stop.await;
        // What an issuer gave is stored first.
        drop(running.lock().await);
    };
    let beside = async {
        let (refreshing, syncing) = (Box::pin(refreshing), Box::pin(syncing));
        futures_util::future::join3(tick_for_ever(&*intake), refreshing, syncing).await;
    };
    let function: Arc<dyn Function> = Arc::<Intake>::clone(&intake);
    let desk = Arc::new(Desk(function));
    http_server::serve_until(desk, listener, beside, stop).await;
    Ok(())
}

/// Every request is one of the webhook.
struct Desk(Arc<dyn Function>);

impl Answers for Desk {
    async fn answer(&self, request: http::Request<Incoming>) -> Reply {
        match self.0.webhook() {
            Some(webhook) => http_server::webhook(webhook, request).await,
            None => Reply::unknown_path(),
        }
    }
}

/// Ends when the process is asked to stop: an interrupt from the keyboard, or a polite termination.
pub async fn asked_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        let terminate = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(_) => pending::<()>().await,
            }
        };
        tokio::select! { biased; () = interrupt => {}, () = terminate => {} }
    }
    #[cfg(not(unix))]
    interrupt.await;
}
