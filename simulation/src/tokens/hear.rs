//! What people are told, as they read it in the log.

use std::fmt::Debug;
use std::sync::Arc;

use itsm_connector::domain::timestamp::Timestamp;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::book::{Called, Held, Told};
use super::bugs::Bug;
use super::world::World;

/// Whoever tells something dies right behind it with this probability.
const TELLERS_DIE: f64 = 0.2;

/// Reads the lines of the refresher.
pub struct Listener(pub Arc<World>);

#[derive(Default)]
struct Line {
    message: String,
    what: String,
    end: Option<Timestamp>,
    days: u32,
    since: String,
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "within_days" {
            self.days = u32::try_from(value).unwrap_or(u32::MAX);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "what" {
            value.clone_into(&mut self.what);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "ends_at" | "ended_at" => self.end = Timestamp::parse_lenient(&format!("{value:?}")),
            "since" => self.since = format!("{value:?}"),
            "within_days" => self.days = format!("{value:?}").parse().unwrap_or(u32::MAX),
            _ => {}
        }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
            && metadata.is_event()
            && metadata.target().contains("flows::refresh_tokens")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let world = &self.0;
        world.note(|| format!("LOG {} {} {}", line.message, line.what, line.days));
        let at_ms = world.now_ms();
        let mut inner = world.inner();
        match (line.message.as_str(), line.end) {
            ("ends before long" | "has ended", Some(end)) => {
                let told = Told {
                    at_ms,
                    is_credentials: line.what.contains("secret"),
                    days: line.days,
                    end_ms: end.as_millis(),
                };
                if world.bug == Some(Bug::AnnouncementsLost) {
                    let by = inner.book.now_runs;
                    let is_written = false;
                    inner.book.held_back.push(Held {
                        by,
                        told,
                        is_written,
                    });
                } else {
                    inner.book.told.push(told);
                }
                if inner.book.kills_tellers && inner.dice.chance(TELLERS_DIE) {
                    let next = inner.calls + 1;
                    let is_after = inner.dice.chance(0.5);
                    inner.deaths.insert(next, is_after);
                }
            }
            ("somebody must log in", _) => {
                let since = line.since;
                inner.book.called.push(Called { at_ms, since });
            }
            _ => {}
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
