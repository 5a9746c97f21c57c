//! A request as API Gateway and function URLs tell it, in payload format 1.0 or 2.0.

use aws_lambda_events::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use http::{HeaderMap, Method};

use crate::hosts::intake::Head;

/// The stage of an HTTP API that is no part of its paths.
const STAGE_WITHOUT_NAME: &str = "$default";

/// A request.
pub(super) struct Request {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    pub(super) body: String,
    pub(super) is_base64: bool,
}

impl Request {
    /// Format 2.0: HTTP APIs and function URLs.
    pub(super) fn of_version_2(payload: &str) -> Option<Self> {
        let request: ApiGatewayV2httpRequest = serde_json::from_str(payload).ok()?;
        let http = request.request_context.http;
        let path = request.raw_path.or(http.path).unwrap_or_default();
        Some(Self {
            method: Method::from_bytes(http.method.as_str().as_bytes()).unwrap_or(Method::GET),
            path: without_stage(path, request.request_context.stage.as_deref()),
            query: request.raw_query_string,
            headers: request.headers,
            body: request.body.unwrap_or_default(),
            is_base64: request.is_base64_encoded,
        })
    }

    /// Format 1.0: REST APIs, and HTTP APIs that are set to it. The query comes decoded.
    pub(super) fn of_version_1(payload: &str) -> Option<Self> {
        let request: ApiGatewayProxyRequest = serde_json::from_str(payload).ok()?;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let all = match request.multi_value_query_string_parameters.is_empty() {
            true => request.query_string_parameters,
            false => request.multi_value_query_string_parameters,
        };
        query.extend_pairs(all.iter());
        let headers = match request.multi_value_headers.is_empty() {
            true => request.headers,
            false => request.multi_value_headers,
        };
        let stage = request.request_context.stage;
        Some(Self {
            method: Method::from_bytes(request.http_method.as_str().as_bytes())
                .unwrap_or(Method::GET),
            path: without_stage(request.path.unwrap_or_default(), stage.as_deref()),
            query: Some(query.finish()).filter(|query| !query.is_empty()),
            headers,
            body: request.body.unwrap_or_default(),
            is_base64: request.is_base64_encoded,
        })
    }

    /// The head, as every host has it.
    pub(super) fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
        }
    }
}

/// A stage with a name stands before the path.
fn without_stage(path: String, stage: Option<&str>) -> String {
    let rest = stage
        .filter(|stage| *stage != STAGE_WITHOUT_NAME)
        .and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage))
        .filter(|rest| rest.starts_with('/'));
    match rest {
        Some(rest) => rest.to_owned(),
        None if path.is_empty() => "/".to_owned(),
        None => path,
    }
}
