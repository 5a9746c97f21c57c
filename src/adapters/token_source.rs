//! The access token of a connection in this process: kept in memory, renewed ahead of its end, one renewal at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::oauth::{By, TokenEndpoint};
use crate::domain::connection::{Connection, Grant};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::secret::Secret;
use crate::domain::token::{AccessToken, TokenSet};
use crate::ports::{Clock, Vault};

/// Where the tokens of a connection come from.
pub struct TokenSource {
    endpoint: TokenEndpoint,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    grant: Grant,
    /// The vault's name for the stored tokens.
    tokens_name: String,
    product: &'static str,
    /// Held while a token is obtained: one asks, the others wait for its answer.
    current: tokio::sync::Mutex<Current>,
}

/// What the last one that asked brought back.
#[derive(Default)]
struct Current {
    token: Option<AccessToken>,
    /// Its failure, and when on the monotonic clock.
    failure: Option<(Duration, CallFailure)>,
}

/// A request for a token, from before it waited for its turn.
#[derive(Clone, Copy)]
struct Asked {
    at: Duration,
    within: Duration,
}

impl std::fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSource")
            .field("tokens_name", &self.tokens_name)
            .finish_non_exhaustive()
    }
}

impl TokenSource {
    /// For a connection.
    pub fn new(
        endpoint: TokenEndpoint,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
        connection: &Connection,
        tokens_name: String,
    ) -> Self {
        let current = tokio::sync::Mutex::default();
        Self {
            endpoint,
            vault,
            clock,
            grant: connection.grant,
            tokens_name,
            product: connection.partner_type.product(),
            current,
        }
    }

    /// A token that should be accepted. Warm, this asks nobody.
    pub async fn bearer(&self, within: Duration) -> Result<Secret, CallFailure> {
        let asked = self.asked(within);
        let mut current = self.current.lock().await;
        if let Some(token) = current
            .token
            .as_ref()
            .filter(|token| token.is_fresh(self.clock.now()))
        {
            return Ok(token.secret.clone());
        }
        self.renew(&mut current, None, asked).await
    }

    /// Another token than `refused`, which the product did not accept.
    pub async fn bearer_instead_of(
        &self,
        refused: &Secret,
        within: Duration,
    ) -> Result<Secret, CallFailure> {
        let asked = self.asked(within);
        let mut current = self.current.lock().await;
        // Somebody else may have renewed it while we waited for the lock.
        if let Some(token) = current
            .token
            .as_ref()
            .filter(|token| token.secret.expose() != refused.expose())
        {
            return Ok(token.secret.clone());
        }
        current.token = None;
        self.renew(&mut current, Some(refused), asked).await
    }

    fn asked(&self, within: Duration) -> Asked {
        Asked {
            at: self.clock.monotonic(),
            within,
        }
    }

    async fn renew(
        &self,
        current: &mut Current,
        refused: Option<&Secret>,
        asked: Asked,
    ) -> Result<Secret, CallFailure> {
        // Whoever had the lock before us asked while we waited. Its failure is our answer: credentials that are refused
        // are not tried once more by each of those that wait (I15), and none of them waits for its own time-out.
        if let Some((at, failure)) = &current.failure
            && *at >= asked.at
        {
            return Err(failure.clone());
        }
        let waited = self.clock.monotonic().saturating_sub(asked.at);
        match self
            .obtain(refused, asked.within.saturating_sub(waited))
            .await
        {
            Ok(token) => {
                let secret = token.secret.clone();
                *current = Current {
                    token: Some(token),
                    failure: None,
                };
                Ok(secret)
            }
            Err(failure) => {
                current.failure = Some((self.clock.monotonic(), failure.clone()));
                Err(failure)
            }
        }
    }

    async fn obtain(
        &self,
        refused: Option<&Secret>,
        within: Duration,
    ) -> Result<AccessToken, CallFailure> {
        match self.grant {
            Grant::ClientCredentials => Ok(self
                .endpoint
                .obtain(By::ClientCredentials, within)
                .await?
                .access),
            Grant::Password => {
                let stored = self.stored().await?;
                let usable = |token: &AccessToken| {
                    token.is_fresh(self.clock.now())
                        && refused.is_none_or(|refused| token.secret.expose() != refused.expose())
                };
                if let Some(token) = stored.access.filter(usable) {
                    return Ok(token);
                }
                // Using ServiceNow's refresh token does not replace it, so that every process may (DESIGN §8).
                let Some(refresh) = stored.refresh else {
                    return Err(self.needs_login(
                        "the access token has expired and there is no refresh token",
                    ));
                };
                Ok(self
                    .endpoint
                    .obtain(By::Refresh(&refresh), within)
                    .await?
                    .access)
            }
        }
    }

    async fn stored(&self) -> Result<TokenSet, CallFailure> {
        let Some(kept) = self.vault.get(&self.tokens_name).await? else {
            return Err(self.needs_login("nobody has logged in yet"));
        };
        TokenSet::from_vault_text(&kept.value).map_err(|error| self.needs_login(&error.to_string()))
    }

    fn needs_login(&self, detail: &str) -> CallFailure {
        CallFailure::new(
            self.product,
            "obtain token",
            Effect::NotSent,
            Kind::Unauthorized,
            detail,
        )
    }
}
