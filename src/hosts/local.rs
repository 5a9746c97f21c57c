//! The desk: plain HTTP and timers in this process.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::Function;
use super::http_server::{self, Answers};
use super::intake::Intake;
use super::refresher::{self, Refresher};
use super::reply::Reply;
use super::syncer::{self, Syncer};

/// How often what is pending is finished, and how long one run may take.
const DRAIN_EVERY: Duration = Duration::from_secs(60);
const DRAIN_WITHIN: Duration = Duration::from_secs(55);

/// Serves a function until the process is asked to stop.
pub async fn serve(function: Function, listen: SocketAddr) -> std::io::Result<()> {
    match function {
        Function::NothingYet { name } => {
            tracing::warn!(
                function = name,
                "this function has nothing to do yet in this version"
            );
            Ok(())
        }
        Function::CreateWorkItem(intake) => {
            let listener = TcpListener::bind(listen).await?;
            tracing::info!(address = %listener.local_addr()?, "listening");
            serve_until(intake, listener, asked_to_stop()).await
        }
        Function::ScheduledSync(syncer) => {
            tokio::select! {
                biased;
                () = asked_to_stop() => {}
                () = sync_for_ever(&syncer) => {}
            }
            Ok(())
        }
        Function::TokenRefresher(refresher) => {
            let stop = async {
                asked_to_stop().await;
                refresher.at_rest().await;
            };
            tokio::select! {
                biased;
                () = stop => {}
                () = refresh_for_ever(&refresher) => {}
            }
            Ok(())
        }
    }
}

/// Reads records back, at the start and then every few minutes. A run that is cut off loses nothing.
async fn sync_for_ever(syncer: &Syncer) {
    loop {
        syncer.run(syncer::WITHIN).await;
        syncer.core().clock.sleep(syncer::EVERY).await;
    }
}

/// Renews tokens, at the start and then every few minutes.
async fn refresh_for_ever(refresher: &Refresher) {
    loop {
        refresher.run(refresher::WITHIN).await;
        refresher.core().clock.sleep(refresher::EVERY).await;
    }
}

/// Serves the intake on a listener, with its timer, until `stop` ends; then lets what is under way end.
pub async fn serve_until(
    intake: Arc<Intake>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let desk = Arc::new(Desk(Arc::clone(&intake)));
    http_server::serve_until(desk, listener, drain_for_ever(&intake), stop).await;
    Ok(())
}

/// The same, and renews tokens beside it: everything at the desk in one process.
pub async fn serve_with_tokens_until(
    intake: Arc<Intake>,
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
    let stop = async {
        stop.await;
        // What an issuer gave is stored first.
        drop(running.lock().await);
    };
    let beside = async {
        futures_util::future::join(drain_for_ever(&intake), Box::pin(refreshing)).await;
    };
    let desk = Arc::new(Desk(Arc::clone(&intake)));
    http_server::serve_until(desk, listener, beside, stop).await;
    Ok(())
}

/// Every request is one of the webhook.
struct Desk(Arc<Intake>);

impl Answers for Desk {
    async fn answer(&self, request: http::Request<Incoming>) -> Reply {
        http_server::webhook(&self.0, request).await
    }
}

/// Finishes what is pending, at the start and then every minute.
async fn drain_for_ever(intake: &Intake) {
    loop {
        intake.drain(DRAIN_WITHIN).await;
        intake.core().clock.sleep(DRAIN_EVERY).await;
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
