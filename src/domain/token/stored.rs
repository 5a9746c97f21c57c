//! The form in which the vault has a set of tokens. It is private: the only ways to it give and take a [`Secret`].

use serde::{Deserialize, Serialize};

use super::{AccessToken, Mark, Superseded, TokenSet};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mark: Option<Mark>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    access_obtained_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    access_expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    refresh_expires_at: Option<Timestamp>,
    logged_in_at: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    superseded: Vec<Old>,
}

#[derive(Serialize, Deserialize)]
struct Old {
    token: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    expires_at: Option<Timestamp>,
}

/// The stored tokens cannot be read. The text itself is never part of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored tokens are not in the expected form")]
pub struct NotATokenSet;

impl TokenSet {
    /// The text for the vault.
    pub fn to_vault_text(&self) -> Secret {
        let exposed = |secret: &Secret| secret.expose().to_owned();
        let access = self.access.as_ref();
        let stored = Stored {
            version: 1,
            mark: self.mark.clone(),
            access_token: access.map(|token| exposed(&token.secret)),
            access_obtained_at: access.and_then(|token| token.obtained_at),
            access_expires_at: access.map(|token| token.expires_at),
            refresh_token: self.refresh.as_ref().map(exposed),
            refresh_expires_at: self.refresh_expires_at,
            logged_in_at: self.logged_in_at,
            superseded: (self.superseded.iter())
                .map(|old| Old {
                    token: exposed(&old.secret),
                    expires_at: old.expires_at,
                })
                .collect(),
        };
        Secret::new(serde_json::to_string(&stored).unwrap_or_default())
    }

    /// Reads the vault's text.
    pub fn from_vault_text(text: &Secret) -> Result<Self, NotATokenSet> {
        let stored: Stored = serde_json::from_str(text.expose()).map_err(|_| NotATokenSet)?;
        let obtained_at = stored.access_obtained_at;
        let access = stored.access_token.zip(stored.access_expires_at);
        Ok(Self {
            access: access.map(|(token, expires_at)| AccessToken {
                secret: Secret::new(token),
                obtained_at,
                expires_at,
            }),
            refresh: stored.refresh_token.map(Secret::new),
            refresh_expires_at: stored.refresh_expires_at,
            logged_in_at: stored.logged_in_at,
            mark: stored.mark,
            superseded: (stored.superseded.into_iter())
                .map(|old| Superseded {
                    secret: Secret::new(old.token),
                    expires_at: old.expires_at,
                })
                .collect(),
        })
    }
}
