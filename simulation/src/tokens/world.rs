//! What all processes of a run share: the issuer and the product behind it, the vault, the store, and what is to go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::definition;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::token::TokenSet;
use object_store::memory::InMemory;
use simulators::issuer::{Issuer, Rotation};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::book::Book;
use super::bugs::Bug;
use super::weather::{Down, Storm};
use crate::clock::{BEGINNING_MS, moment};
use crate::dice::Dice;

/// The password of the one user.
pub const PASSWORD: &str = "canary-password";

/// The connection.
pub const CONNECTION: &str = "contoso";

/// What the vault calls its definition.
pub const DEFINITION: &str = "itsm-connection-contoso";

/// What the vault calls its tokens.
pub const TOKENS: &str = "itsm-tokens-contoso";

/// How long a call takes.
pub const TAKES: Duration = Duration::from_millis(20);

/// One version of a secret in the vault.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its value.
    pub value: Secret,
    /// Whether it can be read.
    pub enabled: bool,
    /// Until when it is said to be good.
    pub expires: Option<Timestamp>,
    /// Whether somebody has read it.
    pub was_read: bool,
}

impl Version {
    /// A new one.
    pub fn new(value: Secret, expires: Option<Timestamp>) -> Self {
        Self {
            value,
            enabled: true,
            expires,
            was_read: false,
        }
    }
}

/// Something that a call does after its answer was given up.
pub struct Late {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// What.
    pub done: Box<dyn FnOnce() + Send>,
}

impl std::fmt::Debug for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Late").finish_non_exhaustive()
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// What should.
    Well,
    /// It is not done.
    Fails,
    /// It is done, and nobody hears of it.
    Lost,
    /// The same, and it is done so much later.
    Late(Duration),
}

/// The changing part.
#[derive(Debug)]
pub struct Inner {
    /// Issuer and product.
    pub issuer: Issuer,
    /// Name of a secret → its versions, oldest first.
    pub vault: BTreeMap<String, Vec<Version>>,
    /// Who does not answer.
    pub down: Down,
    /// How calls fail at the moment.
    pub storm: Option<Storm>,
    /// Numbers of the port calls after or before (false) which the process dies.
    pub deaths: BTreeMap<u64, bool>,
    /// Port calls so far, of processes that may die.
    pub calls: u64,
    /// Processes so far.
    pub lives: u64,
    /// How often the processes were replaced by new ones.
    pub deployment: u64,
    /// Refresh tokens with which the issuer is being asked.
    pub in_flight: BTreeSet<String>,
    /// Access tokens that the product was seen to accept.
    pub proved: BTreeSet<String>,
    /// What calls do after their answers were given up.
    pub late: Vec<Late>,
    /// What really happened.
    pub book: Book,
    /// What is wrong.
    pub violations: Vec<String>,
    /// Every port call, where somebody wants to see them.
    pub trace: Option<Vec<String>>,
    /// Chance.
    pub dice: Dice,
}

/// The world.
#[derive(Debug)]
pub struct World {
    inner: Mutex<Inner>,
    /// The store's memory.
    pub memory: Arc<InMemory>,
    /// When it began.
    pub started: Instant,
    /// What becomes of refresh tokens.
    pub rotation: Rotation,
    /// A defence that is taken away.
    pub bug: Option<Bug>,
    /// The definition.
    pub definition: String,
    /// Something has changed that somebody may wait for.
    pub changed: Notify,
}

impl World {
    /// A world of an issuer of a kind, whose access and refresh tokens live so many seconds. It tells of the latter only where
    /// they live less than a day.
    pub fn new(
        rotation: Rotation,
        (access_ttl_s, refresh_ttl_s): (i64, i64),
        seed: u64,
        bug: Option<Bug>,
    ) -> Arc<Self> {
        let refresh_days = (refresh_ttl_s / 86_400).max(1);
        let grant = match rotation {
            Rotation::None => String::new(),
            Rotation::Kept | Rotation::Replaced => {
                format!(r#","username":"svc","refresh_token_days":{refresh_days}"#)
            }
        };
        let definition = format!(
            r#"{{"name":"{CONNECTION}","partner_type":"servicenow","server_url":"https://contoso.service-now.com","client_id":"id","client_secret":"secret"{grant}}}"#
        );
        let mut issuer = Issuer::new(rotation, access_ttl_s, refresh_ttl_s, PASSWORD);
        issuer.tells_refresh_life = refresh_ttl_s < 86_400;
        let first = Version::new(Secret::from(definition.as_str()), None);
        let vault = BTreeMap::from([(DEFINITION.to_owned(), vec![first])]);
        Arc::new(Self {
            inner: Mutex::new(Inner {
                issuer,
                vault,
                down: Down::default(),
                storm: None,
                deaths: BTreeMap::new(),
                calls: 0,
                lives: 0,
                deployment: 0,
                in_flight: BTreeSet::new(),
                proved: BTreeSet::new(),
                late: Vec::new(),
                book: Book::default(),
                violations: Vec::new(),
                trace: None,
                dice: Dice::new(seed, "tokens"),
            }),
            memory: Arc::new(InMemory::new()),
            started: moment(),
            rotation,
            bug,
            definition,
            changed: Notify::new(),
        })
    }

    /// The changing part; never held over an await.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True time, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        BEGINNING_MS + i64::try_from(self.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// How long it has gone on.
    pub fn elapsed(&self) -> Duration {
        moment().saturating_duration_since(self.started)
    }

    /// The connection.
    pub fn connection(&self) -> Option<Arc<Connection>> {
        let parsed = definition::parse(self.definition.as_bytes(), &AllowedHosts::default());
        parsed.ok().map(Arc::new)
    }

    /// The connection's name.
    pub fn name() -> Option<ConnectionName> {
        ConnectionName::parse(CONNECTION).ok()
    }

    /// The newest set in the vault.
    pub fn stored(&self) -> Option<TokenSet> {
        let inner = self.inner();
        let versions = inner.vault.get(TOKENS)?;
        TokenSet::from_vault_text(&versions.last()?.value).ok()
    }

    /// True if the refresh token that the vault has would be taken by the issuer.
    pub fn vaults_refresh_token_lives(&self) -> bool {
        let refresh = self.stored().and_then(|set| set.refresh);
        let now_ms = self.now_ms();
        refresh.is_some_and(|refresh| self.inner().issuer.takes(refresh.expose(), now_ms))
    }

    /// True if the access token that the vault has opens the product.
    pub fn vaults_access_token_opens(&self) -> bool {
        let access = self.stored().and_then(|set| set.access);
        let now_ms = self.now_ms();
        access.is_some_and(|token| self.inner().issuer.accepts(token.secret.expose(), now_ms))
    }

    /// Something is wrong.
    pub fn violated(&self, what: String) {
        let at = at(self.elapsed());
        self.note(|| format!("VIOLATION {what}"));
        self.inner().violations.push(format!("{at}: {what}"));
    }

    /// A line of the trace.
    pub fn note(&self, what: impl FnOnce() -> String) {
        let at = at(self.elapsed());
        if let Some(trace) = &mut self.inner().trace {
            trace.push(format!("{at} {}", what()));
        }
    }

    /// Something has changed: who waits looks again.
    pub fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// What becomes of a call.
    pub fn fate(&self) -> Fate {
        let mut inner = self.inner();
        let Some(storm) = inner.storm else {
            return Fate::Well;
        };
        if !inner.dice.chance(storm.fails) {
            return Fate::Well;
        }
        match inner.dice.below(5) {
            0 | 1 => Fate::Fails,
            2 | 3 => Fate::Lost,
            _ => Fate::Late(Duration::from_millis(inner.dice.between(500, 60_000))),
        }
    }

    /// How long the next call takes.
    pub fn takes(&self) -> Duration {
        let mut inner = self.inner();
        let slow = inner.storm.map_or(0.0, |storm| storm.slow);
        match slow > 0.0 && inner.dice.chance(slow) {
            true => Duration::from_millis(inner.dice.between(100, 25_000)),
            false => TAKES,
        }
    }

    /// How long a process stands still before its next step, if it does.
    pub fn stands_still(&self) -> Option<Duration> {
        let mut inner = self.inner();
        let storm = inner.storm?;
        let does = inner.dice.chance(storm.stands_still);
        does.then(|| Duration::from_secs(inner.dice.between(20, 400)))
    }
}

/// A moment, for people: the day, and the time of it.
pub fn at(elapsed: Duration) -> String {
    let ms = elapsed.as_millis();
    let (day, ms) = (ms / 86_400_000, ms % 86_400_000);
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    format!(
        "day {day} {hours:02}:{minutes:02}:{:02}.{:03}",
        ms / 1000 % 60,
        ms % 1000
    )
}
