//! The sender: one connection that is kept open, one request at a time, nothing in between that would cost time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

/// An answer, and how long it took from the first byte sent to the last byte read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) took: Duration,
}

/// A request that is sent as it is.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// `POST /path?query`.
    pub(super) line: String,
    /// Headers, without the body's own.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// JSON to a path.
    pub(super) fn json(path: &str, body: Vec<u8>) -> Self {
        Self {
            line: format!("POST {path}"),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body,
        }
    }

    fn bytes(&self, host: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} HTTP/1.1\r\nhost: {host}\r\n", self.line);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: BufStream<TcpStream>,
    host: SocketAddr,
}

impl Client {
    pub(super) async fn connect(host: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(host)
            .await
            .map_err(|error| format!("connect to {host}: {error}"))?;
        stream
            .set_nodelay(true)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            stream: BufStream::new(stream),
            host,
        })
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn send(&mut self, request: &Request) -> Result<Answer, String> {
        let bytes = request.bytes(self.host);
        let started = Instant::now();
        let (status, body) = self
            .exchange(&bytes)
            .await
            .map_err(|error| format!("{} to {}: {error}", request.line, self.host))?;
        Ok(Answer {
            status,
            body,
            took: started.elapsed(),
        })
    }

    /// Sends it, and wants a 2xx.
    pub(super) async fn send_well(&mut self, request: &Request) -> Result<Answer, String> {
        let answer = self.send(request).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(format!(
            "{}: {} {}",
            request.line,
            answer.status,
            String::from_utf8_lossy(&answer.body)
        ))
    }

    async fn exchange(&mut self, request: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let status = self
            .line()
            .await?
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| std::io::Error::other("no status line"))?;
        let mut length = Some(0);
        loop {
            let line = self.line().await?.to_ascii_lowercase();
            match line.split_once(':') {
                None => break,
                Some(("content-length", value)) => length = value.trim().parse().ok(),
                Some(("transfer-encoding", _)) => length = None,
                Some(_) => {}
            }
        }
        let mut body = Vec::new();
        match length {
            Some(length) => self.part(length, &mut body).await?,
            None => loop {
                let size = usize::from_str_radix(&self.line().await?, 16)
                    .map_err(std::io::Error::other)?;
                self.part(size, &mut body).await?;
                self.line().await?;
                if size == 0 {
                    break;
                }
            },
        }
        Ok((status, body))
    }

    /// A line without its end.
    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }

    async fn part(&mut self, size: usize, body: &mut Vec<u8>) -> std::io::Result<()> {
        let from = body.len();
        body.resize(from + size, 0);
        self.stream
            .read_exact(body.get_mut(from..).unwrap_or_default())
            .await?;
        Ok(())
    }
}
