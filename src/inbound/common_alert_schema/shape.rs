//! What is looked at before anything is parsed: is it text, an object, of a sane depth, and has it only texts and numbers
//! that there can be?

use super::{DEPTH_MAX, NotAnAlert};

/// A number with fewer digits than that, and no exponent, is never too large.
const DIGITS_OF_A_LARGE_NUMBER: usize = 300;

/// One pass over the bytes. Whether it is JSON is for the parser to say.
pub(super) fn check(body: &[u8]) -> Result<&str, NotAnAlert> {
    if looks_like_utf16(body) {
        return Err(NotAnAlert::new("charset", "", "UTF-8"));
    }
    let bytes = body.trim_ascii();
    let Some(first) = bytes.first() else {
        return Err(NotAnAlert::new("body_empty", "", "a JSON object"));
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(NotAnAlert::new("not_utf8", "", "UTF-8"));
    };
    let oddity = look_through(bytes).map_err(|oddity| match oddity {
        Oddity::TooDeep => NotAnAlert::new("too_deep", "", "at most 32 levels of nesting"),
        Oddity::HalfACharacter => {
            NotAnAlert::new("wrong_type", "", "whole characters in all texts")
        }
        Oddity::TooLarge => NotAnAlert::new("number_too_large", "", "numbers below 1.8e308"),
    });
    match first {
        b'{' => oddity.map(|()| text),
        b'[' | b'"' | b'n' | b't' | b'f' | b'-' | b'0'..=b'9' => {
            oddity?;
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            let reason = if is_json { "not_an_object" } else { "not_json" };
            Err(NotAnAlert::new(reason, "", "a JSON object"))
        }
        _ => Err(NotAnAlert::new("not_json", "", "a JSON object")),
    }
}

/// Half of the bytes of UTF-16 JSON are zero.
fn looks_like_utf16(body: &[u8]) -> bool {
    matches!(
        body,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] | [0, b'{', ..]
    )
}

#[derive(Debug, PartialEq)]
enum Oddity {
    /// It nests deeper than [`DEPTH_MAX`]. The parser recurses where it builds, and has no limit where it skips.
    TooDeep,
    /// Half of a surrogate pair stands for no character (row W6).
    HalfACharacter,
    /// A number beyond all that a computer can hold (row W29).
    TooLarge,
}

/// Stops at the first thing that there cannot be. Depth is counted outside of strings.
fn look_through(bytes: &[u8]) -> Result<(), Oddity> {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(bytes, at + 1)?;
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(Oddity::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'0'..=b'9' => {
                at = end_of_number(bytes, at)?;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Where the string goes on after its closing quote; its content begins at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> Result<usize, Oddity> {
    let mut high_until = None;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' if high_until.is_some() => return Err(Oddity::HalfACharacter),
            b'"' => return Ok(at + 1),
            b'\\' => {
                let unit = code_unit(bytes.get(at..at + 6).unwrap_or_default());
                let follows_high = high_until == Some(at);
                if high_until.is_some() && !follows_high {
                    return Err(Oddity::HalfACharacter);
                }
                match unit {
                    Some(0xDC00..=0xDFFF) if follows_high => high_until = None,
                    Some(0xDC00..=0xDFFF) => return Err(Oddity::HalfACharacter),
                    _ if follows_high => return Err(Oddity::HalfACharacter),
                    Some(0xD800..=0xDBFF) => high_until = Some(at + 6),
                    _ => {}
                }
                at += if unit.is_some() { 6 } else { 2 };
            }
            _ => at += 1,
        }
    }
    Ok(at)
}

/// The code unit of `\u1234`.
fn code_unit(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"\\u")?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn end_of_number(bytes: &[u8], from: usize) -> Result<usize, Oddity> {
    let is_of_number = |b: &u8| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    let len = bytes[from..].iter().take_while(|b| is_of_number(b)).count();
    let number = &bytes[from..from + len];
    let may_be_large =
        len > DIGITS_OF_A_LARGE_NUMBER || number.iter().any(|b| matches!(b, b'e' | b'E'));
    if may_be_large {
        let value: Option<f64> = std::str::from_utf8(number)
            .ok()
            .and_then(|text| text.parse().ok());
        if value.is_some_and(f64::is_infinite) {
            return Err(Oddity::TooLarge);
        }
    }
    Ok(from + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nests_is_counted() {
        let nested = |levels: usize| [b"[".repeat(levels), b"]".repeat(levels)].concat();
        assert_eq!(look_through(&nested(DEPTH_MAX)), Ok(()));
        assert_eq!(look_through(&nested(DEPTH_MAX + 1)), Err(Oddity::TooDeep));
        let in_a_string = format!(r#"{{"a":"{}\"[[","b":[[]]}}"#, "[".repeat(100));
        assert_eq!(look_through(in_a_string.as_bytes()), Ok(()));
    }

    #[test]
    fn half_a_character_is_found_wherever_it_is() {
        for whole in [r#""😀""#, r#""\\ud800""#, r#""A\n😀 \u00e9""#, r#""\u12""#] {
            assert_eq!(look_through(whole.as_bytes()), Ok(()), "{whole}");
        }
        for half in [
            r#""\ud800""#,
            r#"{"\udc00":1}"#,
            r#""\ud800x\udc00""#,
            r#""\ud800\n""#,
            r#""\ud83d\ud83d\ude00""#,
            r#""\ud800\u0041""#,
        ] {
            assert_eq!(
                look_through(half.as_bytes()),
                Err(Oddity::HalfACharacter),
                "{half}"
            );
        }
    }

    #[test]
    fn numbers_that_there_cannot_be_are_found() {
        let digits = "1".repeat(40);
        for fine in ["1e99", "-1.5E-999", digits.as_str(), "0.1", r#""1e999""#] {
            assert_eq!(look_through(fine.as_bytes()), Ok(()), "{fine}");
        }
        let digits = "9".repeat(400);
        for large in ["1e999", "[-1E+400]", digits.as_str()] {
            assert_eq!(
                look_through(large.as_bytes()),
                Err(Oddity::TooLarge),
                "{large}"
            );
        }
    }
}
