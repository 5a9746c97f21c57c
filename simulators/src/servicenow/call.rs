//! A request, taken apart once.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Request;
use serde::{Deserialize, Serialize};

use crate::journal::Kind;

/// A request, taken apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Call {
    pub method: String,
    /// Scheme and authority that the client called.
    pub origin: String,
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// The query's parameters, in order.
    pub params: Vec<(String, String)>,
    /// Header names in lower case; of several, the last.
    pub headers: BTreeMap<String, String>,
    #[serde(with = "text")]
    pub body: Bytes,
}

impl Call {
    pub(super) fn new(request: Request<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        let headers: BTreeMap<String, String> = parts
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let authority = parts
            .uri
            .authority()
            .map(ToString::to_string)
            .or_else(|| headers.get("host").cloned());
        let origin = format!(
            "{}://{}",
            parts.uri.scheme_str().unwrap_or("https"),
            authority.as_deref().unwrap_or("instance.service-now.com")
        );
        let mut method = parts.method.as_str().to_owned();
        if method == "POST"
            && let Some(meant) = headers.get("x-http-method-override")
        {
            method = meant.to_ascii_uppercase();
        }
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let params = form(query.as_bytes());
        Self {
            method,
            origin,
            path: parts.uri.path().to_owned(),
            query,
            params,
            headers,
            body,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// A parameter of the query; of several, the last.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.param(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The path and query together, as in the request line.
    pub(super) fn target_bytes(&self) -> usize {
        self.path.len()
            + if self.query.is_empty() {
                0
            } else {
                self.query.len() + 1
            }
    }

    /// The parts of the path of an API: version (0 = none), API name, the rest.
    pub(super) fn route(&self) -> Option<Route<'_>> {
        let mut parts = self
            .path
            .strip_prefix("/api/now/")?
            .split('/')
            .filter(|part| !part.is_empty())
            .peekable();
        let version = match parts.peek() {
            Some(&"v1") => 1,
            Some(&"v2") => 2,
            _ => 0,
        };
        if version > 0 {
            parts.next();
        }
        Some(Route {
            version,
            api: parts.next()?,
            table: parts.next(),
            key: parts.next(),
            longer: parts.next().is_some(),
        })
    }

    /// What the request is for.
    pub(super) fn kind(&self) -> Kind {
        match self.path.as_str() {
            "/oauth_token.do" => return Kind::Token,
            "/oauth_revoke_token.do" => return Kind::Revoke,
            super::events::PATH if self.method == "POST" => return Kind::Create,
            _ => {}
        }
        let Some(route) = self.route() else {
            return Kind::Other;
        };
        match (route.api, self.method.as_str(), route.key) {
            ("stats", "GET", None) => Kind::Count,
            ("table", "GET" | "HEAD", None) => Kind::Query,
            ("table", "GET" | "HEAD", Some(_)) => Kind::Read,
            ("table" | "import", "POST", None) => Kind::Create,
            ("table", "PUT" | "PATCH", Some(_)) => Kind::Update,
            ("table", "DELETE", Some(_)) => Kind::Delete,
            _ => Kind::Other,
        }
    }
}

/// An API's path, taken apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    pub version: u8,
    pub api: &'a str,
    pub table: Option<&'a str>,
    pub key: Option<&'a str>,
    pub longer: bool,
}

/// Parses `application/x-www-form-urlencoded`.
pub(super) fn form(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

mod text {
    //! A body in a saved file: text, as everything that is saved was.

    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(body))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        String::deserialize(deserializer).map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, uri: &str) -> Call {
        Call::new(
            Request::builder()
                .method(method)
                .uri(uri)
                .body(Bytes::new())
                .unwrap(),
        )
    }

    #[test]
    fn kinds_follow_method_and_path() {
        let cases = [
            ("POST", "/oauth_token.do", Kind::Token),
            ("GET", "/oauth_revoke_token.do?token=x", Kind::Revoke),
            (
                "GET",
                "/api/now/table/incident?sysparm_limit=1",
                Kind::Query,
            ),
            ("GET", "/api/now/v2/table/incident/abc", Kind::Read),
            ("POST", "/api/now/table/incident", Kind::Create),
            ("PATCH", "/api/now/v1/table/incident/abc", Kind::Update),
            ("PUT", "/api/now/table/incident/abc", Kind::Update),
            ("DELETE", "/api/now/table/incident/abc", Kind::Delete),
            ("GET", "/api/now/stats/incident", Kind::Count),
            ("POST", "/api/now/table/incident/abc", Kind::Other),
            ("POST", "/api/now/import/u_azure_alert", Kind::Create),
            ("POST", "/api/global/em/jsonv2", Kind::Create),
            ("GET", "/api/global/em/jsonv2", Kind::Other),
            ("POST", "/api/now/v1/batch", Kind::Other),
            ("GET", "/", Kind::Other),
        ];
        for (method, uri, kind) in cases {
            assert_eq!(call(method, uri).kind(), kind, "{method} {uri}");
        }
    }

    #[test]
    fn a_method_override_counts_on_post_only() {
        let with = |method: &str| {
            let request = Request::builder()
                .method(method)
                .uri("/api/now/table/incident/abc");
            Call::new(
                request
                    .header("X-HTTP-Method-Override", "PATCH")
                    .body(Bytes::new())
                    .unwrap(),
            )
            .method
        };
        assert_eq!(
            (with("POST").as_str(), with("GET").as_str()),
            ("PATCH", "GET")
        );
    }

    #[test]
    fn the_origin_is_what_the_client_called() {
        assert_eq!(
            call("GET", "http://127.0.0.1:80/x").origin,
            "http://127.0.0.1:80"
        );
        let request = Request::builder()
            .uri("/x")
            .header("Host", "a.example")
            .body(Bytes::new())
            .unwrap();
        assert_eq!(Call::new(request).origin, "https://a.example");
    }
}
