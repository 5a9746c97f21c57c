//! The filters of templates: those of the engine that people need, and three of our own. There is no regular expression
//! among them, so that none can take for ever (row T5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::{Environment, Error, ErrorKind, Value, filters, tests};

use crate::domain::text::{self, Place};
use crate::domain::timestamp::Timestamp;

/// Each filter and what it does.
pub const FILTERS: [(&str, &str); 17] = [
    ("cut", "`cut(60)`: at most so many characters, with a mark"),
    (
        "date",
        "`date` or `date(\"+02:00\")`: a moment as `2026-03-01 10:00:00`, in UTC or with that difference from it",
    ),
    (
        "default",
        "`default(\"none\")`: in place of what is missing or empty",
    ),
    ("first", "the first of a list"),
    ("float", "a number with a fraction, to be compared"),
    ("html", "escaped for a field that is shown as HTML"),
    ("int", "a whole number, to be compared"),
    ("join", "`join(\", \")`: a list as one text"),
    ("last", "the last of a list"),
    ("length", "how many"),
    ("lower", "in lower case"),
    ("replace", "`replace(\"a\", \"b\")`: every `a` by `b`"),
    ("round", "`round(1)`: a number with so many places"),
    ("split", "`split(\"/\")`: a text as a list"),
    ("trim", "without blanks around it"),
    ("unique", "a list without repetitions"),
    ("upper", "in upper case"),
];

/// Gives an environment the filters and tests. `bad_zone` is set if a date's zone cannot be read.
pub(super) fn add(environment: &mut Environment<'_>, bad_zone: &Arc<AtomicBool>) {
    environment.add_filter("cut", cut);
    let bad_zone = Arc::clone(bad_zone);
    environment.add_filter("date", move |moment: &Value, zone: Option<&str>| {
        date(moment, zone, &bad_zone)
    });
    environment.add_filter("default", default);
    environment.add_filter("first", filters::first);
    environment.add_filter("float", filters::float);
    environment.add_filter("html", |text: &str| text::harmless(text, Place::Html));
    environment.add_filter("int", filters::int);
    environment.add_filter("join", filters::join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("round", filters::round);
    environment.add_filter("split", filters::split);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("upper", filters::upper);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("endingwith", tests::is_endingwith);
}

fn cut(value: &str, limit: usize) -> String {
    text::cut(value, limit)
}

/// What Azure left out is an empty text as often as it is missing; nobody wants to tell the two apart.
fn default(value: &Value, instead: Value) -> Value {
    let is_empty = value.is_undefined() || value.is_none() || value.as_str() == Some("");
    if is_empty { instead } else { value.clone() }
}

fn date(moment: &Value, zone: Option<&str>, bad_zone: &AtomicBool) -> Result<String, Error> {
    let Some(text) = moment.as_str() else {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "`date` wants a moment",
        ));
    };
    if text.is_empty() {
        return Ok(String::new());
    }
    let Some(moment) = Timestamp::parse_lenient(text) else {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "`date` wants a moment",
        ));
    };
    let difference = match zone.map(|zone| (zone, difference(zone))) {
        None => None,
        Some((zone, Some(minutes))) => Some((zone, minutes)),
        Some((_, None)) => {
            bad_zone.store(true, Ordering::Relaxed);
            Some(("UTC", 0))
        }
    };
    let minutes = difference.map_or(0, |(_, minutes)| minutes);
    let local = Timestamp::from_millis(moment.as_millis().saturating_add(minutes * 60_000));
    let digits: String = local.to_string().chars().take(19).collect();
    let digits = digits.replace('T', " ");
    Ok(match difference {
        Some((zone, _)) => format!("{digits} {zone}"),
        None => digits,
    })
}

/// Minutes that a zone is ahead of UTC: `UTC`, `Z`, `+02:00`, `-0330`. Names of places need a database that functions do
/// not have.
fn difference(zone: &str) -> Option<i64> {
    if matches!(zone, "UTC" | "Z") {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let is_plain = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit());
    let number: i64 = is_plain.then(|| digits.parse().ok()).flatten()?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}
