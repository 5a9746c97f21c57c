//! A body: its encoding, its rows, and what is stored of them.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use super::{
    BETWEEN_ROWS, BODY_BYTES_MAX, FIELD_BYTES_MAX, Mismatch, NEWEST_MS, OLDEST_MS, Refusal,
};

/// The body as it was before it was compressed.
pub(super) fn raw(content_type: &str, encoding: &str, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    if !content_type.starts_with("application/json") {
        let message = "The content type must be application/json.";
        return Err((415, "UnsupportedMediaType", message.to_owned()));
    }
    if body.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    let raw = match encoding {
        "" | "identity" => body.to_vec(),
        "gzip" => {
            let mut raw = Vec::new();
            // However short it came, it is unpacked so far and no further.
            let limit = 2 * BODY_BYTES_MAX as u64;
            let read = MultiGzDecoder::new(body).take(limit).read_to_end(&mut raw);
            read.map_err(|_| {
                let message = "The body is not gzip.".to_owned();
                (400, "InvalidCompression", message)
            })?;
            raw
        }
        other => {
            let message = format!("The content encoding '{other}' is not known.");
            return Err((415, "UnsupportedMediaType", message));
        }
    };
    Ok(raw)
}

fn too_large() -> Refusal {
    let message = "The body is over 1 MB.".to_owned();
    (413, "ContentLengthLimitExceeded", message)
}

/// The rows as they are stored.
pub(super) fn rows(
    raw: &[u8],
    columns: &BTreeMap<String, String>,
    mismatch: Mismatch,
    now_ms: i64,
) -> Result<Vec<Map<String, Value>>, Refusal> {
    let invalid = |message: &str| (400, "InvalidPayload", message.to_owned());
    let rows: Vec<Map<String, Value>> =
        serde_json::from_slice(raw).map_err(|_| match raw.len() > BODY_BYTES_MAX {
            true => too_large(),
            false => invalid("The body is not a JSON array of objects in UTF-8."),
        })?;
    if raw.len().saturating_sub(BETWEEN_ROWS * rows.len()) > BODY_BYTES_MAX {
        return Err(too_large());
    }
    rows.into_iter()
        .map(|row| stored(row, columns, mismatch, now_ms))
        .collect()
}

fn stored(
    row: Map<String, Value>,
    columns: &BTreeMap<String, String>,
    mismatch: Mismatch,
    now_ms: i64,
) -> Result<Map<String, Value>, Refusal> {
    let mut stored = Map::new();
    for (name, value) in row {
        let declared = columns.get(&name);
        if !declared.is_some_and(|kind| is_of(kind, &value)) {
            match mismatch {
                Mismatch::Drop => continue,
                Mismatch::Refuse => {
                    let message =
                        format!("The stream does not declare the column '{name}' of this type.");
                    return Err((400, "InvalidPayload", message));
                }
            }
        }
        if !value.is_null() {
            stored.insert(name, cut(value));
        }
    }
    let told = stored.get("TimeGenerated").and_then(Value::as_str);
    let told_ms = told.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let is_kept = told_ms.is_some_and(|moment| {
        let ms = moment.as_millisecond();
        (now_ms - OLDEST_MS..=now_ms + NEWEST_MS).contains(&ms)
    });
    if !is_kept {
        let now = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
        stored.insert("TimeGenerated".to_owned(), now.to_string().into());
    }
    Ok(stored)
}

fn is_of(kind: &str, value: &Value) -> bool {
    match (kind, value) {
        (_, Value::Null) | ("dynamic", _) => true,
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => true,
        ("datetime", Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        ("int", value) => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        ("long", value) => value.is_i64(),
        ("real", value) => value.is_number(),
        _ => false,
    }
}

/// Without a word, in the middle of whatever stands there.
fn cut(value: Value) -> Value {
    match value {
        Value::String(mut text) if text.len() > FIELD_BYTES_MAX => {
            let mut end = FIELD_BYTES_MAX;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            Value::String(text)
        }
        value => value,
    }
}
