//! The desk: plain HTTP and timers in this process, with limits on everything that a sender could use up.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Function;
use super::intake::{BODY_BYTES_MAX, Head, Intake, Opened};
use super::reply::Reply;

/// Connections at once; further ones wait in the operating system's queue.
const CONNECTIONS_MAX: usize = 1024;

/// How long a request's head may take.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// How long a request's body may take (row W13).
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Longest head (row W35).
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most headers (row W35).
const HEADERS_MAX: usize = 100;

/// How often what is pending is finished, and how long one run may take.
const DRAIN_EVERY: Duration = Duration::from_secs(60);
const DRAIN_WITHIN: Duration = Duration::from_secs(55);

/// How long requests under way may go on after a stop was asked for: an answer takes at most eight seconds.
const STOP_WITHIN: Duration = Duration::from_secs(10);

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
    }
}

/// Serves the intake on a listener, with its timer, until `stop` ends; then lets what is under way end.
pub async fn serve_until(
    intake: Arc<Intake>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    {
        let mut stop = pin!(stop);
        let mut timer = pin!(drain_for_ever(&intake));
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&listener, &permits) => {
                    let Some((stream, permit)) = accepted else { continue };
                    let connection = connection(Arc::clone(&intake), stream);
                    let watched = graceful.watch(connection);
                    spawn(async move {
                        // A sender that goes away is no news.
                        let _ = watched.await;
                        drop(permit);
                    });
                }
                () = &mut timer => {}
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(STOP_WITHIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("stopped with requests under way; their senders send them again");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) => {
            // Out of file descriptors, mostly: going on at once would be a busy loop.
            tracing::warn!(%error, "a connection could not be accepted");
            pause(Duration::from_millis(100)).await;
            None
        }
    }
}

/// Answers the requests of one connection.
struct Handler(Arc<Intake>);

impl hyper::service::Service<http::Request<Incoming>> for Handler {
    type Response = http::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let intake = Arc::clone(&self.0);
        Box::pin(async move { Ok(response(answer(&intake, request).await)) })
    }
}

fn connection(
    intake: Arc<Intake>,
    stream: TcpStream,
) -> http1::Connection<TokioIo<TcpStream>, Handler> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), Handler(intake))
}

async fn answer(intake: &Intake, request: http::Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let head = Head {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    };
    let accepted = match Box::pin(intake.open(head)).await {
        Opened::Answer(reply) => return reply,
        Opened::Body(accepted) => accepted,
    };
    match tokio::time::timeout(BODY_WITHIN, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => intake.take(*accepted, body.to_bytes()).await,
        Ok(Err(error)) if error.is::<LengthLimitError>() => Reply::too_large(),
        Ok(Err(_)) => Reply::bad_request(),
        Err(_) => Reply::too_slow(),
    }
}

fn response(reply: Reply) -> http::Response<Full<Bytes>> {
    let closes = matches!(reply.status.as_u16(), 400 | 401 | 408 | 413 | 415);
    let mut response = http::Response::new(Full::new(reply.body));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(reply.content_type),
    );
    for (name, value) in reply.headers {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    // The rest of a body that is not read would be taken for the next request.
    if closes {
        headers.insert(
            http::header::CONNECTION,
            http::HeaderValue::from_static("close"),
        );
    }
    response
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

#[expect(
    clippy::disallowed_methods,
    reason = "a connection's task: it ends with its connection"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pause of the listener, which no decision depends on"
)]
async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}
