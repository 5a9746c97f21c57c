//! What becomes of each call that the connector makes, and the list of those that it made: store, vault and product
//! ask here before they do anything.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whom a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Store,
    Vault,
    Product,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) service: Service,
    /// `create`, `get`, `list`, `delete`; for the product the method.
    pub(crate) operation: &'static str,
    /// The object, secret or path.
    pub(crate) path: String,
}

impl Step {
    pub(crate) fn is(&self, service: Service, operation: &str, prefix: &str) -> bool {
        self.service == service && self.operation == operation && self.path.starts_with(prefix)
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Works,
    /// It is not done, and an error says so.
    FailsBefore,
    /// It is done, and an error says that it failed.
    FailsAfter,
    /// It is not done and never answers: the process ends here.
    StopsBefore,
    /// It is done and never answers: the process ends here.
    StopsAfter,
    /// A fault in our own code.
    Panics,
}

type Whim = Box<dyn FnMut(&Step) -> Fate + Send>;

/// The fates of all calls of a bed.
pub(crate) struct Fates {
    whim: Mutex<Whim>,
    steps: Mutex<Vec<Step>>,
    secrets: Mutex<BTreeSet<String>>,
    stopped: tokio::sync::Notify,
}

impl std::fmt::Debug for Fates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fates")
    }
}

impl Default for Fates {
    fn default() -> Self {
        Self {
            whim: Mutex::new(Box::new(|_| Fate::Works)),
            steps: Mutex::default(),
            secrets: Mutex::default(),
            stopped: tokio::sync::Notify::new(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fates {
    pub(crate) fn decide(&self, whim: impl FnMut(&Step) -> Fate + Send + 'static) {
        *locked(&self.whim) = Box::new(whim);
    }

    pub(crate) fn all_well(&self) {
        self.decide(|_| Fate::Works);
    }

    /// The steps since the last time that this was asked.
    pub(crate) fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut *locked(&self.steps))
    }

    /// A secret was seen on its way to the product or back.
    pub(crate) fn saw_secret(&self, secret: &str) {
        locked(&self.secrets).insert(secret.to_owned());
    }

    /// The secrets that were seen so far.
    pub(crate) fn secrets(&self) -> BTreeSet<String> {
        locked(&self.secrets).clone()
    }

    async fn stop<T>(&self) -> T {
        self.stopped.notify_one();
        std::future::pending().await
    }

    /// Work up to its end, or up to the call at which it is fated to stop.
    pub(crate) async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.stopped.notified() => None,
        }
    }

    /// Carries a call out as it is fated; `None` is its failure.
    pub(crate) async fn carry_out<T>(
        &self,
        step: Step,
        call: impl Future<Output = T>,
    ) -> Result<T, Failed> {
        let fate = (locked(&self.whim))(&step);
        locked(&self.steps).push(step);
        match fate {
            Fate::Works => Ok(call.await),
            Fate::FailsBefore => Err(Failed::Before),
            Fate::FailsAfter => {
                call.await;
                Err(Failed::After)
            }
            Fate::StopsBefore => self.stop().await,
            Fate::StopsAfter => {
                call.await;
                self.stop().await
            }
            Fate::Panics => panic!("a fault that the story put in"),
        }
    }
}

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    Before,
    After,
}
