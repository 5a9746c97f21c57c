//! How each dependency was when it was last used, in this process: for the health page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::name::ConnectionName;
use crate::domain::sighting::{Ending, Sighting};
use crate::domain::timestamp::Timestamp;
use crate::ports::Clock;

/// The last sighting of each dependency.
#[derive(Clone)]
pub struct LastSeen {
    clock: Arc<dyn Clock>,
    sightings: Arc<Mutex<BTreeMap<String, Sighting>>>,
    /// By connection and what ends, when it does.
    ends: Arc<Mutex<BTreeMap<(ConnectionName, &'static str), Timestamp>>>,
}

impl std::fmt::Debug for LastSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LastSeen").finish_non_exhaustive()
    }
}

impl LastSeen {
    /// Nothing seen yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            sightings: Arc::default(),
            ends: Arc::default(),
        }
    }

    /// When something of a connection ends, as it was last read; `None`: never, or nobody knows.
    pub fn ends(&self, connection: &ConnectionName, what: &'static str, at: Option<Timestamp>) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match at {
            Some(at) => ends.insert((connection.clone(), what), at),
            None => ends.remove(&(connection.clone(), what)),
        };
    }

    /// What ends within `span` or has ended.
    pub fn ending_within(&self, span: Duration) -> Vec<Ending> {
        let now = self.clock.now();
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.iter()
            .filter(|(_, at)| at.since(now) <= span)
            .map(|((connection, what), at)| Ending {
                connection: connection.clone(),
                what,
                ends_at: *at,
                has_ended: *at <= now,
            })
            .collect()
    }

    /// It did what was asked.
    pub fn works(&self, dependency: &str) {
        self.note(dependency, true, None);
    }

    /// It did not.
    pub fn fails(&self, dependency: &str, hint: &'static str) {
        self.note(dependency, false, Some(hint));
    }

    fn note(&self, dependency: &str, works: bool, hint: Option<&'static str>) {
        let at = self.clock.now();
        let mut sightings = self
            .sightings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(sighting) = sightings.get_mut(dependency) {
            *sighting = Sighting { works, at, hint };
        } else {
            sightings.insert(dependency.to_owned(), Sighting { works, at, hint });
        }
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<String, Sighting> {
        self.sightings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
