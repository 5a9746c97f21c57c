//! Retention: what was done long ago is removed, a bounded share an hour, when the drain has left time for it.
//!
//! Below the head of a log goes what was succeeded long ago; whole slots, alerts, quarantine and dead letters go by ages
//! that stand in them (`domain/retention.rs`). What is pending is never touched. A cloud's lifecycle rule can do none of
//! this: it would take the heads of logs, and with them what keeps a work item from being made twice.

mod rotation;

use std::time::Duration;

use super::{Budget, Core, log_rows};
use crate::domain::name::ConnectionName;
use crate::stores::looks::Looks;
use crate::stores::numbered_log::NumberedLog;
use crate::stores::objects::StoreFailure;
use crate::stores::sweeps::{Stage, Sweep};
use rotation::Rotation;

/// What it takes to be worth beginning. A drain that needs all of its time comes first.
const TIME_MIN: Duration = Duration::from_secs(5);

/// Snapshots of one small log that go in one sweep: more than an hour of them.
const SMALL_LOG_MAX: usize = 1000;

/// Folders of the state that have one folder per connection.
const FOLDERS: [&str; 3] = ["slots", "journal", "quarantine"];

/// Removes what may go, of all connections whose hour has come. What cannot be done now is done in an hour.
pub async fn run(core: &Core, budget: Budget) {
    if !core.sweep_is_due() || !budget.can_start(&*core.clock, TIME_MIN) {
        return;
    }
    for name in connections(core).await {
        match sweep(core, &name, budget).await {
            Ok(Some(removed)) if removed > 0 => {
                tracing::info!(connection = %name, removed, "removed what was kept for its time");
            }
            Ok(_) => {}
            Err(failure) => {
                tracing::warn!(connection = %name, %failure, hint = failure.hint(), "what is old was not removed; in an hour it is tried again");
            }
        }
        if !budget.can_start(&*core.clock, TIME_MIN) {
            return;
        }
    }
    core.swept();
}

async fn connections(core: &Core) -> Vec<ConnectionName> {
    let mut names = Vec::new();
    for folder in FOLDERS {
        // One that cannot be listed now is listed in an hour.
        if let Ok(found) = core.objects.folders(folder).await {
            names.extend(
                found
                    .iter()
                    .filter_map(|name| ConnectionName::parse(name).ok()),
            );
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// One sweep over a connection; how many objects went. `None` if it is not due, or somebody else does it.
async fn sweep(
    core: &Core,
    name: &ConnectionName,
    budget: Budget,
) -> Result<Option<usize>, StoreFailure> {
    // Once an hour in each process: what its health page tells.
    log_rows::look(core, name).await;
    let now = core.clock.now();
    let seen = core.sweeps.read(name).await?;
    let mut sweep = match &seen {
        Some(head) if now < head.state.next_at => return Ok(None),
        Some(head) => head.state.clone(),
        None => Sweep::default(),
    };
    if sweep.stage == Stage::Finished && now.since(sweep.rotation_at) >= core.ages.rotation_every {
        sweep = Sweep {
            doomed: sweep.doomed,
            ..Sweep::default()
        };
    }
    if sweep.rotation_at == Sweep::default().rotation_at {
        sweep.rotation_at = now;
    }
    sweep.next_at = now.plus(core.ages.sweep_every);
    // Written down before it begins: of several processes one does it, and if it dies the next one does in an hour.
    let claimed = core
        .sweeps
        .write(name, seen.as_ref(), &core.writer_id(), now, &sweep)
        .await?;
    let Some(claimed) = claimed else {
        return Ok(None);
    };
    let mut removed = small_logs(core, name).await?;
    let mut rotation = Rotation::new(core, name, budget, sweep);
    let done = rotation.run().await;
    removed += rotation.removed;
    let after = rotation.sweep;
    if after != claimed.state {
        core.sweeps
            .write(
                name,
                Some(&claimed),
                &core.writer_id(),
                core.clock.now(),
                &after,
            )
            .await?;
    }
    done?;
    Ok(Some(removed))
}

/// What changes all the time, and of which only the head is ever asked for.
async fn small_logs(core: &Core, name: &ConnectionName) -> Result<usize, StoreFailure> {
    let mut folders = vec![
        format!("leases/drain-{name}"),
        format!("gates/{name}"),
        format!("allowances/{name}"),
        format!("facts/{name}"),
        format!("sweeps/{name}"),
    ];
    if core.history.is_some() {
        folders.push(Looks::folder(name));
    }
    let cutoff = core.clock.now().minus(core.ages.small_logs_for);
    let mut removed = 0;
    for folder in folders {
        let log = NumberedLog::new(core.objects.clone(), folder);
        removed += log.prune(cutoff, SMALL_LOG_MAX).await?;
    }
    // One log per rule whose alerts may become a storm.
    let folder = format!("storms/{name}");
    let names = core
        .objects
        .list_first(&folder, None, SMALL_LOG_MAX)
        .await?;
    let mut rules: Vec<&str> = names
        .iter()
        .filter_map(|name| Some(name.rsplit_once('/')?.0))
        .collect();
    rules.dedup();
    for rule in rules {
        let log = NumberedLog::new(core.objects.clone(), format!("{folder}/{rule}"));
        removed += log.prune(cutoff, SMALL_LOG_MAX).await?;
    }
    Ok(removed)
}
