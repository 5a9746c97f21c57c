//! A batch on its way into a sink: what is too long is halved down to a row, a row that is still too long is shortened, and
//! what nothing helps is set aside (rule R31; rows N21 and N22).

use std::time::Duration;

use crate::domain::batch::{Batch, shorten};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::sink_failure::SinkFailure;
use crate::domain::table::Table;
use crate::ports::{Clock, RowSink};

/// Shortest row that is shortened further: below it no sink refuses a row for its length.
const ROW_BYTES_MIN: usize = 4 * 1024;

/// What came of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shipped {
    /// How often the sink was called.
    pub calls: u32,
    /// How many rows it has.
    pub rows: usize,
    /// How many of them have a text that was shortened because of their length.
    pub shortened: usize,
    /// What it does not take.
    pub set_aside: Vec<SetAside>,
}

/// A row that no sink takes, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The row as it was refused last: a JSON object.
    pub row: Vec<u8>,
    /// Why.
    pub failure: CallFailure,
}

/// A batch that is not in the sink, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotShipped {
    /// What stopped it.
    pub failure: SinkFailure,
    /// What went before. The cursor stays where it is: all rows come again.
    pub before: Shipped,
}

/// Hands a batch over, in as many calls as it takes, within `within` for all of them. On `Ok` the sink has every row but those
/// that are set aside. It stops at the first failure that less or shorter rows do not mend, and tries nothing twice.
pub async fn ship(
    sink: &dyn RowSink,
    clock: &dyn Clock,
    table: Table,
    batch: Batch,
    within: Duration,
) -> Result<Shipped, NotShipped> {
    let began = clock.monotonic();
    let mut done = Shipped::default();
    // The next one is the last: halves keep the order of the rows.
    let mut left = vec![Part {
        batch,
        was_shortened: false,
    }];
    while let Some(part) = left.pop() {
        let time = within.saturating_sub(clock.monotonic().saturating_sub(began));
        if time.is_zero() {
            return Err(NotShipped {
                failure: SinkFailure::Wait(no_time(table)),
                before: done,
            });
        }
        done.calls += 1;
        match sink.send(table, &part.batch, time).await {
            Ok(()) => {
                done.rows += part.batch.len();
                done.shortened += usize::from(part.was_shortened);
            }
            Err(SinkFailure::TooLarge(failure)) => match less(&part.batch) {
                Less::Halves(first, second) => left.extend([second, first]),
                Less::Shorter(row) => left.push(row),
                Less::Nothing => done.set_aside.push(SetAside {
                    row: part.batch.joined().to_vec(),
                    failure,
                }),
            },
            Err(failure) => {
                return Err(NotShipped {
                    failure,
                    before: done,
                });
            }
        }
    }
    Ok(done)
}

struct Part {
    batch: Batch,
    was_shortened: bool,
}

enum Less {
    Halves(Part, Part),
    Shorter(Part),
    Nothing,
}

/// What is tried in place of a batch that is too long.
fn less(batch: &Batch) -> Less {
    let whole = |batch| Part {
        batch,
        was_shortened: false,
    };
    if let Some((first, second)) = batch.halves() {
        return Less::Halves(whole(first), whole(second));
    }
    let row = batch.joined();
    match shorten(row, row.len() / 2) {
        Some(row) if batch.body_bytes() > ROW_BYTES_MIN => Less::Shorter(Part {
            batch: Batch::of_one(row),
            was_shortened: true,
        }),
        _ => Less::Nothing,
    }
}

fn no_time(table: Table) -> CallFailure {
    CallFailure::new(
        "the sync",
        &format!("write rows of {}", table.name()),
        Effect::NotSent,
        Kind::TimedOut,
        "no time was left for the call",
    )
}

#[cfg(test)]
mod tests;
