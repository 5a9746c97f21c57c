//! The security token service of one AWS region, as far as a function needs it that wants to be known outside of AWS:
//! `GetWebIdentityToken`, whose token names the caller's role.
//!
//! Written from the API reference of STS and the page on outbound identity federation; the signature from the page on
//! Signature Version 4, over the cryptography alone.

mod signature;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::jwt::{Cryptography, SigningKey};
use crate::machine::{Answer, Machine};

/// Most audiences of one token.
const AUDIENCES_MAX: usize = 10;

/// Shortest and longest life of a token, and the one that nobody has to ask for, in seconds.
const LIFE_SECONDS: std::ops::RangeInclusive<i64> = 60..=3600;
const LIFE_SECONDS_DEFAULT: i64 = 300;

/// The keys of a role's session.
#[derive(Debug, Clone)]
pub struct SessionKeys {
    /// The access key.
    pub secret: String,
    /// What makes it good.
    pub session_token: String,
    /// The role.
    pub role: String,
    /// Whether its policy allows `sts:GetWebIdentityToken`.
    pub may_ask: bool,
}

/// One region's STS of one account.
#[derive(Debug)]
pub struct AwsSts {
    /// The region.
    pub region: String,
    /// Who issues the tokens.
    pub issuer: String,
    /// Whether the account has switched it on.
    pub is_enabled: bool,
    /// The keys that are good, by their id.
    pub sessions: BTreeMap<String, SessionKeys>,
    /// How many tokens were given.
    pub given: u32,
    key: SigningKey,
}

struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

fn refusal(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
    let message = message.into();
    Refusal {
        status,
        code,
        message,
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    refusal(400, "ValidationError", message)
}

impl AwsSts {
    /// In this region, switched on, with nobody who could ask.
    pub fn new(region: &str) -> Result<Self, Cryptography> {
        let key = SigningKey::generate("sts-1".to_owned())?;
        Ok(Self::with_key(region, key))
    }

    /// The same with a key that is there already.
    pub fn with_key(region: &str, key: SigningKey) -> Self {
        Self {
            region: region.to_owned(),
            issuer: "https://00000000-0000-4000-8000-000000000001.tokens.sts.global.api.aws"
                .to_owned(),
            is_enabled: true,
            sessions: BTreeMap::new(),
            given: 0,
            key,
        }
    }

    /// The keys that AWS publishes for the account's issuer.
    pub fn key_set(&self) -> Value {
        json!({ "keys": [self.key.published()] })
    }

    fn token(&mut self, request: &Request<Bytes>, now_ms: i64) -> Result<String, Refusal> {
        if request.method() != Method::POST || request.uri().path() != "/" {
            return Err(refusal(
                404,
                "UnknownOperationException",
                "POST / is what there is",
            ));
        }
        let form = form(request.body())?;
        let field = |name: &str| form.get(name).map(String::as_str);
        if field("Action") != Some("GetWebIdentityToken") || field("Version") != Some("2011-06-15")
        {
            return Err(refusal(
                400,
                "InvalidAction",
                "Could not find operation for this version",
            ));
        }
        let session = signature::signer(request, &self.region, &self.sessions, now_ms)?;
        let (role, may_ask) = (session.role.clone(), session.may_ask);
        let (audiences, life) = asked_for(&form)?;
        if !may_ask {
            let message =
                format!("User: {role} is not authorized to perform: sts:GetWebIdentityToken");
            return Err(refusal(403, "AccessDenied", message));
        }
        if !self.is_enabled {
            return Err(refusal(
                403,
                "OutboundWebIdentityFederationDisabledException",
                "Outbound web identity federation is not enabled for your account.",
            ));
        }
        let now = now_ms.div_euclid(1000);
        self.given += 1;
        let audience = match audiences.as_slice() {
            [one] => json!(one),
            several => json!(several),
        };
        let claims = json!({
            "iss": self.issuer, "aud": audience, "sub": role, "iat": now, "exp": now + life,
            "jti": format!("token-{}", self.given),
            "https://sts.amazonaws.com/": {
                "aws_account": "000000000000", "source_region": self.region, "principal_id": role,
            },
        });
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key.kid });
        let token = self.key.signed(&header, &claims);
        token.map_err(|Cryptography| refusal(500, "InternalFailure", "the token cannot be signed"))
    }
}

/// The form; no field may come twice.
fn form(body: &[u8]) -> Result<BTreeMap<String, String>, Refusal> {
    let mut form = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if form.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(invalid("a parameter comes twice"));
        }
    }
    Ok(form)
}

/// The audiences and the life that are asked for; whatever else is asked is a mistake.
fn asked_for(form: &BTreeMap<String, String>) -> Result<(Vec<String>, i64), Refusal> {
    let mut audiences = Vec::new();
    let mut life = LIFE_SECONDS_DEFAULT;
    let mut algorithm = None;
    for (name, value) in form {
        match name.as_str() {
            "Action" | "Version" => {}
            "SigningAlgorithm" => algorithm = Some(value.as_str()),
            "DurationSeconds" => {
                let asked = value
                    .parse()
                    .ok()
                    .filter(|asked| LIFE_SECONDS.contains(asked));
                life = asked.ok_or_else(|| invalid("DurationSeconds is 60 to 3600"))?;
            }
            name => match name
                .strip_prefix("Audience.member.")
                .map(str::parse::<usize>)
            {
                Some(Ok(1..=AUDIENCES_MAX)) if (1..=1000).contains(&value.len()) => {
                    audiences.push(value.clone());
                }
                _ => return Err(invalid(format!("{name} is not known here"))),
            },
        }
    }
    match algorithm {
        Some("RS256") if !audiences.is_empty() => Ok((audiences, life)),
        // The real service has ES384 too, which Entra does not take.
        Some("ES384") => Err(invalid("this simulator signs by RS256 only")),
        Some("RS256") => Err(invalid("Audience is missing")),
        _ => Err(invalid("SigningAlgorithm is RS256 or ES384")),
    }
}

impl Machine for AwsSts {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        let (status, text) = match self.token(&request, now_ms) {
            Ok(token) => (
                200,
                format!(
                    r#"<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetWebIdentityTokenResult><WebIdentityToken>{token}</WebIdentityToken><Expiration>2099-01-01T00:00:00Z</Expiration></GetWebIdentityTokenResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></GetWebIdentityTokenResponse>"#
                ),
            ),
            Err(Refusal {
                status,
                code,
                message,
            }) => (
                status,
                format!(
                    r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"#
                ),
            ),
        };
        let mut response = Response::new(Bytes::from(text));
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let xml = HeaderValue::from_static("text/xml");
        response.headers_mut().insert(CONTENT_TYPE, xml);
        Answer::whole(response)
    }
}
