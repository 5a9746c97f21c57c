//! The slots of an event. Those of a Resolved may follow from what only its Fired brought with it.
//!
//! A Resolved carries no rows. Its Fired is in the journal under a key that follows from the episode, so that the slots
//! are found there. Either may come first, so each looks for the other after it was journaled itself: a Resolved that
//! does not find its Fired is put away, and the Fired that finds it takes it up again. One of the two always finds the
//! other.

use super::Case;
use crate::domain::alert::{Alert, Condition};
use crate::domain::connection::Grouping;
use crate::domain::grouping::{self, Target};
use crate::domain::identity::EventId;
use crate::flows::Core;
use crate::flows::create_work_item::marker_of;
use crate::inbound::common_alert_schema;
use crate::inbound::webhook::Delivery;
use crate::stores::objects::StoreFailure;

/// The slots that an event belongs to; `None` if that is for its Fired to say, which has not come yet.
pub(in crate::flows) async fn of(
    core: &Core,
    case: &Case<'_>,
) -> Result<Option<Vec<Target>>, StoreFailure> {
    // The messages of a series have all that names their slots.
    let is_resolved = case.event.condition == Condition::Resolved && case.alert.series.is_none();
    if !is_resolved || !grouping::depends_on_the_fired(&case.action) {
        return Ok(Some(case.own_targets()));
    }
    match journaled(core, case, Condition::Fired).await? {
        Some(fired) => Ok(Some(case.targets_of(&fired))),
        None if case.action.grouping == Grouping::Row => Ok(None),
        None => Ok(Some(case.own_targets())),
    }
}

/// True if another event of the episode may have been put away until this one is there.
pub(super) fn may_be_waited_for(case: &Case<'_>) -> bool {
    case.event.condition == Condition::Fired
        && case.alert.series.is_none()
        && grouping::depends_on_the_fired(&case.action)
}

/// Takes up the Resolved that came before this Fired, if there is one.
pub(super) async fn wake_the_resolved(core: &Core, case: &Case<'_>) -> Result<(), StoreFailure> {
    let Some(resolved) = journaled(core, case, Condition::Resolved).await? else {
        return Ok(());
    };
    let name = &case.connection.name;
    let marker = marker_of(&resolved, &event_of(case, Condition::Resolved));
    core.pending.set(name, &marker, core.clock.now()).await
}

/// The key of an event of this episode.
pub(super) fn event_of(case: &Case<'_>, condition: Condition) -> EventId {
    EventId::new(&case.event.episode, condition.as_str())
}

/// Another event of the episode, if it has come.
async fn journaled(
    core: &Core,
    case: &Case<'_>,
    condition: Condition,
) -> Result<Option<Alert>, StoreFailure> {
    let name = &case.connection.name;
    let id = event_of(case, condition);
    let Some(entry) = core.journal.read(name, &id).await? else {
        return Ok(None);
    };
    let delivery = Delivery::from_journal(name.clone(), entry.action, entry.body);
    Ok(common_alert_schema::parse(&delivery).ok())
}
