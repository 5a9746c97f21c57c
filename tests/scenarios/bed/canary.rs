//! A secret in all the shapes in which it could get out.

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A secret that must be nowhere.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    pub(crate) name: String,
    shapes: Vec<(&'static str, String)>,
}

impl Canary {
    pub(crate) fn new(name: &str, secret: &str) -> Self {
        assert!(secret.len() >= 12, "{name} is too short to be recognised");
        let bytes = secret.as_bytes();
        let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let form: String = url::form_urlencoded::byte_serialize(bytes).collect();
        let mut shapes = vec![
            ("raw", secret.to_owned()),
            ("reversed", secret.chars().rev().collect()),
            ("percent-encoded", percent.to_lowercase()),
            ("form-encoded", form.to_lowercase()),
            ("hex", HEXLOWER.encode(bytes)),
            ("HEX", HEXUPPER.encode(bytes)),
            (
                "as debugged bytes",
                format!("{bytes:?}").trim_matches(['[', ']']).to_owned(),
            ),
        ];
        // Within a longer text a secret begins at any of three places of a base64 group. What stands at its ends is mixed
        // with its neighbours; the middle is not.
        for before in 0..3 {
            let padded = [&vec![0; before], bytes].concat();
            let whole = padded.len() / 3 * 4;
            let first = before.div_ceil(3) * 4;
            shapes.push(("base64", BASE64.encode(&padded)[first..whole].to_owned()));
            shapes.push((
                "base64url",
                BASE64URL.encode(&padded)[first..whole].to_owned(),
            ));
        }
        Self {
            name: name.to_owned(),
            shapes,
        }
    }

    /// The shapes in which it stands in a text.
    pub(crate) fn found_in(&self, text: &str) -> Vec<&'static str> {
        let lower = text.to_lowercase();
        let is_there = |(name, shape): &(&'static str, String)| match *name {
            "percent-encoded" | "form-encoded" => lower.contains(shape),
            _ => text.contains(shape),
        };
        let mut found: Vec<_> = self
            .shapes
            .iter()
            .filter(|shape| is_there(shape))
            .map(|shape| shape.0)
            .collect();
        found.dedup();
        found
    }
}
