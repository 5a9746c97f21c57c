//! Pages, each with the address of the next.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::refusals::{Refusal, bad};
use super::request::{Call, Wish};

/// One line of a list.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) shown: Value,
}

/// The page that is asked for.
pub(super) fn page(call: &Call, entries: Vec<Entry>) -> Result<(u16, Value), Refusal> {
    let size = call.page()?;
    let after = match call.parameter("$skiptoken") {
        None => None,
        Some(token) => {
            let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok();
            let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            Some(key.ok_or_else(|| bad("The skip token is not valid"))?)
        }
    };
    let is_left = |entry: &Entry| after.as_ref().is_none_or(|after| entry.key > *after);
    let mut left = entries.into_iter().filter(is_left);
    let shown: Vec<Entry> = left.by_ref().take(size).collect();
    let next = match (left.next(), shown.last()) {
        (Some(_), Some(last)) => json!(next_link(call, &last.key, size)),
        _ => Value::Null,
    };
    let value: Vec<Value> = shown.into_iter().map(|entry| entry.shown).collect();
    Ok((200, json!({ "value": value, "nextLink": next })))
}

fn next_link(call: &Call, last: &str, size: usize) -> String {
    let path = match (call.wish, &call.name) {
        (Wish::Versions, Some(name)) => format!("secrets/{name}/versions"),
        (Wish::ListDeleted, _) => "deletedsecrets".to_owned(),
        _ => "secrets".to_owned(),
    };
    let version = call.parameter("api-version").unwrap_or_default();
    let token = BASE64URL_NOPAD.encode(last.as_bytes());
    format!(
        "{}/{path}?api-version={version}&$skiptoken={token}&maxresults={size}",
        call.base
    )
}
