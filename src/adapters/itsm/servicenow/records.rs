//! Records read back: keyset pages, deletes and counts (servicenow-api §16).

mod cells;
mod reading;

use std::time::Duration;

use async_trait::async_trait;

use super::meaning::Answered;
use super::request::{Counted, List, Request};
use super::{ServiceNow, wire};
use crate::domain::connection::RecordType;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::sync_window::{Ask, Behind, Order, RecordCount, RecordPage, Stream};
use crate::domain::timestamp::Timestamp;
use crate::ports::RecordSource;

/// The fields of all records that go into a row (itsmc-product §3), and those that the walk goes by.
const INCIDENT_FIELDS: &str = "sys_id,number,sys_updated_on,sys_mod_count,sys_created_on,correlation_id,state,urgency,impact,priority,escalation,\
opened_by,resolved_by,closed_by,contact_type,assigned_to,category,short_description,description,opened_at,closed_at,\
resolved_at,cmdb_ci";
const CHANGE_FIELDS: &str = "sys_id,number,sys_updated_on,sys_mod_count,sys_created_on,correlation_id,state,urgency,impact,priority,escalation,\
requested_by,closed_by,contact_type,assigned_to,category,type,risk,conflict_status,short_description,description,opened_at,\
closed_at,requested_by_date,start_date,end_date,work_start,work_end,cmdb_ci";
const DELETION_FIELDS: &str = "sys_id,tablename,documentkey,display_value,sys_created_on";

/// What the head of an answer says of the rows behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rest {
    /// All rows that the query means, those included that we may not see, and those before the offset.
    total: Option<u64>,
    /// There is a next page.
    next: bool,
}

impl Rest {
    pub(super) fn of<E>(exchange: &Result<http::Response<bytes::Bytes>, E>) -> Self {
        let Ok(response) = exchange else {
            return Self::default();
        };
        let text = |name: &str| response.headers().get(name)?.to_str().ok();
        Self {
            total: text("x-total-count").and_then(|count| count.trim().parse().ok()),
            next: text("link").is_some_and(|link| link.contains("rel=\"next\"")),
        }
    }

    /// What is behind a page with so many rows. All that are counted have been given: that is the end. Of an empty page the
    /// count says whether its limit was long enough for what we may not see.
    fn behind(self, asked: &Ask, rows: usize) -> Behind {
        let reached = u64::from(asked.skip) + u64::from(asked.limit);
        match self.total {
            Some(total) if rows as u64 + u64::from(asked.skip) >= total => Behind::Nothing,
            Some(total) if rows == 0 && total <= reached && !self.next => Behind::Nothing,
            Some(_) => Behind::Something,
            None if self.next => Behind::Something,
            None => Behind::NotTold,
        }
    }
}

fn table(record_type: RecordType) -> &'static str {
    match record_type {
        RecordType::Incident => "incident",
        RecordType::ChangeRequest => "change_request",
    }
}

/// A time as a literal of the query language, which is UTC (servicenow-api §5).
fn literal(moment: Timestamp) -> String {
    let text = moment.to_string().replace('T', " ");
    text.split('.').next().unwrap_or(&text).to_owned()
}

/// The rows of a window behind a place, in order. A further condition stands in both groups: `^NQ` begins anew.
fn condition(column: &str, asked: &Ask, further: Option<&str>) -> String {
    let further = further.map(|text| format!("^{text}")).unwrap_or_default();
    let until = literal(asked.window.until);
    let rows = match &asked.after {
        None => {
            let from = literal(asked.window.from);
            format!("{column}>={from}^{column}<{until}{further}")
        }
        Some(after) => {
            let (at, id) = (literal(after.at), &after.id);
            format!("{column}>{at}^{column}<{until}{further}^NQ{column}={at}^sys_id>{id}{further}")
        }
    };
    format!("{rows}^ORDERBY{column}^ORDERBYsys_id")
}

impl ServiceNow {
    fn list(&self, stream: Stream, asked: &Ask) -> List {
        let filter = self.connection.sync.filter.as_deref();
        let changed = match asked.order {
            Order::Changed => "sys_updated_on",
            Order::Created => "sys_created_on",
        };
        let (table, fields, column, further) = match stream {
            Stream::Incident => (
                "incident",
                INCIDENT_FIELDS,
                changed,
                filter.map(str::to_owned),
            ),
            Stream::ChangeRequest => (
                "change_request",
                CHANGE_FIELDS,
                changed,
                filter.map(str::to_owned),
            ),
            Stream::Deletions => {
                let types: Vec<&str> = self
                    .connection
                    .sync
                    .record_types
                    .iter()
                    .map(|one| table(*one))
                    .collect();
                let of_types = format!("tablenameIN{}", types.join(","));
                (
                    "sys_audit_delete",
                    DELETION_FIELDS,
                    "sys_created_on",
                    Some(of_types),
                )
            }
        };
        List {
            table,
            fields: match self.connection.sync.work_notes && stream != Stream::Deletions {
                true => format!("{fields},work_notes"),
                false => fields.to_owned(),
            },
            query: condition(column, asked, further.as_deref()),
            limit: asked.limit,
            skip: asked.skip,
            shown: stream != Stream::Deletions,
        }
    }
}

fn operation(stream: Stream) -> &'static str {
    match stream {
        Stream::Incident => "read changed incidents",
        Stream::ChangeRequest => "read changed change requests",
        Stream::Deletions => "read deleted records",
    }
}

#[async_trait]
impl RecordSource for ServiceNow {
    async fn page(
        &self,
        stream: Stream,
        asked: &Ask,
        within: Duration,
    ) -> Result<RecordPage, CallFailure> {
        let operation = operation(stream);
        if asked
            .after
            .as_ref()
            .is_some_and(|after| !wire::is_key(&after.id))
        {
            let detail = "the place to go on from has an id that is no `sys_id`";
            return Err(CallFailure::new(
                "ServiceNow",
                operation,
                Effect::NotSent,
                Kind::Invalid,
                detail,
            ));
        }
        let list = self.list(stream, asked);
        match self
            .call_and_count(operation, Request::List(&list), within)
            .await?
        {
            (Answered::Record(body), rest) => reading::page(
                &body,
                stream,
                asked,
                &self.connection,
                |rows| rest.behind(asked, rows),
                operation,
            ),
            (Answered::NoRecord, _) => Err(no_table(operation)),
        }
    }

    async fn count(
        &self,
        record_type: RecordType,
        asked: &Ask,
        within: Duration,
    ) -> Result<RecordCount, CallFailure> {
        const OPERATION: &str = "count records";
        let query = condition(
            "sys_created_on",
            asked,
            self.connection.sync.filter.as_deref(),
        );
        // The order is of no use to a count.
        let query = query
            .split("^ORDERBY")
            .next()
            .unwrap_or_default()
            .to_owned();
        let counted = Counted {
            table: table(record_type),
            query,
        };
        match self
            .call(OPERATION, Request::Count(&counted), within)
            .await?
        {
            Answered::Record(body) => reading::count(&body, OPERATION),
            Answered::NoRecord => Err(no_table(OPERATION)),
        }
    }

    async fn existing(
        &self,
        record_type: RecordType,
        ids: &[String],
        within: Duration,
    ) -> Result<u64, CallFailure> {
        const OPERATION: &str = "look for records that are not listed";
        if !ids.iter().all(|id| wire::is_key(id)) {
            let detail = "an id is no `sys_id`";
            let (effect, kind) = (Effect::NotSent, Kind::Invalid);
            return Err(CallFailure::new(
                "ServiceNow",
                OPERATION,
                effect,
                kind,
                detail,
            ));
        }
        // No other condition: a record that the connection's filter leaves out now is not gone.
        let counted = Counted {
            table: table(record_type),
            query: format!("sys_idIN{}", ids.join(",")),
        };
        match self
            .call(OPERATION, Request::Count(&counted), within)
            .await?
        {
            Answered::Record(body) => Ok(reading::count(&body, OPERATION)?.records),
            Answered::NoRecord => Err(no_table(OPERATION)),
        }
    }
}

fn no_table(operation: &str) -> CallFailure {
    let detail = "the table does not exist, or the integration user may not see it";
    CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Refused,
        Kind::NotFound,
        detail,
    )
    .with_status(404)
}
