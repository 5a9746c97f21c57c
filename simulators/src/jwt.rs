//! Signed tokens (RFC 7515, RS256): a key that signs, and the check of a signature by published keys.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// The key cannot be made or used; aws-lc says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cryptography;

/// A key that signs. A clone is the same key: making one takes longer than most tests.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// By what name it is published.
    pub kid: String,
    pair: Arc<KeyPair>,
}

impl SigningKey {
    /// A fresh RSA key of 2048 bits.
    pub fn generate(kid: String) -> Result<Self, Cryptography> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Cryptography)?;
        Ok(Self {
            kid,
            pair: Arc::new(pair),
        })
    }

    /// The public key's modulus.
    pub fn modulus(&self) -> Vec<u8> {
        let public = self.pair.public_key();
        public.modulus().big_endian_without_leading_zero().to_vec()
    }

    /// The public key as it is published (RFC 7517).
    pub fn published(&self) -> Value {
        let public = self.pair.public_key();
        let exponent = public.exponent().big_endian_without_leading_zero();
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": BASE64URL_NOPAD.encode(&self.modulus()),
            "e": BASE64URL_NOPAD.encode(exponent),
        })
    }

    /// A token with this header and these claims, signed by RS256 whatever the header says.
    pub fn signed(&self, header: &Value, claims: &Value) -> Result<String, Cryptography> {
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .map_err(|_| Cryptography)?;
        Ok(format!("{message}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

/// A part of a token.
pub fn part(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

fn read(part: &str) -> Option<Value> {
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The claims of a token, unchecked: to see who says that it is the issuer.
pub fn unchecked_claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let claims = read(parts.nth(1)?)?;
    (parts.count() == 1).then_some(claims)
}

/// The claims of a token that one of these keys has signed by RS256.
pub fn verified_claims(token: &str, key_set: &Value) -> Option<Value> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let header = read(header)?;
    if header["alg"] != "RS256" {
        return None;
    }
    let key = key_set["keys"]
        .as_array()?
        .iter()
        .find(|key| key["kid"] == header["kid"])?;
    let bytes = |name: &str| BASE64URL_NOPAD.decode(key[name].as_str()?.as_bytes()).ok();
    let public = PublicKeyComponents {
        n: bytes("n")?,
        e: bytes("e")?,
    };
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
    public
        .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &signature)
        .ok()?;
    read(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_key_has_signed_is_believed() {
        let key = SigningKey::generate("a".to_owned()).unwrap();
        let other = SigningKey::generate("a".to_owned()).unwrap();
        let key_set = json!({ "keys": [key.published()] });
        let header = json!({ "alg": "RS256", "kid": "a" });
        let claims = json!({ "sub": "x" });
        let good = key.signed(&header, &claims).unwrap();
        assert_eq!(verified_claims(&good, &key_set), Some(claims.clone()));
        let altered = good.replacen(&part(&claims), &part(&json!({ "sub": "y" })), 1);
        let none = key
            .signed(&json!({ "alg": "none", "kid": "a" }), &claims)
            .unwrap();
        for bad in [
            altered,
            other.signed(&header, &claims).unwrap(),
            none,
            "a.b.c".to_owned(),
        ] {
            assert_eq!(verified_claims(&bad, &key_set), None);
        }
        assert_eq!(unchecked_claims(&good), Some(claims));
        assert_eq!(unchecked_claims("a.b"), None);
    }
}
