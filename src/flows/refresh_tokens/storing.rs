//! From the issuer's answer to the vault: nothing else is done in between, and it is not given up for a run's time (rule
//! R36). Until the vault has it, the set is in this process's memory, also after the run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::failure::CallFailure;
use crate::domain::kept::VaultVersion;
use crate::domain::name::ConnectionName;
use crate::domain::token::{Mark, TokenSet};
use crate::flows::Core;
use crate::stores::token_sets::Found;

/// How long a vault that does not take a set is tried. A run does not ask the issuer unless so much time is left.
pub(super) const STORE_FOR: Duration = Duration::from_secs(30);

/// The first wait between two tries; each is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The longest.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A set that the vault does not have yet.
#[derive(Debug, Clone)]
pub(super) struct Ours {
    /// Which set it was obtained by.
    pub(super) from: Option<Mark>,
    /// The set.
    pub(super) set: TokenSet,
}

/// Sets of this process that a vault did not take.
#[derive(Debug, Default)]
pub struct Unstored(Mutex<BTreeMap<ConnectionName, Ours>>);

impl Unstored {
    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<ConnectionName, Ours>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, name: &ConnectionName, ours: Ours) {
        self.all().insert(name.clone(), ours);
    }

    pub(super) fn of(&self, name: &ConnectionName) -> Option<Ours> {
        self.all().get(name).cloned()
    }

    pub(super) fn drop(&self, name: &ConnectionName) -> Option<Ours> {
        self.all().remove(name)
    }
}

/// What came of storing a set.
pub(super) enum Storing {
    /// It is there, and was read back.
    Done(Box<TokenSet>, VaultVersion),
    /// Another one is there than the one that it was obtained by.
    Overtaken(Found),
    /// The vault does not take it.
    Failed(CallFailure),
}

/// Stores a set if the vault still has the one that it was obtained by. A write whose answer is lost is seen when it is
/// read back: the set carries its own mark.
pub(super) async fn store(core: &Core, name: &ConnectionName, ours: &Ours) -> Storing {
    let (clock, mut wait) = (&core.clock, FIRST_WAIT);
    let gives_up_at = clock.monotonic().saturating_add(STORE_FOR);
    loop {
        let failure = match core.token_sets.read(name).await {
            Ok(Found::Set(set, version)) if set.mark() == ours.set.mark() => {
                return Storing::Done(set, version);
            }
            Ok(found) if mark_of(&found) != ours.from => return Storing::Overtaken(found),
            Ok(_) => match core.token_sets.write(name, &ours.set).await {
                Ok(version) => match read_back(core, name, ours).await {
                    Some((set, seen)) if seen == version => return Storing::Done(set, version),
                    Some((set, seen)) => return Storing::Done(set, seen),
                    None => None,
                },
                Err(failure) => Some(failure),
            },
            Err(failure) => Some(failure),
        };
        let failure = failure.unwrap_or_else(|| not_read_back(&ours.set));
        if clock.monotonic().saturating_add(wait) >= gives_up_at {
            return Storing::Failed(failure);
        }
        tracing::warn!(connection = %name, %failure, hint = failure.hint(), "the vault did not take the new tokens yet");
        clock.sleep(wait).await;
        wait = (wait * 2).min(WAIT_MAX);
    }
}

async fn read_back(
    core: &Core,
    name: &ConnectionName,
    ours: &Ours,
) -> Option<(Box<TokenSet>, VaultVersion)> {
    match core.token_sets.read(name).await {
        Ok(Found::Set(set, version)) if set.mark() == ours.set.mark() => Some((set, version)),
        _ => None,
    }
}

fn not_read_back(set: &TokenSet) -> CallFailure {
    use crate::domain::failure::{Effect, Kind};
    let detail = format!("the set {} was written and is not what is read", set.mark());
    CallFailure::new(
        "the vault",
        "write tokens",
        Effect::Unknown,
        Kind::Unavailable,
        detail,
    )
}

/// Which set that is; `None` if there is none.
pub(super) fn mark_of(found: &Found) -> Option<Mark> {
    match found {
        Found::Set(set, _) => Some(set.mark()),
        Found::Nothing | Found::Unreadable => None,
    }
}
