//! How the dependencies were when they were last used. It calls nothing: a health check every few seconds must cost
//! neither the store nor the product anything.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;

use super::reply::Reply;
use crate::domain::sighting::Sighting;
use crate::flows::Core;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    dependencies: BTreeMap<String, Sighting>,
}

/// 503 if the store failed when it was last used, for then no alert can be kept; 200 otherwise.
pub(super) fn reply(core: &Core) -> Reply {
    let dependencies = core.last_seen.all();
    let store_works = dependencies
        .get("state store")
        .is_none_or(|sighting| sighting.works);
    let all_work = dependencies.values().all(|sighting| sighting.works);
    let (code, status) = match (store_works, all_work) {
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
        },
    )
}
