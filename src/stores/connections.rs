//! The connections, read from the vault and kept in memory, so that a warm alert asks the vault nothing (rule R40).

mod again;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::connection::Connection;
use crate::domain::definition;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::kept::Kept;
use crate::domain::name::{ActionName, ConnectionName};
use crate::domain::network::AllowedHosts;
use crate::domain::renewal::announcement::Thing;
use crate::domain::secret::Secret;
use crate::domain::timestamp::Timestamp;
use crate::ports::{Clock, Vault};
use crate::stores::last_seen::LastSeen;
pub use again::{ABSENT_FOR, FAILED_FOR, FRESH_FOR, FRESH_MAX};

/// What the vault calls a connection's secret, before its name.
pub const SECRET_PREFIX: &str = "itsm-connection-";

/// What the vault calls a connection's tokens, before its name.
pub const TOKENS_PREFIX: &str = "itsm-tokens-";

/// Age up to which an old definition serves while the vault does not, or has one with mistakes.
pub const STALE_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a read of the vault may take.
pub const VAULT_CALL_MAX: Duration = Duration::from_secs(2);

/// How long a list of the vault's names may take: it comes in pages.
pub const VAULT_LIST_MAX: Duration = Duration::from_secs(10);

/// Names that are remembered. A sender may ask for any name; those that do not exist are forgotten first.
const NAMES_MAX: usize = 1000;

/// What is known of a connection's name.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// It exists and can be used.
    Found(Arc<Connection>),
    /// The vault answered that there is none.
    Absent,
    /// It exists, and its definition has mistakes.
    Unusable(CallFailure),
    /// The vault could not be asked.
    NotAsked(CallFailure),
}

#[derive(Debug)]
struct Cached {
    text: Option<Secret>,
    lookup: Lookup,
    /// When the vault last said so.
    read_at: Duration,
    /// When it is asked again.
    asks_at: Duration,
    /// It did not answer the last time that it was asked: until then it is left alone.
    has_failed: bool,
    /// The product has refused what it says.
    is_doubted: bool,
}

#[derive(Debug, Default)]
struct Place {
    /// Held while the vault is asked: one asks, the others wait for its answer.
    asking: tokio::sync::Mutex<()>,
    cached: Mutex<Option<Cached>>,
}

/// The connections.
pub struct Connections {
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    allowed: AllowedHosts,
    last_seen: LastSeen,
    started: Timestamp,
    places: Mutex<BTreeMap<ConnectionName, Arc<Place>>>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic elsewhere leaves the cache as it was; it is only a cache.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    /// Over a vault.
    pub fn new(
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
        allowed: AllowedHosts,
        last_seen: LastSeen,
    ) -> Self {
        Self {
            started: clock.now(),
            vault,
            clock,
            allowed,
            last_seen,
            places: Mutex::default(),
        }
    }

    /// What is known of a name, from memory where that is fresh enough.
    pub async fn look_up(&self, name: &ConnectionName) -> Lookup {
        let place = self.place(name);
        if let Some(fresh) = self.fresh(&place) {
            return fresh;
        }
        let _asking = place.asking.lock().await;
        if let Some(fresh) = self.fresh(&place) {
            return fresh;
        }
        self.ask(name, &place).await
    }

    /// The names of all connections in the vault, in order.
    pub async fn names(&self) -> Result<Vec<ConnectionName>, CallFailure> {
        let listing = self.vault.list(SECRET_PREFIX);
        let listed = tokio::time::timeout(VAULT_LIST_MAX, listing).await;
        let secrets = listed.unwrap_or_else(|_| Err(no_answer("list connections")))?;
        let names = secrets
            .iter()
            .filter_map(|secret| secret.strip_prefix(SECRET_PREFIX));
        Ok(names
            .filter_map(|name| ConnectionName::parse(name).ok())
            .collect())
    }

    /// The product has refused the credentials: somebody may have changed them meanwhile, so that the next look asks the
    /// vault (rule R40). What is known serves on if the vault does not answer.
    pub fn doubt(&self, name: &ConnectionName) {
        if let Some(cached) = locked(&self.place(name).cached).as_mut() {
            cached.is_doubted = true;
        }
    }

    /// The same for one of its actions. The definition in memory may be older than the action: before it is believed that
    /// there is no such action, the vault is asked, at most every [`ABSENT_FOR`].
    pub async fn look_up_action(&self, name: &ConnectionName, action: &ActionName) -> Lookup {
        let found = self.look_up(name).await;
        if !lacks(&found, action) {
            return found;
        }
        let place = self.place(name);
        let _asking = place.asking.lock().await;
        if self.was_read_within(&place, ABSENT_FOR) {
            return self.fresh(&place).unwrap_or(found);
        }
        let found = match self.is_left_alone(&place) {
            true => found,
            false => self.ask(name, &place).await,
        };
        if lacks(&found, action) && !self.was_read_within(&place, ABSENT_FOR) {
            return Lookup::NotAsked(CallFailure::new(
                "the vault",
                "read connection",
                Effect::NotSent,
                Kind::Unavailable,
                format!(
                    "the definition in memory has no action `{action}`, and the vault does not answer"
                ),
            ));
        }
        found
    }

    fn is_left_alone(&self, place: &Place) -> bool {
        let now = self.clock.monotonic();
        let cached = locked(&place.cached);
        let failed = cached.as_ref().filter(|cached| cached.has_failed);
        failed.is_some_and(|cached| now < cached.asks_at)
    }

    fn was_read_within(&self, place: &Place, span: Duration) -> bool {
        let now = self.clock.monotonic();
        let cached = locked(&place.cached);
        let read_at = cached.as_ref().map(|cached| cached.read_at);
        read_at.is_some_and(|read_at| now.saturating_sub(read_at) < span)
    }

    fn place(&self, name: &ConnectionName) -> Arc<Place> {
        let mut places = locked(&self.places);
        if places.len() >= NAMES_MAX && !places.contains_key(name) {
            places.retain(|_, place| {
                let cached = locked(&place.cached);
                matches!(
                    cached.as_ref(),
                    Some(Cached {
                        lookup: Lookup::Found(_),
                        ..
                    })
                )
            });
        }
        Arc::clone(places.entry(name.clone()).or_default())
    }

    fn fresh(&self, place: &Place) -> Option<Lookup> {
        let cached = locked(&place.cached);
        let cached = cached
            .as_ref()
            .filter(|cached| cached.has_failed || !cached.is_doubted)?;
        (self.clock.monotonic() < cached.asks_at).then(|| cached.lookup.clone())
    }

    async fn ask(&self, name: &ConnectionName, place: &Place) -> Lookup {
        let secret = format!("{SECRET_PREFIX}{name}");
        let answer = tokio::time::timeout(VAULT_CALL_MAX, self.vault.get(&secret)).await;
        let now = self.clock.monotonic();
        match &answer {
            Ok(Ok(_)) => self.last_seen.works("vault"),
            Ok(Err(failure)) => self.last_seen.fails("vault", failure.hint()),
            Err(_) => self
                .last_seen
                .fails("vault", "the vault does not answer; look at its health"),
        }
        let answer = answer.unwrap_or_else(|_| Err(no_answer("read connection")));
        let mut cached = locked(&place.cached);
        let (text, lookup) = match answer {
            Ok(None) => (None, Lookup::Absent),
            Ok(Some(kept)) => {
                self.tell_of_the_end(name, &kept);
                let what = Thing::Credentials.as_text();
                self.last_seen.ends(name, what, kept.expires);
                let text = kept.value;
                let lookup = match cached.as_ref() {
                    // The same text is the same connection: its client keeps its token.
                    Some(Cached {
                        text: Some(old),
                        lookup: Lookup::Found(connection),
                        ..
                    }) if old.expose() == text.expose() => Lookup::Found(Arc::clone(connection)),
                    _ => read(name, &text, &self.allowed),
                };
                (Some(text), lookup)
            }
            // A person has taken it out of use: what was read before must not go on.
            Err(failure) if failure.is_withdrawn => (None, Lookup::Unusable(failure)),
            Err(failure) => return without_the_vault(name, &mut cached, now, failure),
        };
        if let (Lookup::Unusable(failure), Some(old)) = (&lookup, cached.as_mut())
            && !failure.is_withdrawn
            && let Some(connection) = serves_on(old, now)
        {
            tracing::error!(connection = %name, %failure, "the definition has mistakes; the one before it serves on");
            old.asks_at = now + ABSENT_FOR;
            (old.has_failed, old.is_doubted) = (false, false);
            return Lookup::Found(connection);
        }
        let good_for = match &lookup {
            Lookup::Found(_) => again::fresh_for(name, self.started),
            Lookup::Absent | Lookup::Unusable(_) | Lookup::NotAsked(_) => ABSENT_FOR,
        };
        *cached = Some(Cached {
            text,
            lookup: lookup.clone(),
            read_at: now,
            asks_at: now + good_for,
            has_failed: false,
            is_doubted: false,
        });
        lookup
    }

    /// The vault gives an expired value all the same, and it is used: a person meant it to end, and lost alerts are worse
    /// (row C9).
    fn tell_of_the_end(&self, name: &ConnectionName, kept: &Kept) {
        if let Some(ended) = kept.expires.filter(|end| *end <= self.clock.now()) {
            tracing::error!(connection = %name, %ended, "the definition's expiry date in the vault has passed; it serves on");
        }
    }
}

/// A definition that was good a while ago is better than none.
fn without_the_vault(
    name: &ConnectionName,
    cached: &mut Option<Cached>,
    now: Duration,
    failure: CallFailure,
) -> Lookup {
    let old = cached
        .as_mut()
        .and_then(|cached| Some((serves_on(cached, now)?, cached)));
    let Some((connection, old)) = old else {
        let lookup = Lookup::NotAsked(failure.clone());
        *cached = Some(Cached {
            text: None,
            lookup: lookup.clone(),
            read_at: now,
            asks_at: now + again::left_alone(&failure, false),
            has_failed: true,
            is_doubted: false,
        });
        return lookup;
    };
    let hint = failure.hint();
    // What only a person can end is an error: the day that is left ends with no connection at all.
    match failure.needs_another_definition() {
        true => {
            tracing::error!(connection = %name, %failure, hint, "the vault turns us away; the definition read before serves on for a day");
        }
        false => {
            tracing::warn!(connection = %name, %failure, hint, "the vault does not answer; the definition read before serves on");
        }
    }
    old.asks_at = now + again::left_alone(&failure, true);
    old.has_failed = true;
    Lookup::Found(connection)
}

/// The connection of a definition that was good not too long ago.
fn serves_on(cached: &Cached, now: Duration) -> Option<Arc<Connection>> {
    match &cached.lookup {
        Lookup::Found(connection) if now.saturating_sub(cached.read_at) < STALE_FOR => {
            Some(Arc::clone(connection))
        }
        _ => None,
    }
}

/// True if the connection is there and the action is not.
fn lacks(lookup: &Lookup, action: &ActionName) -> bool {
    matches!(lookup, Lookup::Found(connection) if !connection.actions.contains_key(action))
}

fn read(name: &ConnectionName, text: &Secret, allowed: &AllowedHosts) -> Lookup {
    match definition::parse(text.expose().as_bytes(), allowed) {
        Ok(connection) if connection.name == *name => Lookup::Found(Arc::new(connection)),
        Ok(connection) => Lookup::Unusable(unusable(format!(
            "the definition is named `{}`, its secret `{SECRET_PREFIX}{name}`",
            connection.name
        ))),
        Err(problems) => Lookup::Unusable(unusable(problems.to_string())),
    }
}

fn no_answer(operation: &str) -> CallFailure {
    let (effect, kind) = (Effect::NotSent, Kind::TimedOut);
    CallFailure::new("the vault", operation, effect, kind, "no answer in time")
}

fn unusable(detail: String) -> CallFailure {
    CallFailure::new(
        "the connection",
        "read definition",
        Effect::NotSent,
        Kind::Unusable,
        detail,
    )
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::domain::kept::{VaultVersion, VersionSeen};
    use crate::domain::timestamp::Timestamp;

    struct Still;

    #[async_trait]
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
        async fn sleep(&self, _: Duration) {}
    }

    struct OneConnection;

    #[async_trait]
    impl Vault for OneConnection {
        async fn get(&self, name: &str) -> Result<Option<Kept>, CallFailure> {
            let definition = r#"{"name":"contoso","partner_type":"servicenow",
                "server_url":"https://contoso.service-now.com","client_id":"a","client_secret":"b"}"#;
            Ok((name == "itsm-connection-contoso").then(|| Kept::only(Secret::from(definition))))
        }
        async fn set(
            &self,
            _: &str,
            _: &Secret,
            _: Option<Timestamp>,
        ) -> Result<VaultVersion, CallFailure> {
            Ok(VaultVersion::only())
        }
        async fn list(&self, _: &str) -> Result<Vec<String>, CallFailure> {
            Ok(Vec::new())
        }
        async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
            Ok(Vec::new())
        }
        async fn disable(&self, _: &str, _: &VaultVersion) -> Result<(), CallFailure> {
            Ok(())
        }
        async fn remove(&self, _: &str) -> Result<(), CallFailure> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn names_that_do_not_exist_are_forgotten_before_those_that_do() {
        let clock: Arc<dyn Clock> = Arc::new(Still);
        let last_seen = LastSeen::new(Arc::clone(&clock));
        let connections = Connections::new(
            Arc::new(OneConnection),
            clock,
            AllowedHosts::default(),
            last_seen,
        );
        let contoso = ConnectionName::parse("contoso").unwrap();
        let Lookup::Found(first) = connections.look_up(&contoso).await else {
            panic!("it is there");
        };
        for n in 0..3 * NAMES_MAX {
            let name = ConnectionName::parse(&format!("none-{n}")).unwrap();
            assert!(matches!(connections.look_up(&name).await, Lookup::Absent));
        }
        assert!(locked(&connections.places).len() <= NAMES_MAX);
        let Lookup::Found(again) = connections.look_up(&contoso).await else {
            panic!("it is there");
        };
        assert!(Arc::ptr_eq(&first, &again), "its client keeps its token");
    }
}
