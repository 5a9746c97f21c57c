//! What every simulator is: a state machine over HTTP messages that knows no socket and no clock.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use crate::fault::Faults;
use crate::journal::Journal;

/// A simulated service.
pub trait Machine: Send {
    /// Answers one request at `now_ms` (Unix milliseconds, UTC). Same calls, same times: same answers.
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer;

    /// What a test in another process may look at and set, if this machine has it.
    fn controls(&mut self) -> Option<&mut dyn Controls> {
        None
    }
}

/// The inside of a machine, for tests that hold only its address.
pub trait Controls {
    /// What was asked so far.
    fn journal(&self) -> &Journal;

    /// The same, to be emptied.
    fn journal_mut(&mut self) -> &mut Journal;

    /// What will go wrong.
    fn faults_mut(&mut self) -> &mut Faults;

    /// The records of a table or collection as they are stored, whoever may read them.
    fn records(&mut self, table: &str, now_ms: i64) -> Vec<Value>;

    /// Sets a field of a record as a person at the product's own screen would. False: there is no such record.
    fn edit(&mut self, table: &str, id: &str, field: &str, value: &str, now_ms: i64) -> bool;

    /// All that has to survive a restart.
    fn saved(&self) -> Value;
}

/// A reply, and how it travels.
#[derive(Debug)]
pub struct Answer {
    /// The reply as the service meant it.
    pub response: Response<Bytes>,
    /// What becomes of it on the way.
    pub delivery: Delivery,
}

impl Answer {
    /// A reply that arrives as it is.
    pub fn whole(response: Response<Bytes>) -> Self {
        Self {
            response,
            delivery: Delivery::Whole,
        }
    }
}

/// How a reply travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It arrives as it is.
    Whole,
    /// It arrives whole, this much later.
    After(Duration),
    /// The connection is reset before the request is read: it was not executed, and the client cannot tell this from
    /// a connection that was never made.
    NeverRead,
    /// The connection is dropped without a reply. Whether the request was executed is the journal's to say.
    Lost,
    /// The body is cut after this many bytes, then the connection is dropped.
    Cut(usize),
    /// One byte per interval.
    Drip(Duration),
}
