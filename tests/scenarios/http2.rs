//! Senders of HTTP/2, with prior knowledge, as the desk takes them: an alert, and how not to behave (row W37). Frames are
//! written by hand (RFC 9113), so that a client's own limits are not what is tested.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bed::{Alert, TestBed};

const PATIENCE: Duration = Duration::from_secs(20);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Headers of a delivery, without compression (RFC 7541 §6.2.2): short texts alone.
fn headers(more: usize) -> Vec<u8> {
    let mut block = vec![0x83, 0x86]; // POST, http
    let mut literal = |name: &[u8], value: &[u8]| {
        block.extend(name);
        block.push(u8::try_from(value.len()).unwrap());
        block.extend(value);
    };
    literal(&[0x04], b"/api/create-work-item/contoso");
    literal(&[0x01], b"connector");
    literal(&[0x0f, 0x10], b"application/json");
    for _ in 0..more {
        literal(&[0x00, 1, b'x'], b"y");
    }
    block
}

struct Sender(TcpStream);

impl Sender {
    async fn greets(bed: &TestBed) -> Self {
        let mut stream = TcpStream::connect(bed.address()).await.unwrap();
        let greeting = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
        stream.write_all(&greeting).await.unwrap();
        Self(stream)
    }

    async fn sends(&mut self, bytes: &[u8]) {
        // The other side may have hung up.
        let _ = self.0.write_all(bytes).await;
    }

    /// The next frame: kind, stream, payload. `None` once the connection has ended.
    async fn hears(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        let heard = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut head));
        heard.await.expect("something is heard in time").ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], stream, payload))
    }

    /// The answer on a stream: the first byte of its headers, which is its status where it is a usual one, and its body.
    async fn answer(&mut self, on: u32) -> (u8, String) {
        let (mut status, mut body) = (0, Vec::new());
        while let Some((kind, stream, payload)) = self.hears().await {
            match kind {
                HEADERS if stream == on => status = payload[0],
                DATA if stream == on => body.extend(payload),
                _ => {}
            }
            if status != 0 && body.ends_with(b"}") {
                break;
            }
        }
        (status, String::from_utf8(body).unwrap())
    }
}

#[tokio::test]
async fn an_alert_comes_by_http_2_and_its_duplicate_on_the_same_connection() {
    let bed = TestBed::usual().await;
    let alert = Alert::captured("metric_fired").text();
    let mut sender = Sender::greets(&bed).await;
    for (stream, outcome) in [(1, "created"), (3, "duplicate")] {
        sender
            .sends(&frame(HEADERS, END_HEADERS, stream, &headers(0)))
            .await;
        sender
            .sends(&frame(DATA, END_STREAM, stream, alert.as_bytes()))
            .await;
        let (status, body) = sender.answer(stream).await;
        assert_eq!(
            status, 0x88,
            "200 in one byte (RFC 7541, appendix A): {body}"
        );
        assert!(body.contains(outcome), "{body}");
    }
    bed.servicenow().created(1);
    drop(sender);
    bed.end().await;
}

#[tokio::test]
async fn w35_many_headers_by_http_2_are_refused_too() {
    let bed = TestBed::usual().await;
    let mut sender = Sender::greets(&bed).await;
    let flags = END_HEADERS | END_STREAM;
    sender.sends(&frame(HEADERS, flags, 1, &headers(150))).await;
    let (status, body) = sender.answer(1).await;
    assert_ne!(status, 0x88);
    assert!(body.contains("\"status\":431"), "{body}");
    drop(sender);
    bed.end().await;
}

/// CVE-2023-44487: requests that are taken back at once, as many as the line takes.
#[tokio::test]
async fn w37_a_rapid_reset_ends_its_connection_and_nobody_elses() {
    let bed = TestBed::usual().await;
    let mut sender = Sender::greets(&bed).await;
    let mut flood = Vec::new();
    for n in 0..20_000 {
        let stream = 2 * n + 1;
        flood.extend(frame(HEADERS, END_HEADERS, stream, &headers(0)));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    sender.sends(&flood).await;
    let mut reason = None;
    while let Some((kind, _, payload)) = sender.hears().await {
        if kind == GOAWAY {
            reason = payload[4..8].try_into().map(u32::from_be_bytes).ok();
        }
    }
    assert!(
        matches!(reason, None | Some(ENHANCE_YOUR_CALM)),
        "it is asked to be calm, if it still hears it: {reason:?}"
    );
    let good = bed.deliver(Alert::captured("metric_fired")).await;
    assert_eq!(good.outcome, "created");
    bed.end().await;
}
