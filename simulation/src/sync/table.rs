//! Who changes the table while it is read.

use std::collections::BTreeMap;
use std::time::Duration;

use super::UNQUIET;
use super::world::World;
use crate::clock::pause;

/// The latest that a record is committed after the second that stands in it: within what the overlap is for.
const LATE_MS_MAX: u64 = 240_000;

/// What is committed so much after its second is in no window any more: the overlap, the lag and the longest that a window
/// may be late.
const TOO_LATE_MS_MIN: u64 = 600_000;

/// How far back the records are spread that are there before the first run.
const PAST_MS: u64 = 24 * 3_600_000;

/// Puts records in that are there before anything begins.
pub fn furnish(world: &World) {
    let n = world.between(20, 60);
    for _ in 0..n {
        let ago = world.between(300_000, PAST_MS);
        let at = world.now_ms() - i64::try_from(ago).unwrap_or(0);
        let many = if world.happens(0.1) { 12 } else { 1 };
        for _ in 0..many {
            insert(world, at, at);
        }
    }
}

fn urgency(world: &World) -> &'static str {
    if world.happens(0.3) { "1" } else { "3" }
}

fn insert(world: &World, stamp_ms: i64, now_ms: i64) {
    let mut urgency = urgency(world);
    if world.is_traceless() && !world.elapsed().is_zero() {
        // A hidden record that is new makes up for a visible one that is gone without a trace: figures cannot tell them apart.
        urgency = "3";
    }
    let table = if world.happens(0.8) {
        "incident"
    } else {
        "change_request"
    };
    let key = world
        .machine()
        .insert_record(table, &[("urgency", urgency)], stamp_ms);
    see(world, table, &key, now_ms);
}

/// A small table for the matrix: a past, and a second with more records than two pages in the live window.
pub fn furnish_for_the_matrix(world: &World) {
    let now = world.now_ms();
    for n in 0..6 {
        insert(world, now - n * 4 * 3_600_000 - 600_000, now);
    }
    for _ in 0..12 {
        insert(world, now - 90_000, now);
    }
}

/// What happens between the runs of the matrix.
pub fn stir(world: &World) {
    let now = world.now_ms();
    for _ in 0..3 {
        insert(world, now, now);
    }
    delete(world, now);
    insert(world, now - 700_000, now);
}

/// Notes that a version can be seen from now on.
fn see(world: &World, table: &'static str, key: &str, now_ms: i64) {
    let (record, hides) = {
        let mut machine = world.machine();
        let hides = machine.config_mut().hidden.contains_key(table);
        (machine.record(key), hides)
    };
    if let Some(record) = record
        && let Some(version) = super::check::version(&record)
    {
        world.sees(table, version, hides && record["urgency"] == "1", now_ms);
    }
}

/// A record: its table and its key.
type Key = (&'static str, String);

/// Changes the table until it is to be quiet.
pub async fn churn(world: &World) {
    // What is committed late: when, which record, and the second that stands in it.
    let mut late: BTreeMap<(i64, u64), (Option<Key>, i64)> = BTreeMap::new();
    let mut n = 0;
    while world.elapsed() < UNQUIET {
        let wait = world.between(200, 9_000);
        pause(Duration::from_millis(wait)).await;
        let now = world.now_ms();
        while let Some(first) = late.first_entry() {
            if first.key().0 > now {
                break;
            }
            let (record, stamp) = first.remove();
            commit(world, record, stamp, now);
        }
        n += 1;
        let what = world.chance().below(100);
        match what {
            0..25 => insert(world, now, now),
            25..30 => {
                world.count("bursts in one second");
                let many = world.between(6, 25);
                (0..many).for_each(|_| insert(world, now, now));
            }
            30..70 => change(world, now),
            70..78 => {
                let by = world.between(1_000, LATE_MS_MAX);
                let due = now + i64::try_from(by).unwrap_or(0);
                late.insert((due, n), (None, now));
            }
            78..86 => {
                let by = world.between(1_000, LATE_MS_MAX);
                let due = now + i64::try_from(by).unwrap_or(0);
                late.insert((due, n), (world.any(), now));
            }
            86..92 => delete(world, now),
            92..95 if world.is_late() => {
                let ago = world.between(TOO_LATE_MS_MIN, 2 * TOO_LATE_MS_MIN);
                world.count("commits too late for every window");
                insert(world, now - i64::try_from(ago).unwrap_or(0), now);
            }
            92..95 if world.is_traceless() => {
                if let Some((table, key)) = world.any() {
                    world.count("deletes without a trace");
                    world.machine().delete_without_trace(table, &key);
                    world.loses(&key);
                }
            }
            _ => {}
        }
    }
    let now = world.now_ms();
    for (record, stamp) in std::mem::take(&mut late).into_values() {
        commit(world, record, stamp.max(now - 240_000), now);
    }
}

fn change(world: &World, now: i64) {
    let many = if world.happens(0.1) { 8 } else { 1 };
    for _ in 0..many {
        let Some((table, key)) = world.any() else {
            return;
        };
        let urgency = urgency(world);
        let text = world.chance().bits().to_string();
        let (field, value) = if world.happens(0.3) {
            ("urgency", urgency)
        } else {
            ("description", text.as_str())
        };
        world.machine().set_field(table, &key, field, value, now);
        see(world, table, &key, now);
    }
}

/// What is committed late stands there with the second at which it began. A record that was changed meanwhile is left alone:
/// the database would have let one of the two wait.
fn commit(world: &World, record: Option<Key>, stamp: i64, now: i64) {
    world.count("late commits");
    match record {
        None => insert(world, stamp, now),
        Some((table, key)) => {
            let before = world.machine().record(&key);
            let before = before.as_ref().and_then(super::check::version);
            if before.is_some_and(|(_, at, _)| at < stamp) {
                let text = world.chance().bits().to_string();
                world
                    .machine()
                    .set_field(table, &key, "description", &text, stamp);
                see(world, table, &key, now);
            }
        }
    }
}

fn delete(world: &World, now: i64) {
    if let Some((table, key)) = world.any() {
        world.count("deletes");
        world.machine().delete_by_person(table, &key, now);
        world.forgets(&key);
    }
}
