//! One connection: requests in, the machine's answers out, as broken as it wants them.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::control;
use super::delivery::{self, Sent};
use super::tls::Tls;
use super::{lock, now_ms};
use crate::machine::{Answer, Delivery, Machine};

/// The reply will not come: hyper drops the connection when a service fails with this.
#[derive(Debug)]
pub(super) struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

/// A stream whose connection can be reset instead of closed.
trait Resettable: AsyncRead + AsyncWrite + Unpin {
    fn socket(&self) -> &TcpStream;
}

impl Resettable for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Resettable for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Serves one connection until it ends.
pub(super) async fn serve<M: Machine + 'static>(
    stream: TcpStream,
    tls: Option<Tls>,
    machine: Arc<Mutex<M>>,
    origin: Arc<str>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => http(tls.acceptor().accept(stream).await?, machine, origin).await,
        None => http(stream, machine, origin).await,
    }
    Ok(())
}

async fn http<M: Machine + 'static, S: Resettable + 'static>(
    stream: S,
    machine: Arc<Mutex<M>>,
    origin: Arc<str>,
) {
    let reset = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| {
        let (machine, origin, reset) = (
            Arc::clone(&machine),
            Arc::clone(&origin),
            Arc::clone(&reset),
        );
        Box::pin(async move { handle(request, &machine, &origin, &reset).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Not the plain await: the socket is still needed afterwards.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut stream = connection.into_parts().io.into_inner();
    if reset.load(Ordering::Relaxed) {
        // Without lingering, closing sends a reset.
        let _ = stream.socket().set_zero_linger();
    } else {
        let _ = poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await;
    }
}

async fn handle<M: Machine>(
    request: Request<Incoming>,
    machine: &Mutex<M>,
    origin: &str,
    reset: &AtomicBool,
) -> Result<Response<Sent>, Dropped> {
    let (mut parts, body) = request.into_parts();
    let body: Bytes = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    parts.uri = absolute(&parts, origin);
    let request = Request::from_parts(parts, body);
    if let Some(response) = control::answer(&mut *lock(machine), &request, now_ms()) {
        return Ok(delivery::whole(response));
    }
    let Answer { response, delivery } = lock(machine).answer(request, now_ms());
    match delivery {
        Delivery::Whole => Ok(delivery::whole(response)),
        Delivery::After(late) => {
            delivery::pause(late).await;
            Ok(delivery::whole(response))
        }
        Delivery::NeverRead => {
            reset.store(true, Ordering::Relaxed);
            Err(Dropped)
        }
        Delivery::Lost => Err(Dropped),
        Delivery::Cut(bytes) => Ok(delivery::cut(response, bytes)),
        Delivery::Drip(interval) => Ok(delivery::drip(response, interval)),
    }
}

/// The URI with the scheme and authority that the client called.
fn absolute(parts: &http::request::Parts, origin: &str) -> Uri {
    let scheme = origin
        .split_once("://")
        .map_or("http", |(scheme, _)| scheme);
    let host = parts
        .headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    let origin = host.map_or_else(|| origin.to_owned(), |host| format!("{scheme}://{host}"));
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    format!("{origin}{path}")
        .parse()
        .unwrap_or_else(|_| parts.uri.clone())
}
