//! Who may call the webhook.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::entra::EntraAuth;
use super::secret::Secret;

/// Keys that are valid at once: the current one and, while it is replaced, the next.
pub const KEYS_MAX: usize = 2;

/// Who may call.
#[derive(Clone)]
pub enum WebhookAuth {
    /// Everybody. Refused by the settings unless the listener is loopback.
    Open,
    /// Whoever has a key with one of these SHA-256 hashes.
    Keys(Vec<[u8; 32]>),
    /// Whoever shows a token of Entra that says so. The keys, if there are any, open the health page and nothing else:
    /// a person has no such token.
    Entra(EntraAuth, Vec<[u8; 32]>),
}

/// Somebody has looked, and the caller may call. There is no other way to one of these than to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted(());

impl Admitted {
    /// The platform has looked: whoever may invoke a function directly is let in by its own rules (AWS IAM).
    pub fn by_platform() -> Self {
        Self(())
    }

    /// For those who have looked.
    pub(super) fn proven() -> Self {
        Self(())
    }
}

impl fmt::Debug for WebhookAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("Open"),
            Self::Keys(keys) => write!(f, "Keys({})", keys.len()),
            Self::Entra(entra, keys) => write!(f, "Entra({entra:?}, {})", keys.len()),
        }
    }
}

impl WebhookAuth {
    /// Looks whether this key opens the webhook. Where tokens are asked for, no key does.
    pub fn admit(&self, key: Option<&Secret>) -> Option<Admitted> {
        let opens = match self {
            Self::Open => true,
            Self::Keys(keys) => is_one_of(key, keys),
            Self::Entra(..) => false,
        };
        opens.then(Admitted::proven)
    }

    /// True if this key opens the health page.
    pub fn shows_health(&self, key: Option<&Secret>) -> bool {
        match self {
            Self::Open => true,
            Self::Keys(keys) | Self::Entra(_, keys) => is_one_of(key, keys),
        }
    }
}

/// Every comparison is made, each in constant time over hashes of equal length, so that the time says nothing of the key.
fn is_one_of(key: Option<&Secret>, keys: &[[u8; 32]]) -> bool {
    let presented: [u8; 32] = Sha256::digest(key.map_or("", Secret::expose).as_bytes()).into();
    let mut matches = subtle::Choice::from(0);
    for valid in keys {
        matches |= presented.ct_eq(valid);
    }
    key.is_some_and(|key| !key.is_empty()) && bool::from(matches)
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
            let key = Secret::from(key);
            assert_eq!(auth.admit(Some(&key)).is_some(), admitted, "{key:?}");
            assert_eq!(auth.shows_health(Some(&key)), admitted, "{key:?}");
        }
        assert!(auth.admit(None).is_none());
        let empty = WebhookAuth::Keys(vec![hash("")]);
        assert!(
            empty.admit(Some(&Secret::from(""))).is_none(),
            "an empty key opens nothing"
        );
        let nobody = WebhookAuth::Keys(vec![]);
        assert!(nobody.admit(Some(&Secret::from("x"))).is_none());
    }

    #[test]
    fn where_tokens_are_asked_for_a_key_shows_the_health_page_only() {
        let entra = EntraAuth::of_nobody();
        let auth = WebhookAuth::Entra(entra, vec![hash("health")]);
        let key = Secret::from("health");
        assert!(auth.admit(Some(&key)).is_none());
        assert!(auth.shows_health(Some(&key)));
        assert!(!auth.shows_health(Some(&Secret::from("other"))));
        assert!(!auth.shows_health(None));
    }
}
