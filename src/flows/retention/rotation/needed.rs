//! Alerts that are needed for longer than their time: a Resolved finds its slots by what its Fired brought with it.

use crate::domain::alert::Condition;
use crate::domain::grouping;
use crate::domain::identity::EventId;
use crate::domain::name::ConnectionName;
use crate::domain::slot::Phase;
use crate::flows::Core;
use crate::flows::create_work_item::{case_of, event_of};
use crate::inbound::common_alert_schema;
use crate::inbound::webhook::Delivery;
use crate::stores::connections::Lookup;
use crate::stores::objects::StoreFailure;
use crate::stores::slots::SlotLog;

/// True if work items of an alert are open whose slots only the alert itself names: those of its rows or configuration
/// items. It reads nothing where no action of the connection makes such.
pub(super) async fn is_needed(
    core: &Core,
    name: &ConnectionName,
    event: &EventId,
) -> Result<bool, StoreFailure> {
    let connection = match core.connections.look_up(name).await {
        Lookup::Found(connection) => connection,
        // Nobody settles anything for it any more; and what it was told of is not kept for ever because of that.
        Lookup::Absent => return Ok(false),
        // Nobody can tell now; it is asked again tomorrow.
        Lookup::Unusable(_) | Lookup::NotAsked(_) => return Ok(true),
    };
    if !connection
        .actions
        .values()
        .any(grouping::depends_on_the_fired)
    {
        return Ok(false);
    }
    let Some(entry) = core.journal.read(name, event).await? else {
        return Ok(false);
    };
    let delivery = Delivery::from_journal(name.clone(), entry.action, entry.body);
    let Ok(alert) = common_alert_schema::parse(&delivery) else {
        return Ok(false);
    };
    let event = event_of(core, &delivery, &alert);
    let Some(case) = case_of(connection, &delivery, &alert, event) else {
        return Ok(false);
    };
    if alert.condition != Condition::Fired || !grouping::depends_on_the_fired(&case.action) {
        return Ok(false);
    }
    for target in case.own_targets() {
        let log = SlotLog::new(&core.objects, name, delivery.action(), &target.slot);
        let head = log.head().await?;
        let holds = head.is_some_and(|head| {
            let has_ended = matches!(head.state.phase, Phase::Done { .. } | Phase::Dead { .. });
            !has_ended && head.state.firing.contains(&case.event.episode)
        });
        if holds {
            return Ok(true);
        }
    }
    Ok(false)
}
