//! The names that people give: of a connection and of an action.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name of a connection or an action. With the prefix `itsm-connection-` it stays well below the 127 characters
/// of a Key Vault secret's name.
pub const NAME_CHARS_MAX: usize = 60;

/// The name of the action that is used when the webhook's address names none.
pub const DEFAULT_ACTION: &str = "default";

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lower-case letters and digits in groups joined by single hyphens, at most 60 characters")]
pub struct NotAName;

fn check(text: &str) -> Result<(), NotAName> {
    let grouped = !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && text.split('-').all(|group| {
            !group.is_empty()
                && group
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
    if grouped { Ok(()) } else { Err(NotAName) }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Reads a name: `[a-z0-9]+(-[a-z0-9]+)*`, at most 60 characters.
            pub fn parse(text: &str) -> Result<Self, NotAName> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NotAName;
            fn try_from(text: String) -> Result<Self, NotAName> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name! {
    /// The name of a connection: it stands in the webhook's address, in the vault's secret names and in every log line.
    ConnectionName
}

name! {
    /// The name of an action of a connection.
    ActionName
}

impl Default for ActionName {
    fn default() -> Self {
        Self(DEFAULT_ACTION.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for good in ["a", "contoso", "contoso-prod", "a1-2b", &"x".repeat(60)] {
            assert!(ConnectionName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "a_b",
            "a.b",
            "../x",
            "ä",
            "a b",
            &"x".repeat(61),
        ] {
            assert!(ConnectionName::parse(bad).is_err(), "{bad}");
        }
    }
}
