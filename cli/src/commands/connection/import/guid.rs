//! A GUID, as Azure writes them, in lower case.

use std::fmt;

/// A GUID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Guid(String);

impl Guid {
    /// Reads 8-4-4-4-12 hexadecimal digits in any case.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        let is_plain = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if lengths == [8, 4, 4, 4, 12] && is_plain {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("expected a GUID, such as 11111111-2222-3333-4444-555555555555".to_owned())
        }
    }

    /// As text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guid_is_one() {
        let lower = Guid::parse("ABCDEF01-2222-3333-4444-555555555555").unwrap();
        assert_eq!(lower.as_str(), "abcdef01-2222-3333-4444-555555555555");
        for other in [
            "",
            "contoso",
            "11111111-2222-3333-4444-55555555555g",
            "{11111111-2222-3333-4444-555555555555}",
        ] {
            assert!(Guid::parse(other).is_err(), "{other}");
        }
    }
}
