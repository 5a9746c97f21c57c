//! Times as ServiceNow writes them: `yyyy-MM-dd HH:mm:ss`, whole seconds, no offset.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// The text of a time, UTC.
pub(super) fn text(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1000))
        .map_or_else(|_| String::new(), |time| time.strftime(FORMAT).to_string())
}

/// The time of a text; also `yyyy-MM-dd` alone.
pub(super) fn parse(text: &str) -> Option<i64> {
    let civil = DateTime::strptime(FORMAT, text)
        .or_else(|_| DateTime::strptime(FORMAT, format!("{text} 00:00:00")))
        .ok()?;
    Some(
        civil
            .to_zoned(TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_millisecond(),
    )
}

/// A text moved by minutes; a text that is no time stays.
pub(super) fn shifted(stamp: &str, minutes: i32) -> String {
    match parse(stamp) {
        Some(ms) if minutes != 0 => text(ms + i64::from(minutes) * 60_000),
        _ => stamp.to_owned(),
    }
}

/// The `Date` header.
pub(super) fn http_date(ms: i64) -> Option<String> {
    let time = Timestamp::from_second(ms.div_euclid(1000)).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_seconds_and_come_back() {
        assert_eq!(text(1_772_359_200_999), "2026-03-01 10:00:00");
        assert_eq!(parse("2026-03-01 10:00:00"), Some(1_772_359_200_000));
        assert_eq!(parse("2026-03-01"), Some(1_772_323_200_000));
        assert_eq!(parse("soon"), None);
        assert_eq!(shifted("2026-03-01 10:00:00", -90), "2026-03-01 08:30:00");
        assert_eq!(shifted("", 60), "");
        assert_eq!(
            http_date(1_772_359_200_999).as_deref(),
            Some("Sun, 01 Mar 2026 10:00:00 GMT")
        );
    }
}
