//! How the dependencies were when they were last used. It calls nothing: a health check every few seconds must cost
//! neither the store nor the product anything.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use super::reply::Reply;
use crate::domain::sighting::{Ending, Sighting};
use crate::flows::Core;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    dependencies: BTreeMap<String, Sighting>,
    /// What ends within a fortnight, as this process has last read it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ends_before_long: Vec<Ending>,
}

/// How long ahead an end is told: with the first announcement.
const AHEAD: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// 503 if the store failed when it was last used, for then no alert can be kept; 200 otherwise.
pub(super) fn reply(core: &Core) -> Reply {
    let dependencies = core.last_seen.all();
    let store_works = dependencies
        .get("state store")
        .is_none_or(|sighting| sighting.works);
    let all_work = dependencies.values().all(|sighting| sighting.works);
    let ends_before_long = core.last_seen.ending_within(AHEAD);
    let none_has_ended = !ends_before_long.iter().any(|ending| ending.has_ended);
    let (code, status) = match (store_works, all_work && none_has_ended) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "failing"),
        (true, false) => (StatusCode::OK, "degraded"),
        (true, true) => (StatusCode::OK, "healthy"),
    };
    Reply::json(
        code,
        &Health {
            status,
            version: env!("CARGO_PKG_VERSION"),
            dependencies,
            ends_before_long,
        },
    )
}
