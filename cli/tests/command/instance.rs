//! A ServiceNow instance whose user has a password that can be looked for.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use simulators::fault::{Fault, FaultRule};
use simulators::journal::Kind;
use simulators::server::Server;
use simulators::servicenow::{Config, ServiceNow, User};

/// The integration user, and the password that must be nowhere.
pub(crate) const USER: &str = "svc-alerts";
pub(crate) const PASSWORD: &str = "canary+pass/word=8c1f&%\"\\";

/// The client's secret: it may stand in the vault, and nowhere else.
pub(crate) const CLIENT_ID: &str = "client-of-the-test";
pub(crate) const CLIENT_SECRET: &str = "canary-client-secret-77aa";

/// An instance in a thread of its own: the test's own thread waits for the command.
pub(crate) struct Instance {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Instance {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// One whose issuer takes so long to answer.
    pub(crate) fn slow(by: Duration) -> Self {
        Self::start_with(move |machine| {
            let slow = Fault::Slow { by };
            machine
                .faults_mut()
                .add(FaultRule::always(Kind::Token, slow));
        })
    }

    fn start_with(prepare: impl FnOnce(&mut ServiceNow) + Send + 'static) -> Self {
        let (told, address) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listen = SocketAddr::from(([127, 0, 0, 1], 0));
                let mut machine = ServiceNow::new(config());
                prepare(&mut machine);
                let server = Server::start(machine, listen, None).await.unwrap();
                told.send(server.address()).unwrap();
                let _ = stopped.await;
                server.stop().await;
            });
        });
        Self {
            address: address.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What lets the command call it: `ITSMC_ALLOW_HOSTS`.
    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.clients[0].client_id = CLIENT_ID.to_owned();
    config.clients[0].client_secret = CLIENT_SECRET.to_owned();
    config.users.push(User {
        name: USER.to_owned(),
        password: PASSWORD.to_owned(),
        display_name: "Alerts Service".to_owned(),
        roles: vec!["itil".to_owned()],
        ..User::default()
    });
    config
}
