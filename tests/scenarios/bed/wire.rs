//! A sender's side of HTTP/1.1, by hand: it can be as rude as it wants.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No answer of the connector takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    fn is_whole(bytes: &[u8]) -> bool {
        Self::read(bytes).is_some_and(|answer| {
            let length = answer.header("content-length");
            length.is_some_and(|length| length.parse() == Ok(answer.body.len()))
        })
    }
}

/// A request with a body and its length.
pub(crate) fn request(method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: connector\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Sends bytes and reads one answer, from the first byte on: a server may answer before it has read everything.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    exchange_slowly(address, bytes, &[], Duration::ZERO).await
}

/// The same, and then one more byte per interval until the answer comes.
pub(crate) async fn exchange_slowly(
    address: SocketAddr,
    at_once: &[u8],
    slowly: &[u8],
    interval: Duration,
) -> Option<Answer> {
    let (mut read, mut write) = TcpStream::connect(address).await.ok()?.into_split();
    let writing = async {
        // The server may hang up in the middle; what it answered is what counts.
        let mut sent = write.write_all(at_once).await;
        for byte in slowly {
            pause(interval).await;
            if sent.is_ok() {
                sent = write.write_all(&[*byte]).await;
            }
        }
        std::future::pending::<()>().await
    };
    let reading = async {
        let mut bytes = Vec::new();
        while !Answer::is_whole(&bytes) {
            match read.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        Answer::read(&bytes)
    };
    let exchange = async {
        tokio::select! { biased; answer = reading => answer, () = writing => None }
    };
    tokio::time::timeout(PATIENCE, exchange).await.ok()?
}

/// Sends bytes, says that no more will come, and waits until the server has taken note of it.
pub(crate) async fn send_and_hang_up(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    // Whatever it answers is for nobody.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
}

/// Waits by the real clock: for a sender between two bytes, and for what another process does.
#[expect(clippy::disallowed_methods, reason = "the bed owns the sender")]
pub(crate) async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}
