//! The renewal of a connection's tokens, as a state that is written down before each step: what the `token-refresher` does
//! next follows from it and from what it sees, so that whoever comes after a crash goes on where the last one ended
//! (DESIGN §8, rules R34 to R41).
//!
//! In order: the intent, the call to the issuer, the new set in the vault, its proof by one call to the product, the older
//! version of the secret taken out of use, and what was superseded revoked. Nothing is taken away before the new is proven.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::Grant;
use super::failure::{CallFailure, Kind};
use super::kept::VaultVersion;
use super::timestamp::Timestamp;
use super::token::{Mark, SEND_MARGIN, TokenSet};

pub mod announcement;
mod step;

use announcement::Announced;
pub use step::next;

/// At least so often it is looked at a connection for which there is nothing to do: somebody may have set the vault's
/// expiry of its secret, or stored tokens where this state does not hear of it.
pub const LOOK_EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// Where a person must log in, it is looked so often whether they have. `itsmc connection login` writes it down itself;
/// this is for whoever works on the vault alone.
pub const LOGIN_LOOK_EVERY: Duration = Duration::from_secs(10 * 60);

/// Where the issuer has refused, it is asked once so often: a user who was unlocked, or a client that was switched on again,
/// needs no login. Never a loop (rule R37).
pub const ASK_AGAIN_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long somebody who has the new tokens in memory, and could not store them, is waited for before the old refresh token
/// is tried by another. The issuer has replaced it; many of them take its use for theft, and end the new one too.
pub const UNSTORED_PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Between two renewals that somebody wished for. A product that refuses every token must not make the issuer a loop.
pub const WISH_EVERY: Duration = Duration::from_secs(10 * 60);

/// Sets stored in a day from which on it is said that tokens live shortly here: a token of an hour is renewed 29 times.
pub const MANY_A_DAY: u32 = 36;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a renewal stands. All of them are about [`Renewal::current`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is begun.
    #[default]
    Idle,
    /// The issuer is about to be asked, or was, and nobody knows what came of it.
    Calling {
        /// Since when.
        since: Timestamp,
        /// How often it was asked with this set.
        calls: u32,
    },
    /// The issuer gave, and the vault did not take it. Some process may have it in memory.
    Unstored {
        /// Since when.
        since: Timestamp,
    },
    /// A new set is in the vault and was read back.
    Stored {
        /// Since when.
        since: Timestamp,
    },
    /// The product has accepted its access token.
    Proved {
        /// Since when.
        since: Timestamp,
    },
    /// The older versions are out of use.
    Disabled {
        /// Since when.
        since: Timestamp,
    },
    /// Only a person can go on.
    NeedsLogin {
        /// When the issuer was last asked.
        asked_at: Timestamp,
    },
}

/// Why a person is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There are no tokens in the vault.
    NobodyLoggedIn,
    /// What is there is no set of tokens.
    Unreadable,
    /// The access token has ended, and there is no refresh token.
    NoRefreshToken,
    /// The issuer refused the refresh token.
    Refused,
    /// The issuer refused it after an answer was lost that may have replaced it.
    AnswerLost,
}

impl Reason {
    /// For people.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::NobodyLoggedIn => "nobody has logged in yet",
            Self::Unreadable => "what the vault has is no set of tokens",
            Self::NoRefreshToken => "the access token has ended and there is no refresh token",
            Self::Refused => "the issuer refused the refresh token",
            Self::AnswerLost => {
                "the issuer refused the refresh token, which an answer that was lost may have replaced"
            }
        }
    }
}

/// Since when a person is needed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginNeeded {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub because: Reason,
}

/// What is known of a set of tokens, without the tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetFacts {
    /// Which.
    pub mark: Mark,
    /// The vault's version that holds it.
    pub version: VaultVersion,
    /// When its access token was obtained, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub obtained_at: Option<Timestamp>,
    /// When its access token ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access_ends_at: Option<Timestamp>,
    /// Whether it has a refresh token.
    pub has_refresh: bool,
    /// When the refresh token ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refresh_ends_at: Option<Timestamp>,
}

impl SetFacts {
    /// Of a set in the vault.
    pub fn of(set: &TokenSet, version: VaultVersion) -> Self {
        Self {
            mark: set.mark(),
            version,
            obtained_at: set.access.as_ref().and_then(|token| token.obtained_at),
            access_ends_at: set.access.as_ref().map(|token| token.expires_at),
            has_refresh: set.refresh.is_some(),
            refresh_ends_at: set.refresh_expires_at,
        }
    }

    /// True if the access token may still be sent.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.access_ends_at
            .is_some_and(|end| end.since(now) > SEND_MARGIN)
    }

    /// When the access token is renewed: two ticks ahead of its end, or a fifth of its life if that is more (rule R34). So
    /// one tick may fail. And two ticks ahead of the refresh token's end: where that is replaced it must not end unused, and
    /// where it is not, what it gives then serves whoever logs in late for a whole life.
    pub fn renew_at(&self, tick: Duration) -> Option<Timestamp> {
        let end = self.access_ends_at?;
        let life = self.obtained_at.map(|at| end.since(at)).unwrap_or_default();
        let ahead = end.minus((2 * tick).max(life / 5));
        let last = self.refresh_ends_at.map(|end| end.minus(2 * tick));
        let is_after = |last: &Timestamp| self.obtained_at.is_some_and(|at| at < *last);
        let last = last.filter(|last| self.has_refresh && is_after(last));
        Some(last.map_or(ahead, |last| last.min(ahead)))
    }
}

/// How many sets were stored on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// When the count began.
    pub since: Timestamp,
    /// How many since then.
    pub sets: u32,
}

/// A connection's renewal, as it is written down. There is no secret in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Where it stands.
    pub phase: Phase,
    /// The set that the vault has, as last seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub current: Option<SetFacts>,
    /// Versions of the secret that are to be taken out of use.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub replaced: Vec<VaultVersion>,
    /// Until when there is nothing to do; without it at the next tick.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_at: Option<Timestamp>,
    /// That a person is needed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login: Option<LoginNeeded>,
    /// From when on the refresh token's end is one. Where using it replaces it, the next renewal prolongs it: nobody is told
    /// of an end before that renewal has been due for two ticks and has not come.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ends_from: Option<Timestamp>,
    /// When a wish was last heeded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub heeded_at: Option<Timestamp>,
    /// When the connection's own secret ends, where the vault knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credentials_end_at: Option<Timestamp>,
    /// What was announced.
    #[serde(default)]
    pub announced: Announced,
    /// How many sets were stored of late.
    #[serde(default)]
    pub count: Count,
    /// What last went wrong, if it still does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<CallFailure>,
}

impl Renewal {
    /// True if there is something to do now; otherwise neither vault nor issuer is asked. `wished_at` is when somebody asked
    /// for another token.
    pub fn is_due(&self, now: Timestamp, wished_at: Option<Timestamp>) -> bool {
        self.heeds(now, wished_at) || self.due_at.is_none_or(|due| due <= now)
    }

    /// When the refresh token ends, if somebody has to care: the next renewal does not prolong it, or has not come in time.
    pub fn refresh_ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        let is_real = self.ends_from.is_none_or(|from| from <= now);
        let set = self.current.as_ref().filter(|_| is_real);
        set.and_then(|set| set.refresh_ends_at)
    }

    /// True if a wish is to be followed now: it is younger than the token, and the last one was a while ago.
    pub fn heeds(&self, now: Timestamp, wished_at: Option<Timestamp>) -> bool {
        let is_idle = self.phase == Phase::Idle;
        let rested = self
            .heeded_at
            .is_none_or(|at| now.since(at) >= WISH_EVERY || at > now);
        is_idle && rested && wished_at.is_some_and(|at| !self.serves(at))
    }

    /// True if the token was obtained after somebody wished for another than they had.
    pub fn serves(&self, wished_at: Timestamp) -> bool {
        let obtained_at = self.current.as_ref().and_then(|set| set.obtained_at);
        obtained_at.is_some_and(|at| at > wished_at)
    }

    /// True if so many sets are stored in a day that longer tokens would serve everybody better.
    pub fn stores_many_a_day(&self, now: Timestamp) -> bool {
        self.count.sets > MANY_A_DAY && now.since(self.count.since) < DAY
    }
}

/// What is fixed for one step.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How the connection gets its tokens.
    pub grant: Grant,
    /// Whether using a refresh token replaces it.
    pub replaces: bool,
    /// How far two ticks of the refresher are apart.
    pub tick: Duration,
    /// Whether the issuer may still be asked in this run: there is time for the call and for storing what it gives.
    pub may_call: bool,
    /// Whether this process has a set in memory that the vault did not take.
    pub holds: bool,
    /// Whether the token is renewed although it need not be: a person or a reader wishes it.
    pub forced: bool,
}

/// What the vault has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// No tokens.
    Nothing,
    /// Something else.
    Unreadable,
    /// This set.
    Set(SetFacts),
}

/// What has happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A run has come to the connection.
    Begin,
    /// The vault was looked at: the tokens, and until when it holds the connection's own secret for good.
    Seen(Sight, Option<Timestamp>),
    /// The issuer gave tokens; this process has them.
    Issued,
    /// The issuer refused; the vault was looked at once more.
    Refused(Sight),
    /// It could not be asked, or nobody knows what came of it.
    NotCalled(CallFailure),
    /// The new set is in the vault, and was read back.
    Stored(SetFacts),
    /// Another set came into the vault meanwhile; ours was dropped.
    Overtaken(Sight),
    /// The vault does not take it.
    NotStored(CallFailure),
    /// What a call with the new token showed.
    Proved(Result<(), CallFailure>),
    /// What came of taking a version out of use.
    Disabled(VaultVersion, Result<(), CallFailure>),
    /// What came of revoking what was superseded.
    Revoked(Result<(), CallFailure>),
}

/// What is to be done next. The state is written down before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing more in this run.
    Rest,
    /// Look at the vault.
    Look,
    /// Ask the issuer for new tokens by the current refresh token.
    Call,
    /// Store the set that this process has.
    Store,
    /// Make one cheap call with the current access token.
    Prove,
    /// Take this version out of use.
    Disable(VaultVersion),
    /// Revoke what was superseded.
    Revoke,
}

/// True if a failure says that trying again mends nothing, so that the next step must not wait for it.
fn is_final(failure: &CallFailure) -> bool {
    matches!(
        failure.kind,
        Kind::NoRights | Kind::NotFound | Kind::Invalid
    )
}

#[cfg(test)]
mod tests;
