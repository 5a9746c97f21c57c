//! Why a sink did not say that it has a batch, and what that means for whoever sends.

use super::failure::{CallFailure, Kind};

/// A batch that was not handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkFailure {
    /// It is too long, by the sink's own measure: less of it may do. None of it was taken.
    TooLarge(CallFailure),
    /// Not now: the same later, after [`CallFailure::retry_after`] if the sink named a time.
    Wait(CallFailure),
    /// Never like this: a person must change something. None of it was taken.
    Refused(CallFailure),
    /// It may have been taken. The same once more gives its rows twice at worst, which readers collapse.
    Unknown(CallFailure),
}

impl SinkFailure {
    /// The failed call.
    pub fn failure(&self) -> &CallFailure {
        match self {
            Self::TooLarge(failure)
            | Self::Wait(failure)
            | Self::Refused(failure)
            | Self::Unknown(failure) => failure,
        }
    }

    /// What to do about it. [`CallFailure::hint`] speaks of the ITSM product, and this is not it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => {
                "nothing to do: it is sent in halves, and a row that is too long by itself is shortened"
            }
            Self::Wait(_) | Self::Unknown(_) => {
                "nothing to do at once: the sync goes on where it was, and rows that come twice are one for the queries; if it lasts, look at the data collection rule's limits and at the way to its endpoint"
            }
            Self::Refused(failure) => match failure.kind {
                Kind::NoRights => {
                    "give the function's identity the role `Monitoring Metrics Publisher` on the data collection rule; a new one takes up to 30 minutes"
                }
                Kind::Unauthorized => {
                    "check that the function's identity is of the directory that the data collection rule is in, and of its cloud"
                }
                Kind::NotFound => {
                    "compare ITSMC_LOG_ANALYTICS and ITSMC_DCR_ID (the rule's immutable id, `dcr-…`) with the data collection rule, and its streams with docs/sync.md"
                }
                Kind::Forbidden => {
                    "the address in ITSMC_LOG_ANALYTICS may not be called; a private endpoint is listed in `ITSMC_ALLOW_HOSTS`"
                }
                _ => {
                    "compare the columns of the data collection rule's streams with docs/sync.md; nothing is lost, the sync goes on when they agree"
                }
            },
        }
    }
}
