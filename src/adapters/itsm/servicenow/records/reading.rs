//! From the JSON of a list to records. It is total: what cannot be read of a row costs that row at most.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::wire;
use super::cells::Cell;
use crate::domain::connection::{Connection, PartnerType, RecordType};
use crate::domain::failure::CallFailure;
use crate::domain::record::{
    ChangeDetails, Details, Fields, IncidentDetails, REVISION_OF_A_DELETION, Record,
};
use crate::domain::sync_window::{
    Ask, Behind, Order, Position, RecordCount, RecordPage, RecordRead, Stream, Unreadable,
};

/// A row with the fields of all that is asked for; what a table does not have is empty.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Row<'a> {
    #[serde(borrow)]
    sys_id: Cell<'a>,
    number: Cell<'a>,
    sys_updated_on: Cell<'a>,
    sys_created_on: Cell<'a>,
    sys_mod_count: Cell<'a>,
    correlation_id: Cell<'a>,
    state: Cell<'a>,
    urgency: Cell<'a>,
    impact: Cell<'a>,
    priority: Cell<'a>,
    escalation: Cell<'a>,
    opened_by: Cell<'a>,
    requested_by: Cell<'a>,
    resolved_by: Cell<'a>,
    closed_by: Cell<'a>,
    contact_type: Cell<'a>,
    assigned_to: Cell<'a>,
    category: Cell<'a>,
    r#type: Cell<'a>,
    risk: Cell<'a>,
    conflict_status: Cell<'a>,
    short_description: Cell<'a>,
    description: Cell<'a>,
    work_notes: Cell<'a>,
    opened_at: Cell<'a>,
    closed_at: Cell<'a>,
    resolved_at: Cell<'a>,
    requested_by_date: Cell<'a>,
    start_date: Cell<'a>,
    end_date: Cell<'a>,
    work_start: Cell<'a>,
    work_end: Cell<'a>,
    cmdb_ci: Cell<'a>,
    tablename: Cell<'a>,
    documentkey: Cell<'a>,
    display_value: Cell<'a>,
}

#[derive(Deserialize)]
struct Rows<'a> {
    #[serde(borrow)]
    result: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct RawRows<'a> {
    #[serde(borrow)]
    result: Vec<&'a RawValue>,
}

/// Where a page stands, and what made it fail.
struct Reading<'a> {
    stream: Stream,
    asked: &'a Ask,
    connection: &'a Connection,
    page: RecordPage,
    /// A row from before the place that was asked for.
    came_before: bool,
    is_unordered: bool,
}

/// The page in an answer.
pub(super) fn page(
    body: &[u8],
    stream: Stream,
    asked: &Ask,
    connection: &Connection,
    behind: impl FnOnce(usize) -> Behind,
    operation: &str,
) -> Result<RecordPage, CallFailure> {
    let mut reading = Reading {
        stream,
        asked,
        connection,
        page: RecordPage {
            records: Vec::new(),
            unreadable: Vec::new(),
            rows: 0,
            behind: Behind::NotTold,
        },
        came_before: false,
        is_unordered: false,
    };
    match wire::read::<Rows<'_>>(body, operation) {
        Ok(rows) => {
            reading.page.records.reserve_exact(rows.result.len());
            rows.result.into_iter().for_each(|row| reading.take(row));
        }
        // A row that is no object: the others are read one by one.
        Err(_) => {
            for raw in wire::read::<RawRows<'_>>(body, operation)?.result {
                match serde_json::from_str::<Row<'_>>(raw.get()) {
                    Ok(row) => reading.take(row),
                    Err(_) => reading.put_aside(None, "", "the row is no object of fields"),
                }
            }
        }
    }
    if reading.is_unordered {
        let detail = "the rows are not in the order that was asked for";
        return Err(wire::undecodable(operation, detail));
    }
    if reading.came_before && reading.page.records.is_empty() {
        let detail = "the page holds only rows from before it: a page that was given already, or a condition that the instance does not know";
        return Err(wire::undecodable(operation, detail));
    }
    reading.page.behind = behind(reading.page.rows);
    Ok(reading.page)
}

impl Reading<'_> {
    fn put_aside(&mut self, id: Option<String>, field: &str, reason: &'static str) {
        let dot = if field.is_empty() { "" } else { "." };
        let path = format!("result[{}]{dot}{field}", self.page.rows);
        self.page.rows += 1;
        self.page.unreadable.push(Unreadable { id, path, reason });
    }

    fn take(&mut self, row: Row<'_>) {
        let id = row.sys_id.value();
        if !wire::is_key(id) {
            return self.put_aside(None, "sys_id", "the row has no valid `sys_id`");
        }
        let (column, cell) = match (self.stream, self.asked.order) {
            (Stream::Deletions, _) | (_, Order::Created) => ("sys_created_on", &row.sys_created_on),
            (_, Order::Changed) => ("sys_updated_on", &row.sys_updated_on),
        };
        let Some(at) = cell.time() else {
            let reason = "no time in the form `2026-03-01 10:00:00`";
            return self.put_aside(Some(id.to_owned()), column, reason);
        };
        let position = Position {
            at,
            id: id.to_owned(),
        };
        if !self.belongs(&position) {
            self.page.rows += 1;
            return;
        }
        // The page of deletes has a time of that name too: that of the delete.
        let made_at = match self.stream {
            Stream::Deletions => None,
            _ => row.sys_created_on.time(),
        };
        let record = match self.stream.record_type() {
            Some(record_type) => record(row, record_type, self.connection),
            None => deletion(row, &position, self.connection),
        };
        match record {
            Ok(record) => {
                self.page.rows += 1;
                self.page.records.push(RecordRead {
                    position,
                    made_at,
                    record,
                });
            }
            Err((field, reason)) => self.put_aside(Some(position.id), field, reason),
        }
    }

    /// A record that was changed while it was read stands behind the window, and comes again with the next one. One from
    /// before the place shows that the page does not go on from there.
    fn belongs(&mut self, position: &Position) -> bool {
        let before = match &self.asked.after {
            Some(after) => position <= after,
            None => position.at < self.asked.window.from,
        };
        if before {
            self.came_before = true;
            return false;
        }
        if position.at >= self.asked.window.until {
            return false;
        }
        if let Some(last) = self.page.records.last() {
            self.is_unordered |= *position <= last.position;
        }
        true
    }
}

/// A field that a record must have, and why it could not be read.
type Missing = (&'static str, &'static str);

fn record(
    row: Row<'_>,
    record_type: RecordType,
    connection: &Connection,
) -> Result<Record, Missing> {
    let number = row.number.value();
    if number.is_empty() {
        return Err(("number", "the record has no number"));
    }
    let changed_at = row.sys_updated_on.time();
    let changed_at = changed_at.ok_or((
        "sys_updated_on",
        "no time in the form `2026-03-01 10:00:00`",
    ))?;
    let revision = row.sys_mod_count.value().parse::<i64>();
    let revision = revision.map_err(|_| ("sys_mod_count", "no whole number"))?;
    let (created_by, details) = match record_type {
        RecordType::Incident => (
            row.opened_by,
            Details::Incident(IncidentDetails {
                resolved_by: row.resolved_by.text(),
                resolved_at: row.resolved_at.time(),
            }),
        ),
        RecordType::ChangeRequest => (
            row.requested_by,
            Details::ChangeRequest(ChangeDetails {
                kind: row.r#type.text(),
                conflict_status: row.conflict_status.text(),
                risk: row.risk.text(),
                requested_at: row.requested_by_date.time(),
                planned_start: row.start_date.time(),
                planned_end: row.end_date.time(),
                work_start: row.work_start.time(),
                work_end: row.work_end.time(),
            }),
        ),
    };
    Ok(Record {
        connection: connection.name.clone(),
        partner_type: PartnerType::Servicenow,
        id: row.sys_id.value().to_owned(),
        number: number.to_owned(),
        changed_at,
        revision,
        is_deleted: false,
        correlation_id: row.correlation_id.text(),
        fields: Fields {
            state: row.state.text(),
            urgency: row.urgency.text(),
            impact: row.impact.text(),
            priority: row.priority.text(),
            escalation: row.escalation.text(),
            created_by: created_by.text(),
            closed_by: row.closed_by.text(),
            source: row.contact_type.text(),
            assigned_to: row.assigned_to.text(),
            category: row.category.text(),
            title: row.short_description.text(),
            description: row.description.text(),
            work_notes: row.work_notes.text(),
            computer: row.cmdb_ci.text(),
            created_at: row.opened_at.time(),
            closed_at: row.closed_at.time(),
        },
        details,
    })
}

/// A row of `sys_audit_delete`: the record's key is `documentkey`, and the table its real class.
fn deletion(row: Row<'_>, position: &Position, connection: &Connection) -> Result<Record, Missing> {
    let record_type = match row.tablename.value() {
        "incident" => RecordType::Incident,
        "change_request" => RecordType::ChangeRequest,
        _ => return Err(("tablename", "another table than was asked for")),
    };
    let id = row.documentkey.value();
    if !wire::is_key(id) {
        return Err(("documentkey", "no valid `sys_id`"));
    }
    Ok(Record {
        connection: connection.name.clone(),
        partner_type: PartnerType::Servicenow,
        id: id.to_owned(),
        number: row.display_value.value().to_owned(),
        changed_at: position.at,
        revision: REVISION_OF_A_DELETION,
        is_deleted: true,
        correlation_id: None,
        fields: Fields::default(),
        details: Details::empty(record_type),
    })
}

#[derive(Deserialize)]
struct Stats<'a> {
    #[serde(borrow)]
    result: StatsResult<'a>,
}

#[derive(Deserialize)]
struct StatsResult<'a> {
    #[serde(borrow)]
    stats: Figures<'a>,
}

#[derive(Deserialize)]
struct Figures<'a> {
    #[serde(borrow)]
    count: Cow<'a, str>,
    #[serde(borrow, default)]
    sum: Sums<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sums<'a> {
    #[serde(borrow)]
    sys_mod_count: Cell<'a>,
}

/// The figures in an answer of the Aggregate API: all are texts (servicenow-api §4).
pub(super) fn count(body: &[u8], operation: &str) -> Result<RecordCount, CallFailure> {
    let figures = wire::read::<Stats<'_>>(body, operation)?.result.stats;
    let records = figures.count.parse();
    let records =
        records.map_err(|_| wire::undecodable(operation, "the count is no whole number"))?;
    let revisions = figures.sum.sys_mod_count.value().parse().ok();
    Ok(RecordCount { records, revisions })
}
