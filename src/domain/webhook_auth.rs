//! Who may call the webhook.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

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
