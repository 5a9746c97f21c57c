//! What must hold: no final state is missing (I11), repeats are those of calls whose end nobody knows (I12), a cursor never
//! stands beyond what the sink has (I13).

use itsm_connector::domain::sync_window::{Backfill, Live, Position, SETTLE_LAG, Window};
use serde::Deserialize;
use serde_json::Value;
use simulators::servicenow::made_up_sys_id;

use super::world::{Version, World};

/// What is committed later than this after its second is in no window any more, and is the reconciliation's.
const LATE_MS_MAX: i64 = 300_000;

/// The tables that are read.
pub const TABLES: [&str; 2] = ["incident", "change_request"];

/// Which version a record of the simulator is.
pub fn version(record: &Value) -> Option<Version> {
    let text = |name: &str| record[name].as_str();
    let at = jiff_ms(text("sys_updated_on")?)?;
    Some((
        text("sys_id")?.to_owned(),
        at,
        text("sys_mod_count")?.parse().ok()?,
    ))
}

/// `2026-03-01 10:00:00` in Unix milliseconds.
fn jiff_ms(text: &str) -> Option<i64> {
    let text = text.replace(' ', "T");
    itsm_connector::domain::timestamp::Timestamp::parse_lenient(&text).map(|at| at.as_millis())
}

/// The versions that stand in a table now and that the integration user may see.
pub fn standing(world: &World, table: &str) -> Vec<Version> {
    let (records, hides) = {
        let mut machine = world.machine();
        let hides = machine.config_mut().hidden.contains_key(table);
        (machine.records(table), hides)
    };
    let seen = records
        .iter()
        .filter(|record| !(hides && record["urgency"] == "1"));
    seen.filter_map(version).collect()
}

/// True if every final state is there.
pub fn is_complete(world: &World) -> bool {
    let taken = world.taken();
    let is_there = |version: &Version| taken.versions.contains_key(version);
    let all = TABLES
        .iter()
        .all(|table| world.seen(table).iter().all(is_there));
    drop(taken);
    all && missing_deletes(world).is_empty()
}

/// Final states that are not there.
pub fn missing(world: &World) -> Vec<Version> {
    let wanted: Vec<Version> = TABLES
        .iter()
        .flat_map(|table| standing(world, table))
        .collect();
    let taken = world.taken();
    wanted
        .into_iter()
        .filter(|version| !taken.versions.contains_key(version))
        .collect()
}

/// Deleted records that are not there as deleted. Of what no ledger knew nobody can tell that it is gone without a trace.
fn missing_deletes(world: &World) -> Vec<String> {
    let (deleted, excused) = (world.deleted().clone(), world.excused_deletes().clone());
    let taken = world.taken();
    deleted
        .into_iter()
        .filter(|key| !taken.deleted.contains_key(key) && !excused.contains(key))
        .collect()
}

/// At the end, when all is quiet.
pub fn at_the_end(world: &World) {
    let (missing, deletes) = (missing(world), missing_deletes(world));
    if let Some(first) = missing.first() {
        world.violated(format!(
            "I11: {} final states are missing, such as {first:?}; the last failure: {}",
            missing.len(),
            world.last_failure()
        ));
    }
    if let Some(first) = deletes.first() {
        world.violated(format!(
            "I11: {} deletes are missing, such as {first}",
            deletes.len()
        ));
    }
    let deleted = world.deleted().clone();
    let taken = world.taken();
    if let Some(alive) = taken.deleted.keys().find(|key| !deleted.contains(*key)) {
        world.violated(format!("{alive} is there as deleted, and is not deleted"));
    }
    if taken.repeats > taken.excused {
        world.violated(format!(
            "I12: {} rows are there again, {} may be: {:?}",
            taken.repeats,
            taken.excused,
            taken
                .runs
                .iter()
                .filter(|(_, runs)| runs.len() > 1)
                .take(8)
                .collect::<Vec<_>>()
        ));
    }
}

#[derive(Deserialize)]
struct Snapshot<T> {
    state: T,
}

/// A cursor was written: the rows before it must be there. Rows that came into the window after it was opened are the next
/// one's.
pub fn cursor(world: &World, path: &str, content: &[u8]) {
    let table = match path.split('/').nth(2) {
        Some("incident") => "incident",
        Some("change_request") => "change_request",
        _ => return,
    };
    let place =
        match path.split('/').nth(3) {
            Some("live") => serde_json::from_slice::<Snapshot<Live>>(content)
                .ok()
                .map(|read| match read.state.open {
                    Some(open) => (open.window, open.after),
                    None => (all_before(read.state.complete_until), None),
                }),
            Some("backfill") => serde_json::from_slice::<Snapshot<Backfill>>(content)
                .ok()
                .and_then(|read| read.state.open.map(|open| (open.window, open.after))),
            _ => None,
        };
    let Some((window, after)) = place else {
        return;
    };
    let visible_by = window.until.as_millis() + i64::try_from(SETTLE_LAG.as_millis()).unwrap_or(0)
        - world.skew_ms;
    let began = crate::clock::BEGINNING_MS;
    for version in world.seen(table) {
        let (key, at, _) = &version;
        let position = Position {
            at: itsm_connector::domain::timestamp::Timestamp::from_millis(*at),
            id: key.clone(),
        };
        let is_behind_us = window.holds(position.at)
            && after.as_ref().is_none_or(|after| position <= *after)
            && (after.is_some() || path.contains("/live/"));
        let seen_in_time = world
            .visible()
            .get(&version)
            .is_some_and(|since| *since < visible_by && since - at <= LATE_MS_MAX);
        // Of a window that is done, only what is new since the beginning: what was before is the backfill's.
        let is_its_own = after.is_some() || *at >= began;
        if is_behind_us
            && seen_in_time
            && is_its_own
            && !world.taken().versions.contains_key(&version)
        {
            world.violated(format!(
                "I13: {path} stands beyond {version:?}, which is not there"
            ));
            return;
        }
    }
}

fn all_before(until: itsm_connector::domain::timestamp::Timestamp) -> Window {
    Window {
        from: itsm_connector::domain::timestamp::Timestamp::UNIX_EPOCH,
        until,
    }
}

/// A key that sorts before all others: where a walk begins that knows none.
pub fn first_key() -> String {
    made_up_sys_id("first").replace(|_: char| true, "0")
}
