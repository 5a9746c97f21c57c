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
        let kept = timed("read tokens", VAULT_CALL_MAX, self.vault.get(&name)).await?;
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
        timed("write tokens", VAULT_WRITE_MAX, write).await
    }

    /// Takes a version out of use.
    pub async fn disable(
        &self,
        connection: &ConnectionName,
        version: &VaultVersion,
    ) -> Result<(), CallFailure> {
        let name = format!("{TOKENS_PREFIX}{connection}");
        let disable = self.vault.disable(&name, version);
        timed("disable tokens", VAULT_WRITE_MAX, disable).await
    }

    /// Until when the connection's own secret is good, where the vault was told.
    pub async fn credentials_end_at(
        &self,
        connection: &ConnectionName,
    ) -> Result<Option<Timestamp>, CallFailure> {
        let name = format!("{SECRET_PREFIX}{connection}");
        let kept = timed("read connection", VAULT_CALL_MAX, self.vault.get(&name)).await?;
        Ok(kept.and_then(|kept| kept.expires))
    }

    /// All connections.
    pub async fn connections(&self) -> Result<Vec<ConnectionName>, CallFailure> {
        let listing = self.vault.list(SECRET_PREFIX);
        let names = timed("list connections", VAULT_WRITE_MAX, listing).await?;
        let named = |name: &String| ConnectionName::parse(name.strip_prefix(SECRET_PREFIX)?).ok();
        Ok(names.iter().filter_map(named).collect())
    }
}

async fn timed<T>(
    operation: &'static str,
    span: Duration,
    call: impl Future<Output = Result<T, CallFailure>>,
) -> Result<T, CallFailure> {
    let late = || {
        let (effect, kind) = (Effect::Unknown, Kind::TimedOut);
        CallFailure::new("the vault", operation, effect, kind, "no answer in time")
    };
    tokio::time::timeout(span, call)
        .await
        .unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::domain::kept::{Kept, VersionSeen};
    use crate::domain::secret::Secret;
    use crate::domain::token::{AccessToken, Issued, Mark};

    /// Remembers until when the last value is good.
    #[derive(Default)]
    struct Remembers(Mutex<Option<(String, Option<Timestamp>)>>);

    #[async_trait]
    impl Vault for Remembers {
        async fn get(&self, _: &str) -> Result<Option<Kept>, CallFailure> {
            Ok(None)
        }
        async fn set(
            &self,
            name: &str,
            _: &Secret,
            expires: Option<Timestamp>,
        ) -> Result<VaultVersion, CallFailure> {
            *self.0.lock().unwrap() = Some((name.to_owned(), expires));
            Ok(VaultVersion::only())
        }
        async fn list(&self, _: &str) -> Result<Vec<String>, CallFailure> {
            Ok(Vec::new())
        }
        async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
            Ok(Vec::new())
        }
        async fn disable(&self, _: &str, _: &VaultVersion) -> Result<(), CallFailure> {
            Ok(())
        }
        async fn remove(&self, _: &str) -> Result<(), CallFailure> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_vault_is_told_until_when_a_set_of_tokens_is_good() {
        let (at, life) = (Timestamp::UNIX_EPOCH, Duration::from_secs(90 * 24 * 3600));
        let issued = Issued {
            access: AccessToken {
                secret: Secret::from("a"),
                obtained_at: Some(at),
                expires_at: at.plus(Duration::from_secs(1800)),
            },
            refresh: Some(Secret::from("r")),
            refresh_expires_at: None,
        };
        let set = TokenSet::of_login(issued, at, life, Mark::of_dice(1, 2));
        let vault = Arc::new(Remembers::default());
        let sets = TokenSets::new(Arc::<Remembers>::clone(&vault));
        let contoso = ConnectionName::parse("contoso").unwrap();
        sets.write(&contoso, &set).await.unwrap();
        let told = vault.0.lock().unwrap().clone();
        let expected = ("itsm-tokens-contoso".to_owned(), Some(at.plus(life)));
        assert_eq!(told, Some(expected));
    }
}
