//! Azure Key Vault, by Microsoft's own client over the one HTTP client of this process (azure-platform §6.1).
//!
//! Nothing is built and nobody is asked before the first call. The client's own retries are off: what goes wrong is told at
//! once, and those who call know when to come back. The challenge, the tokens and their renewal are the client's.

pub(in crate::adapters) mod identity;
mod meaning;
mod pipe;
mod web_identity;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{ClientOptions, RetryOptions, Transport as AzureTransport};
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::models::{
    Secret as Bundle, SecretAttributes, SecretClientGetSecretOptions,
    SecretClientUpdateSecretPropertiesOptions, SecretProperties, SetSecretParameters,
    UpdateSecretPropertiesParameters,
};
use azure_security_keyvault_secrets::{ResourceExt, SecretClient, SecretClientOptions};
use futures_util::TryStreamExt as _;
use once_cell::sync::OnceCell;

use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::kept::{self, Kept, VaultVersion, VersionSeen};
use crate::domain::key_vault::{Identity, KeyVaultUrl};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::ports::{Clock, Transport, Vault};
use meaning::{Call, SERVICE};
use pipe::Pipe;

/// Longest value that Key Vault keeps, in bytes (azure-platform §6.1).
pub const VALUE_BYTES_MAX: usize = 25 * 1024;

/// Longest a call may take with all that belongs to it: challenge, tokens, pages. Whoever has less time waits for less.
const CALL_MAX: Duration = Duration::from_secs(30);

/// What the vault shows beside a value.
const CONTENT_TYPE: &str = "application/json";

/// A vault in Azure.
pub struct KeyVault {
    url: KeyVaultUrl,
    identity: Identity,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    client: OnceCell<SecretClient>,
}

impl std::fmt::Debug for KeyVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyVault")
            .field("url", &self.url)
            .field("identity", &self.identity.as_str())
            .finish_non_exhaustive()
    }
}

impl KeyVault {
    /// At this address, asked as this identity. Nothing is built yet.
    pub fn new(
        url: KeyVaultUrl,
        identity: Identity,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            url,
            identity,
            transport,
            clock,
            client: OnceCell::new(),
        }
    }

    fn client(&self, call: Call) -> Result<&SecretClient, CallFailure> {
        self.client
            .get_or_try_init(|| {
                let credential =
                    identity::credential(&self.identity, &self.transport, &self.clock)?;
                let pipe = Pipe::to(self.url.as_url(), SERVICE, Arc::clone(&self.transport));
                let options = SecretClientOptions {
                    client_options: client_options(pipe),
                    // A host that was allowed by name has no cloud whose challenge it could match.
                    verify_challenge_resource: Some(self.url.cloud().is_some()),
                    ..SecretClientOptions::default()
                };
                SecretClient::new(self.url.as_url().as_str(), credential, Some(options))
            })
            .map_err(|error| call.failure(&error))
    }

    /// One call, in the time allowed. `None` if the vault answered that there is no such secret.
    async fn ask<T>(
        &self,
        call: Call,
        asked: impl Future<Output = azure_core::Result<T>>,
    ) -> Result<Option<T>, CallFailure> {
        match tokio::time::timeout(CALL_MAX, asked).await {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(error)) if meaning::is_absent(&error) => Ok(None),
            Ok(Err(error)) => Err(call.failure(&error)),
            Err(_) => Err(call.timed_out()),
        }
    }

    async fn newest(&self, call: Call, name: &str) -> Result<Option<Bundle>, CallFailure> {
        let client = self.client(call)?;
        let options = SecretClientGetSecretOptions::default();
        let asked = async { client.get_secret(name, Some(options)).await?.into_model() };
        self.ask(call, asked).await
    }
}

/// Over our own HTTP client, without retries of its own.
fn client_options(pipe: Pipe) -> ClientOptions {
    ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(AzureTransport::new(Arc::new(pipe))),
        ..ClientOptions::default()
    }
}

fn named(call: Call, name: &str) -> Result<(), CallFailure> {
    if kept::is_name(name) {
        return Ok(());
    }
    Err(CallFailure::new(
        SERVICE,
        call.operation(),
        Effect::NotSent,
        Kind::Invalid,
        "a secret's name has letters, digits and hyphens only",
    ))
}

fn version(call: Call, resource: &impl ResourceExt) -> Result<VaultVersion, CallFailure> {
    let id = resource.resource_id().ok();
    id.and_then(|id| VaultVersion::parse(&id.version?).ok())
        .ok_or_else(|| call.not_understood("it names no version"))
}

fn moment(time: OffsetDateTime) -> Timestamp {
    Timestamp::from_millis(time.unix_timestamp().saturating_mul(1000))
}

fn seen(call: Call, version_of: &SecretProperties) -> Result<VersionSeen, CallFailure> {
    let attributes = version_of.attributes.clone().unwrap_or_default();
    Ok(VersionSeen {
        version: version(call, version_of)?,
        is_enabled: attributes.enabled.unwrap_or(true),
        created: attributes.created.map_or(Timestamp::UNIX_EPOCH, moment),
        expires: attributes.expires.map(moment),
    })
}

#[async_trait]
impl Vault for KeyVault {
    async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
        let call = Call::Read;
        named(call, name)?;
        let Some(bundle) = Box::pin(self.newest(call, name)).await? else {
            return Ok(None);
        };
        let version = version(call, &bundle)?;
        let attributes = bundle.attributes.unwrap_or_default();
        // The vault gives such a value all the same; that it is not to be used yet is for us to see (row C9).
        if let Some(from) = attributes.not_before.map(moment)
            && from > self.clock.now()
        {
            return Err(call.not_valid_yet(from));
        }
        let value = bundle.value.map(Secret::new);
        Ok(Some(Kept {
            value: value.ok_or_else(|| call.not_understood("it has no value"))?,
            version,
            expires: attributes.expires.map(moment),
        }))
    }

    async fn set(
        &self,
        name: &str,
        value: &Secret,
        expires: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        let call = Call::Write;
        named(call, name)?;
        if value.expose().len() > VALUE_BYTES_MAX {
            return Err(call.too_long());
        }
        let expires = expires.and_then(|moment| {
            OffsetDateTime::from_unix_timestamp(moment.as_millis().div_euclid(1000)).ok()
        });
        let parameters = SetSecretParameters {
            value: Some(value.expose().to_owned()),
            content_type: Some(CONTENT_TYPE.to_owned()),
            secret_attributes: Some(SecretAttributes {
                expires,
                ..SecretAttributes::default()
            }),
            tags: None,
        };
        let client = self.client(call)?;
        let asked = async {
            let parameters = parameters.try_into()?;
            client
                .set_secret(name, parameters, None)
                .await?
                .into_model()
        };
        match Box::pin(self.ask(call, asked)).await? {
            Some(bundle) => version(call, &bundle),
            None => Err(call.not_understood("it does not know the secret that it was given")),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, CallFailure> {
        let call = Call::List;
        let client = self.client(call)?;
        let asked = async {
            let mut names = Vec::new();
            let mut all = client.list_secret_properties(None)?;
            while let Some(one) = all.try_next().await? {
                names.push(one.resource_id()?.name);
            }
            Ok(names)
        };
        let mut names = Box::pin(self.ask(call, asked)).await?.unwrap_or_default();
        names.retain(|name: &String| name.starts_with(prefix));
        names.sort_unstable();
        Ok(names)
    }

    async fn versions(&self, name: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        let call = Call::Versions;
        named(call, name)?;
        let client = self.client(call)?;
        let asked = async {
            let all = client.list_secret_properties_versions(name, None)?;
            all.try_collect::<Vec<SecretProperties>>().await
        };
        let told = Box::pin(self.ask(call, asked)).await?.unwrap_or_default();
        let mut versions = told
            .iter()
            .map(|one| seen(call, one))
            .collect::<Result<Vec<_>, _>>()?;
        versions.sort_by_key(|version| std::cmp::Reverse(version.created));
        Ok(versions)
    }

    /// Two calls: which version is the newest is asked first, and Key Vault would disable that one too.
    async fn disable(&self, name: &str, version: &VaultVersion) -> Result<(), CallFailure> {
        let call = Call::Disable;
        named(call, name)?;
        let Some(newest) = Box::pin(self.newest(call, name)).await? else {
            return Ok(());
        };
        if self::version(call, &newest)? == *version {
            return Err(call.is_the_newest(version));
        }
        let client = self.client(call)?;
        let parameters = UpdateSecretPropertiesParameters {
            secret_attributes: Some(SecretAttributes {
                enabled: Some(false),
                ..SecretAttributes::default()
            }),
            ..UpdateSecretPropertiesParameters::default()
        };
        let options = SecretClientUpdateSecretPropertiesOptions {
            secret_version: Some(version.as_str().to_owned()),
            ..SecretClientUpdateSecretPropertiesOptions::default()
        };
        let asked = async {
            let parameters = parameters.try_into()?;
            client
                .update_secret_properties(name, parameters, Some(options))
                .await
        };
        Box::pin(self.ask(call, asked)).await?;
        Ok(())
    }

    /// With soft delete, which every vault has, the name stays taken until the secret is recovered or purged.
    async fn remove(&self, name: &str) -> Result<(), CallFailure> {
        let call = Call::Remove;
        named(call, name)?;
        let client = self.client(call)?;
        Box::pin(self.ask(call, client.delete_secret(name, None))).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
