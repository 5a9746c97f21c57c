//! What the connector has to say of itself in `ServiceDeskLog_CL` beside the sync's own rows: what ends before long, and what
//! functions without a way there have left (DESIGN §7).
//!
//! A row is sent first and then written down as sent: a crash in between sends it twice, under the same key.

use std::time::Duration;

use super::Core;
use crate::domain::batch::BatchCutter;
use crate::domain::connection::{Connection, PartnerType};
use crate::domain::failure::CallFailure;
use crate::domain::log_row::LogRow;
use crate::domain::log_row::notice::Notice;
use crate::domain::name::ConnectionName;
use crate::domain::renewal::Renewal;
use crate::domain::renewal::announcement::{self, Announced, Thing};
use crate::domain::table::Table;
use crate::domain::timestamp::Timestamp;
use crate::ports::RowSink;
use crate::stores::connections::Lookup;
use crate::stores::numbered_log::Head;
use crate::stores::objects::StoreFailure;

/// Notices that one run takes along at most.
const NOTICES_MAX: usize = 100;

/// How long leaving one may take: somebody may wait for an answer.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// Leaves a notice. What it is about is told in the log as well, so that one that cannot be left costs a row only.
async fn leave(core: &Core, notice: Notice) {
    let left = tokio::time::timeout(LEAVE_MAX, core.notices.leave(&notice)).await;
    if !matches!(left, Ok(Ok(()))) {
        tracing::warn!(connection = %notice.connection, code = notice.code, "no row will tell of this: the state store did not take it");
    }
}

/// Somebody asks for a connection that is not there.
pub(super) async fn missing(core: &Core, name: &ConnectionName) {
    leave(core, Notice::missing(core.clock.now(), name)).await;
}

/// A connection is there and cannot be used.
pub(super) async fn unusable(
    core: &Core,
    name: &ConnectionName,
    partner_type: Option<PartnerType>,
    failure: &CallFailure,
) {
    let notice = Notice::unusable(core.clock.now(), name, partner_type, failure);
    leave(core, notice).await;
}

/// An alert was given up.
pub(super) async fn given_up(core: &Core, connection: &Connection, failure: &CallFailure) {
    let (name, partner) = (&connection.name, Some(connection.partner_type));
    let notice = Notice::given_up(core.clock.now(), name, partner, failure);
    leave(core, notice).await;
}

/// When a connection's login or its secret is over, whichever is first, as the refresher knows it.
pub(super) async fn ends_at(core: &Core, name: &ConnectionName) -> Option<Timestamp> {
    let head = core.renewals.read(name).await.ok().flatten()?;
    let ends = [
        head.state.refresh_ends_at(core.clock.now()),
        head.state.credentials_end_at,
    ];
    ends.into_iter().flatten().min()
}

/// Reads for the health page when a connection's tokens end.
pub(super) async fn look(core: &Core, name: &ConnectionName) {
    if let Ok(Some(head)) = core.renewals.read(name).await {
        see(core, name, &head.state);
    }
}

/// The health page knows what a renewal knows.
pub(super) fn see(core: &Core, name: &ConnectionName, renewal: &Renewal) {
    let refresh = renewal.refresh_ends_at(core.clock.now());
    let needed = renewal.login.map(|login| login.since);
    let refresh_token = Thing::RefreshToken.as_text();
    core.last_seen.ends(name, refresh_token, refresh);
    core.last_seen.ends(name, "the login", needed);
    // Who has read the definition itself knows better.
    if let Some(at) = renewal.credentials_end_at {
        let credentials = Thing::Credentials.as_text();
        core.last_seen.ends(name, credentials, Some(at));
    }
}

/// What is to be written down once its rows were sent.
struct Due {
    name: ConnectionName,
    head: Option<Head<Announced>>,
    announced: Announced,
}

/// Sends what is to be told.
pub(super) async fn send(
    core: &Core,
    sink: &dyn RowSink,
    names: &[ConnectionName],
    within: Duration,
) {
    if let Err(failure) = Box::pin(try_send(core, sink, names, within)).await {
        tracing::warn!(%failure, hint = failure.hint(), "what the connector has to say of itself is not in the rows yet");
    }
}

async fn try_send(
    core: &Core,
    sink: &dyn RowSink,
    names: &[ConnectionName],
    within: Duration,
) -> Result<(), StoreFailure> {
    let mut cutter = BatchCutter::new(Table::ServiceDeskLog);
    let mut batches = Vec::new();
    let mut all_due = Vec::new();
    for name in names {
        let Some((due, rows)) = announcements(core, name).await? else {
            continue;
        };
        all_due.push(due);
        for row in rows {
            batches.extend(cutter.push(&row).ok().flatten());
        }
    }
    let notices = core.notices.waiting(NOTICES_MAX).await?;
    for notice in &notices {
        batches.extend(cutter.push(&notice.row()).ok().flatten());
    }
    batches.extend(cutter.finish());
    for batch in &batches {
        if let Err(failure) = sink.send(Table::ServiceDeskLog, batch, within).await {
            let failure = failure.failure();
            tracing::warn!(%failure, hint = failure.hint(), "what the connector has to say of itself was not taken; the next run sends it");
            return Ok(());
        }
    }
    let (writer, now) = (core.writer_id(), core.clock.now());
    let cutoff = now.minus(core.ages.small_logs_for);
    for due in all_due {
        let (head, announced) = (due.head.as_ref(), &due.announced);
        core.announced
            .write(&due.name, head, &writer, now, cutoff, announced)
            .await?;
    }
    for notice in &notices {
        core.notices.remove(notice).await?;
    }
    Ok(())
}

/// The rows of a connection that are due; `None` if none is. Where nothing ends before long, its state is all that is read.
async fn announcements(
    core: &Core,
    name: &ConnectionName,
) -> Result<Option<(Due, Vec<LogRow>)>, StoreFailure> {
    let Some(renewal) = core.renewals.read(name).await? else {
        return Ok(None);
    };
    let now = core.clock.now();
    let since = |announced: Announced| Renewal {
        announced,
        ..renewal.state.clone()
    };
    let (news, _) = announcement::due(&since(Announced::default()), now);
    if news.is_empty() {
        return Ok(None);
    }
    let head = core.announced.read(name).await?;
    let told = head.as_ref().map(|head| head.state.clone());
    let told = told.unwrap_or_default();
    let (news, announced) = announcement::due(&since(told.clone()), now);
    if announced == told {
        return Ok(None);
    }
    let partner = match core.connections.look_up(name).await {
        Lookup::Found(connection) => Some(connection.partner_type),
        Lookup::Absent | Lookup::Unusable(_) | Lookup::NotAsked(_) => None,
    };
    let rows = news
        .iter()
        .filter_map(|one| LogRow::of_announcement(one, name, partner))
        .collect();
    let due = Due {
        name: name.clone(),
        head,
        announced,
    };
    Ok(Some((due, rows)))
}
