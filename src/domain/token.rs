//! The tokens of a connection, as the vault keeps them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::timestamp::Timestamp;

/// Before this much of its life is left, an access token is replaced (rule R34: at 80 % of a half-hour token).
pub const RENEW_MARGIN: Duration = Duration::from_secs(5 * 60);

/// Bounds of a believable `expires_in`, in seconds (rule N25).
pub const LIFE_MIN: Duration = Duration::from_secs(60);
/// See [`LIFE_MIN`].
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// An access token and when it ends.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// What goes into the `Authorization` header.
    pub secret: Secret,
    /// When the issuer stops accepting it.
    pub expires_at: Timestamp,
}

impl AccessToken {
    /// True if it is good for a call now, with a margin: the smaller of [`RENEW_MARGIN`] and a fifth of what is believable.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.expires_at.since(now) > Duration::from_secs(30)
    }
}

/// What `itsm-tokens-<name>` holds.
#[derive(Clone)]
pub struct TokenSet {
    /// The access token, if there is one.
    pub access: Option<AccessToken>,
    /// The refresh token, if the grant gives one.
    pub refresh: Option<Secret>,
    /// When the refresh token ends: the last login and the connection's `refresh_token_days`.
    pub refresh_expires_at: Option<Timestamp>,
    /// When a person last logged in.
    pub logged_in_at: Timestamp,
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field(
                "access_expires_at",
                &self.access.as_ref().map(|token| token.expires_at),
            )
            .field("refresh_expires_at", &self.refresh_expires_at)
            .field("logged_in_at", &self.logged_in_at)
            .finish_non_exhaustive()
    }
}

/// The stored form. It is private: the only way to it is [`TokenSet::to_vault_text`], which gives a [`Secret`].
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    access_expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    refresh_expires_at: Option<Timestamp>,
    logged_in_at: Timestamp,
}

/// The stored tokens cannot be read. The text itself is never part of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored tokens are not in the expected form")]
pub struct NotATokenSet;

impl TokenSet {
    /// The text for the vault.
    pub fn to_vault_text(&self) -> Secret {
        let stored = Stored {
            version: 1,
            access_token: self
                .access
                .as_ref()
                .map(|token| token.secret.expose().to_owned()),
            access_expires_at: self.access.as_ref().map(|token| token.expires_at),
            refresh_token: self.refresh.as_ref().map(|token| token.expose().to_owned()),
            refresh_expires_at: self.refresh_expires_at,
            logged_in_at: self.logged_in_at,
        };
        Secret::new(serde_json::to_string(&stored).unwrap_or_default())
    }

    /// Reads the vault's text.
    pub fn from_vault_text(text: &Secret) -> Result<Self, NotATokenSet> {
        let stored: Stored = serde_json::from_str(text.expose()).map_err(|_| NotATokenSet)?;
        let access = stored.access_token.zip(stored.access_expires_at);
        Ok(Self {
            access: access.map(|(token, expires_at)| AccessToken {
                secret: Secret::new(token),
                expires_at,
            }),
            refresh: stored.refresh_token.map(Secret::new),
            refresh_expires_at: stored.refresh_expires_at,
            logged_in_at: stored.logged_in_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_vault_and_prints_no_token() {
        let set = TokenSet {
            access: Some(AccessToken {
                secret: Secret::from("canary-a"),
                expires_at: Timestamp::from_millis(5),
            }),
            refresh: Some(Secret::from("canary-r")),
            refresh_expires_at: Some(Timestamp::from_millis(7)),
            logged_in_at: Timestamp::from_millis(3),
        };
        let back = TokenSet::from_vault_text(&set.to_vault_text()).unwrap();
        assert_eq!(back.refresh.as_ref().map(Secret::expose), Some("canary-r"));
        assert_eq!(
            back.access.as_ref().map(|token| token.expires_at),
            Some(Timestamp::from_millis(5))
        );
        assert!(!format!("{back:?} {:?}", back.access).contains("canary"));
        assert!(TokenSet::from_vault_text(&Secret::from("{\"canary\":")).is_err());
    }
}
