//! Issuers beside ServiceNow's own, whose user has a password that can be looked for.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use simulators::cherwell::Cherwell;
use simulators::dataverse::Dataverse;
use simulators::entra::{App, Entra, Person};
use simulators::server::Server;

use crate::instance::{CLIENT_ID, PASSWORD, USER};

const DIRECTORY: &str = "22222222-aaaa-4000-8000-00000000000a";

/// How long the issuer takes to answer.
const SLOW: Duration = Duration::from_millis(700);

/// Servers in a thread of their own: the test's own thread waits for the command. The first is the instance.
pub(crate) struct Elsewhere {
    pub(crate) partner_type: &'static str,
    addresses: Vec<SocketAddr>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Elsewhere {
    pub(crate) fn cherwell() -> Self {
        Self::start("cherwell", async |told, stopped| {
            let mut machine = Cherwell::new(CLIENT_ID, USER, PASSWORD);
            machine.slow = Some(SLOW);
            let server = Server::start(machine, here(), None).await.unwrap();
            told.send(vec![server.address()]).unwrap();
            let _ = stopped.await;
            server.stop().await;
        })
    }

    pub(crate) fn provance() -> Self {
        Self::start("provance", async |told, stopped| {
            let mut entra = Entra::new(DIRECTORY).unwrap();
            entra.slow = Some(SLOW);
            entra.apps.push(App {
                client_id: CLIENT_ID.to_owned(),
                ..App::default()
            });
            entra.people.push(Person {
                name: USER.to_owned(),
                password: PASSWORD.to_owned(),
                ..Person::default()
            });
            let keys = entra.key_set();
            let entra = Server::start(entra, here(), None).await.unwrap();
            let environment = Dataverse {
                authority: format!("{}/{DIRECTORY}", entra.url()),
                keys,
                users: vec![USER.to_owned()],
                ..Dataverse::default()
            };
            let environment = Server::start(environment, here(), None).await.unwrap();
            environment.lock().resource = environment.url();
            entra.lock().resources.push(environment.url());
            told.send(vec![environment.address(), entra.address()])
                .unwrap();
            let _ = stopped.await;
            environment.stop().await;
            entra.stop().await;
        })
    }

    fn start(
        partner_type: &'static str,
        serve: impl AsyncFnOnce(mpsc::Sender<Vec<SocketAddr>>, tokio::sync::oneshot::Receiver<()>)
        + Send
        + 'static,
    ) -> Self {
        let (told, addresses) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(serve(told, stopped));
        });
        Self {
            partner_type,
            addresses: addresses.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addresses[0])
    }

    /// What lets the command call them: `ITSMC_ALLOW_HOSTS`.
    pub(crate) fn hosts(&self) -> String {
        let hosts: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        hosts.join(",")
    }

    /// The Entra tenant that gives the tokens, where one does.
    pub(crate) fn authority(&self) -> Option<String> {
        let entra = self.addresses.get(1)?;
        Some(format!("http://{entra}/{DIRECTORY}"))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn here() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
