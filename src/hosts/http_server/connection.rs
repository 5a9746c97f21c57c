//! One connection: HTTP/1.1, and at the desk HTTP/2 for who begins with it (prior knowledge, RFC 9113 §3.3), both within limits.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;

use super::seats::Seat;
use super::{Answers, response};
use crate::hosts::reply::Reply;

/// How long a request's head may take, the wait for it too.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// Longest head (row W35).
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most headers (row W35).
const HEADERS_MAX: usize = 100;

/// Answers the requests of one connection.
struct Handler<A> {
    answers: Arc<A>,
    seat: Arc<Seat>,
}

impl<A: Answers> hyper::service::Service<http::Request<Incoming>> for Handler<A> {
    type Response = http::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let (answers, busy) = (Arc::clone(&self.answers), self.seat.begin());
        Box::pin(async move {
            let reply = if request.headers().len() > HEADERS_MAX {
                Reply::head_too_large()
            } else {
                answers.answer(request).await
            };
            drop(busy);
            Ok(response(reply))
        })
    }
}

/// Serves a connection to its end. A sender that goes away is no news.
pub(super) async fn serve<A: Answers>(
    answers: Arc<A>,
    stream: TcpStream,
    seat: Arc<Seat>,
    stop: Watcher,
) {
    let handler = Handler { answers, seat };
    #[cfg(feature = "http2")]
    {
        match tokio::time::timeout(HEAD_WITHIN, http2::begins(&stream)).await {
            Ok(true) => {
                let _ = stop.watch(http2::connection(handler, stream)).await;
                return;
            }
            Ok(false) => {}
            Err(_) => return,
        }
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), handler);
    let _ = stop.watch(connection).await;
}

#[cfg(feature = "http2")]
mod http2 {
    use hyper::server::conn::http2;
    use hyper_util::rt::TokioExecutor;

    use super::*;

    /// The beginning of what a client of HTTP/2 sends first. No method of HTTP/1.1 that we know begins so.
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

    /// Requests at once on a connection.
    const STREAMS_MAX: u32 = 64;

    /// Streams that the sender took back before we looked at them; one more ends the connection (CVE-2023-44487, row W37).
    const TAKEN_BACK_MAX: usize = 20;

    /// Streams that we had to refuse; one more ends the connection (CVE-2025-8671).
    const REFUSED_MAX: usize = 64;

    /// What is read of a body ahead of whoever wants it, of one request and of all of a connection.
    const STREAM_WINDOW: u32 = 64 * 1024;
    const CONNECTION_WINDOW: u32 = 128 * 1024;

    /// What is kept of an answer that the sender does not take: ours are short.
    const ANSWER_BYTES_MAX: usize = 16 * 1024;

    /// How often we ask whether the sender is still there, and how long it may take to say so.
    const PING_EVERY: Duration = Duration::from_secs(20);
    const PONG_WITHIN: Duration = Duration::from_secs(10);

    pub(super) type Connection<A> =
        http2::Connection<TokioIo<TcpStream>, Handler<A>, TokioExecutor>;

    /// True if what comes first begins as HTTP/2 does. Nothing is taken out of the stream.
    pub(super) async fn begins(stream: &TcpStream) -> bool {
        let mut first = [0; PREFACE.len()];
        let seen = stream.peek(&mut first).await.unwrap_or_default();
        seen > 3 && PREFACE.starts_with(&first[..seen])
    }

    pub(super) fn connection<A: Answers>(handler: Handler<A>, stream: TcpStream) -> Connection<A> {
        let head_bytes_max = u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX);
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_pending_accept_reset_streams(TAKEN_BACK_MAX)
            .max_local_error_reset_streams(REFUSED_MAX)
            .max_header_list_size(head_bytes_max)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(ANSWER_BYTES_MAX)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PONG_WITHIN)
            .serve_connection(TokioIo::new(stream), handler)
    }
}
