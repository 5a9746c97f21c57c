//! Settles what is part of a storm, in the storm's slot.

use std::time::Duration;

use super::{Case, Run, SeenHead};
use crate::domain::grouping::Target;
use crate::domain::identity::{EventId, SlotId};
use crate::domain::slot::{Rest, Slot};
use crate::flows::gatekeeper::Gatekeeper;
use crate::flows::{Budget, Core};
use crate::stores::numbered_log::{Append, Head};
use crate::stores::objects::StoreFailure;
use crate::stores::slots::SlotLog;

/// How often a lost race for an alert's own slot is run again; only duplicates of the alert run against us.
const RACES_MAX: usize = 5;

/// Settles an event, and those beside it, in the slot of their storm.
pub(crate) async fn settle(
    core: &Core,
    case: &Case<'_>,
    storm: &SlotId,
    budget: Budget,
    call_max: Duration,
    gatekeeper: Option<&Gatekeeper<'_>>,
) -> Result<(Rest, Slot), StoreFailure> {
    let target = Target {
        slot: storm.clone(),
        configuration_item: None,
        row: None,
    };
    let mut run = Run::new(core, case, &target, budget, call_max).await;
    run.is_storm = true;
    run.rules.is_shared = true;
    run.rules.lists_all = true;
    run.gatekeeper = gatekeeper;
    run.to_the_end(SeenHead::NotRead).await
}

/// Writes down in an alert's own slot that the storm's holds the effect of its event: the storm's may forget the event
/// sooner than it may come again.
pub(crate) async fn remember(
    core: &Core,
    event: &EventId,
    own: &SlotLog,
    mut head: Option<Head<Slot>>,
) -> Result<(), StoreFailure> {
    for _ in 0..RACES_MAX {
        let joined = head.as_ref().map(|head| head.state.clone());
        let joined = joined.unwrap_or_default();
        let next = joined.settled_in_its_storm(event);
        if next == joined {
            break;
        }
        let (writer, now) = (core.writer_id(), core.clock.now());
        match own.append(head.as_ref(), &writer, now, &next).await? {
            Append::Won(_) => break,
            Append::Lost(theirs) => head = Some(theirs),
        }
    }
    Ok(())
}
