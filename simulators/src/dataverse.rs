//! A Dataverse environment, as far as it asks for a token and takes one: the challenge that names its tenant, and `WhoAmI`.
//!
//! Written from the Web API's pages on authentication, on `WhoAmI` and on errors.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::jwt::verified_claims;
use crate::machine::{Answer, Machine};

/// Where the Web API is.
const API: &str = "/api/data/v9.2";

/// An environment.
#[derive(Debug, Clone, Default)]
pub struct Dataverse {
    /// Its own address, without a slash at the end: whom tokens must be for.
    pub resource: String,
    /// Where it sends for tokens: `https://HOST/TENANT`.
    pub authority: String,
    /// The published keys of that tenant.
    pub keys: Value,
    /// Sign-in names and app ids of its users.
    pub users: Vec<String>,
    /// What is answered in place of the challenge: a status and a header's value.
    pub challenge: Option<(u16, String)>,
    /// How often the challenge was given.
    pub challenged: u32,
    /// How often a token was taken.
    pub taken: u32,
}

impl Dataverse {
    fn challenge(&mut self) -> Response<Bytes> {
        self.challenged += 1;
        let (status, text) = self.challenge.clone().unwrap_or_else(|| {
            let text = format!(
                "Bearer authorization_uri={}/oauth2/authorize, resource_id={}/",
                self.authority, self.resource
            );
            (401, text)
        });
        let mut response = reply(status, &Value::Null);
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        response
    }

    fn who_am_i(&mut self, bearer: &str, now_ms: i64) -> Response<Bytes> {
        let now = now_ms.div_euclid(1000);
        let good = verified_claims(bearer, &self.keys).filter(|claims| {
            claims["aud"] == self.resource.as_str()
                && claims["exp"].as_i64().is_some_and(|end| end > now)
        });
        let Some(claims) = good else {
            return self.challenge();
        };
        let name = claims["upn"].as_str().or_else(|| claims["appid"].as_str());
        let is_user = name.is_some_and(|name| self.users.iter().any(|user| user == name));
        if !is_user {
            let document = json!({ "error": {
                "code": "0x80072560", "message": "The user is not a member of the organization."
            }});
            return reply(403, &document);
        }
        self.taken += 1;
        let document = json!({
            "@odata.context": format!("{}{API}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse", self.resource),
            "BusinessUnitId": "33333333-0001-4000-8000-000000000001",
            "UserId": "33333333-0002-4000-8000-000000000001",
            "OrganizationId": "33333333-0003-4000-8000-000000000001",
        });
        reply(200, &document)
    }
}

fn reply(status: u16, document: &Value) -> Response<Bytes> {
    let body = match document {
        Value::Null => Bytes::new(),
        document => Bytes::from(document.to_string()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND);
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; odata.metadata=minimal"),
    );
    response
}

impl Machine for Dataverse {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        let header = request.headers().get(AUTHORIZATION);
        let bearer = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        // Names and paths count with their case.
        let path = request.uri().path();
        let known = path.trim_end_matches('/') == API || path == format!("{API}/WhoAmI");
        let response = match (request.method(), bearer) {
            _ if !known => reply(
                404,
                &json!({ "error": { "code": "0x80060888", "message": "Resource not found for the segment." }}),
            ),
            (&Method::GET, Some(bearer)) if path.ends_with("WhoAmI") => {
                self.who_am_i(bearer, now_ms)
            }
            (&Method::GET, _) => self.challenge(),
            _ => reply(
                405,
                &json!({ "error": { "code": "", "message": "The requested resource does not support this method." }}),
            ),
        };
        Answer::whole(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::Entra;

    #[test]
    fn it_takes_what_its_tenant_has_signed_for_it_and_its_users_and_challenges_everybody_else() {
        let entra = Entra::new("22222222-aaaa-4000-8000-00000000000a").unwrap();
        let mut here = Dataverse {
            resource: "https://org".to_owned(),
            authority: "https://login/22222222-aaaa-4000-8000-00000000000a".to_owned(),
            keys: entra.key_set(),
            users: vec!["app".to_owned()],
            ..Dataverse::default()
        };
        let mut ask = |path: &str, bearer: &str, now_ms: i64| {
            let request = Request::get(path).header(AUTHORIZATION, format!("Bearer {bearer}"));
            let answer = here
                .answer(request.body(Bytes::new()).unwrap(), now_ms)
                .response;
            let challenge = answer.headers().get(WWW_AUTHENTICATE);
            (answer.status().as_u16(), challenge.is_some())
        };
        let token =
            |resource: &str, app: &str| entra.token(&entra.claims_v1(resource, app, 0)).unwrap();
        let who = "/api/data/v9.2/WhoAmI";
        assert_eq!(ask(who, &token("https://org", "app"), 0), (200, false));
        assert_eq!(ask(who, &token("https://org", "other"), 0), (403, false));
        for (bearer, now_ms) in [
            (token("https://other", "app"), 0),
            (token("https://org", "app"), 76 * 60 * 1000),
            (String::new(), 0),
        ] {
            assert_eq!(ask(who, &bearer, now_ms), (401, true));
        }
        assert_eq!(ask("/api/data/v9.2/", "", 0), (401, true));
        assert_eq!(ask("/api/data/v9.2/whoami", "", 0), (404, false));
    }
}
