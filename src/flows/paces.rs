//! The pace of this process towards each product, and a tally of what its calls have shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::failure::{CallFailure, Effect};
use crate::domain::name::ConnectionName;
use crate::domain::pace::{HeldBack, Pace, Told};
use crate::ports::Clock;

/// What the calls of this process have shown of a product since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that it answered as it should, or refused for their own sake.
    pub accepted: u64,
    /// Calls that it turned away, or did not answer.
    pub turned_away: u64,
    /// How often that closed the gate.
    pub closings: u64,
}

#[derive(Debug, Default)]
struct Place {
    pace: Pace,
    tally: Tally,
}

/// The paces of all connections.
pub struct Paces {
    clock: Arc<dyn Clock>,
    places: Mutex<BTreeMap<ConnectionName, Place>>,
}

impl Paces {
    /// Nothing called yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            places: Mutex::default(),
        }
    }

    fn at<T>(&self, connection: &ConnectionName, look: impl FnOnce(&mut Place) -> T) -> T {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get_mut(connection) {
            return look(place);
        }
        look(places.entry(connection.clone()).or_default())
    }

    /// Whether work on an alert that needs calls may begin.
    pub fn ask(
        &self,
        connection: &ConnectionName,
        is_retry: bool,
        dice: u64,
    ) -> Result<(), HeldBack> {
        let now = self.clock.monotonic();
        self.at(connection, |place| place.pace.ask(now, is_retry, dice))
    }

    /// An alert that was tried before is tried again.
    pub fn retries(&self, connection: &ConnectionName) {
        let now = self.clock.monotonic();
        self.at(connection, |place| place.pace.retries(now));
    }

    /// A call was made; `Err` is how it failed.
    pub fn told(&self, connection: &ConnectionName, result: Result<(), &CallFailure>) {
        let told = match result {
            Ok(()) => Told::Success,
            Err(failure) if failure.effect == Effect::Refused && !failure.concerns_every_call() => {
                Told::Refusal
            }
            Err(_) => Told::TurnedAway,
        };
        let now = self.clock.monotonic();
        self.at(connection, |place| {
            place.pace.told(now, told);
            match told {
                Told::TurnedAway => place.tally.turned_away += 1,
                Told::Success | Told::Refusal => place.tally.accepted += 1,
            }
        });
    }

    /// A call of this process closed the gate.
    pub fn closed_the_gate(&self, connection: &ConnectionName) {
        self.at(connection, |place| place.tally.closings += 1);
    }

    /// What the calls have shown so far.
    pub fn tally(&self, connection: &ConnectionName) -> Tally {
        self.at(connection, |place| place.tally)
    }
}
