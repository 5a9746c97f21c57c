//! A moment in UTC, to the millisecond: what keys, claims and logs are made of.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z.
///
/// Printed and stored as `2026-03-01T10:00:00.123Z`. Arithmetic saturates: a clock that is off by millennia gives a
/// moment that is off, never a panic.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The earliest and latest moments that can be printed with a four-digit year.
const EARLIEST_MS: i64 = -62_135_596_800_000;
const LATEST_MS: i64 = 253_402_300_799_999;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp(0);

    /// The moment `ms` milliseconds after the Unix epoch, clamped to the years 1 to 9999.
    pub fn from_millis(ms: i64) -> Self {
        Self(ms.clamp(EARLIEST_MS, LATEST_MS))
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads an ISO 8601 date and time. A date without a zone is UTC: Azure's captured service-health payloads lack it
    /// (azure-platform §1.2). More than three fraction digits are cut, not rounded. `None` for anything else.
    pub fn parse_lenient(text: &str) -> Option<Self> {
        let text = text.trim();
        let ms = match jiff::Timestamp::from_str(text) {
            Ok(moment) => moment.as_millisecond(),
            Err(_) => jiff::civil::DateTime::from_str(text)
                .ok()?
                .to_zoned(jiff::tz::TimeZone::UTC)
                .ok()?
                .timestamp()
                .as_millisecond(),
        };
        (EARLIEST_MS..=LATEST_MS).contains(&ms).then_some(Self(ms))
    }

    /// Reads what [`Self::parse_lenient`] reads, and the American form with a clock of twelve hours in which some of Azure's
    /// services write: `3/22/2019 1:36:31 PM`, in UTC unless an offset follows (azure-platform §1.5).
    pub fn parse_any(text: &str) -> Option<Self> {
        Self::parse_lenient(text).or_else(|| Self::parse_american(text))
    }

    fn parse_american(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (date, clock, half) = (words.next()?, words.next()?, words.next()?);
        let offset = words.next().unwrap_or("+00:00");
        let [month, day, year] = numbers(date, '/')?;
        let [hour, minute, second] = numbers(clock, ':')?;
        let hour = match half {
            "AM" | "am" => hour % 12,
            "PM" | "pm" => hour % 12 + 12,
            _ => return None,
        };
        let iso =
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{offset}");
        Self::parse_lenient(&iso)
    }

    /// `2026-03-01 10:00:00 UTC`, for people who read it at night.
    pub fn for_people(self) -> String {
        let text = self.to_string();
        let seconds = text.split('.').next().unwrap_or(&text);
        format!("{} UTC", seconds.replace('T', " "))
    }

    /// Reads the date of an HTTP header (RFC 9110), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let moment = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
        Some(Self::from_millis(moment.timestamp().as_millisecond()))
    }

    /// This moment and `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_add(ms))
    }

    /// This moment and `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.0.saturating_sub(ms))
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `20260301T100000123Z`: sorts as text the way it sorts as time, and has nothing that a store's name could trip on.
    pub fn as_key(self) -> String {
        let text: String = self
            .to_string()
            .chars()
            .filter(|c| !matches!(c, '-' | ':' | '.'))
            .collect();
        text
    }
}

/// Three numbers of a few digits each, with something between them.
fn numbers(text: &str, between: char) -> Option<[u32; 3]> {
    let number = |part: &str| part.parse().ok().filter(|_| part.len() <= 4);
    let mut parts = text.split(between).map(number);
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_lenient(&text)
            .ok_or_else(|| serde::de::Error::custom("expected a date and time in ISO 8601"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_azure_sends() {
        let cases = [
            (
                "2026-03-01T10:00:00.1239171Z",
                Some("2026-03-01T10:00:00.123Z"),
            ),
            ("2026-03-01T10:00:00Z", Some("2026-03-01T10:00:00.000Z")),
            (
                "2021-10-12T00:32:38.1239171",
                Some("2021-10-12T00:32:38.123Z"),
            ),
            (
                "2026-03-01T12:00:00+02:00",
                Some("2026-03-01T10:00:00.000Z"),
            ),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00.000Z")),
            ("3/22/2019 1:36:31 PM", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = Timestamp::parse_lenient(text).map(|moment| moment.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn reads_what_some_services_write_in_american() {
        let cases = [
            ("3/22/2019 1:36:31 PM", Some("2019-03-22 13:36:31 UTC")),
            ("12/1/2019 12:00:05 AM", Some("2019-12-01 00:00:05 UTC")),
            (
                "11/17/2021 5:40:29 PM -08:00",
                Some("2021-11-18 01:40:29 UTC"),
            ),
            ("2026-03-01T10:00:00.123Z", Some("2026-03-01 10:00:00 UTC")),
            ("22/3/2019 1:36:31 PM", None),
            ("3/22/2019 1:36:31", None),
            ("3/22/2019 13:36:31 XX", None),
            ("3/22 1:36 PM", None),
            ("\u{e9}/\u{e9}/\u{e9} 1:1:1 PM", None),
        ];
        for (text, expected) in cases {
            let found = Timestamp::parse_any(text).map(Timestamp::for_people);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn never_panics_at_the_edges() {
        for text in [
            "9999-12-31T23:59:60Z",
            "-9999-01-01T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
        ] {
            if let Some(moment) = Timestamp::parse_lenient(text) {
                let _ = moment.plus(Duration::MAX).minus(Duration::MAX).to_string();
            }
        }
        assert_eq!(
            Timestamp::UNIX_EPOCH.since(Timestamp::from_millis(5)),
            Duration::ZERO
        );
    }

    #[test]
    fn keys_sort_as_time() {
        let early = Timestamp::from_millis(1_772_359_200_001);
        assert_eq!(early.as_key(), "20260301T100000001Z");
        assert!(early.as_key() < early.plus(Duration::from_millis(1)).as_key());
    }

    #[test]
    fn reads_http_dates() {
        let moment = Timestamp::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(moment.to_string(), "1994-11-06T08:49:37.000Z");
        assert_eq!(Timestamp::parse_http_date("soon"), None);
    }
}
