//! The access token of a connection in this process: kept in memory, renewed ahead of its end, one renewal at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::oauth::{By, TokenEndpoint};
use crate::domain::connection::{Connection, Grant};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{AccessToken, SEND_MARGIN, TokenSet};
use crate::ports::{Clock, Vault};

/// How long a token that still serves is used on before another is asked for again, after an issuer that did not give one.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Of the tokens of one call so many may be refused: the one in memory, the vault's, and one right from the issuer. Whoever is
/// refused with that is refused for another reason.
const REFUSED_MAX: usize = 3;

/// How long it may take to look for the next token while this one still serves: somebody waits for the call.
const LOOK_AHEAD_MAX: Duration = Duration::from_secs(3);

/// Where the tokens of a connection come from.
pub struct TokenSource {
    endpoint: TokenEndpoint,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    grant: Grant,
    /// Whether using the refresh token replaces it: then only the refresher may.
    replaces: bool,
    /// The vault's name for the stored tokens.
    tokens_name: String,
    product: &'static str,
    /// Held while a token is obtained: one asks, the others wait for its answer.
    current: tokio::sync::Mutex<Current>,
}

/// What the last one that asked brought back.
#[derive(Default)]
struct Current {
    held: Option<Held>,
    /// Its failure, and when on the monotonic clock.
    failure: Option<(Duration, CallFailure)>,
}

/// A token in memory.
struct Held {
    token: AccessToken,
    /// From then on another is asked for, though this one still serves.
    renews_at: Timestamp,
    /// Until when it is sent.
    sent_until: Timestamp,
    /// It came from the vault, where it may have lain for hours; else right from the issuer.
    is_stored: bool,
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
    /// For a connection, with whether using its refresh token replaces it.
    pub fn new(
        endpoint: TokenEndpoint,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
        connection: &Connection,
        tokens_name: String,
        replaces: bool,
    ) -> Self {
        let current = tokio::sync::Mutex::default();
        Self {
            endpoint,
            vault,
            clock,
            grant: connection.grant,
            replaces,
            tokens_name,
            product: connection.partner_type.product(),
            current,
        }
    }

    /// A token that should be accepted. Warm, this asks nobody.
    pub async fn bearer(&self, within: Duration) -> Result<Secret, CallFailure> {
        let asked = self.asked(within);
        let mut current = self.current.lock().await;
        let now = self.clock.now();
        let serves = current.held.as_ref().filter(|held| now < held.sent_until);
        let Some(held) = serves else {
            return self.renew(&mut current, None, asked).await;
        };
        let secret = held.token.secret.clone();
        if now < held.renews_at {
            return Ok(secret);
        }
        // Ahead of its end there is a token that serves; unless the product asks to be left alone, which no token changes.
        let ahead = self.look_ahead(&mut current, asked).await?;
        Ok(ahead.unwrap_or(secret))
    }

    /// Another token than the last of `refused`, which the product did not accept, one after the other, in one call; `None` if
    /// no other would be accepted either.
    ///
    /// The vault comes first: what it has costs the issuer nothing. Where that was refused too (an administrator has ended
    /// all access tokens), it is the issuer's turn, or the refresher's: [`Kind::RefreshWanted`].
    pub async fn bearer_instead_of(
        &self,
        refused: &[Secret],
        within: Duration,
    ) -> Result<Option<Secret>, CallFailure> {
        let Some(last) = refused.last().filter(|_| refused.len() < REFUSED_MAX) else {
            return Ok(None);
        };
        let asked = self.asked(within);
        let mut current = self.current.lock().await;
        // Somebody else may have renewed it while we waited for the lock.
        if let Some(held) =
            (current.held.as_ref()).filter(|held| held.token.secret.expose() != last.expose())
        {
            return Ok(Some(held.token.secret.clone()));
        }
        // The first may be old; a second that came from the issuer was obtained for this very call.
        let held = current.held.as_ref();
        let may_be_old = self.grant == Grant::Password && held.is_none_or(|held| held.is_stored);
        if refused.len() > 1 && !may_be_old {
            return Ok(None);
        }
        current.held = None;
        let another = self.renew(&mut current, Some(last), asked).await?;
        Ok(Some(another))
    }

    fn asked(&self, within: Duration) -> Asked {
        Asked {
            at: self.clock.monotonic(),
            within,
        }
    }

    /// Takes a token up. One that the issuer only repeated is sent to its very end: there is no other.
    fn hold(&self, current: &mut Current, token: AccessToken, is_stored: bool) -> Secret {
        let now = self.clock.now();
        let secret = token.secret.clone();
        let before = current.held.take();
        let repeated = before.filter(|held| held.token.secret.expose() == secret.expose());
        let held = match repeated {
            Some(held) => Held {
                renews_at: now.plus(ASK_AGAIN_AFTER).min(held.token.expires_at),
                sent_until: held.token.expires_at,
                token: held.token,
                is_stored,
            },
            None => Held {
                // The dice: when it was obtained, to the millisecond, which no two processes share.
                renews_at: token.renews_at(scattered(now)),
                sent_until: token.expires_at.minus(SEND_MARGIN),
                token,
                is_stored,
            },
        };
        *current = Current {
            held: Some(held),
            failure: None,
        };
        secret
    }

    /// Looks for the next token while this one still serves: the issuer is asked where that costs nobody anything, else
    /// the vault, which the refresher fills. `None`: there is none yet. It fails only if the issuer, which is the product,
    /// asks to be left alone.
    async fn look_ahead(
        &self,
        current: &mut Current,
        asked: Asked,
    ) -> Result<Option<Secret>, CallFailure> {
        let within = self.left(asked).min(LOOK_AHEAD_MAX);
        let found = match self.grant {
            Grant::ClientCredentials => {
                match self.endpoint.obtain(By::ClientCredentials, within).await {
                    Ok(issued) => Some(issued.access),
                    Err(failure)
                        if failure.kind == Kind::RateLimited || failure.retry_after().is_some() =>
                    {
                        return Err(failure);
                    }
                    Err(_) => None,
                }
            }
            Grant::Password => {
                let stored = self.stored(within).await;
                stored.ok().and_then(|set| set.access)
            }
        };
        let Some(held) = current.held.as_mut() else {
            return Ok(None);
        };
        let is_later = |token: &AccessToken| token.expires_at > held.token.expires_at;
        Ok(match (found, self.grant) {
            (Some(token), Grant::ClientCredentials) => Some(self.hold(current, token, false)),
            (Some(token), Grant::Password) if is_later(&token) => {
                Some(self.hold(current, token, true))
            }
            (None, Grant::ClientCredentials) => {
                held.renews_at = self.clock.now().plus(ASK_AGAIN_AFTER);
                None
            }
            // The vault is looked at once ahead of the end, and then at the end.
            (_, Grant::Password) => {
                held.renews_at = held.sent_until;
                None
            }
        })
    }

    fn left(&self, asked: Asked) -> Duration {
        let waited = self.clock.monotonic().saturating_sub(asked.at);
        asked.within.saturating_sub(waited)
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
        match self.obtain(refused, self.left(asked)).await {
            Ok((token, is_stored)) => {
                current.held = None;
                Ok(self.hold(current, token, is_stored))
            }
            Err(failure) => {
                current.failure = Some((self.clock.monotonic(), failure.clone()));
                Err(failure)
            }
        }
    }

    /// A token, and whether it is the vault's.
    async fn obtain(
        &self,
        refused: Option<&Secret>,
        within: Duration,
    ) -> Result<(AccessToken, bool), CallFailure> {
        match self.grant {
            Grant::ClientCredentials => {
                let issued = self.endpoint.obtain(By::ClientCredentials, within).await?;
                Ok((issued.access, false))
            }
            Grant::Password => {
                let began = self.clock.monotonic();
                let stored = self.stored(within).await?;
                let within = within.saturating_sub(self.clock.monotonic().saturating_sub(began));
                let usable = |token: &AccessToken| {
                    token.is_fresh(self.clock.now())
                        && refused.is_none_or(|refused| token.secret.expose() != refused.expose())
                };
                if let Some(token) = stored.access.filter(usable) {
                    return Ok((token, true));
                }
                let Some(refresh) = stored.refresh else {
                    return Err(self.needs_login(
                        "the access token has expired and there is no refresh token",
                    ));
                };
                if self.replaces {
                    return Err(self.failure(
                        Kind::RefreshWanted,
                        "the stored access token serves no longer, and only the token-refresher may use the refresh token",
                    ));
                }
                let issued = self.endpoint.obtain(By::Refresh(&refresh), within).await?;
                Ok((issued.access, false))
            }
        }
    }

    /// What the vault has, in the time that the call has: it waits for no vault longer than for its product.
    async fn stored(&self, within: Duration) -> Result<TokenSet, CallFailure> {
        let asked = tokio::time::timeout(within, self.vault.get(&self.tokens_name)).await;
        let answer = asked.unwrap_or_else(|_| {
            Err(CallFailure::new(
                "the vault",
                "read tokens",
                Effect::NotSent,
                Kind::TimedOut,
                "no answer in time",
            ))
        });
        let Some(kept) = answer? else {
            return Err(self.needs_login("nobody has logged in yet"));
        };
        TokenSet::from_vault_text(&kept.value).map_err(|error| self.needs_login(&error.to_string()))
    }

    fn needs_login(&self, detail: &str) -> CallFailure {
        self.failure(Kind::Unauthorized, detail)
    }

    fn failure(&self, kind: Kind, detail: &str) -> CallFailure {
        CallFailure::new(self.product, "obtain token", Effect::NotSent, kind, detail)
    }
}

/// A moment as evenly spread numbers (the finaliser of SplitMix64).
fn scattered(now: Timestamp) -> u64 {
    let mut z = now.as_millis().unsigned_abs();
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
