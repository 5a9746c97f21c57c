//! Servers that speak Azure Blob and S3, as `tests/witnesses/state-stores/run` starts them, and what can go wrong between
//! us and them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use itsm_connector::adapters::entropy::OsEntropy;
use itsm_connector::adapters::state_store::Opening;
use itsm_connector::domain::secret::Secret;
use itsm_connector::ports::Entropy as _;
use object_store::ObjectStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::state_store::Twice;

/// Which servers there are: `azurite=HOST:PORT moto=HOST:PORT …`.
const SERVERS: &str = "ITSMC_TEST_STORES";

/// All that the witness starts.
pub(crate) const CLOUDS: [&str; 3] = ["azurite", "moto", "ministack"];

/// What the witness has made on each.
const CONTAINER: &str = "itsm-state";

/// The emulator's account and key, which are in its documentation.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server, and a folder on it that nobody else uses.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    name: &'static str,
    address: SocketAddr,
    prefix: String,
}

impl Cloud {
    /// `None`, and a word on it, if there is no such server here.
    #[expect(
        clippy::disallowed_methods,
        clippy::print_stdout,
        reason = "the tests' own setting, which servers there are, and what is skipped without them"
    )]
    pub(crate) fn of(name: &'static str) -> Option<Self> {
        let servers = std::env::var(SERVERS).unwrap_or_default();
        let found = servers
            .split_whitespace()
            .find_map(|server| server.split_once('=').filter(|(known, _)| *known == name));
        let Some((_, address)) = found else {
            println!("skipped: no {name} in {SERVERS}; tests/witnesses/state-stores/run starts it");
            return None;
        };
        Some(Self {
            name,
            address: address.parse().unwrap(),
            prefix: format!("test/{:016x}", OsEntropy.dice()),
        })
    }

    /// The same, and what is between us and it.
    pub(crate) async fn behind_a_proxy(self) -> (Self, Proxy) {
        let proxy = Proxy::start(self.address).await;
        let address = proxy.address;
        (Self { address, ..self }, proxy)
    }

    /// As a function opens it.
    pub(crate) fn open(&self) -> Arc<dyn ObjectStore> {
        let address = self.address;
        let options: Vec<(&'static str, Secret)> = if self.name == "azurite" {
            vec![
                ("AZURE_STORAGE_ACCOUNT_NAME", Secret::from(AZURITE_ACCOUNT)),
                ("AZURE_STORAGE_ACCOUNT_KEY", Secret::from(AZURITE_KEY)),
                (
                    "AZURE_STORAGE_ENDPOINT",
                    Secret::new(format!("http://{address}/{AZURITE_ACCOUNT}")),
                ),
            ]
        } else {
            vec![
                ("AWS_ACCESS_KEY_ID", Secret::from("test")),
                ("AWS_SECRET_ACCESS_KEY", Secret::from("test")),
                ("AWS_REGION", Secret::from("us-east-1")),
                (
                    "AWS_ENDPOINT_URL_S3",
                    Secret::new(format!("http://{address}")),
                ),
            ]
        };
        let opening = Opening {
            location: self.name.to_owned(),
            container: CONTAINER,
            prefix: &self.prefix,
            options: &options,
        };
        match self.name {
            "azurite" => opening.azure(),
            _ => opening.s3(),
        }
        .unwrap()
    }

    /// Opened twice, as by two processes.
    pub(crate) fn twice(&self) -> Twice {
        (self.open(), self.open())
    }
}

/// What a proxy does to what goes through it.
#[derive(Debug, Default)]
struct Mischief {
    /// Answers to writes that are yet to be lost, with the connection.
    lose: AtomicUsize,
    /// Whether the condition of a create is taken away on its way, as by a server that does not know it.
    strip: AtomicBool,
    /// Requests that were seen.
    requests: AtomicUsize,
}

/// Between us and a server.
pub(crate) struct Proxy {
    address: SocketAddr,
    mischief: Arc<Mischief>,
    serving: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Proxy {
    #[expect(
        clippy::disallowed_methods,
        reason = "a server of the tests spawns its connections"
    )]
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mischief = Arc::<Mischief>::default();
        let of_serving = Arc::clone(&mischief);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mischief = Arc::clone(&of_serving);
                tokio::spawn(async move {
                    let _ = between(client, server, &mischief).await;
                });
            }
        });
        Self {
            address,
            mischief,
            serving,
        }
    }

    /// The answers to the next so many writes are lost, after the server has written.
    pub(crate) fn loses_answers(&self, count: usize) {
        self.mischief.lose.store(count, Ordering::SeqCst);
    }

    /// From now on the server does not know conditions.
    pub(crate) fn takes_conditions_away(&self) {
        self.mischief.strip.store(true, Ordering::SeqCst);
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.mischief.requests.load(Ordering::SeqCst)
    }
}

/// Each request and each answer begins a read: the clients here wait for an answer before they ask again.
async fn between(
    mut client: TcpStream,
    server: SocketAddr,
    mischief: &Mischief,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut asked, mut told) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_write = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let bytes = &mut asked[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                if [&b"PUT "[..], b"GET ", b"POST ", b"HEAD ", b"DELETE "].iter().any(|method| bytes.starts_with(method)) {
                    mischief.requests.fetch_add(1, Ordering::SeqCst);
                    is_write = bytes.starts_with(b"PUT ");
                }
                if mischief.strip.load(Ordering::SeqCst) {
                    take_away(bytes);
                }
                server.write_all(bytes).await?;
            }
            read = server.read(&mut told) => {
                let bytes = &told[..read?];
                let is_lost = is_write && mischief.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                if bytes.is_empty() || is_lost {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}

/// Gives the header another name of the same length.
fn take_away(request: &mut [u8]) {
    const CONDITION: &[u8] = b"if-none-match";
    let found = request
        .windows(CONDITION.len())
        .position(|window| window.eq_ignore_ascii_case(CONDITION));
    if let Some(at) = found {
        request[at..at + CONDITION.len()].copy_from_slice(b"x-none-known-");
    }
}
