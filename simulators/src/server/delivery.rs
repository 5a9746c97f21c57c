//! Bodies that arrive whole, late by the byte, or cut.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::connection::Dropped;

/// How long what was written before a cut has to leave.
const BEFORE_THE_CUT: Duration = Duration::from_millis(30);

/// The body of a reply: chunks, so that no length is promised, as ServiceNow does.
pub(super) type Sent =
    StreamBody<Pin<Box<dyn Stream<Item = Result<Frame<Bytes>, Dropped>> + Send>>>;

/// As it is.
pub(super) fn whole(response: Response<Bytes>) -> Response<Sent> {
    response.map(|body| {
        let frame = (!body.is_empty()).then(|| Ok(Frame::data(body)));
        boxed(stream::iter(frame))
    })
}

/// So many bytes, then the end of the connection.
pub(super) fn cut(response: Response<Bytes>, bytes: usize) -> Response<Sent> {
    let mut response = response.map(|body| {
        let head = body.slice(..bytes.min(body.len()));
        let rest = stream::once(async {
            // What is buffered leaves while the body is pending.
            pause(BEFORE_THE_CUT).await;
            Err(Dropped)
        });
        boxed(stream::iter([Ok(Frame::data(head))]).chain(rest))
    });
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

/// One byte per interval.
pub(super) fn drip(response: Response<Bytes>, interval: Duration) -> Response<Sent> {
    response.map(|body| {
        let bytes = stream::unfold(body, move |mut left| async move {
            if left.is_empty() {
                return None;
            }
            pause(interval).await;
            let one = left.split_to(1);
            Some((Ok(Frame::data(one)), left))
        });
        boxed(bytes)
    })
}

fn boxed(stream: impl Stream<Item = Result<Frame<Bytes>, Dropped>> + Send + 'static) -> Sent {
    StreamBody::new(Box::pin(stream))
}

/// Waits by the real clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a simulator's socket owns its own waiting"
)]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
