//! A vault with one definition in it, for what runs without files.

use async_trait::async_trait;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::kept::{Kept, VaultVersion, VersionSeen};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::Vault;
use serde_json::{Value, json};

use crate::product::Product;
use crate::sender::CONNECTION;

/// The definition of a round's connection.
pub fn definition(server_url: &str) -> Value {
    let client = Product::client();
    json!({
        "name": CONNECTION,
        "partner_type": "servicenow",
        "server_url": server_url,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "actions": { "default": { "work_item_type": "incident" } },
    })
}

/// The vault; without a definition it cannot be asked.
#[derive(Debug)]
pub struct OneDefinition(Option<String>);

impl OneDefinition {
    /// With the connection to this server in it.
    pub fn new(server_url: &str) -> Self {
        Self(Some(definition(server_url).to_string()))
    }

    /// One that does not answer: alerts are kept and nobody acts on them.
    pub fn away() -> Self {
        Self(None)
    }

    fn failure() -> CallFailure {
        CallFailure::new(
            "the vault",
            "get",
            Effect::NotSent,
            Kind::Unavailable,
            "it is away",
        )
    }
}

#[async_trait]
impl Vault for OneDefinition {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        let definition = self.0.as_ref().ok_or_else(Self::failure)?;
        let is_it = name == format!("itsm-connection-{CONNECTION}");
        Ok(is_it.then(|| Kept::only(Secret::new(definition.clone()))))
    }
    async fn set(
        &self,
        _: &str,
        _: &Secret,
        _: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        Err(Self::failure())
    }
    async fn list(&self, _: &str) -> Result<Vec<String>, CallFailure> {
        Err(Self::failure())
    }
    async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        Err(Self::failure())
    }
    async fn disable(&self, _: &str, _: &VaultVersion) -> Result<(), CallFailure> {
        Err(Self::failure())
    }
    async fn remove(&self, _: &str) -> Result<(), CallFailure> {
        Err(Self::failure())
    }
}
