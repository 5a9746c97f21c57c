//! The simulated ServiceNow instance, on a thread of its own, and what was last asked of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use simulators::journal::Kind;
use simulators::machine::{Answer, Machine};
use simulators::server::Server;
use simulators::servicenow::{Client as OAuthClient, Config, ServiceNow};

use super::alerts::CONNECTION;
use super::client::Request;

/// An instance that remembers the last record that it was asked to make.
struct Remembering {
    instance: ServiceNow,
    last_create: Option<http::Request<Bytes>>,
}

impl Machine for Remembering {
    fn answer(&mut self, request: http::Request<Bytes>, now_ms: i64) -> Answer {
        if request.method() == http::Method::POST && request.uri().path().contains("/table/") {
            self.last_create = Some(request.clone());
        }
        self.instance.answer(request, now_ms)
    }
}

/// The product.
pub(super) struct Product {
    machine: Arc<Mutex<Remembering>>,
    pub(super) address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Product {
    /// A fresh instance, served by a thread and a runtime of its own.
    pub(super) fn start() -> Result<Self, String> {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async move {
                let machine = Remembering {
                    instance: ServiceNow::new(Config::default()),
                    last_create: None,
                };
                let started = Server::start(machine, ([127, 0, 0, 1], 0).into(), None).await;
                if let Ok(server) = started
                    && tell.send((server.machine(), server.address())).is_ok()
                {
                    // Stopped, or whoever would stop it is gone: the same.
                    let _ = stopped.await;
                    server.stop().await;
                }
            });
        });
        let (machine, address) = told
            .recv()
            .map_err(|_| "the simulator does not start".to_owned())?;
        Ok(Self {
            machine,
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    fn locked<T>(&self, look: impl FnOnce(&mut Remembering) -> T) -> T {
        look(&mut self.machine.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The calls since the last [`Self::forget`]; tokens are not counted.
    pub(super) fn calls(&self) -> usize {
        self.locked(|machine| {
            let journal = machine.instance.journal();
            journal.count(Kind::Any) - journal.count(Kind::Token)
        })
    }

    /// Everything that was asked, tokens included.
    pub(super) fn asked(&self) -> usize {
        self.locked(|machine| machine.instance.journal().count(Kind::Any))
    }

    /// Forgets what was asked, so that counting begins again.
    pub(super) fn forget(&self) {
        self.locked(|machine| machine.instance.journal_mut().clear());
    }

    /// The definition of the connection, as the vault keeps it.
    pub(super) fn definition(&self) -> String {
        let client = OAuthClient::default();
        serde_json::json!({
            "name": CONNECTION,
            "partner_type": "servicenow",
            "server_url": format!("http://{}", self.address),
            "client_id": client.client_id,
            "client_secret": client.client_secret,
        })
        .to_string()
    }

    /// The last create as a client of ours can send it, for a new record: the same headers, the same fields, other keys.
    pub(super) fn same_create(&self, n: usize) -> Result<Request, String> {
        let last = self
            .locked(|machine| machine.last_create.clone())
            .ok_or("no record was made yet")?;
        let target = last
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let mut fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(last.body()).map_err(|error| error.to_string())?;
        fields.insert("sys_id".to_owned(), format!("{n:032x}").into());
        fields.insert("correlation_id".to_owned(), format!("azm-{n:026}").into());
        let own = [http::header::HOST, http::header::CONTENT_LENGTH];
        Ok(Request {
            line: format!("POST {target}"),
            headers: last
                .headers()
                .iter()
                .filter(|(name, _)| !own.contains(name))
                .filter_map(|(name, value)| {
                    Some((name.to_string(), value.to_str().ok()?.to_owned()))
                })
                .collect(),
            body: serde_json::to_vec(&fields).map_err(|error| error.to_string())?,
        })
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there was already told.
            let _ = thread.join();
        }
    }
}
