//! How the tokens of a connection stand, for people: what the vault has, and where its renewal is.

use std::time::Duration;

use serde::Serialize;

use super::Core;
use super::refresh_tokens::NotRefreshed;
use crate::domain::connection::Grant;
use crate::domain::name::ConnectionName;
use crate::domain::renewal::announcement::{MILESTONES, Thing};
use crate::domain::renewal::{LoginNeeded, Phase, Reason, Renewal};
use crate::domain::timestamp::Timestamp;
use crate::domain::token::TokenSet;
use crate::stores::connections::Lookup;
use crate::stores::token_sets::Found;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How they stand, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// By client credentials: none is stored.
    NoneNeeded,
    /// They are good.
    Good,
    /// A renewal is under way, or waits for something.
    Renewing,
    /// Something ends within a fortnight.
    EndsSoon,
    /// Somebody must log in.
    LoginNeeded,
}

/// How they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenStatus {
    /// In a word.
    pub standing: Standing,
    /// When the access token in the vault ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_ends_at: Option<Timestamp>,
    /// When the refresh token ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_ends_at: Option<Timestamp>,
    /// When somebody last logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged_in_at: Option<Timestamp>,
    /// When the connection's own secret ends, where the vault knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_end_at: Option<Timestamp>,
    /// That a person is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginNeeded>,
    /// What the renewal waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// When the refresher looks again; at its next run where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Looks at a connection; `None` if its definition cannot be used.
pub async fn look(core: &Core, name: &ConnectionName) -> Result<Option<TokenStatus>, NotRefreshed> {
    let Lookup::Found(connection) = core.connections.look_up(name).await else {
        return Ok(None);
    };
    let credentials_end_at = core.token_sets.credentials_end_at(name).await?;
    let renewal = core.renewals.read(name).await?.map(|head| head.state);
    let renewal = renewal.unwrap_or_default();
    let now = core.clock.now();
    let found = match connection.grant {
        Grant::ClientCredentials => None,
        Grant::Password => Some(core.token_sets.read(name).await?),
    };
    Ok(Some(of(name, found, &renewal, credentials_end_at, now)))
}

fn of(
    name: &ConnectionName,
    found: Option<Found>,
    renewal: &Renewal,
    credentials_end_at: Option<Timestamp>,
    now: Timestamp,
) -> TokenStatus {
    let needs_tokens = found.is_some();
    let (set, login) = match found {
        None => (None, None),
        Some(Found::Nothing) => (None, Some(needed(renewal, now, Reason::NobodyLoggedIn))),
        Some(Found::Unreadable) => (None, Some(needed(renewal, now, Reason::Unreadable))),
        Some(Found::Set(set, _)) => {
            let login = needed_with(&set, renewal, now);
            (Some(set), login)
        }
    };
    let refresh_ends_at = set.as_ref().and_then(|set| set.refresh_expires_at);
    let soon = |end: Timestamp| end.since(now) <= MILESTONES[0] * DAY;
    let trouble = renewal.trouble.as_ref().filter(|_| needs_tokens);
    let (standing, hint) = if login.is_some() {
        (
            Standing::LoginNeeded,
            Some("run `itsmc connection login NAME`"),
        )
    } else if refresh_ends_at.is_some_and(soon) {
        (Standing::EndsSoon, Some(Thing::RefreshToken.hint()))
    } else if credentials_end_at.is_some_and(soon) {
        (Standing::EndsSoon, Some(Thing::Credentials.hint()))
    } else if let Some(trouble) = trouble {
        (Standing::Renewing, Some(trouble.hint()))
    } else if needs_tokens && renewal.phase != Phase::Idle {
        (Standing::Renewing, None)
    } else if needs_tokens {
        (Standing::Good, None)
    } else {
        (Standing::NoneNeeded, None)
    };
    TokenStatus {
        standing,
        access_ends_at: (set.as_ref())
            .and_then(|set| set.access.as_ref())
            .map(|token| token.expires_at),
        refresh_ends_at,
        logged_in_at: set.as_ref().map(|set| set.logged_in_at),
        credentials_end_at,
        login,
        trouble: trouble.map(ToString::to_string),
        due_at: renewal.due_at,
        hint: hint.map(|hint| hint.replace("NAME", name.as_str())),
    }
}

fn needed(renewal: &Renewal, now: Timestamp, because: Reason) -> LoginNeeded {
    renewal.login.unwrap_or(LoginNeeded {
        since: now,
        because,
    })
}

/// What the refresher found, if it is about this set; and what anybody can see.
fn needed_with(set: &TokenSet, renewal: &Renewal, now: Timestamp) -> Option<LoginNeeded> {
    let is_about_it = renewal.current.as_ref().map(|known| &known.mark) == Some(&set.mark());
    if let Some(login) = renewal.login.filter(|_| is_about_it) {
        return Some(login);
    }
    let access = set.access.as_ref().map(|token| token.expires_at);
    let refresh = set.refresh.as_ref().and(set.refresh_expires_at);
    let has_ended = |end: Option<Timestamp>| end.is_none_or(|end| end <= now);
    (has_ended(access) && has_ended(refresh)).then(|| LoginNeeded {
        since: access.max(refresh).unwrap_or(set.logged_in_at),
        because: Reason::NoRefreshToken,
    })
}
