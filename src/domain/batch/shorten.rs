//! A row that is too long by itself: its longest texts are shortened, with a mark.

use serde_json::{Map, Value};

use crate::domain::text::cut_to_bytes;

/// What a reader collapses repeats by: never shortened.
const KEPT: &[&str] = &[
    "TimeGenerated",
    "LastModifiedDate_t",
    "RecordKey",
    "LogKey",
    "RunId",
];

/// Shortest text that is shortened: below it the mark takes more than it saves.
const SHORTENED_BYTES_MIN: usize = 256;

/// The row with its longest texts cut until it has at most `bytes_max` bytes; the same bytes if it has. `None` if nothing is
/// left to cut, or if it is no row.
pub fn shorten(row: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut bytes = row.to_vec();
    let mut columns: Map<String, Value> = serde_json::from_slice(row).ok()?;
    while bytes.len() > bytes_max {
        let longest = longest(&mut columns)?;
        *longest = cut_to_bytes(longest, longest.len() / 2).into_owned();
        bytes = serde_json::to_vec(&columns).ok()?;
    }
    Some(bytes)
}

/// The longest text that may be cut. By what it takes as JSON: a text of control characters takes six times its length.
fn longest(columns: &mut Map<String, Value>) -> Option<&mut String> {
    columns
        .iter_mut()
        .filter_map(|(name, value)| match value {
            Value::String(text) if !KEPT.contains(&name.as_str()) => Some(text),
            _ => None,
        })
        .filter(|text| text.len() >= SHORTENED_BYTES_MIN)
        .max_by_key(|text| serde_json::to_string(text).map_or(0, |written| written.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_is_shortened_first_and_what_repeats_are_known_by_never() {
        let long = "x".repeat(10_000);
        let row = serde_json::json!({
            "RecordKey": long, "Description_s": "y".repeat(9_000), "Title_s": "t".repeat(4_000), "Revision": 1,
        });
        let row = serde_json::to_vec(&row).unwrap();
        let short: Value = serde_json::from_slice(&shorten(&row, 20_000).unwrap()).unwrap();
        assert_eq!(short["RecordKey"].as_str(), Some(long.as_str()));
        assert_eq!(short["Title_s"].as_str().map(str::len), Some(4_000));
        let cut = short["Description_s"].as_str().unwrap();
        assert!(cut.len() <= 4_500 && cut.ends_with(" more characters"));
        assert_eq!(shorten(&row, row.len()).as_deref(), Some(row.as_slice()));
        assert_eq!(shorten(&row, 10_000), None);
        assert_eq!(shorten(b"[]", 1), None);
    }

    #[test]
    fn what_takes_much_room_as_json_counts_as_much() {
        let row = serde_json::json!({"A": "\u{1}".repeat(1_000), "B": "b".repeat(2_000)});
        let row = serde_json::to_vec(&row).unwrap();
        let short: Value = serde_json::from_slice(&shorten(&row, 6_000).unwrap()).unwrap();
        assert_eq!(short["B"].as_str().map(str::len), Some(2_000));
        assert!(short["A"].as_str().unwrap().len() <= 500);
    }
}
