//! The vault as a process sees it: it holds one connection, and fails by seed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::kept::{Kept, VaultVersion, VersionSeen};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::Vault;
use itsm_connector::stores::connections::SECRET_PREFIX;

use crate::clock::pause;
use crate::process::Process;
use crate::product::CONNECTION;
use crate::swarm::Class;

/// Longer than anybody waits for the vault.
const SILENCE: Duration = Duration::from_secs(30);

/// How long the vault takes, in milliseconds.
const TAKES_MS: (u64, u64) = (10, 30);

/// The vault of one process.
#[derive(Debug)]
pub struct FaultyVault(Arc<Process>);

impl FaultyVault {
    /// The vault as this process sees it.
    pub fn new(process: Arc<Process>) -> Self {
        Self(process)
    }

    async fn call(&self, what: String) -> Result<(), CallFailure> {
        let scene = &self.0.scene;
        let call = self.0.begin(what, TAKES_MS).await;
        let is_down = scene.vault_is_down();
        if is_down {
            scene.ledger.count(Class::VaultDown.as_str());
        }
        if is_down || scene.strikes(Class::VaultFails) {
            self.0.watch_vault_failure();
            call.end("fails").await;
            return Err(CallFailure::new(
                "the vault",
                "read secret",
                Effect::NotSent,
                Kind::Unavailable,
                "the vault failed",
            ));
        }
        if scene.strikes(Class::VaultHangs) {
            self.0.watch_vault_failure();
            call.end("hangs").await;
            pause(SILENCE).await;
            return Ok(());
        }
        call.end("ok").await;
        Ok(())
    }
}

#[async_trait]
impl Vault for FaultyVault {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        self.call(format!("vault get {name}")).await?;
        let is_known = name == format!("{SECRET_PREFIX}{CONNECTION}");
        if is_known {
            self.0.watch_vault_read();
        }
        Ok(is_known.then(|| Kept::only(Secret::new(self.0.scene.definition.clone()))))
    }

    async fn set(
        &self,
        name: &str,
        _value: &Secret,
        _expires: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        self.call(format!("vault set {name}")).await?;
        Ok(VaultVersion::only())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, CallFailure> {
        self.call(format!("vault list {prefix}")).await?;
        Ok(vec![format!("{SECRET_PREFIX}{CONNECTION}")])
    }

    async fn versions(&self, name: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        self.call(format!("vault versions {name}")).await?;
        Ok(Vec::new())
    }

    async fn disable(&self, name: &str, version: &VaultVersion) -> Result<(), CallFailure> {
        self.call(format!("vault disable {name} {version}")).await
    }

    async fn remove(&self, name: &str) -> Result<(), CallFailure> {
        self.call(format!("vault remove {name}")).await
    }
}
