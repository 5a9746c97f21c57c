//! The vault, as one process sees it.

use async_trait::async_trait;
use itsm_connector::domain::failure::{CallFailure, Effect};
use itsm_connector::domain::kept::{Kept, VaultVersion, VersionSeen};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::ports::Vault;

use super::{Ports, lost};
use crate::tokens::bugs::Bug;
use crate::tokens::world::Version;

#[async_trait]
impl Vault for Ports {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        if self.world().inner().vault_is_down {
            return Err(lost(Effect::NotSent));
        }
        let read = || {
            let inner = self.world().inner();
            let versions = inner.vault.get(name)?;
            let newest = versions.last()?;
            Some(Kept {
                value: newest.value.clone(),
                version: VaultVersion::parse(&format!("v{}", versions.len())).ok()?,
                expires: newest.expires,
            })
        };
        self.0
            .risky(read)
            .await
            .ok_or_else(|| lost(Effect::Unknown))
    }

    async fn set(
        &self,
        name: &str,
        value: &Secret,
        expires: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        if self.world().inner().vault_is_down {
            return Err(lost(Effect::NotSent));
        }
        let write = || {
            let mut inner = self.world().inner();
            let versions = inner.vault.entry(name.to_owned()).or_default();
            if self.world().bug != Some(Bug::WritesAreLost) || versions.is_empty() {
                versions.push(Version {
                    value: value.clone(),
                    enabled: true,
                    expires,
                });
            }
            VaultVersion::parse(&format!("v{}", versions.len()))
        };
        let written = self.0.risky(write).await;
        let written = written.ok_or_else(|| lost(Effect::Unknown))?;
        written.map_err(|_| lost(Effect::Unknown))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, CallFailure> {
        if self.world().inner().vault_is_down {
            return Err(lost(Effect::NotSent));
        }
        let inner = self.world().inner();
        let names = inner.vault.keys().filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }

    async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        Ok(Vec::new())
    }

    async fn disable(&self, name: &str, version: &VaultVersion) -> Result<(), CallFailure> {
        if self.world().inner().vault_is_down {
            return Err(lost(Effect::NotSent));
        }
        let disable = || {
            let mut inner = self.world().inner();
            let versions = inner.vault.get_mut(name)?;
            let number: usize = version.as_str().trim_start_matches('v').parse().ok()?;
            let is_newest = number == versions.len();
            versions.get_mut(number.checked_sub(1)?)?.enabled = false;
            Some(is_newest)
        };
        let disabled = self.0.risky(disable).await;
        if disabled == Some(Some(true)) {
            self.world()
                .violated("the newest version was disabled".to_owned());
        }
        disabled.map(|_| ()).ok_or_else(|| lost(Effect::Unknown))
    }

    async fn remove(&self, _: &str) -> Result<(), CallFailure> {
        Ok(())
    }
}
