//! What a vault keeps under a name: a value, which version of it that is, and until when it is good.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::timestamp::Timestamp;

/// Longest name of a version. Key Vault's have 32 characters.
const VERSION_CHARS_MAX: usize = 64;

/// Longest name of a secret: Key Vault's limit.
const NAME_CHARS_MAX: usize = 127;

/// True if a text may name a secret: Key Vault's own alphabet, so that no name that others choose becomes a path.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The name of one version of a secret. It tells nothing of the value, so that it may stand in logs and journals (rule R41).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VaultVersion(String);

/// Why a text names no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("letters and digits, at most 64")]
pub struct NotAVersion;

impl VaultVersion {
    /// Reads a version's name: letters and digits, at most 64. It becomes a part of a path.
    pub fn parse(text: &str) -> Result<Self, NotAVersion> {
        let plain = !text.is_empty()
            && text.len() <= VERSION_CHARS_MAX
            && text.bytes().all(|b| b.is_ascii_alphanumeric());
        plain.then(|| Self(text.to_owned())).ok_or(NotAVersion)
    }

    /// The name of the only version, in a vault that has no versions.
    pub fn only() -> Self {
        Self("only".to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VaultVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VaultVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl From<VaultVersion> for String {
    fn from(version: VaultVersion) -> Self {
        version.0
    }
}

impl TryFrom<String> for VaultVersion {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        Self::parse(&text)
    }
}

/// A value as the vault keeps it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The value.
    pub value: Secret,
    /// Which version of it.
    pub version: VaultVersion,
    /// Until when it is good, where the vault was told. It informs: a vault gives an expired value too.
    pub expires: Option<Timestamp>,
}

impl Kept {
    /// The value of a vault that has no versions: it is always the same one.
    pub fn only(value: Secret) -> Self {
        Self {
            value,
            version: VaultVersion::only(),
            expires: None,
        }
    }
}

/// A version of a secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSeen {
    /// Which.
    pub version: VaultVersion,
    /// False once it was disabled: its value cannot be had any more.
    pub is_enabled: bool,
    /// When it was stored, by the vault's clock; Key Vault tells whole seconds.
    pub created: Timestamp,
    /// Until when it is good, where the vault was told.
    pub expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_plain_word() {
        let version = VaultVersion::parse("4387e9f3d6e14c459867679a90fd0f79").unwrap();
        assert_eq!(version.to_string(), version.as_str());
        let too_long = "a".repeat(65);
        for text in ["", "../a", "a/b", "a b", "ä", &too_long] {
            assert_eq!(VaultVersion::parse(text), Err(NotAVersion), "{text}");
        }
        let json = serde_json::to_string(&version).unwrap();
        assert_eq!(
            serde_json::from_str::<VaultVersion>(&json).unwrap(),
            version
        );
        assert!(serde_json::from_str::<VaultVersion>("\"a/b\"").is_err());
    }

    #[test]
    fn a_value_is_not_printed() {
        let kept = Kept {
            value: Secret::from("canary"),
            version: VaultVersion::parse("a1").unwrap(),
            expires: None,
        };
        assert!(!format!("{kept:?}").contains("canary"));
    }
}
