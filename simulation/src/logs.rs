//! What a run writes to its log, at the finest level: read for secrets (I23), and for nothing else.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[derive(Debug, Clone, Default)]
struct Book {
    text: Arc<Mutex<String>>,
    spans: Arc<AtomicU64>,
}

struct Writer<'a>(&'a mut String);

impl Visit for Writer<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Book {
    fn write(&self, record: impl FnOnce(&mut Writer<'_>)) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        record(&mut Writer(&mut text));
        text.push('\n');
    }
}

impl Subscriber for Book {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(|writer| span.record(writer));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.write(|writer| values.record(writer));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.write(|writer| event.record(writer));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Does something, and gives all that it has logged.
pub fn of<T>(work: impl FnOnce() -> T) -> (T, String) {
    let book = Book::default();
    let text = Arc::clone(&book.text);
    let done = tracing::subscriber::with_default(book, work);
    let text = std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
    (done, text)
}
