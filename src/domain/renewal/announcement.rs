//! What people are told ahead: that a refresh token or the connection's own secret ends in 14, 7, 3 or 1 days, or has, and
//! that somebody must log in (rule R38).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{LoginNeeded, Renewal};
use crate::domain::timestamp::Timestamp;

/// Days before an end at which it is announced.
pub const MILESTONES: [u32; 5] = [14, 7, 3, 1, 0];

/// What to do where a person is needed.
pub const LOGIN_HINT: &str =
    "run `itsmc connection login NAME`; alerts wait until then, and none is lost for three days";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// The refresh token of the last login.
    RefreshToken,
    /// The connection's own secret: client secret or certificate, as the vault was told.
    Credentials,
}

impl Thing {
    /// For people.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::RefreshToken => "the refresh token",
            Self::Credentials => "the connection's secret in the vault",
        }
    }

    /// What to do about its end.
    pub fn hint(self) -> &'static str {
        match self {
            Self::RefreshToken => {
                "run `itsmc connection login NAME` before it ends; a connection by client credentials needs no login at all"
            }
            Self::Credentials => {
                "make a new client secret or certificate at the issuer, then `itsmc connection add NAME --replace`; the vault's expiry date goes with the old one"
            }
        }
    }
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// Something ends.
    Ends {
        /// What.
        thing: Thing,
        /// When.
        at: Timestamp,
        /// At which milestone, in days; 0: it has ended.
        days: u32,
    },
    /// Somebody must log in.
    NeedsLogin(LoginNeeded),
    /// So many sets are stored in a day that longer tokens would serve better.
    ManyADay(u32),
}

/// The milestone that was told of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The end.
    pub ends_at: Timestamp,
    /// The milestone.
    pub days: u32,
}

/// What was announced. It is written down after it was told: a crash in between tells it twice, never not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// Of the refresh token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refresh: Option<Told>,
    /// Of the connection's own secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credentials: Option<Told>,
    /// That a person has been needed since then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub login_since: Option<Timestamp>,
    /// That many sets are stored in a day.
    #[serde(default)]
    pub many_a_day: bool,
}

/// The milestone that an end has reached: the least number of days that is not exceeded by what is left.
fn reached(ends_at: Timestamp, now: Timestamp) -> Option<u32> {
    let left = ends_at.since(now);
    let is_within = |days: &&u32| left <= **days * DAY;
    MILESTONES.iter().rev().find(is_within).copied()
}

/// When the next milestone of an end is reached; `None` once it has ended.
pub fn next_milestone(ends_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let moments = MILESTONES.iter().map(|days| ends_at.minus(*days * DAY));
    moments.into_iter().find(|at| *at > now)
}

/// What is to be told now, and what is to be written down once it has been.
pub fn due(state: &Renewal, now: Timestamp) -> (Vec<Announcement>, Announced) {
    let mut news = Vec::new();
    let mut announced = state.announced.clone();
    let ends = [
        (
            Thing::RefreshToken,
            state.refresh_ends_at(now),
            &mut announced.refresh,
        ),
        (
            Thing::Credentials,
            state.credentials_end_at,
            &mut announced.credentials,
        ),
    ];
    for (thing, ends_at, told) in ends {
        // What was told stays written down where there is nothing to tell: by the clock of another refresher, which is behind,
        // the milestone is not reached yet.
        let Some(at) = ends_at else { continue };
        let Some(days) = reached(at, now) else {
            continue;
        };
        let is_known = told.is_some_and(|told| told.ends_at == at && told.days <= days);
        if !is_known {
            *told = Some(Told { ends_at: at, days });
            news.push(Announcement::Ends { thing, at, days });
        }
    }
    let since = state.login.map(|login| login.since);
    if let Some(login) = state.login
        && announced.login_since != since
    {
        news.push(Announcement::NeedsLogin(login));
    }
    announced.login_since = since;
    if !announced.many_a_day && state.stores_many_a_day(now) {
        announced.many_a_day = true;
        news.push(Announcement::ManyADay(state.count.sets));
    }
    (news, announced)
}
