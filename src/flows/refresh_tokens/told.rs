//! What the log is told of renewals: each line says what to do, and none has a token in it.

use super::{NotRefreshed, Refreshed};
use crate::domain::failure::CallFailure;
use crate::domain::name::ConnectionName;
use crate::domain::renewal::announcement::{Announcement, LOGIN_HINT};

/// How a connection's turn ended.
pub(super) fn outcome(name: &ConnectionName, refreshed: &Result<Refreshed, NotRefreshed>) {
    match refreshed {
        Ok(done) if done.is_idle => {}
        Ok(done) => {
            if let Some(failure) = &done.trouble {
                tracing::warn!(connection = %name, %failure, hint = failure.hint(), "a step of the renewal did not succeed; the next run tries it again");
            }
            if done.renewed {
                let (access_ends_at, refresh_ends_at) = (
                    done.access_ends_at.map(|at| at.to_string()),
                    done.refresh_ends_at.map(|at| at.to_string()),
                );
                tracing::info!(connection = %name, access_ends_at, refresh_ends_at, "new tokens");
            }
        }
        Err(failure) => {
            tracing::error!(connection = %name, %failure, hint = failure.hint(), "the tokens of this connection could not be looked at");
        }
    }
}

/// The issuer gave tokens, and the vault does not take them.
pub(super) fn unstored(name: &ConnectionName, failure: &CallFailure) {
    tracing::error!(connection = %name, %failure, hint = "give the function the right to set secrets, or wait for the vault; until then the tokens are in this process's memory only, and a login is needed if it ends", "new tokens could not be stored");
}

/// Something that people are told ahead.
pub(super) fn announcement(name: &ConnectionName, news: &Announcement) {
    match news {
        Announcement::Ends { thing, at, days: 0 } => {
            tracing::error!(connection = %name, what = thing.as_text(), ended_at = %at, hint = thing.hint().replace("NAME", name.as_str()), "has ended");
        }
        Announcement::Ends { thing, at, days } => {
            tracing::warn!(connection = %name, what = thing.as_text(), ends_at = %at, within_days = days, hint = thing.hint().replace("NAME", name.as_str()), "ends before long");
        }
        Announcement::NeedsLogin(login) => {
            tracing::error!(connection = %name, since = %login.since, because = login.because.as_text(), hint = LOGIN_HINT.replace("NAME", name.as_str()), "somebody must log in");
        }
        Announcement::ManyADay(sets) => {
            tracing::warn!(connection = %name, sets, hint = "give the client longer access tokens, some hours, or use client credentials, which need no tokens in the vault", "many versions of the tokens are stored in a day");
        }
    }
}
