//! Tokens from an OAuth 2 issuer, by the `oauth2` crate over our own transport.
//!
//! The crate's parse error carries the raw body, which may echo secrets: nothing of an error of its becomes part of ours.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, RefreshToken,
    RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername, Scope, StandardRevocableToken,
    TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use crate::domain::connection::{ClientAuthentication, Connection};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{AccessToken, LIFE_MAX, LIFE_MIN};
use crate::ports::{Clock, Transport, TransportFailure, TransportTrouble};

/// What an issuer gave.
#[derive(Debug)]
pub struct Issued {
    /// The access token.
    pub access: AccessToken,
    /// A refresh token, if it gave one.
    pub refresh: Option<Secret>,
}

/// A way to obtain tokens.
#[derive(Debug)]
pub enum By<'a> {
    /// Client id and secret alone.
    ClientCredentials,
    /// A person's password, used once and kept nowhere.
    Password {
        /// The integration user.
        username: &'a str,
        /// Their password.
        password: &'a Secret,
    },
    /// A refresh token.
    Refresh(&'a Secret),
}

impl By<'_> {
    fn operation(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "obtain token by client credentials",
            Self::Password { .. } => "obtain token by password",
            Self::Refresh(_) => "obtain token by refresh token",
        }
    }
}

type Client = oauth2::Client<
    BasicErrorResponse,
    LenientToken,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// The token endpoint of one connection.
#[derive(Clone)]
pub struct TokenEndpoint {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    service: &'static str,
    client: Client,
}

impl std::fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl TokenEndpoint {
    /// The endpoint at `path` of a connection's server.
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        connection: &Connection,
        path: &str,
    ) -> Self {
        let mut client = oauth2::Client::new(ClientId::new(connection.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(connection.server.join(path)))
            .set_auth_type(match connection.client_authentication {
                ClientAuthentication::Body => AuthType::RequestBody,
                ClientAuthentication::Basic => AuthType::BasicAuth,
            });
        if let Some(secret) = &connection.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        Self {
            transport,
            clock,
            service: connection.partner_type.product(),
            client,
        }
    }

    /// Obtains tokens. Whatever goes wrong, the call that wanted them was not sent.
    pub async fn obtain(&self, by: By<'_>, within: Duration) -> Result<Issued, CallFailure> {
        let operation = by.operation();
        let http = Exchange {
            transport: Arc::clone(&self.transport),
            clock: Arc::clone(&self.clock),
            within,
        };
        let asked_at = self.clock.now();
        let answer = match &by {
            By::ClientCredentials => {
                self.client
                    .exchange_client_credentials()
                    .request_async(&http)
                    .await
            }
            By::Password { username, password } => {
                let username = ResourceOwnerUsername::new((*username).to_owned());
                let password = ResourceOwnerPassword::new(password.expose().to_owned());
                self.client
                    .exchange_password(&username, &password)
                    .request_async(&http)
                    .await
            }
            By::Refresh(token) => {
                let token = RefreshToken::new(token.expose().to_owned());
                self.client
                    .exchange_refresh_token(&token)
                    .request_async(&http)
                    .await
            }
        };
        match answer {
            Ok(token) => issued(&token, asked_at).ok_or_else(|| {
                self.failure(
                    operation,
                    Kind::Undecodable,
                    "the issuer gave a token that is empty or of another type than Bearer",
                )
            }),
            Err(RequestTokenError::ServerResponse(_)) => {
                Err(self.failure(operation, Kind::Unauthorized, refused(&by)))
            }
            Err(RequestTokenError::Request(trouble)) => {
                Err(trouble.into_failure(self.service, operation))
            }
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => Err(self.failure(
                operation,
                Kind::Undecodable,
                "the issuer's answer is no token",
            )),
        }
    }

    fn failure(&self, operation: &str, kind: Kind, detail: &str) -> CallFailure {
        CallFailure::new(self.service, operation, Effect::NotSent, kind, detail)
    }
}

/// One exchange with the issuer, as the `oauth2` crate asks for it.
struct Exchange {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    within: Duration,
}

impl<'c> AsyncHttpClient<'c> for Exchange {
    type Error = TokenTrouble;
    type Future =
        Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, TokenTrouble>> + Send + 'c>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Exchange {
    async fn send(
        &self,
        request: oauth2::HttpRequest,
    ) -> Result<oauth2::HttpResponse, TokenTrouble> {
        let (mut parts, body) = request.into_parts();
        for value in parts.headers.values_mut() {
            value.set_sensitive(true);
        }
        let response = self
            .transport
            .send(
                http::Request::from_parts(parts, Bytes::from(body)),
                self.within,
            )
            .await
            .map_err(TokenTrouble::Transport)?;
        let (parts, body) = response.into_parts();
        let is_json = is_json(&parts.headers);
        match parts.status.as_u16() {
            429 => Err(TokenTrouble::RateLimited(retry_after(
                &parts.headers,
                self.clock.now(),
            ))),
            status @ (300..=399 | 500..=599) => Err(TokenTrouble::Status(status)),
            status if !is_json && status == 200 => Err(TokenTrouble::NotJson),
            // The issuer refused, whatever its body is: the crate would take an HTML body for a broken one.
            status @ (400 | 401 | 403) if !is_json => Err(TokenTrouble::Refused(status)),
            _ => Ok(http::Response::from_parts(parts, body.to_vec())),
        }
    }
}

/// Both possibilities are told, because ServiceNow's answer does not distinguish them (servicenow-api §2.5).
fn refused(by: &By<'_>) -> &'static str {
    match by {
        By::ClientCredentials => {
            "the issuer refused: client id or secret is wrong, or the grant `client_credentials` is switched off"
        }
        By::Password { .. } => {
            "the issuer refused: user, password, client id or secret is wrong, the user is locked, or the grant `password` is switched off"
        }
        By::Refresh(_) => {
            "the issuer refused: the refresh token has expired or was revoked, or client id or secret is wrong"
        }
    }
}

fn issued(token: &LenientToken, asked_at: Timestamp) -> Option<Issued> {
    let is_bearer = matches!(&token.token_type, BasicTokenType::Bearer);
    let secret = Secret::from(token.access_token.secret().as_str());
    if !is_bearer || secret.is_empty() {
        return None;
    }
    let life = token
        .expires_in
        .unwrap_or(LIFE_MIN)
        .clamp(LIFE_MIN, LIFE_MAX);
    let refresh = token
        .refresh_token
        .as_ref()
        .map(|token| Secret::from(token.secret().as_str()))
        .filter(|token| !token.is_empty());
    Some(Issued {
        access: AccessToken {
            secret,
            expires_at: asked_at.plus(life),
        },
        refresh,
    })
}

/// True if the body says that it is JSON.
pub(super) fn is_json(headers: &http::HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().contains("json"))
}

/// `Retry-After` in seconds or as a date; `None` if it is missing or nonsense.
pub(super) fn retry_after(headers: &http::HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    Timestamp::parse_http_date(text).map(|when| when.since(now))
}

/// Why no token answer came.
#[derive(Debug, thiserror::Error)]
#[error("no token answer")]
enum TokenTrouble {
    Transport(TransportFailure),
    RateLimited(Option<Duration>),
    Status(u16),
    Refused(u16),
    NotJson,
}

impl TokenTrouble {
    fn into_failure(self, service: &str, operation: &str) -> CallFailure {
        let failure = |kind, detail: &str| {
            CallFailure::new(service, operation, Effect::NotSent, kind, detail)
        };
        match self {
            Self::Transport(
                TransportFailure::NotSent(trouble) | TransportFailure::Unknown(trouble),
            ) => {
                let (kind, detail) = told(trouble);
                failure(kind, detail)
            }
            Self::RateLimited(wait) => {
                let failure = failure(Kind::RateLimited, "the issuer's quota of calls is used up")
                    .with_status(429);
                match wait {
                    Some(wait) => failure.with_retry_after(wait),
                    None => failure,
                }
            }
            Self::Status(status @ 300..=399) => failure(
                Kind::Undecodable,
                "the issuer sends elsewhere; redirects are not followed",
            )
            .with_status(status),
            Self::Status(status) => {
                failure(Kind::Unavailable, "the issuer failed").with_status(status)
            }
            Self::Refused(status) => failure(
                Kind::Unauthorized,
                "the issuer refused, with a page in place of a reason",
            )
            .with_status(status),
            Self::NotJson => failure(
                Kind::Maintenance,
                "the issuer answered with a page in place of a token",
            )
            .with_status(200),
        }
    }
}

/// A transport's trouble in words.
pub(super) fn told(trouble: TransportTrouble) -> (Kind, &'static str) {
    match trouble {
        TransportTrouble::Unreachable => (Kind::Unreachable, "the host cannot be reached"),
        TransportTrouble::Forbidden => (
            Kind::Forbidden,
            "the host's address is private or without TLS, and not on the list of allowed hosts",
        ),
        TransportTrouble::Certificate => (
            Kind::Unreachable,
            "the host's certificate is not to be trusted, or TLS could not be set up",
        ),
        TransportTrouble::TimedOut => (Kind::TimedOut, "no answer in the time allowed"),
        TransportTrouble::Broken => (Kind::ConnectionLost, "the connection broke"),
        TransportTrouble::TooLong => (
            Kind::Undecodable,
            "the answer is longer than any answer should be",
        ),
        TransportTrouble::Malformed => (Kind::Invalid, "the request could not be built"),
    }
}

/// A token answer, read with patience: `expires_in` comes as number, string, nonsense or not at all (row N25).
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LenientToken {
    access_token: oauth2::AccessToken,
    #[serde(default = "bearer", deserialize_with = "token_type")]
    token_type: BasicTokenType,
    #[serde(default, deserialize_with = "seconds", skip_serializing)]
    expires_in: Option<Duration>,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

/// The name is compared without case (RFC 6749 §5.1).
fn token_type<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BasicTokenType, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.eq_ignore_ascii_case("bearer") {
        Ok(BasicTokenType::Bearer)
    } else {
        Ok(BasicTokenType::Extension(name))
    }
}

fn seconds<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Number(f64),
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    let told = match Option::<Told>::deserialize(deserializer)? {
        Some(Told::Number(number)) => Some(number),
        Some(Told::Text(text)) => text.trim().parse::<f64>().ok(),
        Some(Told::Other(_)) | None => None,
    };
    Ok(told
        .filter(|number| number.is_finite())
        .map(|number| Duration::from_secs_f64(number.clamp(0.0, 1e9))))
}

impl TokenResponse for LenientToken {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &oauth2::AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}
