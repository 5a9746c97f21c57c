//! The tokens of the connections, as the vault keeps them, with the version that each set is.

use std::sync::Arc;
use std::time::Duration;

use super::connections::{SECRET_PREFIX, TOKENS_PREFIX, VAULT_CALL_MAX};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::kept::VaultVersion;
use crate::domain::name::ConnectionName;
use crate::domain::renewal::{SetFacts, Sight};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::TokenSet;
use crate::ports::Vault;

/// How long a write may take. Nobody waits for an answer to a webhook here, and a write that is given up too early costs a
/// second version.
const VAULT_WRITE_MAX: Duration = Duration::from_secs(10);

/// What the vault has of a connection's tokens.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// Something that is no set of tokens.
    Unreadable,
    /// This set.
    Set(Box<TokenSet>, VaultVersion),
}

impl Found {
    /// The same without the tokens.
    pub fn sight(&self) -> Sight {
        match self {
            Self::Nothing => Sight::Nothing,
            Self::Unreadable => Sight::Unreadable,
            Self::Set(set, version) => Sight::Set(SetFacts::of(set, version.clone())),
        }
    }
}

/// The tokens.
#[derive(Clone)]
pub struct TokenSets {
    vault: Arc<dyn Vault>,
}

impl std::fmt::Debug for TokenSets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSets").finish_non_exhaustive()
    }
}

impl TokenSets {
    /// In this vault.
    pub fn new(vault: Arc<dyn Vault>) -> Self {
        Self { vault }
    }

    /// The newest set.
    pub async fn read(&self, connection: &ConnectionName) -> Result<Found, CallFailure> {
        let name = format!("{TOKENS_PREFIX}{connection}");
        let kept = read("read tokens", VAULT_CALL_MAX, self.vault.get(&name)).await?;
        let Some(kept) = kept else {
            return Ok(Found::Nothing);
        };
        Ok(match TokenSet::from_vault_text(&kept.value) {
            Ok(set) => Found::Set(Box::new(set), kept.version),
            Err(_) => Found::Unreadable,
        })
    }

    /// Stores a set as the newest, and until when it is good: what the vault's own alarms go by.
    pub async fn write(
        &self,
        connection: &ConnectionName,
        set: &TokenSet,
    ) -> Result<VaultVersion, CallFailure> {
        let name = format!("{TOKENS_PREFIX}{connection}");
        let (text, expires) = (set.to_vault_text(), set.refresh_expires_at);
        let write = self.vault.set(&name, &text, expires);
        written("write tokens", VAULT_WRITE_MAX, write).await
    }

    /// Takes a version out of use.
    pub async fn disable(
        &self,
        connection: &ConnectionName,
        version: &VaultVersion,
    ) -> Result<(), CallFailure> {
        let name = format!("{TOKENS_PREFIX}{connection}");
        let disable = self.vault.disable(&name, version);
        written("disable tokens", VAULT_WRITE_MAX, disable).await
    }

    /// Until when the connection's own secret is good, where the vault was told.
    pub async fn credentials_end_at(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Timestamp>, CallFailure> {
        let name = format!("{SECRET_PREFIX}{connection}");
        let kept = read("read connection", VAULT_CALL_MAX, self.vault.get(&name)).await?;
        Ok(kept.and_then(|kept| kept.expires))
    }

    /// All connections.
    pub async fn connections(&self) -> Result<Vec<ConnectionName>, CallFailure> {
        let listing = self.vault.list(SECRET_PREFIX);
        let names = read("list connections", VAULT_WRITE_MAX, listing).await?;
        let named = |name: &String| ConnectionName::parse(name.strip_prefix(SECRET_PREFIX)?).ok();
        Ok(names.iter().filter_map(named).collect())
    }
}

/// A read that is given up: it has changed nothing, whatever became of it.
async fn read<T>(
    operation: &'static str,
    span: Duration,
    call: impl Future<Output = Result<T, CallFailure>>,
) -> Result<T, CallFailure> {
    within(span, operation, Effect::NotSent, call).await
}

/// A write that is given up: nobody knows what became of it.
async fn written<T>(
    operation: &'static str,
    span: Duration,
    call: impl Future<Output = Result<T, CallFailure>>,
) -> Result<T, CallFailure> {
    within(span, operation, Effect::Unknown, call).await
}

async fn within<T>(
    span: Duration,
    operation: &'static str,
    effect: Effect,
    call: impl Future<Output = Result<T, CallFailure>>,
) -> Result<T, CallFailure> {
    let late = || {
        let kind = Kind::TimedOut;
        CallFailure::new("the vault", operation, effect, kind, "no answer in time")
    };
    tokio::time::timeout(span, call)
        .await
        .unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_that_is_given_up_has_changed_nothing_and_of_a_write_nobody_knows() {
        let soon = Duration::from_millis(5);
        let never = std::future::pending::<Result<(), CallFailure>>;
        let read = read("read tokens", soon, never()).await.unwrap_err();
        assert_eq!((read.effect, read.kind), (Effect::NotSent, Kind::TimedOut));
        let written = written("write tokens", soon, never()).await.unwrap_err();
        assert_eq!(written.effect, Effect::Unknown);
    }
}
