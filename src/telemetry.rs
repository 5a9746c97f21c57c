//! Logs: one JSON object per line, as `docs/logging.md` promises.

use std::fmt;
use std::io::Write as _;

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
    let mut fields = Fields {
        message: String::new(),
        rest: String::new(),
    };
    event.record(&mut fields);
    let level = event.metadata().level().as_str();
    let message = quoted(&fields.message);
    format!(
        "{{\"timestamp\":\"{}\",\"level\":\"{level}\",\"message\":{message}{}}}\n",
        now(),
        fields.rest
    )
}

/// A JSON text, cut to what a line may hold; control characters are escaped, so that no value can forge a line.
fn quoted(value: &str) -> String {
    let value = if value.len() > VALUE_CHARS_MAX {
        text::cut(value, VALUE_CHARS_MAX)
    } else {
        value.to_owned()
    };
    serde_json::Value::String(value).to_string()
}

/// The log's own time, to the millisecond.
#[expect(
    clippy::disallowed_methods,
    reason = "the log's own time is no input of any decision"
)]
fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// The fields of a line in the order in which the code names them.
struct Fields {
    message: String,
    rest: String,
}

impl Fields {
    fn push(&mut self, name: &str, value: &str) {
        self.rest.push_str(&format!(",{}:{value}", quoted(name)));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.push(name, &quoted(value)),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field.name(), &value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field.name(), &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field.name(), &value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Keep(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Keep {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(line(event));
        }
    }

    #[test]
    fn a_line_is_one_json_object_whatever_its_values_are() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Keep(Arc::clone(&lines)));
        tracing::subscriber::with_default(subscriber, || {
            let none: Option<&str> = None;
            let forged = "x\n{\"level\":\"ERROR\"}\u{1b}[31m";
            tracing::info!(
                connection = "contoso",
                forged,
                long = "y".repeat(10_000),
                none,
                duration_ms = 3u64,
                "alert handled"
            );
        });
        let lines = lines.lock().unwrap();
        assert_eq!(lines[0].matches('\n').count(), 1);
        let read: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(read["message"], "alert handled");
        assert_eq!(read["duration_ms"], 3);
        assert_eq!(
            read.get("none"),
            None,
            "a field that does not apply is left out"
        );
        assert!(read["long"].as_str().unwrap().len() < 2100);
        assert!(lines[0].starts_with("{\"timestamp\":"));
    }
}
