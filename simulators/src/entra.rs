//! A tenant of Microsoft Entra ID: it publishes its signing keys and signs tokens, good ones and any other.
//!
//! Written from the documentation of access tokens and of the secure webhook (the shapes are in the claims' reference of
//! the identity platform), over the cryptography alone: nothing in here knows how tokens are checked.

mod people;
mod tokens;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

pub use crate::jwt::Cryptography;
use crate::jwt::{SigningKey, part};
use crate::machine::{Answer, Delivery, Machine};
pub use people::Person;
pub use tokens::{App, FederatedCredential, IDENTITY_PATH, ManagedIdentity};

/// How long a token lasts: Entra draws between 60 and 90 minutes.
const LIFE_SECONDS: i64 = 75 * 60;

/// A tenant.
#[derive(Debug)]
pub struct Entra {
    /// Its id.
    pub tenant: String,
    /// The apps that may ask for tokens.
    pub apps: Vec<App>,
    /// What is given tokens through the platform.
    pub managed: Option<ManagedIdentity>,
    /// For what tokens are given: the audiences.
    pub resources: Vec<String>,
    /// The published keys of issuers whose tokens are taken in place of a secret.
    pub trusted: BTreeMap<String, Value>,
    /// The people who may log in by password.
    pub people: Vec<Person>,
    refresh: BTreeMap<String, people::Refresh>,
    /// True if a refresh token that was used is taken again, as Entra does.
    pub old_refresh_serves: bool,
    /// How often a refresh token came that had been used before.
    pub reused: u32,
    /// How long an answer to a token request takes.
    pub slow: Option<Duration>,
    /// What is answered in place of a token.
    pub no_token: Option<(u16, String)>,
    /// How many tokens were given.
    pub given: u32,
    keys: Vec<SigningKey>,
    made: u32,
    /// What is answered in place of the keys.
    pub instead: Option<(u16, String)>,
    /// True while nobody answers.
    pub is_away: bool,
    /// How often the keys were asked for.
    pub asked: u32,
}

impl Entra {
    /// A tenant with one key.
    pub fn new(tenant: &str) -> Result<Self, Cryptography> {
        let key = SigningKey::generate(format!("key-1-of-{tenant}"))?;
        Ok(Self::with_key(tenant, key))
    }

    /// A tenant with this key.
    pub fn with_key(tenant: &str, key: SigningKey) -> Self {
        Self {
            tenant: tenant.to_owned(),
            apps: Vec::new(),
            managed: None,
            resources: ["vault.azure.net", "management.azure.com"]
                .map(|host| format!("https://{host}"))
                .to_vec(),
            trusted: BTreeMap::new(),
            people: Vec::new(),
            refresh: BTreeMap::new(),
            old_refresh_serves: false,
            reused: 0,
            slow: None,
            no_token: None,
            given: 0,
            keys: vec![key],
            made: 1,
            instead: None,
            is_away: false,
            asked: 0,
        }
    }

    /// Publishes a further key and signs with it from now on.
    pub fn add_key(&mut self) -> Result<(), Cryptography> {
        self.made += 1;
        let kid = format!("key-{}-of-{}", self.made, self.tenant);
        self.keys.push(SigningKey::generate(kid)?);
        Ok(())
    }

    /// Takes the oldest key back.
    pub fn retire_oldest(&mut self) {
        if self.keys.len() > 1 {
            self.keys.remove(0);
        }
    }

    /// The id of the key that signs now.
    pub fn kid(&self) -> &str {
        self.keys.last().map_or("", |key| &key.kid)
    }

    /// What is published (RFC 7517), with what Entra puts beside the key itself.
    pub fn key_set(&self) -> Value {
        let keys: Vec<Value> = self
            .keys
            .iter()
            .map(|key| {
                let mut published = key.published();
                published["x5t"] = json!(key.kid);
                published["x5c"] = json!(["MIIC"]);
                published["issuer"] = json!(format!(
                    "https://login.microsoftonline.com/{}/v2.0",
                    self.tenant
                ));
                // Entra leaves it out.
                if let Some(published) = published.as_object_mut() {
                    published.remove("alg");
                }
                published
            })
            .collect();
        json!({ "keys": keys })
    }

    /// The claims of an app's token of version 1.0.
    pub fn claims_v1(&self, audience: &str, caller: &str, now_ms: i64) -> Value {
        let now = now_ms.div_euclid(1000);
        json!({
            "aud": audience,
            "iss": format!("https://sts.windows.net/{}/", self.tenant),
            "iat": now, "nbf": now, "exp": now + LIFE_SECONDS,
            "aio": "x", "appid": caller, "appidacr": "2",
            "idp": format!("https://sts.windows.net/{}/", self.tenant),
            "oid": "99999999-0001-4000-8000-000000000001",
            "rh": "x", "sub": "99999999-0001-4000-8000-000000000001",
            "tid": self.tenant, "uti": "x", "ver": "1.0",
            "roles": ["ActionGroupsSecureWebhook"],
        })
    }

    /// The claims of an app's token of version 2.0.
    pub fn claims_v2(&self, audience: &str, caller: &str, now_ms: i64) -> Value {
        let now = now_ms.div_euclid(1000);
        json!({
            "aud": audience,
            "iss": format!("https://login.microsoftonline.com/{}/v2.0", self.tenant),
            "iat": now, "nbf": now, "exp": now + LIFE_SECONDS,
            "aio": "x", "azp": caller, "azpacr": "2",
            "oid": "99999999-0001-4000-8000-000000000001",
            "rh": "x", "sub": "99999999-0001-4000-8000-000000000001",
            "tid": self.tenant, "uti": "x", "ver": "2.0",
            "roles": ["ActionGroupsSecureWebhook"],
        })
    }

    /// The header of a token by the key that signs now.
    pub fn header(&self) -> Value {
        json!({ "typ": "JWT", "alg": "RS256", "x5t": self.kid(), "kid": self.kid() })
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> Result<String, Cryptography> {
        self.signed(&self.header(), claims)
    }

    /// The attack on verifiers that let the token choose: an HMAC whose key is the public key, under a header that says so.
    pub fn forged_by_hmac(&self, claims: &Value) -> Result<String, Cryptography> {
        let mut header = self.header();
        header["alg"] = json!("HS256");
        let message = format!("{}.{}", part(&header), part(claims));
        let key = self.keys.last().ok_or(Cryptography)?;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &key.modulus());
        let tag = hmac::sign(&secret, message.as_bytes());
        Ok(format!(
            "{message}.{}",
            BASE64URL_NOPAD.encode(tag.as_ref())
        ))
    }

    /// A token with this header and these claims, signed by RS256 whatever the header says.
    pub fn signed(&self, header: &Value, claims: &Value) -> Result<String, Cryptography> {
        self.keys.last().ok_or(Cryptography)?.signed(header, claims)
    }
}

impl Machine for Entra {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        let is_token = request.uri().path().ends_with("/oauth2/v2.0/token");
        let keys = format!("/{}/discovery/v2.0/keys", self.tenant);
        let (status, body) = if request.uri().path() == keys {
            self.asked += 1;
            match &self.instead {
                Some((status, body)) => (*status, body.clone()),
                None => (200, self.key_set().to_string()),
            }
        } else {
            let (status, body) = self.token_service(&request, now_ms);
            (status, body.to_string())
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
        Answer {
            response,
            delivery: match (self.is_away, self.slow.filter(|_| is_token)) {
                (true, _) => Delivery::NeverRead,
                (false, Some(by)) => Delivery::After(by),
                (false, None) => Delivery::Whole,
            },
        }
    }
}
