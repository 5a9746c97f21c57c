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
use tokio::time::Instant;

use super::bugs::Bug;
use crate::clock::{BEGINNING_MS, moment};
use crate::dice::Dice;

/// The password of the one user.
pub const PASSWORD: &str = "canary-password";

/// The connection.
pub const CONNECTION: &str = "contoso";

/// How likely it is that an answer is lost, or a call fails, in a stormy year.
const FAILS: f64 = 0.01;

/// One version of a secret in the vault.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its value.
    pub value: Secret,
    /// Whether it can be read.
    pub enabled: bool,
    /// Until when it is said to be good.
    pub expires: Option<Timestamp>,
}

/// The changing part.
#[derive(Debug)]
pub struct Inner {
    /// Issuer and product.
    pub issuer: Issuer,
    /// Name of a secret → its versions, oldest first.
    pub vault: BTreeMap<String, Vec<Version>>,
    /// Nobody answers at the issuer, the product or the vault.
    pub issuer_is_down: bool,
    /// See [`Inner::issuer_is_down`].
    pub product_is_down: bool,
    /// See [`Inner::issuer_is_down`].
    pub vault_is_down: bool,
    /// Calls fail and answers are lost now and then.
    pub is_stormy: bool,
    /// Numbers of the port calls after or before (false) which the process dies.
    pub deaths: BTreeMap<u64, bool>,
    /// Port calls so far.
    pub calls: u64,
    /// Refresh tokens with which the issuer is being asked.
    pub in_flight: BTreeSet<String>,
    /// Access tokens that the product was seen to accept.
    pub proved: BTreeSet<String>,
    /// What is wrong.
    pub violations: Vec<String>,
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
}

impl World {
    /// A world of an issuer of a kind, whose access tokens live so many seconds.
    pub fn new(rotation: Rotation, access_ttl_s: i64, seed: u64, bug: Option<Bug>) -> Arc<Self> {
        let grant = match rotation {
            Rotation::None => "",
            Rotation::Kept | Rotation::Replaced => r#","username":"svc""#,
        };
        let definition = format!(
            r#"{{"name":"{CONNECTION}","partner_type":"servicenow","server_url":"https://contoso.service-now.com","client_id":"id","client_secret":"secret"{grant}}}"#
        );
        let issuer = Issuer::new(rotation, access_ttl_s, 90 * 86_400, PASSWORD);
        let mut vault = BTreeMap::new();
        let first = Version {
            value: Secret::from(definition.as_str()),
            enabled: true,
            expires: None,
        };
        vault.insert(format!("itsm-connection-{CONNECTION}"), vec![first]);
        Arc::new(Self {
            inner: Mutex::new(Inner {
                issuer,
                vault,
                issuer_is_down: false,
                product_is_down: false,
                vault_is_down: false,
                is_stormy: false,
                deaths: BTreeMap::new(),
                calls: 0,
                in_flight: BTreeSet::new(),
                proved: BTreeSet::new(),
                violations: Vec::new(),
                dice: Dice::new(seed, "tokens"),
            }),
            memory: Arc::new(InMemory::new()),
            started: moment(),
            rotation,
            bug,
            definition,
        })
    }

    /// The changing part; never held over an await.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True time, in Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        let elapsed = moment().saturating_duration_since(self.started);
        BEGINNING_MS + i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
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
        let versions = inner.vault.get(&format!("itsm-tokens-{CONNECTION}"))?;
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
        let day = self.elapsed().as_secs() / 86_400;
        let mut inner = self.inner();
        inner.violations.push(format!("day {day}: {what}"));
    }

    /// What becomes of a call that may go wrong: it is not done, or done and its answer lost.
    pub fn mishap(&self) -> Option<bool> {
        let mut inner = self.inner();
        if !inner.is_stormy || !inner.dice.chance(FAILS) {
            return None;
        }
        Some(inner.dice.chance(0.5))
    }
}
