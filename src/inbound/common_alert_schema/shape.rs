//! What is looked at before anything is parsed: is it text, an object, and of a sane depth?

use super::{DEPTH_MAX, NotAnAlert};

/// One pass over the bytes. Depth is counted outside of strings; whether it is JSON is for the parser to say.
pub(super) fn check(body: &[u8]) -> Result<(), NotAnAlert> {
    if looks_like_utf16(body) {
        return Err(NotAnAlert::new("charset", "", "UTF-8"));
    }
    let text = body.trim_ascii();
    match text.first() {
        None => return Err(NotAnAlert::new("body_empty", "", "a JSON object")),
        Some(b'{') => {}
        Some(b'[' | b'"' | b'n' | b't' | b'f' | b'-' | b'0'..=b'9')
            if serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok() =>
        {
            return Err(NotAnAlert::new("not_an_object", "", "a JSON object"));
        }
        Some(_) => return Err(NotAnAlert::new("not_json", "", "a JSON object")),
    }
    if std::str::from_utf8(body).is_err() {
        return Err(NotAnAlert::new("not_utf8", "", "UTF-8"));
    }
    if depth(text) > DEPTH_MAX {
        return Err(NotAnAlert::new(
            "too_deep",
            "",
            "at most 32 levels of nesting",
        ));
    }
    Ok(())
}

/// Half of the bytes of UTF-16 JSON are zero.
fn looks_like_utf16(body: &[u8]) -> bool {
    matches!(
        body,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] | [0, b'{', ..]
    )
}

/// The deepest nesting, up to one more than what is allowed.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest) = (0usize, 0usize);
    let mut in_string = false;
    let mut escaped = false;
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
                if deepest > DEPTH_MAX {
                    return deepest;
                }
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_only_what_nests() {
        assert_eq!(depth(br#"{"a":"[[[[\"[[","b":[[]]}"#), 3);
        assert_eq!(depth(&b"[".repeat(100_000)), DEPTH_MAX + 1);
    }
}
