//! A webhook call, and whether it may be believed: that is part of its type.
//!
//! [`Webhook<Unverified>`] has no way to its body; [`Webhook::verify`] is the only way to a [`Webhook<Verified>`], and
//! only that takes a body.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::secret::Secret;

/// Nobody has looked yet whether the caller may be believed.
#[derive(Debug)]
pub struct Unverified;

/// The caller may be believed.
#[derive(Debug)]
pub struct Verified;

/// Keys that are valid at once: the current one and, while it is replaced, the next.
pub const KEYS_MAX: usize = 2;

/// Who may call.
#[derive(Clone)]
pub enum WebhookAuth {
    /// Everybody. Refused by the settings unless the listener is loopback.
    Open,
    /// Whoever has a key with one of these SHA-256 hashes.
    Keys(Vec<[u8; 32]>),
}

impl fmt::Debug for WebhookAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("Open"),
            Self::Keys(keys) => write!(f, "Keys({})", keys.len()),
        }
    }
}

impl WebhookAuth {
    /// True if this key is one of the valid ones. Every comparison is made, each in constant time over hashes of equal
    /// length, so that the time says nothing of the key.
    pub fn admits(&self, key: Option<&Secret>) -> bool {
        match self {
            Self::Open => true,
            Self::Keys(keys) => {
                let presented: [u8; 32] =
                    Sha256::digest(key.map_or("", Secret::expose).as_bytes()).into();
                let mut matches = subtle::Choice::from(0);
                for valid in keys {
                    matches |= presented.ct_eq(valid);
                }
                key.is_some_and(|key| !key.is_empty()) && bool::from(matches)
            }
        }
    }
}

/// The caller is not one of those who may call. The reason is nobody's business but the log's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the caller showed no valid key")]
pub struct NotVerified;

/// A call of the webhook.
#[derive(Debug)]
pub struct Webhook<State> {
    connection: ConnectionName,
    action: ActionName,
    key: Option<Secret>,
    state: PhantomData<State>,
}

impl Webhook<Unverified> {
    /// A call as it arrives: whom it is for, and the key that it shows.
    pub fn new(connection: ConnectionName, action: ActionName, key: Option<Secret>) -> Self {
        Self {
            connection,
            action,
            key,
            state: PhantomData,
        }
    }

    /// Looks whether the caller may be believed.
    pub fn verify(self, auth: &WebhookAuth) -> Result<Webhook<Verified>, NotVerified> {
        if !auth.admits(self.key.as_ref()) {
            return Err(NotVerified);
        }
        Ok(Webhook {
            connection: self.connection,
            action: self.action,
            key: None,
            state: PhantomData,
        })
    }
}

impl Webhook<Verified> {
    /// The call with its body.
    pub fn with_body(self, body: Bytes) -> Delivery {
        Delivery {
            connection: self.connection,
            action: self.action,
            body,
        }
    }
}

/// A verified call with its body: what the flow takes, and the only thing that the parser takes.
#[derive(Debug, Clone)]
pub struct Delivery {
    connection: ConnectionName,
    action: ActionName,
    body: Bytes,
}

impl Delivery {
    /// A delivery taken back from our own journal, where only verified ones are kept.
    pub fn from_journal(connection: ConnectionName, action: ActionName, body: Bytes) -> Self {
        Self {
            connection,
            action,
            body,
        }
    }

    /// The connection that it is for.
    pub fn connection(&self) -> &ConnectionName {
        &self.connection
    }

    /// The action that it is for.
    pub fn action(&self) -> &ActionName {
        &self.action
    }

    /// The body, without a byte order mark.
    pub fn body(&self) -> &[u8] {
        self.body
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(key: &str) -> [u8; 32] {
        Sha256::digest(key.as_bytes()).into()
    }

    #[test]
    fn only_a_valid_key_opens() {
        let auth = WebhookAuth::Keys(vec![hash("first"), hash("second")]);
        for (key, admitted) in [
            ("first", true),
            ("second", true),
            ("firs", false),
            ("first ", false),
            ("third", false),
            ("", false),
        ] {
            assert_eq!(auth.admits(Some(&Secret::from(key))), admitted, "{key}");
        }
        assert!(!auth.admits(None));
        assert!(
            !WebhookAuth::Keys(vec![hash("")]).admits(Some(&Secret::from(""))),
            "an empty key opens nothing"
        );
        assert!(!WebhookAuth::Keys(vec![]).admits(Some(&Secret::from("x"))));
    }
}
