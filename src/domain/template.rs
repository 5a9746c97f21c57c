//! Templates of fields: small texts over one alert, written by the connection's owner (rows T1–T6 of the bad-input corpus).
//!
//! A template sees the public side of one alert and nothing else (`view`): no connection, no environment, no secret. Its
//! output is a value and is never rendered again, so that what an alert says is data whatever it looks like. Every
//! rendering has a bounded cost. Nothing of the engine leaves this module.
//!
//! A name that an alert cannot have is a mistake of the template and found when the definition is read. A name that this
//! alert happens not to have (a custom property, a dimension, a column of its row) fails the template when it is printed,
//! so that nobody gets half a sentence; `default` and `if` are there for that. What Azure left out of the rest is an empty
//! text.

mod filters;
mod samples;
mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::alert::Alert;
use super::row::Row;
use super::text;
pub use filters::FILTERS;
pub use view::{NAMES, ROW};

/// Longest template, in bytes. All of a definition may have 25 KB (azure-platform §5).
pub const SOURCE_BYTES_MAX: usize = 8 * 1024;

/// What one rendering may cost. The engine takes one for each of its steps and for every 64 bytes that it makes or reads: a
/// list of 5,000 targets has room, and the worst is over in some milliseconds and three megabytes.
const FUEL: u64 = 50_000;

/// Loops and branches in each other, also those that call themselves.
const DEPTH_MAX: usize = 50;

/// Longest output, in bytes: several times what any field holds. More is a mistake, and the field's default is better than
/// its first pages.
const OUTPUT_BYTES_MAX: usize = 32 * 1024;

/// A template that was read and tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Arc<str>);

/// Why a template cannot be used, for its author: the text in it is the template's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong with it.
    pub found: String,
    /// What to do about it.
    pub hint: String,
}

/// Why a rendering failed, in our own words: nothing of the alert is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It names something that this alert does not have.
    Missing,
    /// It takes too many steps, or goes too deep.
    TooLong,
    /// It makes more text than any field holds.
    TooMuch,
    /// It does something with a value that the value is not made for.
    Unfit,
}

impl Failed {
    /// For the reader of the work item and of the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "it needs something that this alert does not have",
            Self::TooLong => "it takes too many steps",
            Self::TooMuch => "it makes too much text",
            Self::Unfit => "a value of this alert is not what it expects",
        }
    }
}

/// What a template made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text, without blanks around it.
    pub text: String,
    /// True if a date was told in UTC because its zone could not be read (row T13).
    pub in_utc_instead: bool,
}

impl Template {
    /// True for a text with anything in it that is not to be taken as it stands.
    pub fn is_one(text: &str) -> bool {
        ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
    }

    /// Reads a template and tries it with alerts of several kinds.
    pub fn parse(source: &str) -> Result<Self, Refused> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(Refused {
                found: format!("a template of {} bytes", source.len()),
                hint: format!("a template has at most {SOURCE_BYTES_MAX} bytes"),
            });
        }
        let template = Self(source.into());
        for scope in samples::scopes() {
            template
                .render_with(&scope, &Arc::default())
                .map_err(|error| refused(&error))?;
        }
        Ok(template)
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.0
    }

    /// The text for an alert that there is not.
    pub fn sample(&self) -> String {
        let [metric, ..] = samples::scopes();
        self.render(&Scope(metric))
            .map(|made| made.text)
            .unwrap_or_default()
    }

    /// The template's text for an alert, or for one of its rows.
    pub fn render(&self, scope: &Scope) -> Result<Rendered, Failed> {
        let bad_zone = Arc::new(AtomicBool::new(false));
        let output = self
            .render_with(&scope.0, &bad_zone)
            .map_err(|error| failed(&error))?;
        if output.len() > OUTPUT_BYTES_MAX {
            return Err(Failed::TooMuch);
        }
        Ok(Rendered {
            text: output.trim().to_owned(),
            in_utc_instead: bad_zone.load(Ordering::Relaxed),
        })
    }

    fn render_with(&self, scope: &view::View, bad_zone: &Arc<AtomicBool>) -> Result<String, Error> {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH_MAX);
        environment.set_formatter(|out, state, value| match bool::try_from(value.clone()) {
            // The engine says `True` as Python does; the products say `true`.
            Ok(flag) if value.kind() == ValueKind::Bool => Ok(write!(out, "{flag}")?),
            _ => minijinja::escape_formatter(out, state, value),
        });
        filters::add(&mut environment, bad_zone);
        let template = environment.template_from_str(&self.0)?;
        template.render(scope.value())
    }
}

/// What templates see of one alert.
#[derive(Debug, Clone)]
pub struct Scope(view::View);

impl Scope {
    /// Of an alert, or of one of its rows, with the title and the description that its work item has by default.
    pub fn new(alert: &Alert, row: Option<&Row>, title: &str, description: &str) -> Self {
        Self(view::View::new(alert, row, title, description, false))
    }
}

/// Fuel that ran out inside of a filter comes wrapped.
fn is_out_of_fuel(error: &Error) -> bool {
    let mut source = Some(error as &(dyn std::error::Error + 'static));
    while let Some(one) = source {
        let own = one.downcast_ref::<Error>();
        if own.is_some_and(|own| own.kind() == ErrorKind::OutOfFuel) {
            return true;
        }
        source = one.source();
    }
    false
}

fn is_too_deep(error: &Error) -> bool {
    let detail = error.detail().unwrap_or_default();
    error.kind() == ErrorKind::InvalidOperation && detail.contains("recursion")
}

fn failed(error: &Error) -> Failed {
    match error.kind() {
        _ if is_out_of_fuel(error) || is_too_deep(error) => Failed::TooLong,
        ErrorKind::UndefinedError => Failed::Missing,
        _ => Failed::Unfit,
    }
}

fn refused(error: &Error) -> Refused {
    let detail = error.detail().unwrap_or_default();
    let what = match error.kind() {
        _ if is_out_of_fuel(error) || is_too_deep(error) => {
            "a template that takes too many steps".to_owned()
        }
        ErrorKind::UndefinedError if detail.is_empty() => {
            "a template that prints something that no alert has".to_owned()
        }
        ErrorKind::UndefinedError => format!("a template that names {detail}"),
        ErrorKind::SyntaxError => format!("a template that cannot be read ({detail})"),
        ErrorKind::UnknownFilter => format!("a template with an unknown filter ({detail})"),
        ErrorKind::UnknownTest => format!("a template with an unknown test ({detail})"),
        ErrorKind::UnknownFunction => format!("a template that calls a function ({detail})"),
        _ => format!("a template that fails with a sample alert ({detail})"),
    };
    let hint = match error.kind() {
        ErrorKind::UnknownFilter => {
            let known: Vec<&str> = FILTERS.iter().map(|(name, _)| *name).collect();
            format!("the filters are `{}`", known.join("`, `"))
        }
        ErrorKind::UndefinedError => {
            "docs/templates.md lists the names; `default` and `if` are for what an alert may lack".to_owned()
        }
        ErrorKind::SyntaxError => "expressions stand in `{{ }}`, `if` and `for` in `{% %}`; docs/templates.md has examples".to_owned(),
        _ => "docs/templates.md lists what templates can do".to_owned(),
    };
    let line = error
        .line()
        .map(|line| format!(", in line {line}"))
        .unwrap_or_default();
    Refused {
        found: text::cut(&text::one_line(&format!("{what}{line}")), 200),
        hint,
    }
}

#[cfg(test)]
mod tests;
