//! Tokens that callers show: looked at as little as possible before their signature is checked, and not at all after it
//! failed. Signatures are the `jsonwebtoken` crate's; what a token must not even contain is said here.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::entra::Claims;
use crate::domain::secret::Secret;

/// Longest token that is decoded (row J14). Those of action groups have about 1.5 KB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Longest set of keys that is read: Entra's has about 20 KB.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;

/// Keys that are taken of a set: Entra's has about ten.
pub const KEYS_MAX: usize = 100;

/// Shortest modulus of a key, in bytes: 2048 bits (RFC 7518 §3.3).
const MODULUS_BYTES_MIN: usize = 256;

/// Longest modulus of a key, in bytes: checking a signature must stay cheap.
const MODULUS_BYTES_MAX: usize = 512;

/// What is no token that could be checked. The reason is for our log and holds nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAToken(pub &'static str);

/// A token in the form that we take, whose signature nobody has checked.
#[derive(Debug)]
pub struct UnverifiedToken {
    text: Secret,
    kid: String,
}

/// A token's header. What refers to keys of its own choosing makes it no token (row J13).
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
    #[serde(default)]
    jku: Option<IgnoredAny>,
    #[serde(default)]
    jwk: Option<IgnoredAny>,
    #[serde(default)]
    x5u: Option<IgnoredAny>,
    #[serde(default)]
    x5c: Option<IgnoredAny>,
    #[serde(default)]
    enc: Option<IgnoredAny>,
}

impl UnverifiedToken {
    /// Reads the header alone.
    pub fn parse(text: &Secret) -> Result<Self, NotAToken> {
        let token = text.expose();
        if token.len() > TOKEN_BYTES_MAX {
            return Err(NotAToken("it is longer than 8 KB"));
        }
        let mut parts = token.split('.');
        let header = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(_), Some(_), None) => header,
            _ => return Err(NotAToken("it does not have three parts")),
        };
        let header: Header = BASE64URL_NOPAD
            .decode(header.as_bytes())
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or(NotAToken("its header is not JSON in base64url"))?;
        if header.alg != "RS256" {
            return Err(NotAToken("its algorithm is not RS256"));
        }
        let refers = [
            header.crit,
            header.jku,
            header.jwk,
            header.x5u,
            header.x5c,
            header.enc,
        ];
        if refers.iter().any(Option::is_some) {
            return Err(NotAToken("its header refers to keys or rules of its own"));
        }
        let kid = header
            .kid
            .filter(|kid| !kid.is_empty())
            .ok_or(NotAToken("its header names no key"))?;
        Ok(Self {
            text: text.clone(),
            kid,
        })
    }

    /// The id of the key that it says it is signed by.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it says, if the key has signed it. Times and names are not looked at here.
    pub fn verify(&self, key: &SigningKey) -> Result<Claims, NotAToken> {
        let mut validation = Validation::new(Algorithm::RS256);
        // Ours are the clock and the rules (`domain::entra`); the crate's would need the wall clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        match jsonwebtoken::decode::<Claims>(self.text.expose(), &key.0, &validation) {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(NotAToken(match error.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => "its signature is wrong",
                _ => "its claims are not those of a token of Entra",
            })),
        }
    }
}

/// A public key that Entra signs with.
#[derive(Clone)]
pub struct SigningKey(DecodingKey);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// The keys of an issuer, by their ids.
#[derive(Debug, Clone, Default)]
pub struct SigningKeys(BTreeMap<String, SigningKey>);

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    kty: String,
    #[serde(default)]
    kid: String,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl SigningKeys {
    /// Reads an issuer's answer (RFC 7517); `None` if there is no usable key in it (row J15).
    pub fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > KEY_SET_BYTES_MAX {
            return None;
        }
        let set: KeySet = serde_json::from_slice(body).ok()?;
        let keys: BTreeMap<String, SigningKey> = set
            .keys
            .into_iter()
            .filter_map(|key| Some((key.kid.clone(), signing_key(&key)?)))
            .take(KEYS_MAX)
            .collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The key of an id.
    pub fn get(&self, kid: &str) -> Option<&SigningKey> {
        self.0.get(kid)
    }
}

fn signing_key(key: &Key) -> Option<SigningKey> {
    let signs = key
        .purpose
        .as_deref()
        .is_none_or(|purpose| purpose == "sig");
    if key.kty != "RSA" || key.kid.is_empty() || !signs {
        return None;
    }
    let part = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    let (modulus, exponent) = (part(&key.n)?, part(&key.e)?);
    let length = modulus.iter().skip_while(|byte| **byte == 0).count();
    let is_sound = (MODULUS_BYTES_MIN..=MODULUS_BYTES_MAX).contains(&length)
        && (1..=8).contains(&exponent.len());
    is_sound.then(|| SigningKey(DecodingKey::from_rsa_raw_components(&modulus, &exponent)))
}
