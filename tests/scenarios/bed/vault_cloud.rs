//! A key vault behind a socket, with all that gives tokens for it, and our own client of it over TLS. What is secret on the
//! way is noted, so that a story can look for it elsewhere.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::adapters::key_vault::KeyVault;
use itsm_connector::domain::egress::{Authorities, Egress, Networks};
use itsm_connector::domain::key_vault::{App, AwsRole, Identity, KeyVaultUrl};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::server_url::ServerUrl;
use itsm_connector::ports::{Transport, TransportFailure};
use serde_json::Value;
use simulators::fault::{Fault, FaultBody, FaultRule};
use simulators::journal::Kind;
use simulators::jwt::SigningKey;
use simulators::key_vault::{Config, KeyVaultCloud};
use simulators::server::{Server, Tls, now_ms};

use super::{CONNECTION, LOOPBACK};

/// The cloud of a story.
pub(crate) struct VaultCloud {
    server: Server<KeyVaultCloud>,
    config: Config,
    way: Arc<Way>,
    url: KeyVaultUrl,
}

/// The shipped transport, which trusts the cloud's own authority.
struct Way {
    inner: HttpTransport,
    egress: Arc<Egress>,
    secrets: Mutex<BTreeSet<(&'static str, String)>>,
}

impl Way {
    fn saw(&self, what: &'static str, secret: &str) {
        self.secrets
            .lock()
            .unwrap()
            .insert((what, secret.to_owned()));
    }

    fn note(&self, headers: &http::HeaderMap, body: &[u8], answer: &[u8]) {
        let header = headers.get(http::header::AUTHORIZATION);
        let bearer = header.and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "));
        if let Some(token) = bearer {
            self.saw("token for the vault", token);
        }
        for (name, value) in url::form_urlencoded::parse(body) {
            if name == "client_assertion" {
                self.saw("assertion", &value);
            }
        }
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        if let Some(token) = answer["access_token"].as_str() {
            self.saw("token for the vault", token);
        }
    }
}

#[async_trait]
impl Transport for Way {
    async fn send(
        &self,
        mut request: http::Request<Bytes>,
        within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        request.extensions_mut().insert(Arc::clone(&self.egress));
        let (headers, body) = (request.headers().clone(), request.body().clone());
        let answer = self.inner.send(request, within).await;
        let said = answer.as_ref().map(|answer| answer.body().clone());
        self.note(&headers, &body, &said.unwrap_or_default());
        answer
    }
}

/// Making keys takes longer than most stories.
fn keys() -> [SigningKey; 2] {
    static KEYS: OnceLock<[SigningKey; 2]> = OnceLock::new();
    let key = |name: &str| SigningKey::generate(name.to_owned()).unwrap();
    KEYS.get_or_init(|| [key("entra-1"), key("sts-1")]).clone()
}

impl VaultCloud {
    pub(crate) async fn start(config: Config) -> Self {
        let machine = KeyVaultCloud::with_keys(&config, keys());
        let tls = Tls::throw_away(&[]).unwrap();
        let authorities = Authorities::parse(tls.ca_pem()).unwrap();
        let server = Server::start(machine, LOOPBACK, Some(tls)).await.unwrap();
        let allowed = AllowedHosts::default().with(&server.address().to_string());
        let networks = Networks::default();
        let at = ServerUrl::parse(&server.url(), &[], &networks, &allowed).unwrap();
        let way = Way {
            egress: Arc::new(Egress::to(&at, networks, authorities)),
            secrets: Mutex::default(),
            inner: HttpTransport::new(allowed.clone()),
        };
        Self {
            url: KeyVaultUrl::parse(&server.url(), &allowed).unwrap(),
            server,
            config,
            way: Arc::new(way),
        }
    }

    /// The vault and who gives tokens, to look at or to change now. Not to be held over an await.
    pub(crate) fn inside(&self) -> MutexGuard<'_, KeyVaultCloud> {
        self.server.lock()
    }

    /// Our client, as an identity.
    pub(crate) fn asked_as(&self, identity: Identity) -> Arc<KeyVault> {
        let way: Arc<dyn Transport> = Arc::<Way>::clone(&self.way);
        let clock = Arc::new(SystemClock::default());
        Arc::new(KeyVault::new(self.url.clone(), identity, way, clock))
    }

    fn app(&self) -> App {
        App {
            tenant_id: self.config.tenant.clone(),
            client_id: self.config.app.client_id.clone(),
            authority: self.server.url().parse().unwrap(),
        }
    }

    pub(crate) fn app_with_secret(&self) -> Identity {
        let secret = self.config.app.secret.clone().unwrap_or_default();
        Identity::ClientSecret {
            app: self.app(),
            secret: Secret::new(secret),
        }
    }

    pub(crate) fn aws_role(&self) -> Identity {
        let (key_id, secret_key, session_token) = self.config.aws_key.clone();
        Identity::Aws {
            app: self.app(),
            role: AwsRole {
                key_id,
                secret_key: Secret::new(secret_key),
                session_token: Some(Secret::new(session_token)),
                region: self.config.region.clone(),
                sts: self.server.url().parse().unwrap(),
            },
        }
    }

    pub(crate) fn workload(&self, token_file: PathBuf) -> Identity {
        let app = self.app();
        Identity::Workload { app, token_file }
    }

    /// What was secret on the way so far, with what it is.
    pub(crate) fn secrets(&self) -> BTreeSet<(&'static str, String)> {
        self.way.secrets.lock().unwrap().clone()
    }

    /// From now on every call of the vault ends so.
    pub(crate) fn always(&self, fault: Fault) {
        self.inside()
            .vault
            .faults
            .add(FaultRule::always(Kind::Any, fault));
    }

    /// From now on every call of the vault is answered so.
    pub(crate) fn says(&self, code: u16, retry_after: Option<&str>) {
        self.always(Fault::Status {
            code,
            retry_after: retry_after.map(str::to_owned),
            rate_headers: false,
            body: FaultBody::Json,
        });
    }

    pub(crate) fn heals(&self) {
        self.inside().vault.faults.clear();
    }

    /// What a person does with the definition in the portal.
    pub(crate) fn edit(&self, attribute: &str, value: impl Into<Value>) {
        let name = format!("itsm-connection-{CONNECTION}");
        let (value, now) = (value.into(), now_ms());
        assert!(self.inside().vault.edit(&name, attribute, &value, now));
    }

    /// How often the definition was asked for since the last time that this was asked; a challenge is no answer and not counted.
    pub(crate) fn reads(&self) -> usize {
        let name = format!("itsm-connection-{CONNECTION}");
        let mut inside = self.inside();
        let read = inside.vault.journal.of(Kind::Read);
        let read = read.filter(|entry| entry.sys_id.as_deref() == Some(name.as_str()));
        let count = read.filter(|entry| entry.status != 401).count();
        inside.vault.journal.clear();
        count
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}
