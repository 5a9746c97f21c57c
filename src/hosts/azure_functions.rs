//! Azure Functions, as its custom handler: HTTP from the Functions host, on the port that it names (azure-platform §5).
//!
//! A function whose only trigger is HTTP gets its requests as they came. Every other, timers above all, is a `POST` of an
//! envelope to the function's name. The host keeps the timers, so that there are none of ours.

mod envelope;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{Method, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::http_server::{self, Answers};
use super::intake::{BODY_BYTES_MAX, Opened};
use super::local::asked_to_stop;
use super::reply::Reply;
use super::{Function, TakesAlerts};
use crate::flows::create_work_item::ANSWER_WITHIN;
use envelope::{Envelope, Trigger};

/// Longest envelope: a body is a string in it, whose quotes and line ends are escaped, and metadata repeat the query and
/// headers.
const ENVELOPE_BYTES_MAX: usize = 2 * BODY_BYTES_MAX + 128 * 1024;

/// Ticks that wait for the one before them.
const TICKS_WAITING_MAX: usize = 1;

/// What to do about an envelope that is not understood.
const HINT: &str =
    "look at the bindings in function.json, and report it with the version of the Functions host";

/// Binds the port that the host has chosen. It asks there every 25 milliseconds from the process's start on, so that this
/// comes before anything else.
pub fn bind(port: u16) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves a function to the Functions host until that ends it.
pub async fn serve(
    function: Arc<dyn Function>,
    listener: std::net::TcpListener,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    serve_until(function, listener, asked_to_stop()).await;
    Ok(())
}

/// The same until `stop` ends.
pub async fn serve_until(
    function: Arc<dyn Function>,
    listener: TcpListener,
    stop: impl Future<Output = ()>,
) {
    let (ticks, mut ticked) = mpsc::channel(TICKS_WAITING_MAX);
    let handler = Arc::new(CustomHandler {
        function: Arc::clone(&function),
        ticks,
    });
    // One drain after the other: a second one at once would find the lease taken.
    let draining = async {
        while let Some(tick) = ticked.recv().await {
            tracing::debug!(
                function = tick.name,
                is_late = tick.is_late,
                "the timer ticked"
            );
            // What went wrong is in the log. To the host a tick has ended, or it would do the same again at once.
            let _ = function.tick(function.rhythm().within).await;
            // The host may have given up waiting for it.
            let _ = tick.done.send(());
        }
    };
    let stop = async {
        stop.await;
        function.at_rest().await;
    };
    http_server::serve_until(handler, listener, draining, stop).await;
}

struct CustomHandler {
    function: Arc<dyn Function>,
    ticks: mpsc::Sender<Tick>,
}

/// A timer's tick, and who waits for its end: the host may freeze the process once it is answered.
struct Tick {
    /// The name of the function that the timer belongs to.
    name: String,
    is_late: bool,
    done: oneshot::Sender<()>,
}

impl Answers for CustomHandler {
    async fn answer(&self, request: http::Request<Incoming>) -> Reply {
        match (request.method(), request.uri().path()) {
            // "Are you there?" Any answer says yes.
            (_, "/") => Reply::json(StatusCode::OK, &serde_json::json!({ "live": true })),
            (_, path) if path.starts_with("/api/") => self.forwarded(request).await,
            (&Method::POST, _) => self.enveloped(request).await,
            _ => Reply::unknown_path(),
        }
    }
}

impl CustomHandler {
    /// A request that the host sends on as it came.
    async fn forwarded(&self, request: http::Request<Incoming>) -> Reply {
        let Some(intake) = self.function.webhook() else {
            return Reply::unknown_path();
        };
        if lost_its_body(&request) {
            tracing::error!(
                hint = "set `enableProxyingHttpRequest` in host.json in place of `enableForwardingHttpRequest`",
                "the Functions host took the body of a chunked request away"
            );
            return Reply::body_lost();
        }
        http_server::webhook(intake, request).await
    }

    /// A trigger in an envelope.
    async fn enveloped(&self, request: http::Request<Incoming>) -> Reply {
        let name = request.uri().path().trim_start_matches('/').to_owned();
        let body = match http_server::whole(request.into_body(), ENVELOPE_BYTES_MAX).await {
            Ok(body) => body.bytes,
            Err(reply) => return reply,
        };
        let envelope = match Envelope::read(&body) {
            Ok(envelope) => envelope,
            Err(reason) => {
                tracing::error!(
                    function = name,
                    reason,
                    hint = HINT,
                    "an envelope of the Functions host that is not understood"
                );
                return Reply::bad_request();
            }
        };
        match (envelope.trigger(), self.function.webhook()) {
            (Some(Trigger::Timer { is_late }), _) => {
                self.tick(name, is_late).await;
                envelope::done()
            }
            (Some(Trigger::Http(call)), Some(intake)) => {
                envelope::answered(&answer(intake, *call).await)
            }
            (Some(Trigger::Http(_)), None) => envelope::answered(&Reply::unknown_path()),
            (None, _) => {
                tracing::error!(
                    function = name,
                    hint = HINT,
                    "a request in an envelope that is not understood"
                );
                envelope::answered(&Reply::panicked())
            }
        }
    }

    async fn tick(&self, name: String, is_late: bool) {
        let (done, ended) = oneshot::channel();
        let tick = Tick {
            name,
            is_late,
            done,
        };
        // Both fail only when the process is about to end; the next tick finds what is pending.
        if self.ticks.send(tick).await.is_ok() {
            let _ = ended.await;
        }
    }
}

/// The webhook, for a request in an envelope.
async fn answer(intake: &dyn TakesAlerts, call: envelope::Call) -> Reply {
    let accepted = match intake.open(call.head()).await {
        Opened::Answer(reply) => return reply,
        Opened::Body(accepted) => accepted,
    };
    intake
        .take_within(*accepted, call.body, ANSWER_WITHIN)
        .await
}

/// With `enableForwardingHttpRequest` the host copies a body only if it has a length: of a chunked one nothing arrives
/// (azure-platform §5.2).
fn lost_its_body(request: &http::Request<Incoming>) -> bool {
    use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
    let headers = request.headers();
    request.method() == Method::POST
        && headers.contains_key("x-azure-functions-invocationid")
        && !headers.contains_key(TRANSFER_ENCODING)
        && headers
            .get(CONTENT_LENGTH)
            .is_none_or(|length| length.as_bytes() == b"0")
}
