//! A vault and all that gives tokens for it, on one address: Entra, the platform's identity endpoint, and AWS's STS. The real
//! ones have hosts of their own; their paths do not meet.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{KeyVault, Right, Throttle, is_for_a_vault};
use crate::aws_sts::{AwsSts, SessionKeys};
use crate::entra::{App, Entra, FederatedCredential, IDENTITY_PATH, ManagedIdentity};
use crate::fault::Faults;
use crate::journal::Journal;
use crate::jwt::{Cryptography, SigningKey};
use crate::machine::{Answer, Controls, Machine};

/// Who may ask, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// The client id of the app or identity.
    pub client_id: String,
    /// The app's secret.
    #[serde(default)]
    pub secret: Option<String>,
    /// The AWS role that it trusts.
    #[serde(default)]
    pub aws_role: Option<String>,
    /// What it may do; everything if not said.
    #[serde(default = "all")]
    pub rights: BTreeSet<Right>,
}

fn all() -> BTreeSet<Right> {
    Right::ALL.into_iter().collect()
}

/// How it is set up. The default is what the tests and the demo use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The Entra tenant.
    pub tenant: String,
    /// An app with a secret, which trusts an AWS role too.
    pub app: Principal,
    /// The system-assigned identity of the function app.
    pub system_identity: Principal,
    /// A user-assigned one.
    pub user_identity: Principal,
    /// What the platform's endpoint wants to see in `X-IDENTITY-HEADER`.
    pub identity_header: String,
    /// The AWS region.
    pub region: String,
    /// The id of an access key of the role's session, the key, and its token.
    pub aws_key: (String, String, String),
    /// Whether the account has outbound federation.
    pub aws_is_enabled: bool,
    /// How many calls the vault takes.
    pub throttle: Option<Throttle>,
}

fn principal(n: u8) -> Principal {
    Principal {
        client_id: format!("bbbbbbbb-000{n}-4000-8000-000000000001"),
        secret: None,
        aws_role: None,
        rights: all(),
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tenant: "aaaaaaaa-0001-4000-8000-000000000001".to_owned(),
            app: Principal {
                secret: Some("demo-app-secret".to_owned()),
                aws_role: Some("arn:aws:iam::000000000000:role/itsm-connector".to_owned()),
                ..principal(1)
            },
            system_identity: principal(2),
            user_identity: principal(3),
            identity_header: "demo-identity-header".to_owned(),
            region: "eu-central-1".to_owned(),
            aws_key: (
                "ASIADEMOKEY".to_owned(),
                "demo-aws-secret-key".to_owned(),
                "demo-aws-session-token".to_owned(),
            ),
            aws_is_enabled: true,
            throttle: None,
        }
    }
}

/// The vault and what belongs to it.
#[derive(Debug)]
pub struct KeyVaultCloud {
    /// The vault.
    pub vault: KeyVault,
    /// Who gives tokens.
    pub entra: Entra,
    /// Who gives tokens at AWS.
    pub sts: AwsSts,
}

impl KeyVaultCloud {
    /// Set up so.
    pub fn new(config: &Config) -> Result<Self, Cryptography> {
        let key = |name: &str| SigningKey::generate(name.to_owned());
        Ok(Self::with_keys(config, [key("entra-1")?, key("sts-1")?]))
    }

    /// The same with keys that are there already, of Entra and of AWS.
    pub fn with_keys(config: &Config, [of_entra, of_aws]: [SigningKey; 2]) -> Self {
        let mut entra = Entra::with_key(&config.tenant, of_entra);
        let mut sts = AwsSts::with_key(&config.region, of_aws);
        let mut vault = KeyVault::new(&config.tenant, None);
        vault.throttle = config.throttle;
        let federated = config.app.aws_role.iter().map(|role| FederatedCredential {
            issuer: sts.issuer.clone(),
            subject: role.clone(),
            audience: "api://AzureADTokenExchange".to_owned(),
        });
        entra.apps.push(App {
            client_id: config.app.client_id.clone(),
            secret: config.app.secret.clone(),
            federated: federated.collect(),
        });
        entra.trusted = BTreeMap::from([(sts.issuer.clone(), sts.key_set())]);
        entra.managed = Some(ManagedIdentity {
            header: config.identity_header.clone(),
            system: Some(config.system_identity.client_id.clone()),
            user_assigned: vec![config.user_identity.client_id.clone()],
        });
        let (id, secret, session_token) = config.aws_key.clone();
        sts.is_enabled = config.aws_is_enabled;
        if let Some(role) = config.app.aws_role.clone() {
            let session = SessionKeys {
                secret,
                session_token,
                role,
                may_ask: true,
            };
            sts.sessions.insert(id, session);
        }
        for principal in [&config.app, &config.system_identity, &config.user_identity] {
            let (id, rights) = (principal.client_id.clone(), principal.rights.clone());
            vault.rights.insert(id, rights);
        }
        Self { vault, entra, sts }
    }
}

impl Machine for KeyVaultCloud {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        if is_for_a_vault(&request) {
            let keys = self.entra.key_set();
            return self.vault.answer(&request, &keys, now_ms);
        }
        match request.uri().path() {
            "/" => self.sts.answer(request, now_ms),
            path if path == IDENTITY_PATH
                || path.starts_with(&format!("/{}/", self.entra.tenant)) =>
            {
                self.entra.answer(request, now_ms)
            }
            _ => {
                let keys = self.entra.key_set();
                self.vault.answer(&request, &keys, now_ms)
            }
        }
    }

    fn controls(&mut self) -> Option<&mut dyn Controls> {
        Some(self)
    }
}

impl Controls for KeyVaultCloud {
    fn journal(&self) -> &Journal {
        &self.vault.journal
    }

    fn journal_mut(&mut self) -> &mut Journal {
        &mut self.vault.journal
    }

    fn faults_mut(&mut self) -> &mut Faults {
        &mut self.vault.faults
    }

    fn records(&mut self, table: &str, _now_ms: i64) -> Vec<Value> {
        match table {
            "secrets" => self.vault.all(),
            _ => Vec::new(),
        }
    }

    fn edit(&mut self, table: &str, id: &str, field: &str, value: &str, now_ms: i64) -> bool {
        table == "secrets" && self.vault.edit(id, field, &json!(value), now_ms)
    }

    fn saved(&self) -> Value {
        Value::Null
    }
}
