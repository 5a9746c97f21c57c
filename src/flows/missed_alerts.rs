//! The look for missed alerts: what Azure fired and no webhook brought.
//!
//! Azure tries a webhook for about a minute, and then no action group calls that endpoint for a quarter of an hour
//! (azure-platform §3.2); our own endpoint may be away for longer. So every quarter of an hour Azure's own list of the
//! last hour is gone over, and once a day that of the last day (rule R5). What is not in the journal goes there under the
//! keys that the webhook would have given it, and the drain finishes it. Nothing here calls a product.
//!
//! It is for actions that name subscriptions: Azure's list does not say which action group an alert went to, so that every
//! alert of the subscription that the action's lists admit is taken for one of its own.

mod journaled;
mod known;
mod list;
mod remembered;

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Budget, Core};
use crate::domain::connection::Connection;
use crate::domain::failure::CallFailure;
use crate::domain::name::ConnectionName;
use crate::inbound::alerts_management::NotAPage;
use crate::ports::AlertsOf;
use crate::stores::connections::Lookup;
use crate::stores::looks::Look;
use crate::stores::objects::StoreFailure;
use list::LookThrough;
pub use remembered::Remembered;

/// How often Azure's list is gone over.
pub const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);

/// How often the list of the last day is.
pub const WHOLE_DAY_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an alert's webhook may still come: Azure's own tries end after about 75 seconds, and a webhook that comes is
/// better than what the list says (azure-platform §3.2).
pub const WEBHOOK_MAY_COME: Duration = Duration::from_secs(5 * 60);

/// The longest that a look may wait before the list of an hour would no longer reach back to the one before it.
const HOUR_REACHES: Duration = Duration::from_secs(50 * 60);
const DAY_REACHES: Duration = Duration::from_secs(23 * 60 * 60);
const WEEK_REACHES: Duration = Duration::from_secs((7 * 24 - 1) * 60 * 60);

/// How far back the first look reaches: over an outage of an hour. What fired earlier, before this connector was there, is
/// nobody's to make up for.
const FIRST_REACH: Duration = Duration::from_secs(80 * 60);

/// How much later than it fired an alert may come into Azure's list, and how much the clocks may differ.
const LISTED_WITHIN: Duration = Duration::from_secs(60 * 60);

/// What a look needs to be worth beginning.
const TIME_MIN: Duration = Duration::from_secs(5);

/// Alerts whose end is followed, per connection. Beyond that the oldest are left to people.
const OPEN_MAX: usize = 500;

/// Why a look ended before its end.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("{0}")]
    Azure(#[from] CallFailure),
    #[error("{0}")]
    Store(#[from] StoreFailure),
    #[error("Azure Alerts Management: {0}")]
    Undecodable(#[from] NotAPage),
    #[error("no time is left; the next look goes on")]
    NoTime,
}

impl Stopped {
    fn hint(&self) -> &'static str {
        match self {
            Self::Azure(_) => {
                "give the function's identity the role `Monitoring Reader` on the subscriptions that the connection names (docs/missed-alerts.md)"
            }
            Self::Store(failure) => failure.hint(),
            Self::Undecodable(_) => "is a proxy between the function and Azure?",
            Self::NoTime => "nothing to do",
        }
    }
}

/// Goes over Azure's list for each connection whose quarter of an hour has come.
pub async fn run(core: &Core, budget: Budget) {
    let Some(history) = &core.history else {
        return;
    };
    if !core.looked.is_due(core.clock.monotonic()) || !budget.can_start(&*core.clock, TIME_MIN) {
        return;
    }
    // Written down first: a vault that does not list its names is asked again in a few minutes, not at each drain.
    core.looked.next_at(core.clock.monotonic() + LOOK_EVERY / 5);
    let names = match core.connections.names().await {
        Ok(names) => names,
        Err(failure) => {
            tracing::warn!(%failure, hint = failure.hint(), "the look for missed alerts waits for the vault");
            return;
        }
    };
    core.looked.next_at(core.clock.monotonic() + LOOK_EVERY);
    for name in names {
        let Lookup::Found(connection) = core.connections.look_up(&name).await else {
            continue;
        };
        if subscriptions(&connection).is_empty() {
            continue;
        }
        let looking = LookThrough {
            core,
            history: &**history,
            connection: &connection,
            budget,
            found: 0,
            not_before: None,
            listed: BTreeSet::new(),
            journaled: None,
        };
        if let Err(stopped) = Box::pin(look(looking, &name)).await {
            core.looked.next_at(core.clock.monotonic() + LOOK_EVERY / 5);
            core.last_seen.fails("azure alerts", stopped.hint());
            tracing::warn!(connection = %name, failure = %stopped, hint = stopped.hint(), "the look for missed alerts did not come to its end");
        }
        if !budget.can_start(&*core.clock, TIME_MIN) {
            return;
        }
    }
}

/// The subscriptions that a connection's actions name, each once.
fn subscriptions(connection: &Connection) -> BTreeSet<&str> {
    let actions = connection.actions.values();
    actions
        .filter(|action| action.finds_missed)
        .flat_map(|action| action.allowed.subscriptions())
        .map(String::as_str)
        .collect()
}

/// One look for one connection, written down before it begins: of several processes one looks.
async fn look(mut looking: LookThrough<'_>, name: &ConnectionName) -> Result<(), Stopped> {
    let core = looking.core;
    let now = core.clock.now();
    let seen = core.looks.read(name).await?;
    let before = match &seen {
        Some(head) if now < head.state.next_at => return Ok(()),
        Some(head) => head.state.clone(),
        None => Look {
            looked_until: now.minus(FIRST_REACH),
            whole_day_at: now,
            ..Look::default()
        },
    };
    let claim = Look {
        next_at: now.plus(LOOK_EVERY),
        ..before.clone()
    };
    let writer = core.writer_id();
    let Some(claimed) = core
        .looks
        .write(name, seen.as_ref(), &writer, now, &claim)
        .await?
    else {
        return Ok(());
    };
    let whole_day = now.since(before.whole_day_at) >= WHOLE_DAY_EVERY;
    let gap = now.since(before.looked_until);
    let of = reach(gap, whole_day);
    // A longer list that is asked for because of a gap is for the gap alone. Of what fired long before it, the journal may
    // have forgotten some.
    if gap > HOUR_REACHES && !(whole_day && of == AlertsOf::LastDay) {
        looking.not_before = Some(match seen {
            Some(_) => before.looked_until.minus(LISTED_WITHIN),
            None => before.looked_until,
        });
    }
    let mut open = before.open.clone();
    for subscription in subscriptions(looking.connection) {
        looking.go_over(subscription, of, now, &mut open).await?;
    }
    looking.follow(&mut open, now).await?;
    core.last_seen.works("azure alerts");
    let surplus = open.len().saturating_sub(OPEN_MAX);
    open.drain(..surplus);
    let after = Look {
        looked_until: now.minus(WEBHOOK_MAY_COME),
        whole_day_at: match whole_day {
            true => now,
            false => before.whole_day_at,
        },
        open,
        ..claim
    };
    let now = core.clock.now();
    core.looks
        .write(name, Some(&claimed), &core.writer_id(), now, &after)
        .await?;
    if looking.found > 0 {
        tracing::warn!(connection = %name, found = looking.found, hint = "alerts that Azure fired did not come by the webhook and were taken up from Azure's list; look at the action group's delivery, and at this endpoint's availability", "missed alerts were found");
    } else {
        tracing::debug!(connection = %name, "no alert was missed");
    }
    Ok(())
}

/// How far back Azure must be asked, so that nothing lies between this look and the one before it.
fn reach(gap: Duration, whole_day: bool) -> AlertsOf {
    match () {
        () if gap > WEEK_REACHES => AlertsOf::LastMonth,
        () if gap > DAY_REACHES => AlertsOf::LastWeek,
        () if gap > HOUR_REACHES || whole_day => AlertsOf::LastDay,
        () => AlertsOf::LastHour,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azure_is_asked_as_far_back_as_the_last_look_lies() {
        for (minutes, whole_day, of) in [
            (20, false, AlertsOf::LastHour),
            (20, true, AlertsOf::LastDay),
            (51, false, AlertsOf::LastDay),
            (22 * 60, false, AlertsOf::LastDay),
            (24 * 60, false, AlertsOf::LastWeek),
            (8 * 24 * 60, true, AlertsOf::LastMonth),
        ] {
            let gap = Duration::from_secs(minutes * 60);
            assert_eq!(reach(gap, whole_day), of, "{minutes} minutes");
        }
    }
}
