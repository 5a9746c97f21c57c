//! A Lambda runtime API that takes nothing but what is documented: the custom runtime's side of
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Longest wait for a runtime to ask for something.
const ASKS_WITHIN: Duration = Duration::from_secs(10);

/// What an invocation may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// The function's name towards itself.
const ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:create-work-item";

/// What a runtime asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// The next invocation.
    Next,
    /// To take the answer to an invocation.
    Response { id: String, body: Vec<u8> },
    /// To take that an invocation failed.
    Error { id: String, body: Vec<u8> },
    /// To take that it cannot begin.
    InitError { body: Vec<u8> },
}

impl Ask {
    fn read(method: &str, path: &str, body: Vec<u8>) -> Result<Self, String> {
        let refused = || format!("the runtime API has no {method} {path}");
        let rest = path
            .strip_prefix("/2018-06-01/runtime/")
            .ok_or_else(refused)?;
        let segments: Vec<&str> = rest.split('/').collect();
        match (method, segments.as_slice()) {
            ("GET", ["invocation", "next"]) if body.is_empty() => Ok(Self::Next),
            ("POST", ["invocation", id, "response"]) => Ok(Self::Response {
                id: (*id).to_owned(),
                body,
            }),
            ("POST", ["invocation", id, "error"]) => Ok(Self::Error {
                id: (*id).to_owned(),
                body,
            }),
            ("POST", ["init", "error"]) => Ok(Self::InitError { body }),
            _ => Err(refused()),
        }
    }
}

/// One request of a runtime, which waits for its reply.
#[derive(Debug)]
pub(super) struct Call {
    /// When all of it was here.
    pub(super) at: Instant,
    pub(super) ask: Ask,
    reply: tokio::sync::oneshot::Sender<Vec<u8>>,
}

impl Call {
    /// Answers a `Next` with an invocation.
    pub(super) fn invoke(self, id: &str, event: &str) -> Result<(), String> {
        let deadline = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_add(DEADLINE)
            .as_millis();
        self.answer(invocation(id, deadline, event))
    }

    /// Answers everything else.
    pub(super) fn accept(self) -> Result<(), String> {
        let body = "{\"status\":\"OK\"}";
        self.answer(
            format!(
                "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    }

    fn answer(self, reply: Vec<u8>) -> Result<(), String> {
        self.reply
            .send(reply)
            .map_err(|_| "the runtime went away".to_owned())
    }
}

/// The runtime API of one function instance.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    listener: TcpListener,
    connections: JoinSet<()>,
    ours: mpsc::Sender<Result<Call, String>>,
    calls: mpsc::Receiver<Result<Call, String>>,
}

impl RuntimeApi {
    pub(super) async fn bind() -> Result<Self, String> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|error| error.to_string())?;
        let (ours, calls) = mpsc::channel(8);
        Ok(Self {
            listener,
            connections: JoinSet::new(),
            ours,
            calls,
        })
    }

    pub(super) fn address(&self) -> Result<SocketAddr, String> {
        self.listener
            .local_addr()
            .map_err(|error| error.to_string())
    }

    /// What a platform tells a function.
    pub(super) fn environment(&self) -> Result<Vec<(String, String)>, String> {
        Ok([
            ("AWS_LAMBDA_RUNTIME_API", self.address()?.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "create-work-item".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "figures".to_owned()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "figures".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec())
    }

    /// The next request of the function.
    pub(super) async fn call(&mut self) -> Result<Call, String> {
        let waiting = async {
            loop {
                tokio::select! {
                    biased;
                    Some(call) = self.calls.recv() => return call,
                    Ok((stream, _)) = self.listener.accept() => {
                        self.connections.spawn(serve(stream, self.ours.clone()));
                    }
                }
            }
        };
        tokio::time::timeout(ASKS_WITHIN, waiting)
            .await
            .map_err(|_| "the function asks the runtime API for nothing".to_owned())?
    }
}

/// One connection of a runtime, until it ends or asks for what there is not.
async fn serve(stream: TcpStream, calls: mpsc::Sender<Result<Call, String>>) {
    let _ = stream.set_nodelay(true);
    let mut stream = BufStream::new(stream);
    while let Some(ask) = read(&mut stream).await {
        let at = Instant::now();
        let (reply, answered) = tokio::sync::oneshot::channel();
        let call = ask.map(|ask| Call { at, ask, reply });
        if calls.send(call).await.is_err() {
            return;
        }
        let Ok(answer) = answered.await else { return };
        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// One request; `None` at the end of the connection.
async fn read(stream: &mut BufStream<TcpStream>) -> Option<Result<Ask, String>> {
    let mut first = String::new();
    if stream.read_line(&mut first).await.ok()? == 0 {
        return None;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(("transfer-encoding", _)) => {
                return Some(Err(format!("a body without a length: {first}")));
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    Some(Ask::read(method, path, body))
}

fn invocation(id: &str, deadline_ms: u128, event: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\n\
         content-type: application/json\r\n\
         Lambda-Runtime-Aws-Request-Id: {id}\r\n\
         Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: {ARN}\r\n\
         Lambda-Runtime-Trace-Id: Root=1-65000000-000000000000000000000000;Parent=0000000000000000;Sampled=0\r\n\
         content-length: {}\r\n\r\n{event}",
        event.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_documented_is_taken() {
        let read = |method, path: &str| Ask::read(method, path, Vec::new());
        let base = "/2018-06-01/runtime";
        assert_eq!(
            read("GET", &format!("{base}/invocation/next")),
            Ok(Ask::Next)
        );
        assert_eq!(
            read("POST", &format!("{base}/invocation/7/response")),
            Ok(Ask::Response {
                id: "7".to_owned(),
                body: Vec::new()
            })
        );
        assert!(matches!(
            read("POST", &format!("{base}/init/error")),
            Ok(Ask::InitError { .. })
        ));
        for (method, path) in [
            ("POST", format!("{base}/invocation/next")),
            ("GET", format!("{base}/invocation/7/response")),
            ("GET", format!("{base}/invocation/next/")),
            ("GET", "/runtime/invocation/next".to_owned()),
        ] {
            assert!(read(method, &path).is_err(), "{method} {path}");
        }
        let with_a_body = Ask::read("GET", &format!("{base}/invocation/next"), vec![b'x']);
        assert!(with_a_body.is_err());
    }

    #[test]
    fn an_invocation_carries_the_four_headers_and_its_length() {
        let text = String::from_utf8(invocation("7", 12, "{\"a\":1}")).unwrap();
        for part in [
            "Lambda-Runtime-Aws-Request-Id: 7\r\n",
            "Lambda-Runtime-Deadline-Ms: 12\r\n",
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:",
            "Lambda-Runtime-Trace-Id: Root=",
            "content-length: 7\r\n\r\n{\"a\":1}",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
