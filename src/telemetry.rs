//! Logs: one JSON object per line, as `docs/logging.md` promises.

use std::fmt;
use std::io::Write as _;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::domain::text;

/// Longest value of a field, in characters.
const VALUE_CHARS_MAX: usize = 2048;

/// Where the lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Standard output: the Azure Functions host takes every line on standard error for an error.
    Stdout,
    /// Standard error: the command's standard output is for data.
    Stderr,
}

/// Starts logging; a second start in the same process changes nothing. `filter` is as in `RUST_LOG`:
/// `info,itsm_connector=debug`.
pub fn start(filter: &str, lines: Lines) {
    let targets: tracing_subscriber::filter::Targets = filter
        .parse()
        .unwrap_or_else(|_| tracing_subscriber::filter::Targets::new().with_default(Level::INFO));
    let layer = JsonLines { lines }.with_filter(targets);
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

struct JsonLines {
    lines: Lines,
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = line(event);
        // A log that cannot be written must not stop an alert.
        let _ = match self.lines {
            Lines::Stdout => std::io::stdout().lock().write_all(line.as_bytes()),
            Lines::Stderr => std::io::stderr().lock().write_all(line.as_bytes()),
        };
    }
}

fn line(event: &Event<'_>) -> String {
    let mut fields = Fields(Map::new());
    fields.text("timestamp", &now());
    fields.text("level", event.metadata().level().as_str());
    // The message goes first, whatever the order of the fields.
    fields.text("message", "");
    event.record(&mut fields);
    let mut line = Value::Object(fields.0).to_string();
    line.push('\n');
    line
}

/// The log's own time, to the millisecond.
#[expect(
    clippy::disallowed_methods,
    reason = "the log's own time is no input of any decision"
)]
fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, name: &str, value: &str) {
        let value = if value.len() > VALUE_CHARS_MAX {
            text::cut(value, VALUE_CHARS_MAX)
        } else {
            value.to_owned()
        };
        self.0.insert(name.to_owned(), Value::String(value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
