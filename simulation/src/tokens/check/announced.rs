//! Whether every end was announced, once for each milestone, and none that was none.

use itsm_connector::domain::renewal::announcement::MILESTONES;
use simulators::issuer::Rotation;

use crate::tokens::book::{BLUR, Book, CHANCE, Told};
use crate::tokens::life::since_beginning;
use crate::tokens::weather::{DAY, HOUR};
use crate::tokens::world::{World, at};

/// Something with an end, and from when to when it was so.
#[derive(Debug, Clone, Copy)]
struct Span {
    is_credentials: bool,
    from: i64,
    until: i64,
    end: i64,
    /// For what a renewal prolongs: when that was overdue. Before it, no end is one.
    overdue_from: i64,
}

/// A renewal that was not made within two ticks is overdue, milliseconds.
const OVERDUE_AFTER: i64 = 10 * 60_000;

/// What each refresh token was worth, and each client secret.
fn spans(world: &World, book: &Book, now: i64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for epoch in &book.epochs {
        let Some(end) = epoch.refresh_ends_ms else {
            continue;
        };
        if let Some(last) = spans.last_mut() {
            if last.end == end {
                continue;
            }
            last.until = epoch.from_ms;
        }
        let overdue_from = match world.rotation {
            Rotation::Replaced => epoch.renew_at_ms + OVERDUE_AFTER,
            Rotation::Kept | Rotation::None => epoch.from_ms,
        };
        spans.push(Span {
            is_credentials: false,
            from: epoch.from_ms,
            until: now,
            end,
            overdue_from,
        });
    }
    let secrets = &book.credentials;
    for (n, (from, end)) in secrets.iter().enumerate() {
        spans.push(Span {
            is_credentials: true,
            from: *from,
            until: secrets.get(n + 1).map_or(now, |(from, _)| *from),
            end: *end,
            overdue_from: *from,
        });
    }
    spans
}

fn is_of(told: &Told, span: &Span) -> bool {
    told.is_credentials == span.is_credentials && (told.end_ms - span.end).abs() <= BLUR
}

/// From when to when a milestone counts; `None` if it never does.
fn window(span: &Span, days: u32) -> Option<(i64, i64)> {
    let (from, until) = Book::window(span.end, days);
    let (from, until) = (
        from.max(span.from).max(span.overdue_from),
        until.min(span.until),
    );
    (from < until).then_some((from, until))
}

/// What is wrong with what was announced.
pub(super) fn wrong(world: &World) -> Vec<String> {
    let now = world.now_ms();
    let mut inner = world.inner();
    let mut found = Vec::new();
    let mut owed = 0;
    let book = &inner.book;
    let spans = spans(world, book, now);
    for span in &spans {
        for days in MILESTONES {
            let Some((from, until)) = window(span, days) else {
                continue;
            };
            let all: Vec<&Told> = book
                .told
                .iter()
                .filter(|told| told.days == days && is_of(told, span))
                .filter(|told| from - BLUR <= told.at_ms && told.at_ms <= until + BLUR)
                .collect();
            let is_owed = book.is_calm_for(from + BLUR, until - BLUR, CHANCE);
            owed += u64::from(is_owed);
            if is_owed && all.is_empty() {
                found.push(format!(
                    "{}: that {} ends was not announced at {days} days",
                    at(since_beginning(from)),
                    named(span.is_credentials)
                ));
            }
            for pair in all.windows(2) {
                let [one, other] = pair else { continue };
                // Told and not written down: told again by the next run.
                if !book.was_struck(one.at_ms - BLUR, other.at_ms) {
                    found.push(format!(
                        "{}: announced twice at {days} days",
                        at(since_beginning(other.at_ms))
                    ));
                }
            }
        }
    }
    for told in &book.told {
        let fits = |span: &&Span| {
            is_of(told, span)
                && window(span, told.days).is_some_and(|(from, until)| {
                    from - BLUR <= told.at_ms && told.at_ms <= until + BLUR
                })
        };
        // A login, or a new secret, that died before it was written down is seen at the next look.
        let is_excused = book.was_struck(told.at_ms - 7 * HOUR, told.at_ms);
        if !spans.iter().any(|span| fits(&span)) && !is_excused {
            let left = (told.end_ms - told.at_ms) as f64 / DAY as f64;
            found.push(format!(
                "{}: a false announcement: {} ends in {left:.3} days, at {} days",
                at(since_beginning(told.at_ms)),
                named(told.is_credentials),
                told.days
            ));
        }
    }
    for pair in book.called.windows(2) {
        let [one, other] = pair else { continue };
        if one.since == other.since && !book.was_struck(one.at_ms - BLUR, other.at_ms) {
            found.push(format!(
                "{}: somebody was called twice for the same",
                at(since_beginning(other.at_ms))
            ));
        }
    }
    inner.book.sum.owed = owed;
    found
}

fn named(is_credentials: bool) -> &'static str {
    match is_credentials {
        true => "the connection's secret",
        false => "the refresh token",
    }
}
