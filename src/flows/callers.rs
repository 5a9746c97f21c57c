//! Whether a caller of the webhook may call: by a key, or by a token of Entra whose signing keys are fetched and kept.
//!
//! Nobody from outside can make us fetch more than once in five minutes, whatever they send (rows J12, J15), a key server
//! that is away is no trouble for a day (S6), and what we could not look at is our failure, never the caller's (S8).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::entra::{Denied, EntraAuth};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::secret::Secret;
use crate::domain::webhook_auth::{Admitted, WebhookAuth};
use crate::inbound::bearer::{SigningKey, SigningKeys, UnverifiedToken};
use crate::ports::{Clock, KeySet};

/// After this the keys are fetched again when they are needed next: a new key is known long before it signs.
pub const KEYS_FRESH_FOR: Duration = Duration::from_secs(60 * 60);

/// So long the keys that were fetched last count where no others are to be had.
pub const KEYS_GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// At least this lies between two fetches, whatever came of the first.
pub const FETCH_AT_MOST_EVERY: Duration = Duration::from_secs(5 * 60);

/// The same while there are no keys at all: every alert is refused meanwhile, and its sender gives up after 75 seconds
/// (azure-platform §3.1).
pub const FIRST_FETCH_AT_MOST_EVERY: Duration = Duration::from_secs(10);

/// Longest wait for the keys. The sender waits ten seconds for the answer, and the alert is to be kept in them.
const FETCH_WITHIN: Duration = Duration::from_secs(3);

/// In failures.
const SERVICE: &str = "Entra";
const OPERATION: &str = "fetch signing keys";

/// What a caller shows.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// A key.
    pub key: Option<Secret>,
    /// A bearer token.
    pub bearer: Option<Secret>,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq)]
pub enum NotAdmitted {
    /// No valid key.
    NoKey,
    /// A token is asked for, and none, none that is one, or none that counts was shown.
    NoToken(&'static str),
    /// The token proves somebody who may not call.
    NotAllowed(&'static str),
    /// Our own failure: the keys could not be had.
    Unknown(CallFailure),
}

/// Who may call, and the keys to find out.
pub struct Callers {
    auth: WebhookAuth,
    keys: Option<Keys>,
    clock: Arc<dyn Clock>,
}

struct Keys {
    source: Arc<dyn KeySet>,
    kept: Mutex<Kept>,
    /// Held while they are fetched: one fetches, and only those wait that cannot do without.
    fetching: tokio::sync::Mutex<()>,
}

/// Times are on the monotonic clock.
#[derive(Default)]
struct Kept {
    keys: Option<(SigningKeys, Duration)>,
    /// When a fetch was begun last; written down before it is.
    asked_at: Option<Duration>,
    failure: Option<CallFailure>,
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callers")
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

impl Callers {
    /// Those that show a key, or anybody.
    pub fn by_key(auth: WebhookAuth, clock: Arc<dyn Clock>) -> Self {
        Self {
            auth,
            keys: None,
            clock,
        }
    }

    /// Those that show a token, too, checked with the keys of `source`.
    pub fn by_token(auth: WebhookAuth, clock: Arc<dyn Clock>, source: Arc<dyn KeySet>) -> Self {
        Self {
            auth,
            keys: Some(Keys {
                source,
                kept: Mutex::default(),
                fetching: tokio::sync::Mutex::default(),
            }),
            clock,
        }
    }

    /// True if the health page is for whoever shows this.
    pub fn show_health(&self, shown: &Shown) -> bool {
        self.auth.shows_health(shown.key.as_ref())
    }

    /// Looks whether a caller may call.
    pub async fn admit(&self, shown: &Shown) -> Result<Admitted, NotAdmitted> {
        let (entra, keys) = match (&self.auth, &self.keys) {
            (WebhookAuth::Entra(entra, _), Some(keys)) => (entra, keys),
            // A token without keys to check it by opens nothing.
            (auth, _) => {
                return auth.admit(shown.key.as_ref()).ok_or(NotAdmitted::NoKey);
            }
        };
        let bearer = shown
            .bearer
            .as_ref()
            .ok_or(NotAdmitted::NoToken("there is none"))?;
        self.admit_token(entra, keys, bearer).await
    }

    async fn admit_token(
        &self,
        entra: &EntraAuth,
        keys: &Keys,
        bearer: &Secret,
    ) -> Result<Admitted, NotAdmitted> {
        let token =
            UnverifiedToken::parse(bearer).map_err(|reason| NotAdmitted::NoToken(reason.0))?;
        let key = keys.find(token.kid(), &*self.clock).await?;
        let claims = token
            .verify(&key)
            .map_err(|reason| NotAdmitted::NoToken(reason.0))?;
        entra
            .admit(&claims, self.clock.now())
            .map_err(|denied| match denied {
                Denied::NotProven(reason) => NotAdmitted::NoToken(reason),
                Denied::NotAllowed(reason) => NotAdmitted::NotAllowed(reason),
            })
    }
}

impl Keys {
    /// The key of this id, fetched if that may help and may be done.
    async fn find(&self, kid: &str, clock: &dyn Clock) -> Result<SigningKey, NotAdmitted> {
        let known = {
            let kept = self.kept();
            let now = clock.monotonic();
            let known = kept.answer(kid, now);
            if !kept.should_fetch(kid, now) {
                return known;
            }
            known
        };
        let turn = match known {
            // It is only old: who comes while somebody else looks for newer ones goes on with it.
            Ok(key) => match self.fetching.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(key),
            },
            Err(_) => self.fetching.lock().await,
        };
        let now = clock.monotonic();
        if self.begin(kid, now) {
            let fetched = self.source.key_set(FETCH_WITHIN).await;
            let fetched = fetched.and_then(|body| SigningKeys::parse(&body).ok_or_else(no_keys));
            self.kept().take_up(fetched, now);
        }
        drop(turn);
        self.kept().answer(kid, now)
    }

    /// True if they are to be fetched now, and that is written down: a fetch that fails or is cut off counts as well.
    fn begin(&self, kid: &str, now: Duration) -> bool {
        let mut kept = self.kept();
        let fetches = kept.should_fetch(kid, now);
        if fetches {
            kept.asked_at = Some(now);
        }
        fetches
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn should_fetch(&self, kid: &str, now: Duration) -> bool {
        let pause = match self.good(now) {
            Some(_) => FETCH_AT_MOST_EVERY,
            None => FIRST_FETCH_AT_MOST_EVERY,
        };
        let may = self
            .asked_at
            .is_none_or(|at| now.saturating_sub(at) >= pause);
        let is_known_and_fresh = self.keys.as_ref().is_some_and(|(keys, at)| {
            keys.get(kid).is_some() && now.saturating_sub(*at) < KEYS_FRESH_FOR
        });
        may && !is_known_and_fresh
    }

    /// The keys that still count.
    fn good(&self, now: Duration) -> Option<&SigningKeys> {
        let (keys, at) = self.keys.as_ref()?;
        (now.saturating_sub(*at) < KEYS_GOOD_FOR).then_some(keys)
    }

    fn take_up(&mut self, fetched: Result<SigningKeys, CallFailure>, now: Duration) {
        match fetched {
            Ok(keys) => {
                self.keys = Some((keys, now));
                self.failure = None;
            }
            Err(failure) => {
                tracing::warn!(%failure, hint = failure.hint(), "the issuer's keys could not be fetched; those that were fetched last count for a day");
                self.failure = Some(failure);
            }
        }
    }

    fn answer(&self, kid: &str, now: Duration) -> Result<SigningKey, NotAdmitted> {
        match (self.good(now), &self.failure) {
            (Some(keys), failure) => match (keys.get(kid), failure) {
                (Some(key), _) => Ok(key.clone()),
                // It may be a key that came since: the caller is asked to come again.
                (None, Some(failure)) => Err(NotAdmitted::Unknown(failure.clone())),
                (None, None) => Err(NotAdmitted::NoToken("the issuer has no key of its id")),
            },
            (None, Some(failure)) => Err(NotAdmitted::Unknown(failure.clone())),
            // Somebody began to fetch them and was cut off.
            (None, None) => Err(NotAdmitted::Unknown(CallFailure::new(
                SERVICE,
                OPERATION,
                Effect::NotSent,
                Kind::TimedOut,
                "the last try was cut off, and the next is to wait",
            ))),
        }
    }
}

fn no_keys() -> CallFailure {
    let detail = "the answer holds no RSA key that could be used";
    CallFailure::new(
        SERVICE,
        OPERATION,
        Effect::Unknown,
        Kind::Undecodable,
        detail,
    )
}

#[cfg(test)]
mod entra_tests;
