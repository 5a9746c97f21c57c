//! What people are told ahead, as rows: each milestone has one, whose key is the same whenever and by whomever it is sent.

use std::time::Duration;

use super::{Category, LogRow};
use crate::domain::connection::PartnerType;
use crate::domain::name::ConnectionName;
use crate::domain::renewal::announcement::{Announcement, LOGIN_HINT, Thing};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// In place of a run: it is the same row in each.
const RUN: &str = "announcement";

impl LogRow {
    /// The row of an announcement; `None` for advice, which the log has.
    pub fn of_announcement(
        news: &Announcement,
        name: &ConnectionName,
        partner_type: Option<PartnerType>,
    ) -> Option<Self> {
        let hint = |text: &str| text.replace("NAME", name.as_str());
        let row = match news {
            Announcement::Ends { thing, at, days: 0 } => Self {
                expires_at: Some(*at),
                ..Self::error(
                    *at,
                    match thing {
                        Thing::RefreshToken => Category::InvalidRefreshToken,
                        Thing::Credentials => Category::Authentication,
                    },
                    "has_ended",
                    format!("{} has ended", thing.as_text()),
                    &hint(thing.hint()),
                    RUN,
                )
            },
            Announcement::Ends { thing, at, days } => Self {
                expires_at: Some(*at),
                hint: Some(hint(thing.hint())),
                ..Self::info(
                    at.minus(*days * DAY),
                    "ends_before_long",
                    format!("{} ends within {days} days", thing.as_text()),
                    RUN,
                )
            },
            Announcement::NeedsLogin(login) => Self::error(
                login.since,
                Category::InvalidRefreshToken,
                "login_needed",
                format!("somebody must log in: {}", login.because.as_text()),
                &hint(LOGIN_HINT),
                RUN,
            ),
            Announcement::ManyADay(_) => return None,
        };
        Some(Self {
            connection: Some((name.clone(), partner_type)),
            ..row
        })
    }
}
