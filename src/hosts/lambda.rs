//! AWS Lambda: function URLs and HTTP API v2 (the same shape), and schedules.
//!
//! The runtime is polled before anything else is done; what an event is, its shape says.

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Function;
use super::intake::{Head, Intake, Opened};
use super::reply::Reply;

/// What is kept back of the invocation's time, so that the answer leaves before the platform ends it.
const RESERVE: Duration = Duration::from_secs(1);

/// How an event says what it is.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "requestContext", default)]
    request_context: Option<RequestContext>,
    #[serde(rename = "detail-type", default)]
    detail_type: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

#[derive(Deserialize)]
struct RequestContext {
    #[serde(default)]
    http: Option<serde::de::IgnoredAny>,
}

/// An event that this function does not take.
#[derive(Debug, thiserror::Error)]
#[error(
    "the event is neither a request of a function URL or HTTP API v2 nor a schedule's; payload format 2.0 is expected"
)]
pub struct NotOurEvent;

impl From<NotOurEvent> for Diagnostic {
    fn from(error: NotOurEvent) -> Self {
        Diagnostic {
            error_type: "NotOurEvent".to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// Serves a function to the Lambda runtime until the platform ends it.
pub async fn serve(function: Function) -> Result<(), lambda_runtime::Error> {
    let function = &function;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        // Boxed: what a flow holds while it waits is large, and the runtime moves it about.
        Box::pin(handle(function, event)).await
    }))
    .await
}

async fn handle(
    function: &Function,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Box<RawValue>, NotOurEvent> {
    let left = event
        .context
        .deadline()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let payload = event.payload.get();
    let shape: Shape = serde_json::from_str(payload).map_err(|_| NotOurEvent)?;
    match function {
        Function::NothingYet { name } => {
            tracing::warn!(
                function = name,
                "this function has nothing to do yet in this version"
            );
            Ok(raw("{\"outcome\":\"nothing to do yet\"}".to_owned()))
        }
        Function::CreateWorkItem(intake)
            if shape
                .request_context
                .is_some_and(|context| context.http.is_some()) =>
        {
            let request: ApiGatewayV2httpRequest =
                serde_json::from_str(payload).map_err(|_| NotOurEvent)?;
            Ok(response(answer(intake, request).await))
        }
        Function::CreateWorkItem(intake)
            if shape.detail_type.is_some() || shape.source.is_some() =>
        {
            let now = Duration::from_millis(
                u64::try_from(intake.core().clock.now().as_millis()).unwrap_or(0),
            );
            intake
                .drain(left.saturating_sub(now).saturating_sub(RESERVE))
                .await;
            Ok(raw("{\"outcome\":\"drained\"}".to_owned()))
        }
        Function::CreateWorkItem(_) => Err(NotOurEvent),
    }
}

async fn answer(intake: &Intake, request: ApiGatewayV2httpRequest) -> Reply {
    let http = &request.request_context.http;
    let method = Method::from_bytes(http.method.as_str().as_bytes()).unwrap_or(Method::GET);
    let path = request
        .raw_path
        .as_deref()
        .or(http.path.as_deref())
        .unwrap_or("/");
    let head = Head {
        method: &method,
        path,
        query: request.raw_query_string.as_deref(),
        headers: &request.headers,
    };
    let accepted = match intake.open(head).await {
        Opened::Answer(reply) => return reply,
        Opened::Body(accepted) => accepted,
    };
    match body(request.body.unwrap_or_default(), request.is_base64_encoded) {
        Some(body) => intake.take(*accepted, body).await,
        None => Reply::bad_request(),
    }
}

/// The body's bytes. A flag that lies (row W39) is told by the first character: JSON begins with `{`, base64 never does.
fn body(text: String, is_base64: bool) -> Option<Bytes> {
    let looks_plain = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .starts_with('{');
    match is_base64 && !looks_plain {
        true => data_encoding::BASE64
            .decode(text.trim().as_bytes())
            .ok()
            .map(Bytes::from),
        false => Some(Bytes::from(text)),
    }
}

fn response(reply: Reply) -> Box<RawValue> {
    let mut headers = HeaderMap::new();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static(reply.content_type),
    );
    for (name, value) in reply.headers {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(reply.status.as_u16());
    response.headers = headers;
    response.body = Some(Body::Text(
        String::from_utf8_lossy(&reply.body).into_owned(),
    ));
    raw(serde_json::to_string(&response).unwrap_or_else(|_| "{\"statusCode\":503}".to_owned()))
}

fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_that_lies_about_base64_is_seen_through() {
        assert_eq!(
            body("{\"a\":1}".to_owned(), true).as_deref(),
            Some(&b"{\"a\":1}"[..])
        );
        assert_eq!(
            body("eyJhIjoxfQ==".to_owned(), true).as_deref(),
            Some(&b"{\"a\":1}"[..])
        );
        assert_eq!(body("not base64!".to_owned(), true), None);
        assert_eq!(body("{}".to_owned(), false).as_deref(), Some(&b"{}"[..]));
    }
}
