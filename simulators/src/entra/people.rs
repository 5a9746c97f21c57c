//! Tokens for people: the grants `password` and `refresh_token` of the token endpoint.
//!
//! Written from the identity platform's pages on the resource owner password grant and on refresh tokens: each answer has a new
//! one. Entra goes on taking the old one; here that is to be chosen, because a client that needs it could not live with others.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::tokens::{Reply, refused};
use super::{App, Entra, LIFE_SECONDS};

/// How long a refresh token lives, but for single-page apps.
const REFRESH_LIFE_MS: i64 = 90 * 24 * 3600 * 1000;

/// A person.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// Their sign-in name.
    pub name: String,
    /// Their password.
    pub password: String,
    /// They must show a second factor.
    pub needs_second_factor: bool,
}

/// A refresh token.
#[derive(Debug, Clone)]
pub(super) struct Refresh {
    client_id: String,
    person: String,
    ends_ms: i64,
    was_used: bool,
}

impl Entra {
    /// True if this refresh token would be taken.
    pub fn takes(&self, refresh: &str, now_ms: i64) -> bool {
        let serves = |token: &Refresh| token.ends_ms > now_ms && self.serves(token);
        self.refresh.get(refresh).is_some_and(serves)
    }

    /// Ends every refresh token, as an administrator may.
    pub fn end_refresh(&mut self) {
        self.refresh.clear();
    }

    fn serves(&self, token: &Refresh) -> bool {
        self.old_refresh_serves || !token.was_used
    }

    pub(super) fn persons_token(
        &mut self,
        app: &App,
        form: &BTreeMap<String, String>,
        now_ms: i64,
    ) -> Reply {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if let Err(refusal) = shown(app, form.get("client_secret").map(String::as_str)) {
            return refusal;
        }
        let scopes: Vec<&str> = field("scope").split(' ').collect();
        let offline = scopes.contains(&"offline_access");
        let resource = scopes.iter().find_map(|scope| {
            let (resource, permission) = scope.rsplit_once('/')?;
            matches!(permission, "user_impersonation" | ".default").then(|| resource.to_owned())
        });
        let known = resource.filter(|resource| self.resources.contains(resource));
        let Some(resource) = known else {
            return refused(
                400,
                "invalid_scope",
                70_011,
                "The provided value for the input parameter 'scope' is not valid.",
            );
        };
        let person = match field("grant_type") {
            "password" => self.by_password(field("username"), field("password")),
            _ => self.by_refresh(&app.client_id, field("refresh_token"), now_ms),
        };
        let person = match person {
            Ok(person) => person,
            Err(refusal) => return refusal,
        };
        let mut claims = self.claims_v1(&resource, &app.client_id, now_ms);
        if let Some(claims) = claims.as_object_mut() {
            claims.remove("roles");
        }
        claims["scp"] = json!("user_impersonation");
        claims["upn"] = json!(person);
        // Two tokens of the same second differ too.
        self.made += 1;
        claims["uti"] = json!(format!("{}", self.made));
        let Ok(token) = self.token(&claims) else {
            return refused(
                500,
                "server_error",
                90033,
                "A transient error has occurred.",
            );
        };
        self.given += 1;
        let mut document = json!({
            "token_type": "Bearer", "scope": format!("{resource}/user_impersonation"),
            "expires_in": LIFE_SECONDS, "ext_expires_in": LIFE_SECONDS, "access_token": token,
        });
        if offline {
            document["refresh_token"] = Value::String(self.new_refresh(app, &person, now_ms));
        }
        (200, document)
    }

    fn by_password(&self, name: &str, password: &str) -> Result<String, Reply> {
        let person = (self.people.iter()).find(|person| person.name.eq_ignore_ascii_case(name));
        let refusal = |code, text| Err(refused(400, "invalid_grant", code, text));
        match person {
            None => refusal(50034, "The user account does not exist in the directory."),
            Some(person) if person.password != password => refusal(
                50126,
                "Error validating credentials due to invalid username or password.",
            ),
            Some(person) if person.needs_second_factor => refusal(
                50076,
                "You must use multi-factor authentication to access the resource.",
            ),
            Some(person) => Ok(person.name.clone()),
        }
    }

    fn by_refresh(&mut self, client: &str, refresh: &str, now_ms: i64) -> Result<String, Reply> {
        let old_serves = self.old_refresh_serves;
        let refusal = |code, text| Err(refused(400, "invalid_grant", code, text));
        let Some(token) = self.refresh.get_mut(refresh) else {
            return refusal(
                50173,
                "The provided grant has expired due to it being revoked.",
            );
        };
        if token.client_id != client {
            return refusal(70_000, "The refresh token was given to another client.");
        }
        if token.ends_ms <= now_ms {
            return refusal(700_082, "The refresh token has expired due to inactivity.");
        }
        let was_used = std::mem::replace(&mut token.was_used, true);
        let person = token.person.clone();
        self.reused += u32::from(was_used);
        match was_used && !old_serves {
            true => refusal(70_000, "The refresh token was used already."),
            false => Ok(person),
        }
    }

    fn new_refresh(&mut self, app: &App, person: &str, now_ms: i64) -> String {
        self.made += 1;
        let token = format!("0.AX{:010}{}", self.made, "r".repeat(40));
        let refresh = Refresh {
            client_id: app.client_id.clone(),
            person: person.to_owned(),
            ends_ms: now_ms + REFRESH_LIFE_MS,
            was_used: false,
        };
        self.refresh.insert(token.clone(), refresh);
        token
    }
}

/// An app that has a secret must show it, one that has none must not.
fn shown(app: &App, secret: Option<&str>) -> Result<(), Reply> {
    let refusal = |code, text| Err(refused(401, "invalid_client", code, text));
    match (app.secret.as_deref(), secret) {
        (None, None) => Ok(()),
        (Some(known), Some(shown)) if known == shown => Ok(()),
        (Some(_), Some(_)) => refusal(7_000_215, "Invalid client secret provided."),
        (Some(_), None) => refusal(
            7_000_218,
            "The request body must contain client_assertion or client_secret.",
        ),
        (None, Some(_)) => refusal(
            700_025,
            "Client is public so neither client_assertion nor client_secret should be presented.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::Request;

    use crate::machine::Machine;

    const SCOPE: &str = "scope=https%3A%2F%2Forg%2Fuser_impersonation+offline_access";

    fn tenant() -> Entra {
        let mut entra = Entra::new("22222222-aaaa-4000-8000-00000000000a").unwrap();
        entra.resources.push("https://org".to_owned());
        entra.apps.push(App {
            client_id: "app".to_owned(),
            ..App::default()
        });
        entra.people.push(Person {
            name: "svc@contoso.example".to_owned(),
            password: "p".to_owned(),
            ..Person::default()
        });
        entra
    }

    fn ask(entra: &mut Entra, form: &str, now_ms: i64) -> (u16, Value) {
        let path = format!("/{}/oauth2/v2.0/token", entra.tenant);
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.to_owned()))
            .unwrap();
        let answer = entra.answer(request, now_ms).response;
        let document = serde_json::from_slice(answer.body()).unwrap();
        (answer.status().as_u16(), document)
    }

    fn login(rest: &str) -> String {
        format!("grant_type=password&username=SVC@contoso.example&password=p&client_id=app&{rest}")
    }

    #[test]
    fn a_refresh_token_comes_to_who_asks_for_it_and_each_use_gives_another() {
        let mut entra = tenant();
        let without = login("scope=https%3A%2F%2Forg%2F.default");
        assert!(
            ask(&mut entra, &without, 0)
                .1
                .get("refresh_token")
                .is_none()
        );
        let (_, given) = ask(&mut entra, &login(SCOPE), 0);
        let first = given["refresh_token"].as_str().unwrap().to_owned();
        let form = format!("grant_type=refresh_token&client_id=app&refresh_token={first}&{SCOPE}");
        let (status, second) = ask(&mut entra, &form, 1);
        assert_eq!(status, 200);
        assert_ne!(second["refresh_token"], given["refresh_token"]);
        assert_ne!(second["access_token"], given["access_token"]);
        assert_eq!((ask(&mut entra, &form, 2).0, entra.reused), (400, 1));
        entra.old_refresh_serves = true;
        assert_eq!((ask(&mut entra, &form, 3).0, entra.reused), (200, 2));
        let (_, late) = ask(&mut entra, &form, REFRESH_LIFE_MS + 4);
        assert_eq!(late["error_codes"], json!([700_082]));
    }

    #[test]
    fn refusals_have_entras_numbers() {
        let mut entra = tenant();
        let mut code = |form: &str| ask(&mut entra, form, 0).1["error_codes"][0].clone();
        assert_eq!(code(&login(SCOPE).replace("word=p", "word=x")), 50126);
        assert_eq!(code(&login(SCOPE).replace("SVC", "other")), 50034);
        assert_eq!(code(&login("scope=https%3A%2F%2Fx%2F.default")), 70_011);
        assert_eq!(code(&format!("{}&client_secret=s", login(SCOPE))), 700_025);
        entra.people[0].needs_second_factor = true;
        entra.apps[0].secret = Some("s".to_owned());
        let mut code = |form: &str| ask(&mut entra, form, 0).1["error_codes"][0].clone();
        assert_eq!(code(&login(SCOPE)), 7_000_218);
        assert_eq!(code(&format!("{}&client_secret=s", login(SCOPE))), 50076);
    }
}
