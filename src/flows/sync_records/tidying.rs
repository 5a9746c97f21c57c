//! Once a day the sync removes what it has kept for its time: rows that were set aside, and cursors of slices that a person
//! asked for.

use super::State;
use crate::domain::name::ConnectionName;
use crate::domain::retention::{SET_ASIDE_FOR, SLICES_FOR};
use crate::flows::Core;
use crate::stores::objects::StoreFailure;

/// What cannot be removed now is removed tomorrow: it is no part of the sync.
pub(super) async fn run(core: &Core, state: &State, name: &ConnectionName) {
    match removed(core, state, name).await {
        Ok(0) => {}
        Ok(removed) => {
            tracing::info!(connection = %name, removed, "removed what the sync had kept for its time");
        }
        Err(failure) => {
            tracing::warn!(connection = %name, %failure, hint = failure.hint(), "what the sync keeps was not removed; tomorrow it is tried again");
        }
    }
}

async fn removed(core: &Core, state: &State, name: &ConnectionName) -> Result<usize, StoreFailure> {
    let now = core.clock.now();
    let aside = state
        .set_aside
        .forget_before(name, now.minus(SET_ASIDE_FOR))
        .await?;
    let slices = state
        .cursors
        .forget_slices(name, now.minus(SLICES_FOR))
        .await?;
    Ok(aside + slices)
}
