//! What the product does, told as stories: one file per function, and what they share.

pub mod backlog;
pub mod callers;
pub mod create_work_item;
pub mod drain;
pub mod explain;
pub mod gatekeeper;
pub mod log_in;
mod log_rows;
pub mod missed_alerts;
pub mod paces;
pub mod preview;
pub mod redrive;
pub mod refresh_tokens;
pub mod retention;
pub mod settle;
pub mod ship;
pub mod sync_records;
pub mod test_connection;
pub mod token_status;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::ObjectStore;

use crate::domain::name::ConnectionName;
use crate::domain::network::AllowedHosts;
use crate::domain::retention::Ages;
use crate::domain::work_item::Uniqueness;
use crate::ports::{AlertHistory, Clock, Entropy, Products, Vault};
use crate::stores::allowances::Allowances;
use crate::stores::announced::AnnouncedRows;
use crate::stores::connections::Connections;
use crate::stores::dead_letters::DeadLetters;
use crate::stores::facts::Facts;
use crate::stores::gates::Gates;
use crate::stores::journal::Journal;
use crate::stores::last_seen::LastSeen;
use crate::stores::leases::Leases;
use crate::stores::looks::Looks;
use crate::stores::notices::Notices;
use crate::stores::objects::Objects;
use crate::stores::pending::Pending;
use crate::stores::quarantine::Quarantine;
use crate::stores::renewals::Renewals;
use crate::stores::soundness::{Backend, Soundness};
use crate::stores::sweeps::Sweeps;
use crate::stores::token_sets::TokenSets;
use crate::stores::wishes::Wishes;
use missed_alerts::Remembered;
use paces::Paces;
use refresh_tokens::Unstored;

/// Age after which what was found out about a product is read again.
const FACTS_FRESH_FOR: Duration = Duration::from_secs(10 * 60);

/// The outside, for [`Core::new`].
#[derive(Clone)]
pub struct Outside {
    /// Our own state.
    pub store: Arc<dyn ObjectStore>,
    /// Connections and tokens.
    pub vault: Arc<dyn Vault>,
    /// The ITSM products.
    pub products: Arc<dyn Products>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Hosts that may be called although private or without TLS.
    pub allowed: AllowedHosts,
}

/// What the flows work with. One per process.
pub struct Core {
    /// The object store, for what has no store of its own.
    pub objects: Objects,
    /// Whether the object store may be relied on.
    pub soundness: Soundness,
    /// Alerts as they came.
    pub journal: Journal,
    /// What is not settled yet.
    pub pending: Pending,
    /// What was not understood.
    pub quarantine: Quarantine,
    /// What was given up.
    pub dead: DeadLetters,
    /// Whether the products may be called now.
    pub gates: Gates,
    /// What was used of the calls that the products allow.
    pub allowances: Allowances,
    /// Who drains.
    pub leases: Leases,
    /// How fast this process calls the products.
    pub paces: Paces,
    /// How far the removal of what is old has come.
    pub sweeps: Sweeps,
    /// After how long what is old is removed.
    pub ages: Ages,
    /// What was found out about the products.
    pub facts: Facts,
    /// How far the look for missed alerts has come.
    pub looks: Looks,
    /// The alerts that Azure keeps, where they can be asked for.
    pub history: Option<Arc<dyn AlertHistory>>,
    /// How the dependencies were when they were last used.
    pub last_seen: LastSeen,
    /// The connections.
    pub connections: Connections,
    /// Their tokens.
    pub token_sets: TokenSets,
    /// Where the renewal of the tokens stands.
    pub renewals: Renewals,
    /// Wishes for another token.
    pub wishes: Wishes,
    /// What is to become a row of the connector's own messages.
    pub notices: Notices,
    /// What of the announcements has.
    pub announced: AnnouncedRows,
    /// Tokens that an issuer gave and the vault did not take.
    unstored: Unstored,
    /// The ITSM products.
    pub products: Arc<dyn Products>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    known_uniqueness: Mutex<BTreeMap<ConnectionName, (Duration, Uniqueness)>>,
    /// When this process has last looked for what may be removed, on the monotonic clock.
    swept_at: Mutex<Option<Duration>>,
    /// What this process has seen of the alerts that Azure keeps.
    looked: Remembered,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("objects", &self.objects)
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Over the outside, with a store that is trusted. It asks nothing of it yet.
    pub fn new(outside: Outside) -> Self {
        Self::over(outside, Backend::default())
    }

    /// Over the outside, with what is to be known of its store.
    pub fn over(outside: Outside, backend: Backend) -> Self {
        let last_seen = LastSeen::new(Arc::clone(&outside.clock));
        let objects = Objects::new(outside.store, Arc::clone(&outside.clock))
            .watched_by(last_seen.clone())
            .listed_in_order(backend.lists_in_order);
        Self {
            soundness: Soundness::new(objects.clone(), backend.to_be_proven),
            journal: Journal::new(objects.clone()),
            pending: Pending::new(objects.clone()),
            quarantine: Quarantine::new(objects.clone()),
            dead: DeadLetters::new(objects.clone()),
            gates: Gates::new(objects.clone()),
            allowances: Allowances::new(objects.clone()),
            leases: Leases::new(objects.clone()),
            paces: Paces::new(Arc::clone(&outside.clock)),
            facts: Facts::new(objects.clone()),
            looks: Looks::new(objects.clone()),
            history: None,
            looked: Remembered::default(),
            sweeps: Sweeps::new(objects.clone()),
            ages: Ages::default(),
            token_sets: TokenSets::new(Arc::clone(&outside.vault)),
            renewals: Renewals::new(objects.clone()),
            wishes: Wishes::new(objects.clone()),
            notices: Notices::new(objects.clone()),
            announced: AnnouncedRows::new(objects.clone()),
            unstored: Unstored::default(),
            connections: Connections::new(
                outside.vault,
                Arc::clone(&outside.clock),
                outside.allowed,
                last_seen.clone(),
            ),
            last_seen,
            products: outside.products,
            clock: outside.clock,
            entropy: outside.entropy,
            known_uniqueness: Mutex::default(),
            swept_at: Mutex::default(),
            objects,
        }
    }

    /// The same, with other ages after which what is old is removed.
    #[must_use]
    pub fn with_ages(mut self, ages: Ages) -> Self {
        self.ages = ages;
        self
    }

    /// The same, where the alerts that Azure keeps can be asked for.
    #[must_use]
    pub fn with_alert_history(mut self, history: Arc<dyn AlertHistory>) -> Self {
        self.history = Some(history);
        self
    }

    /// A new id for a writer: 128 random bits.
    pub fn writer_id(&self) -> String {
        format!("{:016x}{:016x}", self.entropy.dice(), self.entropy.dice())
    }

    /// Whether a connection's product refuses a second record with our key, as far as is known; kept in memory so that a
    /// warm alert does not ask.
    pub async fn uniqueness(&self, connection: &ConnectionName) -> Uniqueness {
        let now = self.clock.monotonic();
        let known = |at: &(Duration, Uniqueness)| now.saturating_sub(at.0) < FACTS_FRESH_FOR;
        let cached = self
            .known_uniqueness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(connection)
            .copied();
        if let Some(entry) = cached.filter(known) {
            return entry.1;
        }
        let Ok(facts) = self.facts.read(connection).await else {
            // Not knowing is the safe side, for this once: a store that failed has said nothing to remember.
            return Uniqueness::default();
        };
        let uniqueness = facts.uniqueness;
        self.known_uniqueness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(connection.clone(), (now, uniqueness));
        uniqueness
    }

    /// True if this process has not looked for so long (an hour) whether anything may be removed: so long it asks the store nothing.
    fn sweep_is_due(&self) -> bool {
        let swept_at = *self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic();
        swept_at.is_none_or(|at| now.saturating_sub(at) >= self.ages.sweep_every)
    }

    fn swept(&self) {
        let now = self.clock.monotonic();
        *self.swept_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Forgets what is remembered of a product, after it was looked at again.
    pub fn forget_uniqueness(&self, connection: &ConnectionName) {
        self.known_uniqueness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(connection);
    }
}

/// How long something may take: a moment of the monotonic clock by which it must have ended.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    ends_at: Duration,
}

impl Budget {
    /// From now on for `span`.
    pub fn new(clock: &dyn Clock, span: Duration) -> Self {
        Self {
            ends_at: clock.monotonic().saturating_add(span),
        }
    }

    /// What is left.
    pub fn left(&self, clock: &dyn Clock) -> Duration {
        self.ends_at.saturating_sub(clock.monotonic())
    }

    /// True if something that takes `cost` can still be started.
    pub fn can_start(&self, clock: &dyn Clock, cost: Duration) -> bool {
        self.left(clock) >= cost
    }
}
