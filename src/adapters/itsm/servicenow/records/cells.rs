//! A row of a list as it came: each field with what is stored and what a person reads, whatever form it has.

use std::borrow::Cow;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::timestamp::Timestamp;

/// A field. With `sysparm_display_value=all` it is an object of two texts, else a text; other forms are taken as what they
/// say, or as empty: a field that nobody expected must not cost the row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    value: Cow<'a, str>,
    shown: Option<Cow<'a, str>>,
}

impl<'a> Cell<'a> {
    /// What is stored. Times are UTC here, and in the user's zone as shown (servicenow-api §5).
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    /// What a person reads; nothing if it is empty.
    pub(super) fn text(self) -> Option<String> {
        let shown = match self.shown {
            // A reference that we may not resolve has no text; its key is better than nothing.
            Some(shown) if !shown.is_empty() => shown,
            _ => self.value,
        };
        (!shown.is_empty()).then(|| shown.into_owned())
    }

    /// The time that is stored, if there is one.
    pub(super) fn time(&self) -> Option<Timestamp> {
        time(&self.value)
    }
}

/// `2026-03-01 10:00:00`, UTC. Nothing else is taken for a time: a local format would be off by hours.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let separated = bytes.len() == 19
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => *byte == b' ',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    if !separated {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<i16>().ok();
    let small = |from: usize| i8::try_from(number(from, from + 2)?).ok();
    let (year, month, day) = (number(0, 4)?, small(5)?, small(8)?);
    let (hour, minute, second) = (small(11)?, small(14)?, small(17)?);
    let civil = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let moment = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    Some(Timestamp::from_millis(moment.as_millisecond()))
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyForm)
    }
}

struct AnyForm;

impl<'de> Visitor<'de> for AnyForm {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a field")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Cell<'de>, E> {
        Ok(plain(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cell<'de>, E> {
        Ok(plain(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Cell<'de>, E> {
        Ok(plain(Cow::Owned(value.to_string())))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Cell<'de>, E> {
        Ok(plain(Cow::Owned(value.to_string())))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Cell<'de>, E> {
        Ok(plain(Cow::Owned(value.to_string())))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Cell<'de>, E> {
        Ok(plain(Cow::Owned(value.to_string())))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell<'de>, A::Error> {
        let mut cell = Cell::default();
        while let Some(key) = map.next_key::<Name>()? {
            match key {
                Name::Value => cell.value = map.next_value::<Text<'de>>()?.0,
                Name::Shown => cell.shown = Some(map.next_value::<Text<'de>>()?.0),
                Name::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(cell)
    }
}

fn plain(value: Cow<'_, str>) -> Cell<'_> {
    Cell { value, shown: None }
}

#[derive(serde::Deserialize)]
enum Name {
    #[serde(rename = "value")]
    Value,
    #[serde(rename = "display_value")]
    Shown,
    #[serde(other)]
    Other,
}

/// A text within a field; null and what is no text are empty.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(deserializer.deserialize_any(AnyForm)?.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str) -> (String, Option<String>) {
        let cell: Cell<'_> = serde_json::from_str(json).unwrap();
        (cell.value().to_owned(), cell.text())
    }

    #[test]
    fn every_form_of_a_field_is_taken_as_what_it_says() {
        let cases = [
            (r#""New""#, "New", Some("New")),
            (r#""""#, "", None),
            ("null", "", None),
            ("3", "3", Some("3")),
            ("true", "true", Some("true")),
            ("[1,{}]", "", None),
            (r#"{"display_value":"New","value":"1"}"#, "1", Some("New")),
            (r#"{"display_value":"","value":""}"#, "", None),
            (r#"{"display_value":null,"value":"1"}"#, "1", Some("1")),
            (
                r#"{"display_value":"web\n01","value":"k","link":"https://x"}"#,
                "k",
                Some("web\n01"),
            ),
        ];
        for (json, value, text) in cases {
            assert_eq!(
                cell(json),
                (value.to_owned(), text.map(str::to_owned)),
                "{json}"
            );
        }
    }

    #[test]
    fn only_the_stored_form_is_a_time() {
        let told = |text: &str| time(text).map(|moment| moment.to_string());
        assert_eq!(
            told("2026-03-01 10:00:00").as_deref(),
            Some("2026-03-01T10:00:00.000Z")
        );
        for text in [
            "",
            "01/03/2026 10:00:00",
            "2026-03-01",
            "2026-13-01 10:00:00",
            "2026-03-01 24:00:00",
            "2026-03-01T10:00:00",
            "2026-03-01 10:00:0é",
        ] {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
