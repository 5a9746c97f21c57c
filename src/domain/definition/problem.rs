//! A mistake in a definition: where, what was found, what was expected, what to do.

use std::fmt;

use serde::Serialize;

use crate::domain::redact;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `sync.days`; empty for the definition as a whole.
    pub path: String,
    /// What stands there. Never a secret.
    pub found: String,
    /// What should.
    pub expected: String,
    /// What to do.
    pub hint: String,
}

impl Problem {
    /// A mistake.
    pub fn new(
        path: &str,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            found: found.into(),
            expected: expected.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() {
            "the definition"
        } else {
            &self.path
        };
        write!(
            f,
            "{place}: found {}, expected {}\n  hint: {}",
            self.found, self.expected, self.hint
        )
    }
}

/// All mistakes that could be seen at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Exactly one.
    pub fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The value, or its mistake noted.
    pub(super) fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    /// The value if there is no mistake.
    pub(super) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Takes serde's message apart. Its forms are part of serde's stable behaviour; one that is not known is told as it is,
/// without values.
pub(super) fn from_serde(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = match error.path().to_string() {
        path if path == "." => String::new(),
        path => path,
    };
    let inner = error.inner();
    let message = inner.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    if inner.is_syntax() || inner.is_eof() {
        let found = if message.contains("trailing comma") {
            "a comma before a closing bracket"
        } else {
            "text that is not JSON"
        };
        let place = format!(
            "{found} at line {}, column {}",
            inner.line(),
            inner.column()
        );
        return Problem::new(
            "",
            place,
            "a JSON object",
            "check quotes, commas and brackets there",
        );
    }
    if let Some(name) = between(message, "unknown field `", "`") {
        let known = quoted_after(message, "expected");
        let hint = match nearest(&name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`itsmc connection schema` lists all fields".to_owned(),
        };
        let parent = path
            .trim_end_matches(name.as_str())
            .trim_end_matches('.')
            .to_owned();
        return Problem::new(
            &parent,
            format!("the unknown field `{}`", cut(&name)),
            one_of(&known),
            hint,
        );
    }
    if let Some(name) = between(message, "missing field `", "`") {
        let path = if path.is_empty() {
            name
        } else {
            format!("{path}.{name}")
        };
        return Problem::new(
            &path,
            "nothing",
            "a value",
            "this field is mandatory; `itsmc connection schema` describes it",
        );
    }
    if let Some(name) = between(message, "duplicate field `", "`") {
        return Problem::new(
            &path,
            format!("the field `{}` twice", cut(&name)),
            "each field once",
            "remove one of the two",
        );
    }
    if let Some(name) = between(message, "unknown variant `", "`") {
        let known = quoted_after(message, "expected");
        let hint = match nearest(&name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "names are lower case, with `_` between words".to_owned(),
        };
        return Problem::new(&path, redact::echo(&path, &name), one_of(&known), hint);
    }
    if let Some((found, expected)) = message.split_once(", expected ")
        && let Some(found) = found
            .strip_prefix("invalid type: ")
            .or_else(|| found.strip_prefix("invalid value: "))
    {
        let kind = found.split_whitespace().next().unwrap_or("a value");
        let found = if redact::names_a_secret(&path) || kind == "string" {
            format!("a {kind}").replace("a integer", "an integer")
        } else {
            cut(found)
        };
        return Problem::new(
            &path,
            found,
            expected_words(expected),
            "`itsmc connection schema` describes every field",
        );
    }
    if message.starts_with("invalid length") {
        return Problem::new(
            &path,
            "a list",
            "an object",
            "it begins with `{`; `itsmc connection schema` describes it",
        );
    }
    Problem::new(
        &path,
        "a value that cannot be read",
        "what `itsmc connection schema` describes",
        "compare the two",
    )
}

fn expected_words(expected: &str) -> String {
    match expected {
        "i64" | "u64" | "u16" => "a whole number".to_owned(),
        "a string" | "a text" => "a text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "an object".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    }
}

fn cut(text: &str) -> String {
    crate::domain::text::cut(&crate::domain::text::one_line(text), 60)
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(name, _)| name.to_owned())
}

/// The words in backticks after `marker`.
fn quoted_after(text: &str, marker: &str) -> Vec<String> {
    let rest = text.rsplit_once(marker).map_or("", |(_, rest)| rest);
    rest.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn one_of(known: &[String]) -> String {
    match known {
        [] => "another value".to_owned(),
        [only] => format!("`{only}`"),
        many => format!("one of `{}`", many.join("`, `")),
    }
}

/// The known word that is at most a third of its letters away.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let name: String = name
        .chars()
        .take(60)
        .collect::<String>()
        .to_ascii_lowercase()
        .replace(['-', ' '], "_");
    known
        .iter()
        .map(|word| (distance(&name, word), word.as_str()))
        .filter(|(steps, word)| *steps * 3 <= word.len().max(3))
        .min()
        .map(|(_, word)| word)
}

/// Levenshtein's distance: insertions, deletions and replacements.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
