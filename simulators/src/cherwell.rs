//! A Cherwell server, as far as it gives tokens: the token endpoint, logout, and two calls to try a token on.
//!
//! Written from the vendor's pages on OAuth2, client ids and errors of the REST API, and from what public clients send: the form
//! is read whatever its media type says, fields that it does not know are ignored, paths and names in queries are told
//! without regard to case, and a path may end in a slash. Where the pages leave it open whether a refresh token that was used
//! still serves, it does not: that is what a client must be able to live with.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::machine::{Answer, Delivery, Machine};

/// Where accounts can be kept: `auth_mode`.
const AUTH_MODES: [&str; 5] = ["internal", "windows", "ldap", "saml", "auto"];

/// An API client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its key, a GUID.
    pub client_id: String,
    /// A native client has a secret.
    pub secret: Option<String>,
    /// "API access is enabled".
    pub is_enabled: bool,
    /// "Token lifespan", seconds.
    pub access_ttl_s: i64,
    /// "Refresh Token lifespan", seconds.
    pub refresh_ttl_s: i64,
}

/// An account.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name, with the domain where it has one.
    pub name: String,
    /// Its password.
    pub password: String,
    /// Where it is kept, in lower case.
    pub kept_in: String,
}

/// A login, until its logout.
#[derive(Debug, Clone)]
struct Session {
    user: String,
    client_id: String,
    /// Access token → its end, Unix milliseconds.
    access: BTreeMap<String, i64>,
    /// The one refresh token, and its end.
    refresh: (String, i64),
}

/// A server.
#[derive(Debug, Clone, Default)]
pub struct Cherwell {
    /// Its API clients.
    pub clients: Vec<Client>,
    /// Its accounts.
    pub users: Vec<User>,
    sessions: Vec<Session>,
    /// Refresh tokens that were used.
    used: Vec<String>,
    made: u64,
    /// How many tokens were given.
    pub given: u32,
    /// How many token requests were refused.
    pub refused: u32,
    /// How often a refresh token came that had been used before.
    pub reused: u32,
    /// How often a session was ended by its client.
    pub logouts: u32,
    /// How long an answer to a token request takes.
    pub slow: Option<Duration>,
    /// What is answered in place of everything.
    pub instead: Option<(u16, String)>,
}

type Reply = (u16, Value);

impl Cherwell {
    /// A server with one client and one account, as they are made in the vendor's own instructions.
    pub fn new(client_id: &str, user: &str, password: &str) -> Self {
        Self {
            clients: vec![Client {
                client_id: client_id.to_owned(),
                secret: None,
                is_enabled: true,
                access_ttl_s: 1200,
                refresh_ttl_s: 24 * 3600,
            }],
            users: vec![User {
                name: user.to_owned(),
                password: password.to_owned(),
                kept_in: "internal".to_owned(),
            }],
            ..Self::default()
        }
    }

    /// True if this access token opens the API.
    pub fn accepts(&self, access: &str, now_ms: i64) -> bool {
        self.sessions
            .iter()
            .any(|session| session.access.get(access).is_some_and(|end| *end > now_ms))
    }

    /// True if this refresh token would be taken.
    pub fn takes(&self, refresh: &str, now_ms: i64) -> bool {
        self.sessions
            .iter()
            .any(|session| session.refresh.0 == refresh && session.refresh.1 > now_ms)
    }

    /// Ends every session, as an administrator may.
    pub fn end_sessions(&mut self) {
        self.sessions.clear();
    }

    fn opaque(&mut self, kind: &str) -> String {
        self.made += 1;
        HEXLOWER.encode(&Sha256::digest(format!("{kind} {}", self.made)))
    }

    fn token(&mut self, request: &Request<Bytes>, now_ms: i64) -> Reply {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let Some(client) = self
            .clients
            .iter()
            .find(|client| client.client_id == field("client_id") && client.is_enabled)
            .cloned()
        else {
            let text = format!(
                "Client {} is not registered in the system.",
                field("client_id")
            );
            return refused("invalid_client_id", &text);
        };
        if client
            .secret
            .as_deref()
            .is_some_and(|secret| secret != field("client_secret"))
        {
            return refused("invalid_client", "Client secret is invalid.");
        }
        match field("grant_type") {
            "password" => self.by_password(request, &client, &form, now_ms),
            "refresh_token" => self.by_refresh(&client, field("refresh_token"), now_ms),
            _ => refused("unsupported_grant_type", "The grant type is not supported."),
        }
    }

    fn by_password(
        &mut self,
        request: &Request<Bytes>,
        client: &Client,
        form: &BTreeMap<String, String>,
        now_ms: i64,
    ) -> Reply {
        let query = request.uri().query().unwrap_or_default();
        let mode = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name.eq_ignore_ascii_case("auth_mode"))
            .map_or("internal".to_owned(), |(_, mode)| mode.to_lowercase());
        let known = AUTH_MODES.contains(&mode.as_str());
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let found = self.users.iter().find(|user| {
            user.name.eq_ignore_ascii_case(field("username"))
                && user.password == field("password")
                && (mode == "auto" || user.kept_in == mode)
        });
        let Some(user) = found.filter(|_| known).map(|user| user.name.clone()) else {
            return refused(
                "invalid_grant",
                "Could not login to system with the provided user ID and password.",
            );
        };
        self.sessions.push(Session {
            user,
            client_id: client.client_id.clone(),
            access: BTreeMap::new(),
            refresh: (String::new(), 0),
        });
        let at = self.sessions.len() - 1;
        self.give(at, client, now_ms)
    }

    fn by_refresh(&mut self, client: &Client, refresh: &str, now_ms: i64) -> Reply {
        if self.used.iter().any(|used| used == refresh) {
            self.reused += 1;
        }
        let at = self.sessions.iter().position(|session| {
            session.refresh.0 == refresh
                && session.refresh.1 > now_ms
                && session.client_id == client.client_id
        });
        match at {
            Some(at) => {
                self.used.push(refresh.to_owned());
                self.give(at, client, now_ms)
            }
            None => refused("invalid_grant", "The refresh token is not valid."),
        }
    }

    fn give(&mut self, at: usize, client: &Client, now_ms: i64) -> Reply {
        let (access, refresh) = (self.opaque("access"), self.opaque("refresh"));
        let ends_ms = now_ms + client.access_ttl_s * 1000;
        let Some(session) = self.sessions.get_mut(at) else {
            return refused("invalid_grant", "There is no such session.");
        };
        session.access.retain(|_, end| *end > now_ms);
        session.access.insert(access.clone(), ends_ms);
        session.refresh = (refresh.clone(), now_ms + client.refresh_ttl_s * 1000);
        let user = session.user.clone();
        self.given += 1;
        let document = json!({
            "access_token": access,
            "token_type": "bearer",
            // A second is gone by the time that it is counted.
            "expires_in": client.access_ttl_s - 1,
            "refresh_token": refresh,
            "as:client_id": client.client_id,
            "username": user,
            ".issued": http_date(now_ms),
            ".expires": http_date(ends_ms),
        });
        (200, document)
    }

    fn logout(&mut self, bearer: &str, now_ms: i64) -> Reply {
        if !self.accepts(bearer, now_ms) {
            return denied();
        }
        self.logouts += 1;
        self.sessions
            .retain(|session| !session.access.contains_key(bearer));
        (200, json!({}))
    }

    fn summary(&self, bearer: &str, name: &str, now_ms: i64) -> Reply {
        if !self.accepts(bearer, now_ms) {
            return denied();
        }
        let known = [
            ("Incident", "6dd53665c0c24cab86870a21cf6434ae"),
            (
                "ChangeRequest",
                "934ec7a1701c451ce57f2c43bfbbe2e46fe4843f81",
            ),
        ];
        let found = known
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        let summaries: Vec<Value> = found
            .map(|(name, id)| {
                json!({
                    "busObId": id, "displayName": name, "name": name, "major": true, "lookup": false,
                    "supporting": false, "group": false, "groupSummaries": [],
                })
            })
            .into_iter()
            .collect();
        (200, Value::Array(summaries))
    }

    fn reply(&mut self, request: &Request<Bytes>, now_ms: i64) -> Reply {
        let path = request.uri().path().trim_end_matches('/').to_lowercase();
        let Some(path) = path.strip_prefix("/cherwellapi/") else {
            return (404, json!({ "Message": "No HTTP resource was found." }));
        };
        let header = request.headers().get(AUTHORIZATION);
        let bearer = header
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
            .unwrap_or_default();
        match (request.method(), path) {
            (&Method::POST, "token") => {
                let reply = self.token(request, now_ms);
                self.refused += u32::from(reply.0 != 200);
                reply
            }
            (&Method::DELETE, "api/v1/logout") => self.logout(bearer, now_ms),
            (&Method::GET, "api/v1/serviceinfo") => {
                let document = json!({
                    "apiVersion": "10.2.0", "csmVersion": "10.2.0", "csmCulture": "en-US",
                });
                (200, document)
            }
            (&Method::GET, path) => {
                match path.strip_prefix("api/v1/getbusinessobjectsummary/busobname/") {
                    Some(name) => self.summary(bearer, name, now_ms),
                    None => (404, json!({ "Message": "No HTTP resource was found." })),
                }
            }
            _ => (
                405,
                json!({ "Message": "The requested resource does not support this http method." }),
            ),
        }
    }
}

fn refused(error: &str, description: &str) -> Reply {
    let document = json!({ "error": error, "error_description": description });
    (400, document)
}

/// What the framework under it says by default.
fn denied() -> Reply {
    (
        401,
        json!({ "Message": "Authorization has been denied for this request." }),
    )
}

fn http_date(ms: i64) -> Option<String> {
    let moment = Timestamp::from_millisecond(ms).ok()?;
    Some(moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

impl Machine for Cherwell {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        let is_token = request.uri().path().to_lowercase().contains("/token");
        let (status, body, media) = match self.instead.clone() {
            Some((status, page)) => (status, page, "text/html"),
            None => {
                let (status, document) = self.reply(&request, now_ms);
                let media = "application/json; charset=utf-8";
                (status, document.to_string(), media)
            }
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(media));
        Answer {
            response,
            delivery: match self.slow.filter(|_| is_token) {
                Some(by) => Delivery::After(by),
                None => Delivery::Whole,
            },
        }
    }
}

#[cfg(test)]
mod tests;
