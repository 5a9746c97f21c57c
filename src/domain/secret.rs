//! A value that cannot be printed, serialised or compared by accident.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A token, client secret, password or webhook key. Its memory is wiped when it is dropped (copies that TLS and HTTP
/// libraries make are out of our reach).
///
/// It has no `Display` and no `Serialize`; `Debug` prints a fixed word. Whoever needs the text says [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of a secret text.
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The text itself, for the one line that puts it on the wire or into the vault.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line is ambiguous, and does not compile, as soon as the secret has what it names.
    #[test]
    fn s27_a_secret_cannot_be_printed_serialized_or_compared() {
        trait Lacks<Trait> {
            fn it() {}
        }
        impl<T> Lacks<()> for T {}
        struct Display;
        impl<T: fmt::Display> Lacks<Display> for T {}
        struct Serialize;
        impl<T: serde::Serialize> Lacks<Serialize> for T {}
        struct Equal;
        impl<T: PartialEq> Lacks<Equal> for T {}
        struct Copied;
        impl<T: Copy> Lacks<Copied> for T {}
        <Secret as Lacks<_>>::it();
    }

    #[test]
    fn debug_shows_a_fixed_word() {
        assert_eq!(
            format!("{:?}", Some(Secret::from("hunter2"))),
            "Some(Secret(…))"
        );
    }
}
