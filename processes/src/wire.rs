//! HTTP/1.1 by hand, for the two who may be rude: the sender, who goes away, and the proxy, which cuts.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request or a response: its first line and headers, and its body without any framing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Everything before the empty line.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Of a response.
    pub fn status(&self) -> u16 {
        let status = self.head.split(' ').nth(1);
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Of a request: method and target.
    pub fn line(&self) -> (&str, &str) {
        let mut words = self.head.split(' ');
        (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        )
    }

    /// The bytes of it, with a length and with what becomes of the connection.
    pub fn framed(&self, connection: &str) -> Vec<u8> {
        let own = ["content-length:", "transfer-encoding:", "connection:"];
        let mut bytes = Vec::with_capacity(self.head.len() + self.body.len() + 64);
        for line in self.head.lines() {
            let name = line.to_ascii_lowercase();
            if !own.iter().any(|own| name.starts_with(own)) {
                bytes.extend_from_slice(line.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
        }
        let length = self.body.len();
        bytes.extend_from_slice(
            format!("connection: {connection}\r\ncontent-length: {length}\r\n\r\n").as_bytes(),
        );
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Reads one message; `None` if the other side ends before it is whole. `rest` keeps what was read too much.
pub async fn read(stream: &mut (impl AsyncRead + Unpin), rest: &mut Vec<u8>) -> Option<Message> {
    let head_end = loop {
        match find(rest, b"\r\n\r\n") {
            Some(end) => break end,
            None => more(stream, rest).await?,
        }
    };
    let head = String::from_utf8_lossy(rest.get(..head_end)?).into_owned();
    rest.drain(..head_end + 4);
    let mut message = Message {
        head,
        body: Vec::new(),
    };
    if message.header("transfer-encoding").is_some() {
        loop {
            let size = line(stream, rest).await?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            message.body.extend(exactly(stream, rest, size).await?);
            line(stream, rest).await?;
            if size == 0 {
                return Some(message);
            }
        }
    }
    let length = message.header("content-length");
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    message.body = exactly(stream, rest, length).await?;
    Some(message)
}

async fn more(stream: &mut (impl AsyncRead + Unpin), rest: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(rest).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

async fn exactly(
    stream: &mut (impl AsyncRead + Unpin),
    rest: &mut Vec<u8>,
    length: usize,
) -> Option<Vec<u8>> {
    while rest.len() < length {
        more(stream, rest).await?;
    }
    Some(rest.drain(..length).collect())
}

async fn line(stream: &mut (impl AsyncRead + Unpin), rest: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = find(rest, b"\r\n") {
            let line = rest.drain(..end + 2).take(end).collect();
            return String::from_utf8(line).ok();
        }
        more(stream, rest).await?;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// What became of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// An answer.
    Answered(Message),
    /// Nobody listens there.
    Refused,
    /// The connection ended before the answer did.
    Broken,
    /// No answer in the time that the sender has.
    TooLate,
}

/// Sends one request over a connection of its own.
pub async fn exchange(address: SocketAddr, request: &Message, patience: Duration) -> Exchange {
    let exchange = async {
        let Ok(mut stream) = TcpStream::connect(address).await else {
            return Exchange::Refused;
        };
        if stream.write_all(&request.framed("close")).await.is_err() {
            return Exchange::Broken;
        }
        match read(&mut stream, &mut Vec::new()).await {
            Some(answer) => Exchange::Answered(answer),
            None => Exchange::Broken,
        }
    };
    let answered = tokio::time::timeout(patience, exchange).await;
    answered.unwrap_or(Exchange::TooLate)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reads(bytes: &[u8]) -> Vec<Message> {
        let (mut stream, mut rest, mut messages) = (bytes, Vec::new(), Vec::new());
        while let Some(message) = read(&mut stream, &mut rest).await {
            messages.push(message);
        }
        messages
    }

    #[tokio::test]
    async fn messages_are_read_one_after_the_other_with_and_without_chunks() {
        let bytes = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n";
        let read = reads(bytes).await;
        let bodies: Vec<&[u8]> = read.iter().map(|message| &*message.body).collect();
        assert_eq!(bodies, [&b"abc"[..], b"def", b""]);
        assert_eq!((read[0].line(), read[1].status()), (("POST", "/a"), 201));
    }

    #[tokio::test]
    async fn what_ends_too_early_is_no_message() {
        for bytes in [
            &b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab\r\n",
            b"HTTP/1.1 200",
        ] {
            assert_eq!(reads(bytes).await, []);
        }
    }

    #[test]
    fn framing_is_our_own() {
        let message = Message {
            head: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y".to_owned(),
            body: b"ab".to_vec(),
        };
        assert_eq!(
            String::from_utf8(message.framed("close")).unwrap(),
            "HTTP/1.1 200 OK\r\nX: y\r\nconnection: close\r\ncontent-length: 2\r\n\r\nab"
        );
    }
}
