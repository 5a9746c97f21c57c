//! Everything that this thread and the connector's says to a log, at the finest level, whoever says it.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// What was said, as one text.
type Text = Arc<Mutex<String>>;

fn locked(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens from its making on. A bed that is started while it listens is heard too.
pub(crate) struct Overheard {
    text: Text,
    _listening: DefaultGuard,
}

impl Overheard {
    pub(crate) fn listen() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            log::set_logger(&OfAllThreads).unwrap();
            log::set_max_level(log::LevelFilter::Trace);
        });
        let text = Text::default();
        let layer = Collecting(Arc::clone(&text));
        let subscriber = tracing_subscriber::registry().with(layer);
        Self {
            text,
            _listening: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", locked(&self.text), locked(&LOGGED))
    }
}

struct Collecting(Text);

impl<S: tracing::Subscriber> Layer<S> for Collecting {
    fn on_new_span(
        &self,
        span: &tracing::span::Attributes<'_>,
        _: &tracing::Id,
        _: Context<'_, S>,
    ) {
        let mut text = locked(&self.0);
        let _ = write!(
            text,
            "span {} {}:",
            span.metadata().target(),
            span.metadata().name()
        );
        span.record(&mut Fields(&mut text));
        text.push('\n');
    }

    fn on_record(&self, _: &tracing::Id, values: &tracing::span::Record<'_>, _: Context<'_, S>) {
        values.record(&mut Fields(&mut locked(&self.0)));
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = locked(&self.0);
        let _ = write!(
            text,
            "{} {}:",
            event.metadata().level(),
            event.metadata().target()
        );
        event.record(&mut Fields(&mut text));
        text.push('\n');
    }
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }
}

/// For the crates that know no other log. It cannot tell the threads of one story from those of another, and need not:
/// no story knows the secrets of another.
struct OfAllThreads;

static LOGGED: Mutex<String> = Mutex::new(String::new());

impl log::Log for OfAllThreads {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = writeln!(
            locked(&LOGGED),
            "{} {}: {}",
            record.level(),
            record.target(),
            record.args()
        );
    }

    fn flush(&self) {}
}
