//! An OAuth 2 issuer of any of the three kinds that there are, and behind it a resource that its access tokens open. Strict
//! where real ones are: a refresh token that its use replaces is dead at once.
//!
//! Written from RFC 6749 (§4.3, §4.4, §5, §6) and RFC 7009.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::machine::{Answer, Machine};

/// What becomes of a refresh token that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It stays, and is not prolonged.
    Kept,
    /// Another takes its place, which lives anew.
    Replaced,
    /// There is none: client credentials alone.
    None,
}

/// An issuer. `POST /token`, `POST /revoke`, and `GET /resource` for whoever has an access token.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// What becomes of refresh tokens.
    pub rotation: Rotation,
    /// Life of an access token, seconds.
    pub access_ttl_s: i64,
    /// Life of a refresh token, seconds.
    pub refresh_ttl_s: i64,
    /// Whether an answer tells how long its refresh token lives, as `refresh_expires_in`.
    pub tells_refresh_life: bool,
    /// The one user's password.
    pub password: String,
    /// Token → when it ends, Unix milliseconds.
    access: BTreeMap<String, i64>,
    refresh: BTreeMap<String, i64>,
    made: u64,
    /// The user, or the client, is locked: nothing is given, and no token opens anything.
    pub is_locked: bool,
    /// How many tokens were given, refused and revoked.
    pub given: u64,
    /// See [`Issuer::given`].
    pub refused: u64,
    /// See [`Issuer::given`].
    pub revoked: u64,
}

impl Issuer {
    /// An issuer that has given nothing yet.
    pub fn new(rotation: Rotation, access_ttl_s: i64, refresh_ttl_s: i64, password: &str) -> Self {
        Self {
            rotation,
            access_ttl_s,
            refresh_ttl_s,
            tells_refresh_life: false,
            password: password.to_owned(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            made: 0,
            is_locked: false,
            given: 0,
            refused: 0,
            revoked: 0,
        }
    }

    /// True if this access token opens the resource.
    pub fn accepts(&self, access: &str, now_ms: i64) -> bool {
        !self.is_locked && self.access.get(access).is_some_and(|end| *end > now_ms)
    }

    /// True if this refresh token would be taken.
    pub fn takes(&self, refresh: &str, now_ms: i64) -> bool {
        !self.is_locked && self.refresh.get(refresh).is_some_and(|end| *end > now_ms)
    }

    /// When an access token ends, Unix milliseconds; `None` if it never was, or was revoked.
    pub fn access_ends_at(&self, access: &str) -> Option<i64> {
        self.access.get(access).copied()
    }

    /// When a refresh token ends, Unix milliseconds; `None` if it never was, or was replaced or revoked.
    pub fn refresh_ends_at(&self, refresh: &str) -> Option<i64> {
        self.refresh.get(refresh).copied()
    }

    /// Ends every access token ahead of its time.
    pub fn end_access(&mut self) {
        self.access.clear();
    }

    /// Ends every refresh token, as an administrator may.
    pub fn end_refresh(&mut self) {
        self.refresh.clear();
    }

    fn name(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{:06}", self.made)
    }

    fn give(&mut self, refresh: Option<String>, now_ms: i64) -> Value {
        // What ended long ago is forgotten, or a year of tokens would have to be gone through.
        self.access.retain(|_, end| *end > now_ms - 86_400_000);
        self.given += 1;
        let access = self.name("access");
        self.access
            .insert(access.clone(), now_ms + self.access_ttl_s * 1000);
        let mut document = json!({
            "access_token": access, "token_type": "Bearer", "expires_in": self.access_ttl_s
        });
        if let Some(refresh) = refresh {
            let end = self.refresh.get(&refresh).copied().unwrap_or(now_ms);
            if self.tells_refresh_life {
                document["refresh_expires_in"] = ((end - now_ms) / 1000).into();
            }
            document["refresh_token"] = refresh.into();
        }
        document
    }

    fn new_refresh(&mut self, now_ms: i64) -> String {
        let refresh = self.name("refresh");
        self.refresh
            .insert(refresh.clone(), now_ms + self.refresh_ttl_s * 1000);
        refresh
    }

    fn token(&mut self, form: &BTreeMap<String, String>, now_ms: i64) -> (u16, Value) {
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let given = match (field("grant_type"), self.rotation) {
            _ if self.is_locked => None,
            ("client_credentials", Rotation::None) => Some(self.give(None, now_ms)),
            ("password", Rotation::Kept | Rotation::Replaced)
                if field("password") == self.password =>
            {
                let live = self.refresh.iter().find(|(_, end)| **end > now_ms);
                let live = live.map(|(refresh, _)| refresh.clone());
                let refresh = match (self.rotation, live) {
                    // The one that there is, its life renewed.
                    (Rotation::Kept, Some(refresh)) => {
                        let end = now_ms + self.refresh_ttl_s * 1000;
                        self.refresh.insert(refresh.clone(), end);
                        refresh
                    }
                    _ => self.new_refresh(now_ms),
                };
                Some(self.give(Some(refresh), now_ms))
            }
            ("refresh_token", Rotation::Kept) if self.takes(field("refresh_token"), now_ms) => {
                Some(self.give(None, now_ms))
            }
            ("refresh_token", Rotation::Replaced) if self.takes(field("refresh_token"), now_ms) => {
                self.refresh.remove(field("refresh_token"));
                let refresh = self.new_refresh(now_ms);
                Some(self.give(Some(refresh), now_ms))
            }
            _ => None,
        };
        match given {
            Some(document) => (200, document),
            None => {
                self.refused += 1;
                (400, json!({ "error": "invalid_grant" }))
            }
        }
    }
}

impl Machine for Issuer {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let (status, document) = match (request.method(), request.uri().path()) {
            (&Method::POST, "/token") => self.token(&form, now_ms),
            (&Method::POST, "/revoke") => {
                self.revoked += 1;
                let token = form.get("token").map_or("", String::as_str);
                self.access.remove(token);
                self.refresh.remove(token);
                (200, json!({}))
            }
            (&Method::GET, "/resource") => {
                let header = request.headers().get(AUTHORIZATION);
                let bearer = header
                    .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
                    .unwrap_or_default();
                match self.accepts(bearer, now_ms) {
                    true => (200, json!({ "result": [] })),
                    false => (401, json!({ "error": "invalid_token" })),
                }
            }
            _ => (404, json!({ "error": "not_found" })),
        };
        let mut response = Response::new(Bytes::from(document.to_string()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Answer::whole(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(issuer: &mut Issuer, path: &str, form: &str, now_ms: i64) -> (u16, Value) {
        let request = Request::post(path)
            .body(Bytes::from(form.to_owned()))
            .unwrap();
        let answer = issuer.answer(request, now_ms).response;
        let document = serde_json::from_slice(answer.body()).unwrap();
        (answer.status().as_u16(), document)
    }

    #[test]
    fn a_refresh_token_that_is_replaced_is_dead_at_once_and_one_that_is_kept_stays() {
        for (rotation, again) in [(Rotation::Replaced, 400), (Rotation::Kept, 200)] {
            let mut issuer = Issuer::new(rotation, 60, 3600, "p");
            let (_, login) = ask(&mut issuer, "/token", "grant_type=password&password=p", 0);
            let refresh = login["refresh_token"].as_str().unwrap();
            let form = format!("grant_type=refresh_token&refresh_token={refresh}");
            assert_eq!(ask(&mut issuer, "/token", &form, 1).0, 200);
            assert_eq!(
                ask(&mut issuer, "/token", &form, 2).0,
                again,
                "{rotation:?}"
            );
        }
    }

    #[test]
    fn a_token_ends_by_itself_or_when_it_is_revoked() {
        let mut issuer = Issuer::new(Rotation::None, 60, 3600, "p");
        let form = "grant_type=client_credentials";
        let (_, given) = ask(&mut issuer, "/token", form, 0);
        let access = given["access_token"].as_str().unwrap().to_owned();
        assert!(issuer.accepts(&access, 59_999) && !issuer.accepts(&access, 60_000));
        ask(&mut issuer, "/revoke", &format!("token={access}"), 1);
        assert!(!issuer.accepts(&access, 2));
        let wrong = ask(&mut issuer, "/token", "grant_type=password&password=p", 0);
        assert_eq!(wrong.0, 400);
    }
}
