//! HTTP on a listener of this process, with limits on everything that a sender could use up: what the desk and the custom
//! handler of Azure Functions share.

mod connection;
mod seats;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::TakesAlerts;
use super::intake::{Head, Opened};
use super::reply::Reply;
use crate::flows::create_work_item::ANSWER_WITHIN;
use seats::{Seat, Seats};

/// How long a request's body may take (row W13).
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What of a body is read whoever sends it: all of a usual alert, which has 2 to 10 KB.
const BODY_BYTES_USUAL: usize = 64 * 1024;

/// Longer bodies that are in memory at once in this process, 16 MiB in all. Who comes with a further one is asked to come again.
static LONG_BODIES: Semaphore = Semaphore::const_new(16);

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
    let seats = Seats::new();
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
                accepted = accept(&listener, &seats) => {
                    let Some((stream, seat)) = accepted else { continue };
                    let watcher = graceful.watcher();
                    let served = connection::serve(Arc::clone(&answers), stream, Arc::clone(&seat), watcher);
                    spawn(async move { seat.keep(served).await });
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
pub(super) async fn webhook(intake: &dyn TakesAlerts, request: http::Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let head = Head {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &parts.headers,
    };
    let accepted = match intake.open(head).await {
        Opened::Answer(reply) => return reply,
        Opened::Body(accepted) => accepted,
    };
    match whole(body, super::intake::BODY_BYTES_MAX).await {
        Ok(Whole { bytes, _place }) => intake.take_within(*accepted, bytes, ANSWER_WITHIN).await,
        Err(reply) => reply,
    }
}

/// A body, and its place among the long ones as long as it is needed.
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    _place: Option<SemaphorePermit<'static>>,
}

/// A body to its end, within its time and length.
pub(super) async fn whole(body: Incoming, bytes_max: usize) -> Result<Whole, Reply> {
    tokio::time::timeout(BODY_WITHIN, read(body, bytes_max))
        .await
        .unwrap_or_else(|_| Err(Reply::too_slow()))
}

async fn read(mut body: Incoming, bytes_max: usize) -> Result<Whole, Reply> {
    let mut bytes = BytesMut::new();
    let mut place = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Reply::bad_request())?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = bytes.len().saturating_add(data.len());
        if length > bytes_max {
            return Err(Reply::too_large());
        }
        if length > BODY_BYTES_USUAL && place.is_none() {
            place = Some(LONG_BODIES.try_acquire().map_err(|_| Reply::busy())?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Whole {
        bytes: bytes.freeze(),
        _place: place,
    })
}

async fn accept(listener: &TcpListener, seats: &Arc<Seats>) -> Option<(TcpStream, Arc<Seat>)> {
    match listener.accept().await {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, seats.take().await?))
        }
        Err(error) => {
            // Out of file descriptors, mostly: going on at once would be a busy loop.
            tracing::warn!(%error, "a connection could not be accepted");
            seats.clear_one();
            pause(Duration::from_millis(100)).await;
            None
        }
    }
}

fn response(reply: Reply) -> http::Response<Full<Bytes>> {
    let closes = matches!(
        reply.status.as_u16(),
        400 | 401 | 403 | 408 | 413 | 415 | 431
    );
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
    reason = "pauses of the listener, which no decision about an alert depends on"
)]
async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}
