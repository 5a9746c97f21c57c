//! What the Functions host sends of a trigger, and what it wants back.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

use crate::hosts::intake::Head;
use crate::hosts::reply::Reply;

/// The name that an HTTP output has unless function.json says otherwise; we say so in our templates.
const RESPONSE_BINDING: &str = "res";

/// An envelope: the data of each binding by its name.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "Data", borrow)]
    data: BTreeMap<String, &'a RawValue>,
}

/// What woke the function.
pub(super) enum Trigger {
    /// A timer; late if the host was away when it should have ticked.
    Timer { is_late: bool },
    /// A request.
    Http(Box<Call>),
}

/// A request as an envelope tells it.
pub(super) struct Call {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Deserialize)]
struct HttpData<'a> {
    #[serde(rename = "Url")]
    url: String,
    #[serde(rename = "Method")]
    method: String,
    /// Each with its values.
    #[serde(rename = "Headers", default)]
    headers: BTreeMap<String, OneOrMany>,
    #[serde(rename = "Body", borrow, default)]
    body: Option<&'a RawValue>,
}

/// What only a request has, readable or not.
#[derive(Deserialize)]
struct Resembles {
    #[serde(rename = "Url", alias = "url", default)]
    url: Option<IgnoredAny>,
    #[serde(rename = "Headers", alias = "headers", default)]
    headers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct TimerData {
    #[serde(rename = "IsPastDue", alias = "isPastDue")]
    is_past_due: bool,
}

impl<'a> Envelope<'a> {
    /// Reads one. The error says what is wrong with it.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, &'static str> {
        serde_json::from_slice(body).map_err(|_| "it is no JSON object with `Data`")
    }
}

impl Envelope<'_> {
    /// What woke the function: a binding says by its shape what it is, whatever its name. `None` for a request that cannot
    /// be read.
    pub(super) fn trigger(&self) -> Option<Trigger> {
        for data in self.data.values() {
            // The host writes strings as JSON once more, and some of its versions objects, too.
            let unwrapped: Option<String> = serde_json::from_str(data.get()).ok();
            let text = unwrapped.as_deref().unwrap_or(data.get());
            if let Ok(timer) = serde_json::from_str::<TimerData>(text) {
                return Some(Trigger::Timer {
                    is_late: timer.is_past_due,
                });
            }
            if let Some(call) = serde_json::from_str::<HttpData<'_>>(text)
                .ok()
                .and_then(call)
            {
                return Some(Trigger::Http(Box::new(call)));
            }
            let resembles = serde_json::from_str::<Resembles>(text);
            if resembles.is_ok_and(|it| it.url.is_some() || it.headers.is_some()) {
                return None;
            }
        }
        // A tick without data is one all the same: what to do stands in the state (rule R43).
        Some(Trigger::Timer { is_late: false })
    }
}

fn call(data: HttpData<'_>) -> Option<Call> {
    let url = url::Url::parse(&data.url).ok()?;
    let mut headers = HeaderMap::new();
    for (name, values) in &data.headers {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
            continue;
        };
        let values = match values {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values.as_slice(),
        };
        for value in values {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name.clone(), value);
            }
        }
    }
    // How long the body was on its way to the host says nothing of what came out of it.
    headers.remove(http::header::CONTENT_LENGTH);
    headers.remove(http::header::TRANSFER_ENCODING);
    Some(Call {
        method: Method::from_bytes(data.method.as_bytes()).ok()?,
        path: url.path().to_owned(),
        query: url.query().map(str::to_owned),
        headers,
        body: body(data.body),
    })
}

/// The body is a string, of whose characters the bytes are made; one that is JSON in a string once more is taken out of it
/// (row W40), and one that came as an object is taken as it stands.
fn body(raw: Option<&RawValue>) -> Bytes {
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else {
        return Bytes::new();
    };
    let Ok(text) = serde_json::from_str::<String>(raw) else {
        return Bytes::copy_from_slice(raw.as_bytes());
    };
    match serde_json::from_str::<String>(&text) {
        Ok(inner) => inner.into(),
        Err(_) => text.into(),
    }
}

impl Call {
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

/// It was done, and there is nothing to say.
pub(super) fn done() -> Reply {
    Reply::json(
        StatusCode::OK,
        &json!({ "Outputs": {}, "Logs": [], "ReturnValue": null }),
    )
}

/// The answer of a request. The host decodes strings that happen to be base64; JSON objects as text never are, for they
/// begin with a brace.
pub(super) fn answered(reply: &Reply) -> Reply {
    let mut headers = serde_json::Map::new();
    headers.insert("content-type".to_owned(), json!(reply.content_type));
    for (name, value) in &reply.headers {
        headers.insert((*name).to_owned(), json!(value));
    }
    let response = json!({
        "statusCode": reply.status.as_u16(),
        "headers": headers,
        "body": String::from_utf8_lossy(&reply.body),
    });
    Reply::json(
        StatusCode::OK,
        &json!({ "Outputs": { RESPONSE_BINDING: response }, "Logs": [], "ReturnValue": null }),
    )
}
