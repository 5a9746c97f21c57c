//! HTTP on a listener of this process, with limits on everything that a sender could use up: what the desk and the custom
//! handler of Azure Functions share.

use std::convert::Infallible;
use std::future::Future;
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

use super::intake::{Head, Intake, Opened};
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

/// How long requests under way may go on after a stop was asked for: an answer takes at most eight seconds.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What answers the requests of a listener.
pub(super) trait Answers: Send + Sync + 'static {
    /// Answers one.
    fn answer(&self, request: http::Request<Incoming>) -> impl Future<Output = Reply> + Send;
}

/// Serves requests, and runs `beside`, until `stop` ends; then lets what is under way end.
pub(super) async fn serve_until<A: Answers>(
    answers: Arc<A>,
    listener: TcpListener,
    beside: impl Future<Output = ()>,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    {
        let mut stop = pin!(stop);
        let mut beside = pin!(async {
            beside.await;
            std::future::pending::<()>().await;
        });
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&listener, &permits) => {
                    let Some((stream, permit)) = accepted else { continue };
                    let connection = connection(Arc::clone(&answers), stream);
                    let watched = graceful.watch(connection);
                    spawn(async move {
                        // A sender that goes away is no news.
                        let _ = watched.await;
                        drop(permit);
                    });
                }
                () = &mut beside => {}
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
}

/// A request of the webhook, from its head to its answer.
pub(super) async fn webhook(intake: &Intake, request: http::Request<Incoming>) -> Reply {
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
    match whole(body, super::intake::BODY_BYTES_MAX).await {
        Ok(body) => intake.take(*accepted, body).await,
        Err(reply) => reply,
    }
}

/// A body to its end, within its time and length.
pub(super) async fn whole(body: Incoming, bytes_max: usize) -> Result<Bytes, Reply> {
    match tokio::time::timeout(BODY_WITHIN, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Reply::too_large()),
        Ok(Err(_)) => Err(Reply::bad_request()),
        Err(_) => Err(Reply::too_slow()),
    }
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
struct Handler<A>(Arc<A>);

impl<A: Answers> hyper::service::Service<http::Request<Incoming>> for Handler<A> {
    type Response = http::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let answers = Arc::clone(&self.0);
        Box::pin(async move { Ok(response(answers.answer(request).await)) })
    }
}

fn connection<A: Answers>(
    answers: Arc<A>,
    stream: TcpStream,
) -> http1::Connection<TokioIo<TcpStream>, Handler<A>> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), Handler(answers))
}

fn response(reply: Reply) -> http::Response<Full<Bytes>> {
    let closes = matches!(reply.status.as_u16(), 400 | 401 | 403 | 408 | 413 | 415);
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
