//! The tokens of a connection, as the vault keeps them.

use std::fmt;
use std::time::Duration;

use super::secret::Secret;
use super::timestamp::Timestamp;

mod mark;
mod stored;

pub use mark::{Mark, NotAMark};
pub use stored::NotATokenSet;

/// Before this much of its life is left, an access token is replaced, or a fifth of its life if that is less (rule R34: at
/// 80 % of a half-hour token).
pub const RENEW_MARGIN: Duration = Duration::from_secs(5 * 60);

/// What is left of an access token that is still sent: a call of twenty seconds, and the clocks.
pub const SEND_MARGIN: Duration = Duration::from_secs(30);

/// Bounds of a believable `expires_in`, in seconds (rule N25).
pub const LIFE_MIN: Duration = Duration::from_secs(60);
/// See [`LIFE_MIN`].
pub const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A superseded access token with no more than this to live is left to run out. To revoke it would gain minutes, and cost
/// every warm instance that still sends it a 401 and a read of the vault.
pub const LEFT_TO_RUN_OUT: Duration = Duration::from_secs(15 * 60);

/// Superseded values that a set carries at most, the newest: they go with each renewal that came to its end, so that more
/// than a few means that revoking has failed for hours, and the oldest have ended meanwhile.
const SUPERSEDED_MAX: usize = 8;

/// And so many bytes of them: a secret of Key Vault's has 25 KB (azure-platform §6.1), and tokens that are JWTs have some
/// thousand bytes each.
const SUPERSEDED_BYTES_MAX: usize = 12 * 1024;

/// An access token and when it ends.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// What goes into the `Authorization` header.
    pub secret: Secret,
    /// When it was obtained; sets of the first version do not say it.
    pub obtained_at: Option<Timestamp>,
    /// When the issuer stops accepting it.
    pub expires_at: Timestamp,
}

impl AccessToken {
    /// True if it may still be sent: more than [`SEND_MARGIN`] is left.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.expires_at.since(now) > SEND_MARGIN
    }

    /// How long it lives in all, where that is known.
    pub fn life(&self) -> Option<Duration> {
        self.obtained_at.map(|at| self.expires_at.since(at))
    }

    /// When a process that has it in memory looks for another: ahead of its end by [`RENEW_MARGIN`] or a fifth of its life,
    /// and by up to half of that more, as the dice say, so that many processes do not ask at once.
    pub fn renews_at(&self, dice: u64) -> Timestamp {
        let margin = self
            .life()
            .map_or(RENEW_MARGIN, |life| (life / 5).min(RENEW_MARGIN));
        let half_ms = u64::try_from(margin.as_millis() / 2).unwrap_or(0);
        let jitter = Duration::from_millis(dice % half_ms.saturating_add(1));
        self.expires_at.minus(margin + jitter)
    }
}

/// What an issuer gave.
#[derive(Debug)]
pub struct Issued {
    /// The access token.
    pub access: AccessToken,
    /// A refresh token, if it gave one.
    pub refresh: Option<Secret>,
    /// When that one ends, if the issuer told.
    pub refresh_expires_at: Option<Timestamp>,
}

/// A value that another has taken the place of, and that is to be revoked.
#[derive(Clone)]
pub struct Superseded {
    /// The value.
    pub secret: Secret,
    /// When it ends by itself; unknown for a refresh token.
    pub expires_at: Option<Timestamp>,
}

/// What `itsm-tokens-<name>` holds.
#[derive(Clone)]
pub struct TokenSet {
    /// The access token, if there is one.
    pub access: Option<AccessToken>,
    /// The refresh token, if the grant gives one.
    pub refresh: Option<Secret>,
    /// When the refresh token ends: the last login and the connection's `refresh_token_days`, if the issuer tells nothing.
    pub refresh_expires_at: Option<Timestamp>,
    /// When a person last logged in.
    pub logged_in_at: Timestamp,
    /// Which set it is. It says nothing of the tokens. Sets of the first version have none: see [`TokenSet::mark`].
    pub mark: Option<Mark>,
    /// What it has taken the place of and is still to be revoked. It travels here, so that nobody ever needs to read a
    /// version of the secret that was disabled.
    pub superseded: Vec<Superseded>,
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet")
            .field("mark", &self.mark())
            .field(
                "access_expires_at",
                &self.access.as_ref().map(|token| token.expires_at),
            )
            .field("refresh_expires_at", &self.refresh_expires_at)
            .field("logged_in_at", &self.logged_in_at)
            .finish_non_exhaustive()
    }
}

impl TokenSet {
    /// The set of a login. `life` is how long a refresh token lives where the issuer does not tell.
    pub fn of_login(issued: Issued, at: Timestamp, life: Duration, mark: Mark) -> Self {
        let refresh_expires_at = issued
            .refresh
            .as_ref()
            .map(|_| issued.refresh_expires_at.unwrap_or_else(|| at.plus(life)));
        Self {
            access: Some(issued.access),
            refresh: issued.refresh,
            refresh_expires_at,
            logged_in_at: at,
            mark: Some(mark),
            superseded: Vec::new(),
        }
    }

    /// The set after a renewal by the refresh token. Where using it replaces it, the new one lives anew for `life`; where
    /// the same one stays, nothing is prolonged (servicenow-api §2.2).
    #[must_use]
    pub fn renewed(&self, issued: Issued, replaces: bool, life: Duration, mark: Mark) -> Self {
        let lives_anew = replaces && issued.refresh.is_some();
        let at = issued.access.obtained_at.unwrap_or(self.logged_in_at);
        let refresh_expires_at = match (issued.refresh_expires_at, lives_anew) {
            (Some(told), _) => Some(told),
            (None, true) => Some(at.plus(life)),
            (None, false) => self.refresh_expires_at,
        };
        let renewed = Self {
            access: Some(issued.access),
            refresh: issued.refresh.or_else(|| self.refresh.clone()),
            refresh_expires_at,
            logged_in_at: self.logged_in_at,
            mark: Some(mark),
            superseded: Vec::new(),
        };
        renewed.in_place_of(self)
    }

    /// The same set, which carries what `before` had and is still to be revoked.
    #[must_use]
    pub fn in_place_of(mut self, before: &TokenSet) -> Self {
        let access = before.access.iter().map(|token| Superseded {
            secret: token.secret.clone(),
            expires_at: Some(token.expires_at),
        });
        let refresh = before.refresh.iter().map(|secret| Superseded {
            secret: secret.clone(),
            expires_at: None,
        });
        let now = self.access.as_ref().and_then(|token| token.obtained_at);
        let has_ended = |end: Timestamp| now.is_some_and(|now| end <= now);
        let all = before
            .superseded
            .iter()
            .cloned()
            .chain(access)
            .chain(refresh);
        let mut superseded: Vec<Superseded> = all
            .filter(|old| !self.has(&old.secret) && !old.expires_at.is_some_and(has_ended))
            .collect();
        let bytes =
            |all: &[Superseded]| -> usize { all.iter().map(|old| old.secret.expose().len()).sum() };
        while superseded.len() > SUPERSEDED_MAX || bytes(&superseded) > SUPERSEDED_BYTES_MAX {
            superseded.remove(0);
        }
        self.superseded = superseded;
        self
    }

    /// True if this value is one of the set's own: it must never be revoked.
    pub fn has(&self, secret: &Secret) -> bool {
        let own = self.access.iter().map(|token| &token.secret);
        own.chain(&self.refresh)
            .any(|own| own.expose() == secret.expose())
    }

    /// What is to be revoked now: values that differ from every current one, but for access tokens that are left to run out.
    pub fn to_revoke(&self, now: Timestamp) -> impl Iterator<Item = &Superseded> {
        self.superseded.iter().filter(move |old| {
            let lasts = |end: Timestamp| end.since(now) > LEFT_TO_RUN_OUT;
            !self.has(&old.secret) && old.expires_at.is_none_or(lasts)
        })
    }

    /// Which set it is. One of the first version is known by its login: there was one set per login then.
    pub fn mark(&self) -> Mark {
        self.mark
            .clone()
            .unwrap_or_else(|| Mark::of_login(self.logged_in_at))
    }
}

#[cfg(test)]
mod tests;
