//! `/oauth_token.do` and `/oauth_revoke_token.do`.

use data_encoding::BASE64;
use serde_json::json;

use super::call::{Call, form};
use super::config::Client;
use super::instance::{Instance, Outcome};
use super::reply::{Body, Reply};
use super::tokens::Granted;

const OAUTH_PARAMETERS: [&str; 6] = [
    "grant_type",
    "client_id",
    "client_secret",
    "username",
    "password",
    "refresh_token",
];

impl Instance {
    /// Gives a token, or 401 without a reason.
    pub(super) fn token(&mut self, call: &Call, now_ms: i64) -> Outcome {
        if call.method != "POST" {
            return Outcome::refused(Reply::error(
                405,
                "Method not supported",
                Some("Method not supported"),
            ));
        }
        let is_form = call.header("content-type").is_some_and(|media| {
            media.split(';').next().is_some_and(|media| {
                media
                    .trim()
                    .eq_ignore_ascii_case("application/x-www-form-urlencoded")
            })
        });
        let in_query = call
            .params
            .iter()
            .any(|(name, _)| OAUTH_PARAMETERS.contains(&name.as_str()));
        if !is_form || (in_query && self.config.tokens.parameters_in_body_only) {
            return Outcome::refused(denied());
        }
        let mut parameters = form(&call.body);
        parameters.extend(call.params.iter().cloned());
        let parameter = |name: &str| {
            parameters
                .iter()
                .find(|(key, _)| key == name)
                .map_or("", |(_, value)| value.as_str())
        };

        let Some(client) = self.client(call, parameter("client_id"), parameter("client_secret"))
        else {
            return Outcome::refused(denied());
        };
        let grant = parameter("grant_type");
        if !client.grants.iter().any(|allowed| allowed == grant) {
            return Outcome::refused(denied());
        }
        let (granted, user) = match grant {
            "password" => self.by_password(
                &client,
                parameter("username"),
                parameter("password"),
                now_ms,
            ),
            "refresh_token" => (
                self.by_refresh(&client, parameter("refresh_token"), now_ms),
                None,
            ),
            "client_credentials" => self.by_client(&client, now_ms),
            _ => (None, None),
        };
        match granted {
            Some(granted) => Outcome {
                user,
                ..Outcome::done(reply(granted))
            },
            None => Outcome {
                user,
                ..Outcome::refused(denied())
            },
        }
    }

    fn by_password(
        &mut self,
        client: &Client,
        name: &str,
        password: &str,
        now_ms: i64,
    ) -> (Option<Granted>, Option<String>) {
        let may = !self.config.tokens.ropc_disabled
            && self.config.users.iter().any(|user| {
                user.name == name
                    && user.password == password
                    && user.active
                    && !user.web_service_only
            });
        let granted = may.then(|| {
            self.tokens.by_password(
                &self.config.tokens,
                self.config.seed,
                &client.client_id,
                name,
                now_ms,
            )
        });
        (granted, Some(name.to_owned()))
    }

    fn by_refresh(&mut self, client: &Client, refresh: &str, now_ms: i64) -> Option<Granted> {
        self.tokens.by_refresh(
            &self.config.tokens,
            self.config.seed,
            &client.client_id,
            refresh,
            now_ms,
        )
    }

    fn by_client(&mut self, client: &Client, now_ms: i64) -> (Option<Granted>, Option<String>) {
        let user = client.application_user.clone().filter(|name| {
            self.config.tokens.client_credentials_enabled
                && self
                    .config
                    .users
                    .iter()
                    .any(|user| user.name == *name && user.active)
        });
        let granted = user.as_ref().map(|name| {
            self.tokens.by_client(
                &self.config.tokens,
                self.config.seed,
                &client.client_id,
                name,
                now_ms,
            )
        });
        (granted, user)
    }

    /// The client by the form, or by HTTP Basic with its id and secret as they are or form-encoded (RFC 6749, 2.3.1).
    fn client(&self, call: &Call, id: &str, secret: &str) -> Option<Client> {
        let is = |client: &&Client, id: &str, secret: &str| {
            client.client_id == id && client.client_secret == secret
        };
        let clients = &self.config.clients;
        if let Some((basic_id, basic_secret)) = call.header("authorization").and_then(basic) {
            let (decoded_id, decoded_secret) = (unescaped(&basic_id), unescaped(&basic_secret));
            let found = clients.iter().find(|client| {
                is(client, &basic_id, &basic_secret) || is(client, &decoded_id, &decoded_secret)
            });
            return found.cloned();
        }
        clients
            .iter()
            .find(|client| is(client, id, secret))
            .cloned()
    }

    /// Expires a token. Nobody needs to log in for it, and nobody is told whether there was one.
    pub(super) fn revoke(&mut self, call: &Call) -> Outcome {
        if !matches!(call.method.as_str(), "GET" | "POST") {
            return Outcome::refused(Reply::error(
                405,
                "Method not supported",
                Some("Method not supported"),
            ));
        }
        let body = form(&call.body);
        for (name, value) in call.params.iter().chain(&body) {
            if name == "token" {
                self.tokens.revoke(value);
            }
        }
        Outcome::done(Reply::new(200, Body::Empty))
    }
}

/// Name and password of an HTTP Basic header.
pub(super) fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, text) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(text.trim().as_bytes()).ok()?).ok()?;
    text.split_once(':')
        .map(|(name, password)| (name.to_owned(), password.to_owned()))
}

fn unescaped(text: &str) -> String {
    form(text.as_bytes())
        .into_iter()
        .next()
        .map_or_else(String::new, |(name, _)| name)
}

fn denied() -> Reply {
    Reply::new(
        401,
        Body::Json(json!({ "error_description": "access_denied", "error": "server_error" })),
    )
}

fn reply(granted: Granted) -> Reply {
    let mut document = json!({
        "access_token": granted.access,
        "scope": "useraccount",
        "token_type": "Bearer",
        "expires_in": granted.expires_in_s,
    });
    if let Some(refresh) = granted.refresh {
        document["refresh_token"] = refresh.into();
    }
    Reply::new(200, Body::Json(document))
}
