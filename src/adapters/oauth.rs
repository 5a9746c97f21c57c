//! Tokens from an OAuth 2 issuer, by the `oauth2` crate over our own transport.
//!
//! The crate's parse error carries the raw body, which may echo secrets: nothing of an error of its becomes part of ours.

mod answer;
mod refusal;
mod trouble;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, RefreshToken,
    RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername, Scope, StandardRevocableToken,
    TokenUrl,
};
use url::Url;

use crate::adapters::entra_tenant::EntraTenant;
use crate::adapters::http::answer::{is_json, retry_after};
use crate::domain::connection::{ClientAuthentication, Connection};
use crate::domain::egress::Egress;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::domain::token::{AccessToken, Issued, LIFE_MAX, LIFE_MIN};
use crate::ports::{Clock, Transport};
use answer::LenientToken;
use trouble::TokenTrouble;

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
    connection: Arc<Connection>,
    place: Place,
    scopes: Scopes,
}

/// What is asked for. Issuers that give one token for all they have are asked for nothing.
#[derive(Debug, Clone, Default)]
pub struct Scopes {
    /// By client id and secret alone.
    pub of_client: Vec<String>,
    /// For a person.
    pub of_person: Vec<String>,
}

/// Where the endpoint is.
#[derive(Clone)]
enum Place {
    /// At the instance itself.
    Here(Arc<There>),
    /// At a tenant of Entra's, which is found out once.
    Entra(Arc<EntraTenant>, Arc<tokio::sync::OnceCell<There>>),
}

/// The client at its address, and what a call of it may reach.
struct There {
    client: Client,
    egress: Arc<Egress>,
}

impl std::fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("connection", &self.connection.name)
            .finish_non_exhaustive()
    }
}

impl TokenEndpoint {
    /// The endpoint at `path` of a connection's server.
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        connection: &Arc<Connection>,
        path: &str,
    ) -> Self {
        let url = connection.server.join(path);
        Self::at(transport, clock, connection, url)
    }

    /// The endpoint at an address of a connection's server.
    pub fn at(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        connection: &Arc<Connection>,
        url: Url,
    ) -> Self {
        let here = There {
            client: client(connection, url),
            egress: Arc::clone(&connection.egress),
        };
        Self {
            transport,
            clock,
            connection: Arc::clone(connection),
            place: Place::Here(Arc::new(here)),
            scopes: Scopes::default(),
        }
    }

    /// The endpoint of the Entra tenant of a connection.
    pub fn of_entra(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        connection: &Arc<Connection>,
        entra: Arc<EntraTenant>,
        scopes: Scopes,
    ) -> Self {
        Self {
            transport,
            clock,
            connection: Arc::clone(connection),
            place: Place::Entra(entra, Arc::default()),
            scopes,
        }
    }

    /// Where it is; an Entra tenant is looked for until it was found once.
    async fn there(&self, within: Duration) -> Result<&There, CallFailure> {
        match &self.place {
            Place::Here(here) => Ok(here),
            Place::Entra(entra, once) => {
                once.get_or_try_init(async || {
                    let authority = entra.find(within).await?;
                    Ok(There {
                        client: client(&self.connection, authority.token_endpoint()),
                        egress: Arc::new(authority.egress()),
                    })
                })
                .await
            }
        }
    }

    /// Obtains tokens. Whatever goes wrong, the call that wanted them was not sent.
    pub async fn obtain(&self, by: By<'_>, within: Duration) -> Result<Issued, CallFailure> {
        let operation = by.operation();
        let began = self.clock.monotonic();
        let there = self.there(within).await?;
        let within = within.saturating_sub(self.clock.monotonic().saturating_sub(began));
        let http = Exchange {
            transport: Arc::clone(&self.transport),
            clock: Arc::clone(&self.clock),
            egress: Arc::clone(&there.egress),
            within,
            status: AtomicU16::new(0),
            entra_code: AtomicU32::new(0),
        };
        let client = &there.client;
        let scopes = |all: &[String]| all.iter().cloned().map(Scope::new).collect::<Vec<_>>();
        let asked_at = self.clock.now();
        let answer = match &by {
            By::ClientCredentials => {
                client
                    .exchange_client_credentials()
                    .add_scopes(scopes(&self.scopes.of_client))
                    .request_async(&http)
                    .await
            }
            By::Password { username, password } => {
                let username = ResourceOwnerUsername::new((*username).to_owned());
                let password = ResourceOwnerPassword::new(password.expose().to_owned());
                client
                    .exchange_password(&username, &password)
                    .add_scopes(scopes(&self.scopes.of_person))
                    .request_async(&http)
                    .await
            }
            By::Refresh(token) => {
                let token = RefreshToken::new(token.expose().to_owned());
                client
                    .exchange_refresh_token(&token)
                    .add_scopes(scopes(&self.scopes.of_person))
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
            Err(RequestTokenError::ServerResponse(refusal)) => {
                let code = http.entra_code.load(Ordering::Relaxed);
                let meant = refusal::meaning(&by, refusal.error(), code);
                let failure = self.failure(operation, meant.kind, meant.detail);
                Err(match meant.advice {
                    Some(advice) => failure.with_advice(advice),
                    None => failure,
                })
            }
            Err(RequestTokenError::Request(trouble)) => {
                Err(trouble.into_failure(self.service(), operation))
            }
            // Refused, in a form of JSON that is not OAuth's.
            Err(RequestTokenError::Parse(..)) if http.status.load(Ordering::Relaxed) == 401 => {
                let failure = self.failure(operation, Kind::Unauthorized, refusal::refused(&by));
                Err(failure.with_status(401))
            }
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => Err(self.failure(
                operation,
                Kind::Undecodable,
                "the issuer's answer is no token",
            )),
        }
    }

    fn failure(&self, operation: &str, kind: Kind, detail: &str) -> CallFailure {
        CallFailure::new(self.service(), operation, Effect::NotSent, kind, detail)
    }

    fn service(&self) -> &'static str {
        self.connection.partner_type.product()
    }
}

fn client(connection: &Connection, url: Url) -> Client {
    let mut client = oauth2::Client::new(ClientId::new(connection.client_id.clone()))
        .set_token_uri(TokenUrl::from_url(url))
        .set_auth_type(match connection.client_authentication {
            ClientAuthentication::Body => AuthType::RequestBody,
            ClientAuthentication::Basic => AuthType::BasicAuth,
        });
    if let Some(secret) = &connection.client_secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
    }
    client
}

/// One exchange with the issuer, as the `oauth2` crate asks for it.
struct Exchange {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    egress: Arc<Egress>,
    within: Duration,
    /// That of the answer, which the crate does not tell with an answer that it cannot read.
    status: AtomicU16,
    /// The number of Entra's in a refusal, of which the crate makes nothing.
    entra_code: AtomicU32,
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
        parts.extensions.insert(Arc::clone(&self.egress));
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
        self.status.store(parts.status.as_u16(), Ordering::Relaxed);
        if parts.status.is_client_error() {
            let code = refusal::entra_code(&body);
            self.entra_code.store(code, Ordering::Relaxed);
        }
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

fn issued(token: &LenientToken, asked_at: Timestamp) -> Option<Issued> {
    let is_bearer = matches!(&token.token_type, BasicTokenType::Bearer);
    let secret = Secret::from(token.access_token.secret().as_str());
    if !is_bearer || secret.is_empty() {
        return None;
    }
    let life = token.life().unwrap_or(LIFE_MIN).clamp(LIFE_MIN, LIFE_MAX);
    let refresh = token
        .refresh_token
        .as_ref()
        .map(|token| Secret::from(token.secret().as_str()))
        .filter(|token| !token.is_empty());
    // Some issuers tell when the refresh token ends; what is no time to come is not believed.
    let refresh_life = token
        .refresh_expires_in
        .filter(|life| refresh.is_some() && !life.is_zero());
    Some(Issued {
        access: AccessToken {
            secret,
            obtained_at: Some(asked_at),
            expires_at: asked_at.plus(life),
        },
        refresh,
        refresh_expires_at: refresh_life.map(|life| asked_at.plus(life)),
    })
}
