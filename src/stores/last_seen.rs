//! How each dependency was when it was last used, in this process: for the health page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::sighting::Sighting;
use crate::ports::Clock;

/// The last sighting of each dependency.
#[derive(Clone)]
pub struct LastSeen {
    clock: Arc<dyn Clock>,
    sightings: Arc<Mutex<BTreeMap<String, Sighting>>>,
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
        }
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
