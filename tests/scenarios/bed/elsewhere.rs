//! Issuers beside ServiceNow's own: Cherwell's, and Entra's with the Dataverse environment that it gives tokens for.

use simulators::cherwell::Cherwell;
use simulators::dataverse::Dataverse;
use simulators::entra::{App, Entra, Person};
use simulators::server::{Server, now_ms};

use super::{Builder, LOOPBACK, TestBed};

pub(crate) const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const SECRET: &str = "canary-app-secret-5510";
pub(crate) const USER: &str = "svc-monitor@contoso.example";
pub(crate) const PASSWORD: &str = "canary password-90aa";
const TENANT: &str = "22222222-aaaa-4000-8000-00000000000a";

/// Issuers whose refresh tokens are replaced when they are used.
pub(crate) enum Elsewhere {
    Cherwell(Server<Cherwell>),
    Provance(Server<Entra>, Server<Dataverse>),
}

impl Elsewhere {
    pub(crate) async fn cherwell() -> Self {
        let machine = Cherwell::new(CLIENT, USER, PASSWORD);
        Self::Cherwell(Server::start(machine, LOOPBACK, None).await.unwrap())
    }

    pub(crate) async fn provance() -> Self {
        let mut entra = Entra::new(TENANT).unwrap();
        entra.apps.push(App {
            client_id: CLIENT.to_owned(),
            ..App::default()
        });
        entra.people.push(Person {
            name: USER.to_owned(),
            password: PASSWORD.to_owned(),
            ..Person::default()
        });
        let keys = entra.key_set();
        let entra = Server::start(entra, LOOPBACK, None).await.unwrap();
        let environment = Dataverse {
            authority: format!("{}/{TENANT}", entra.url()),
            keys,
            users: vec![USER.to_owned(), CLIENT.to_owned()],
            ..Dataverse::default()
        };
        let environment = Server::start(environment, LOOPBACK, None).await.unwrap();
        environment.lock().resource = environment.url();
        entra.lock().resources.push(environment.url());
        Self::Provance(entra, environment)
    }

    /// Each of them.
    pub(crate) async fn all() -> [Self; 2] {
        [Self::cherwell().await, Self::provance().await]
    }

    pub(crate) fn entra(&self) -> &Server<Entra> {
        match self {
            Self::Provance(entra, _) => entra,
            Self::Cherwell(_) => panic!("Cherwell gives its own tokens"),
        }
    }

    pub(crate) fn dataverse(&self) -> &Server<Dataverse> {
        match self {
            Self::Provance(_, environment) => environment,
            Self::Cherwell(_) => panic!("Cherwell has no environment"),
        }
    }

    /// A bed whose connection is to it, without a user.
    pub(crate) fn connected(&self) -> Builder {
        let builder = TestBed::with_servicenow(Default::default()).defined("client_id", CLIENT);
        match self {
            Self::Cherwell(server) => builder
                .defined("partner_type", "cherwell")
                .without("client_secret")
                .elsewhere(&[server.address()]),
            Self::Provance(entra, environment) => builder
                .defined("partner_type", "provance")
                .without("client_secret")
                .elsewhere(&[environment.address(), entra.address()]),
        }
    }

    /// A bed whose connection is to it, by a user's login.
    pub(crate) fn by_login(&self) -> Builder {
        self.connected().defined("username", USER)
    }

    /// How many tokens were given.
    pub(crate) fn given(&self) -> u32 {
        match self {
            Self::Cherwell(server) => server.lock().given,
            Self::Provance(entra, _) => entra.lock().given,
        }
    }

    /// How often a refresh token came that had been used before.
    pub(crate) fn reused(&self) -> u32 {
        match self {
            Self::Cherwell(server) => server.lock().reused,
            Self::Provance(entra, _) => entra.lock().reused,
        }
    }

    /// True if this refresh token would be taken.
    pub(crate) fn takes(&self, refresh: &str) -> bool {
        match self {
            Self::Cherwell(server) => server.lock().takes(refresh, now_ms()),
            Self::Provance(entra, _) => entra.lock().takes(refresh, now_ms()),
        }
    }

    /// Ends what was given to people, as an administrator may.
    pub(crate) fn ends_all(&self) {
        match self {
            Self::Cherwell(server) => server.lock().end_sessions(),
            Self::Provance(entra, _) => entra.lock().end_refresh(),
        }
    }
}
