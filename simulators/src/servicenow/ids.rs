//! Keys and tokens that look random and follow from the seed.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

fn digest(seed: u64, what: &str, name: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(what.as_bytes());
    hash.update([0]);
    hash.update(name.as_bytes());
    hash.finalize().to_vec()
}

/// A `sys_id`: 32 hexadecimal characters.
pub(super) fn sys_id(seed: u64, what: &str, name: &str) -> String {
    let mut text = HEXLOWER.encode(&digest(seed, what, name));
    text.truncate(32);
    text
}

/// An opaque token of 86 characters, as ServiceNow's are.
pub(super) fn token(seed: u64, what: &str, n: u64) -> String {
    let mut bytes = digest(seed, what, &n.to_string());
    bytes.extend(digest(seed, what, &format!("{n}b")));
    BASE64URL_NOPAD.encode(&bytes)
}

/// Whether a text is a `sys_id`.
pub(super) fn is_sys_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_shape_and_follow_the_seed() {
        assert!(is_sys_id(&sys_id(1, "record", "1")));
        assert_eq!(sys_id(1, "record", "1"), sys_id(1, "record", "1"));
        assert_ne!(sys_id(1, "record", "1"), sys_id(2, "record", "1"));
        assert_eq!(token(1, "access", 1).len(), 86);
        assert!(!is_sys_id("xyz"));
    }
}
