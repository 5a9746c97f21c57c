//! Defences that are taken away, each at a port, to see them missed.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::life::{Plan, run};
use super::years::named;

/// Seeds within which each is found.
const SEEDS: u64 = 60;

/// Plants each, and sees it missed; the lines to tell, and whether all were found.
pub fn hunt(days: i64) -> (Vec<String>, bool) {
    let next = AtomicUsize::new(0);
    let lines = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = (0..SEEDS).find_map(|seed| {
                        let mut plan = Plan::new(seed, Some(*bug));
                        plan.days = days;
                        let mut violations = run(plan).violations;
                        (!violations.is_empty()).then(|| (plan, violations.remove(0)))
                    });
                    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                    let name = bug.as_str();
                    lines.push(match found {
                        Some((plan, first)) => {
                            let (seed, kind) = (plan.seed, named(plan.rotation));
                            let first: String = first.chars().take(100).collect();
                            (
                                true,
                                format!("  {name:<26} found by seed {seed} ({kind}): {first}"),
                            )
                        }
                        None => (false, format!("  {name:<26} NOT FOUND")),
                    });
                }
            });
        }
    });
    let mut lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
    lines.sort();
    let all = lines.iter().all(|(found, _)| *found);
    (lines.into_iter().map(|(_, line)| line).collect(), all)
}

/// A bug that is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// What is superseded is revoked although nobody has seen the new token work.
    RevokeBeforeProof,
    /// What is written to the vault is not there.
    WritesAreLost,
    /// After a refusal the vault is not looked at once more.
    NoSecondLook,
    /// What is told is written down first, so that a crash in between loses it.
    AnnouncementsLost,
    /// Everybody has the lease.
    NoLease,
    /// With what is superseded a value is revoked that is still in use.
    RevokesWhatIsOurs,
    /// The end of a refresh token is counted from its last use in place of the login.
    ExpiryFromTheRenewal,
    /// A refusal is taken for an outage, after which the issuer is asked at each tick.
    RefusalsAreOutages,
    /// The older versions are disabled with the write of the new one, which nobody has read back.
    DisabledUnread,
    /// Readers use refresh tokens that their use replaces.
    ReadersSpendTokens,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::RevokeBeforeProof,
        Self::WritesAreLost,
        Self::NoSecondLook,
        Self::AnnouncementsLost,
        Self::NoLease,
        Self::RevokesWhatIsOurs,
        Self::ExpiryFromTheRenewal,
        Self::RefusalsAreOutages,
        Self::DisabledUnread,
        Self::ReadersSpendTokens,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RevokeBeforeProof => "revoke-before-proof",
            Self::WritesAreLost => "writes-are-lost",
            Self::NoSecondLook => "no-second-look",
            Self::AnnouncementsLost => "announcements-lost",
            Self::NoLease => "no-lease",
            Self::RevokesWhatIsOurs => "revokes-what-is-ours",
            Self::ExpiryFromTheRenewal => "expiry-from-the-renewal",
            Self::RefusalsAreOutages => "refusals-are-outages",
            Self::DisabledUnread => "disabled-unread",
            Self::ReadersSpendTokens => "readers-spend-tokens",
        }
    }
}
