//! Where apps and managed identities get their tokens: the token endpoint of version 2.0 for `client_credentials`, and the
//! endpoint that App Service and Functions give to what runs on them.
//!
//! Written from the identity platform's pages on the client credentials flow, workload identity federation, the list of
//! AADSTS codes, and App Service's page on managed identities.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use serde_json::{Value, json};

use super::Entra;
use crate::jwt::{unchecked_claims, verified_claims};

/// Where the platform's endpoint is.
pub const IDENTITY_PATH: &str = "/msi/token";

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Fields that the token endpoint takes. The last are what Microsoft's own clients add.
const FIELDS: [&str; 11] = [
    "grant_type",
    "client_id",
    "scope",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "client_info",
    "claims",
    "username",
    "password",
    "refresh_token",
];

/// How far the clock of who made an assertion may be off, in seconds.
const LEEWAY_SECONDS: i64 = 300;

/// An app registration.
#[derive(Debug, Clone, Default)]
pub struct App {
    /// Its client id.
    pub client_id: String,
    /// Its secret, if it has one.
    pub secret: Option<String>,
    /// Whose tokens it takes in place of a secret.
    pub federated: Vec<FederatedCredential>,
}

/// Whose tokens an app takes in place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedCredential {
    /// Who issues them.
    pub issuer: String,
    /// Whom they must name.
    pub subject: String,
    /// For whom they must be.
    pub audience: String,
}

/// The identities of a function app.
#[derive(Debug, Clone)]
pub struct ManagedIdentity {
    /// What `X-IDENTITY-HEADER` must say.
    pub header: String,
    /// The system-assigned one, if there is one.
    pub system: Option<String>,
    /// The client ids of the user-assigned ones.
    pub user_assigned: Vec<String>,
}

pub(super) type Reply = (u16, Value);

pub(super) fn refused(status: u16, error: &str, code: u32, text: &str) -> Reply {
    let document = json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {text} Trace ID: 0 Correlation ID: 0 Timestamp: 0"),
        "error_codes": [code],
        "timestamp": "2026-01-01 00:00:00Z",
        "trace_id": "00000000-0000-0000-0000-000000000000",
        "correlation_id": "00000000-0000-0000-0000-000000000000",
    });
    (status, document)
}

/// The fields of a form; none may come twice.
fn fields(text: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        if fields
            .insert(name.into_owned(), value.into_owned())
            .is_some()
        {
            return None;
        }
    }
    Some(fields)
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

impl Entra {
    /// Answers whatever is not about the signing keys.
    pub(super) fn token_service(&mut self, request: &Request<Bytes>, now_ms: i64) -> Reply {
        let path = request.uri().path().to_owned();
        let tenant = format!("/{}/", self.tenant);
        match (request.method(), path.as_str()) {
            (&Method::GET, IDENTITY_PATH) => self.managed_token(request, now_ms),
            (_, IDENTITY_PATH) => (405, json!({ "statusCode": 405, "message": "GET" })),
            (method, path) => match (method, path.strip_prefix(&tenant)) {
                (&Method::POST, Some("oauth2/v2.0/token")) => self.app_token(request, now_ms),
                (&Method::GET, Some("v2.0/.well-known/openid-configuration")) => {
                    self.discovery(request)
                }
                _ => refused(400, "invalid_request", 90002, "Tenant not found."),
            },
        }
    }

    fn discovery(&self, request: &Request<Bytes>) -> Reply {
        let host = request.uri().authority().map_or("", |host| host.as_str());
        let base = format!("https://{host}/{}", self.tenant);
        let document = json!({
            "issuer": format!("https://login.microsoftonline.com/{}/v2.0", self.tenant),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        (200, document)
    }

    fn app_token(&mut self, request: &Request<Bytes>, now_ms: i64) -> Reply {
        if let Some((status, body)) = &self.no_token {
            return (*status, serde_json::from_str(body).unwrap_or(Value::Null));
        }
        let is_form =
            header(request, CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded");
        let Some(form) = fields(request.body()).filter(|_| is_form) else {
            return refused(
                400,
                "invalid_request",
                900_144,
                "The request body must be a form, each field once.",
            );
        };
        if let Some(unknown) = form.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return refused(
                400,
                "invalid_request",
                900_144,
                &format!("Unknown field {unknown}."),
            );
        }
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if !["client_credentials", "password", "refresh_token"].contains(&field("grant_type")) {
            return refused(
                400,
                "unsupported_grant_type",
                70003,
                "The grant type is not supported.",
            );
        }
        let Some(app) = self
            .apps
            .iter()
            .find(|app| app.client_id == field("client_id"))
        else {
            return refused(
                400,
                "unauthorized_client",
                700_016,
                "Application was not found in the directory.",
            );
        };
        if field("grant_type") != "client_credentials" {
            let app = app.clone();
            return self.persons_token(&app, &form, now_ms);
        }
        let Some(resource) = field("scope").strip_suffix("/.default") else {
            return refused(
                400,
                "invalid_scope",
                1_002_012,
                "The provided value for scope is not valid.",
            );
        };
        if !self.resources.iter().any(|known| known == resource) {
            return refused(
                400,
                "invalid_resource",
                500_011,
                "The resource principal was not found in the tenant.",
            );
        }
        let proven = match (form.get("client_secret"), form.get("client_assertion")) {
            (Some(secret), None) => match app.secret.as_deref() {
                Some(known) if known == secret => Ok(()),
                _ => Err(refused(
                    401,
                    "invalid_client",
                    7_000_215,
                    "Invalid client secret provided.",
                )),
            },
            (None, Some(assertion)) if field("client_assertion_type") == ASSERTION_TYPE => {
                self.checked(app, assertion, now_ms)
            }
            _ => Err(refused(
                401,
                "invalid_client",
                7_000_218,
                "The request must contain client_assertion or client_secret.",
            )),
        };
        if let Err(refusal) = proven {
            return refusal;
        }
        let client_id = app.client_id.clone();
        let resource = resource.to_owned();
        let Some((token, life)) = self.give(&client_id, &resource, now_ms) else {
            return refused(
                500,
                "server_error",
                90033,
                "A transient error has occurred.",
            );
        };
        let document = json!({
            "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token,
        });
        (200, document)
    }

    /// What an app is shown in place of its secret.
    fn checked(&self, app: &App, assertion: &str, now_ms: i64) -> Result<(), Reply> {
        let refusal = |code, text| refused(401, "invalid_client", code, text);
        let claims = unchecked_claims(assertion)
            .ok_or_else(|| refusal(50027, "JWT token is invalid or malformed."))?;
        let issuer = claims["iss"].as_str().unwrap_or_default();
        let of_issuer = |known: &&FederatedCredential| known.issuer == issuer;
        let known = app.federated.iter().find(of_issuer).ok_or_else(|| {
            refusal(
                700_211,
                "No matching federated identity record found for presented assertion issuer.",
            )
        })?;
        let keys = self.trusted.get(issuer).unwrap_or(&Value::Null);
        let claims = verified_claims(assertion, keys)
            .ok_or_else(|| refusal(700_027, "The certificate with identifier used to sign the client assertion is not registered."))?;
        if claims["sub"] != known.subject.as_str() {
            return Err(refusal(
                700_213,
                "No matching federated identity record found for presented assertion subject.",
            ));
        }
        if claims["aud"] != known.audience.as_str() {
            return Err(refusal(
                700_212,
                "No matching federated identity record found for presented assertion audience.",
            ));
        }
        let now = now_ms.div_euclid(1000);
        let (from, until) = (claims["iat"].as_i64(), claims["exp"].as_i64());
        let is_timely = from.is_some_and(|from| from <= now + LEEWAY_SECONDS)
            && until.is_some_and(|until| until > now - LEEWAY_SECONDS);
        match is_timely {
            true => Ok(()),
            false => Err(refusal(
                700_024,
                "Client assertion is not within its valid time range.",
            )),
        }
    }

    fn managed_token(&mut self, request: &Request<Bytes>, now_ms: i64) -> Reply {
        let refused = |status: u16, message: &str| {
            (status, json!({ "statusCode": status, "message": message }))
        };
        let Some(managed) = &self.managed else {
            return refused(500, "There is no managed identity here.");
        };
        if header(request, "x-identity-header") != managed.header {
            return refused(401, "Unauthorized");
        }
        let Some(query) = fields(request.uri().query().unwrap_or_default().as_bytes()) else {
            return refused(400, "A parameter comes twice.");
        };
        if query.get("api-version").map(String::as_str) != Some("2019-08-01") {
            return refused(400, "Unsupported api-version.");
        }
        let resource = query.get("resource").cloned().unwrap_or_default();
        if !self.resources.contains(&resource) {
            return refused(400, "The resource is not known.");
        }
        let identity = match query.get("client_id") {
            None => managed.system.as_ref(),
            Some(wanted) => managed.user_assigned.iter().find(|id| *id == wanted),
        };
        let Some(client_id) = identity.cloned() else {
            return refused(
                400,
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
            );
        };
        let Some((token, life)) = self.give(&client_id, &resource, now_ms) else {
            return refused(500, "The token cannot be signed.");
        };
        let until = now_ms.div_euclid(1000) + life;
        let document = json!({
            "access_token": token, "client_id": client_id, "expires_on": until.to_string(),
            "not_before": now_ms.div_euclid(1000).to_string(), "resource": resource, "token_type": "Bearer",
        });
        (200, document)
    }

    /// A token for a resource, and its life in seconds.
    fn give(&mut self, client_id: &str, resource: &str, now_ms: i64) -> Option<(String, i64)> {
        let claims = self.claims_v1(resource, client_id, now_ms);
        let life = claims["exp"].as_i64()? - claims["iat"].as_i64()?;
        let token = self.token(&claims).ok()?;
        self.given += 1;
        Some((token, life))
    }
}
