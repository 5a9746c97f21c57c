//! How a bed is made.

use std::net::SocketAddr;
use std::sync::Arc;

use itsm_connector::adapters::file_vault::FileVault;
use itsm_connector::adapters::state_store;
use itsm_connector::domain::entra::EntraAuth;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::webhook_auth::WebhookAuth;
use itsm_connector::ports::{AlertHistory, KeySet, Vault};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use simulators::fault::FaultRule;
use simulators::servicenow::Config;

use super::fates::Fates;
use super::instance::Instance;
use super::{CONNECTION, TestBed};

/// A bed in the making.
pub(crate) struct Builder {
    config: Config,
    faults: Vec<FaultRule>,
    definition: Value,
    auth: WebhookAuth,
    keys: Option<Arc<dyn KeySet>>,
    history: Option<Arc<dyn AlertHistory>>,
    vault: Option<Arc<dyn Vault>>,
    allowed: AllowedHosts,
    keeps_state_in_a_folder: bool,
    keys_are_unique: bool,
    hurry: u32,
}

impl Builder {
    pub(super) fn new(config: Config) -> Self {
        let client = config.clients[0].clone();
        Self {
            config,
            faults: Vec::new(),
            definition: json!({
                "name": CONNECTION,
                "partner_type": "servicenow",
                "client_id": client.client_id,
                "client_secret": client.client_secret,
                "actions": { "default": { "work_item_type": "incident" } },
            }),
            auth: WebhookAuth::Open,
            keys: None,
            history: None,
            vault: None,
            allowed: AllowedHosts::default(),
            keeps_state_in_a_folder: false,
            keys_are_unique: false,
            hurry: 1,
        }
    }

    /// Something goes wrong in the instance.
    #[must_use]
    pub(crate) fn fault(mut self, rule: FaultRule) -> Self {
        self.faults.push(rule);
        self
    }

    /// Another value in the connection's definition.
    #[must_use]
    pub(crate) fn defined(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.definition[name] = value.into();
        self
    }

    /// Without a value that the connection's definition has.
    #[must_use]
    pub(crate) fn without(mut self, name: &str) -> Self {
        if let Some(fields) = self.definition.as_object_mut() {
            fields.remove(name);
        }
        self
    }

    /// The definition may name this host; the way out knows nothing of it.
    #[must_use]
    pub(crate) fn allowing(mut self, host: &str) -> Self {
        self.allowed = self.allowed.with(host);
        self
    }

    /// The connection is to the first of these, in place of the ServiceNow instance; the others may be called too.
    #[must_use]
    pub(crate) fn elsewhere(mut self, servers: &[SocketAddr]) -> Self {
        if let Some(first) = servers.first() {
            self.definition["server_url"] = format!("http://{first}").into();
        }
        for server in servers {
            self.allowed = std::mem::take(&mut self.allowed).with(&server.to_string());
        }
        self
    }

    /// Another value in an action of the connection's definition.
    #[must_use]
    pub(crate) fn action(mut self, action: &str, name: &str, value: impl Into<Value>) -> Self {
        self.definition["actions"][action][name] = value.into();
        self
    }

    /// Only who shows this key may deliver.
    #[must_use]
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.auth = WebhookAuth::Keys(vec![Sha256::digest(key.as_bytes()).into()]);
        self
    }

    /// Only who shows a token of this tenant's may deliver, checked by these keys; a key shows the health page.
    #[must_use]
    pub(crate) fn entra(mut self, entra: EntraAuth, keys: Arc<dyn KeySet>, key: &str) -> Self {
        let health = vec![Sha256::digest(key.as_bytes()).into()];
        self.auth = WebhookAuth::Entra(entra, health);
        self.keys = Some(keys);
        self
    }

    /// The alerts that Azure keeps can be asked for.
    #[must_use]
    pub(crate) fn alert_history(mut self, history: Arc<dyn AlertHistory>) -> Self {
        self.history = Some(history);
        self
    }

    /// The connections are in this vault, in place of a folder.
    #[must_use]
    pub(crate) fn vault(mut self, vault: Arc<dyn Vault>) -> Self {
        self.vault = Some(vault);
        self
    }

    /// State that is on disk before it counts, in place of memory.
    #[must_use]
    pub(crate) fn state_in_a_folder(mut self) -> Self {
        self.keeps_state_in_a_folder = true;
        self
    }

    /// It was seen before that the instance refuses a second record with the same key.
    #[must_use]
    pub(crate) fn keys_are_unique(mut self, keys_are_unique: bool) -> Self {
        self.keys_are_unique = keys_are_unique;
        self
    }

    /// Calls to the product may take a twentieth of the usual time, so that a slow one costs the story little.
    #[must_use]
    pub(crate) fn in_a_hurry(mut self) -> Self {
        self.hurry = 20;
        self
    }

    pub(crate) async fn start(mut self) -> TestBed {
        let servicenow = Instance::start(self.config).await;
        if self.definition.get("server_url").is_none() {
            self.definition["server_url"] = servicenow.url().into();
        }
        let folder = tempfile::tempdir().unwrap();
        let fates = Arc::new(Fates::default());
        let allowed = self.allowed.with(&servicenow.address());
        let store = if self.keeps_state_in_a_folder {
            state_store::folder(&folder.path().join("state")).unwrap()
        } else {
            state_store::memory()
        };
        let vault = self
            .vault
            .unwrap_or_else(|| Arc::new(FileVault::new(folder.path().join("vault"))));
        let mut bed = TestBed {
            servicenow,
            allowed,
            dice: Arc::default(),
            store,
            vault,
            hurry: self.hurry,
            clock: Arc::default(),
            fates,
            auth: self.auth,
            keys: self.keys,
            history: self.history,
            definition: self.definition,
            process: None,
            folder,
            ends: Default::default(),
        };
        bed.restart();
        bed.defines(|_| {}).await;
        if self.keys_are_unique {
            bed.remembers_that_keys_are_unique().await;
        }
        for rule in self.faults {
            bed.servicenow.fault(rule);
        }
        bed.first_tick_is_over().await;
        bed
    }
}
