//! The simulated key vault in this process: the real client and the real wire, without sockets.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::key_vault::KeyVault;
use itsm_connector::domain::key_vault::{App, Identity, KeyVaultUrl};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::ports::{Transport, TransportFailure, TransportTrouble};
use simulators::jwt::SigningKey;
use simulators::key_vault::{Config, KeyVaultCloud};
use simulators::machine::{Delivery, Machine as _};
use simulators::server::now_ms;

/// A fresh cloud. Its keys are the same each time: making them takes longer than the test.
fn cloud() -> KeyVaultCloud {
    static KEYS: OnceLock<[SigningKey; 2]> = OnceLock::new();
    let key = |name: &str| SigningKey::generate(name.to_owned()).unwrap();
    let keys = KEYS.get_or_init(|| [key("entra-1"), key("sts-1")]);
    KeyVaultCloud::with_keys(&Config::default(), keys.clone())
}

/// The way to it.
pub(crate) struct InProcess(Mutex<KeyVaultCloud>);

impl InProcess {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(cloud())))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, KeyVaultCloud> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let answer = self.lock().answer(request, now_ms());
        match answer.delivery {
            Delivery::Whole => Ok(answer.response),
            Delivery::NeverRead => Err(TransportFailure::NotSent(TransportTrouble::Unreachable)),
            _ => Err(TransportFailure::Unknown(TransportTrouble::Broken)),
        }
    }
}

/// A client of it, as an app with a secret.
pub(crate) fn client(way: &Arc<InProcess>) -> KeyVault {
    let config = Config::default();
    let identity = Identity::ClientSecret {
        app: App {
            tenant_id: config.tenant,
            client_id: config.app.client_id,
            authority: "https://login.microsoftonline.com".parse().unwrap(),
        },
        secret: Secret::new(config.app.secret.unwrap()),
    };
    let url =
        KeyVaultUrl::parse("https://contoso.vault.azure.net", &AllowedHosts::default()).unwrap();
    let transport: Arc<dyn Transport> = Arc::<InProcess>::clone(way);
    KeyVault::new(url, identity, transport, Arc::new(SystemClock::default()))
}
