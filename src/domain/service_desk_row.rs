//! A record as a row of `ServiceDesk_CL`, under the columns that the retired connector had (itsmc-product §3.2, §3.3).
//!
//! Ours besides are `RecordKey`, `Revision`, `RunId`, `PartnerType`, `IsDeleted`, `CorrelationId` and `WorkNotes_s`. Rows may
//! come more than once: of the rows with a `RecordKey` the one with the greatest `LastModifiedDate_t` and, among those, the
//! greatest `Revision` says how the record stands.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::connection::RecordType;
use super::record::{ChangeDetails, Details, Fields, IncidentDetails, Record};
use super::table::{Column, ColumnType, Table, TableRow};
use super::text::cut_to_bytes;
use super::timestamp::Timestamp;

/// Longest text of a field, in bytes of UTF-8: Azure keeps 64 KB and drops the rest without a word (azure-platform §4.2).
pub const FIELD_BYTES_MAX: usize = 64 * 1024;

/// The columns of `ServiceDesk_CL`.
pub const COLUMNS: &[Column] = &[
    ("TimeGenerated", ColumnType::Moment),
    ("ServiceDeskConnectionName_s", ColumnType::Text),
    ("ServiceDeskWorkItemType_s", ColumnType::Text),
    ("ServiceDeskId_s", ColumnType::Text),
    ("IncidentState_s", ColumnType::Text),
    ("CRState_s", ColumnType::Text),
    ("Urgency_s", ColumnType::Text),
    ("Impact_s", ColumnType::Text),
    ("Priority_s", ColumnType::Text),
    ("Escalation_s", ColumnType::Text),
    ("CreatedBy_s", ColumnType::Text),
    ("ResolvedBy_s", ColumnType::Text),
    ("ClosedBy_s", ColumnType::Text),
    ("Source_s", ColumnType::Text),
    ("AssignedTo_s", ColumnType::Text),
    ("Type_s", ColumnType::Text),
    ("Category_s", ColumnType::Text),
    ("ConflictStatus_s", ColumnType::Text),
    ("Risk_s", ColumnType::Text),
    ("Title_s", ColumnType::Text),
    ("Description_s", ColumnType::Text),
    ("WorkNotes_s", ColumnType::Text),
    ("CreatedDate_t", ColumnType::Moment),
    ("ClosedDate_t", ColumnType::Moment),
    ("ResolvedDate_t", ColumnType::Moment),
    ("LastModifiedDate_t", ColumnType::Moment),
    ("RequestedDate_t", ColumnType::Moment),
    ("PlannedStartDate_t", ColumnType::Moment),
    ("PlannedEndDate_t", ColumnType::Moment),
    ("WorkStartDate_t", ColumnType::Moment),
    ("WorkEndDate_t", ColumnType::Moment),
    ("Computer", ColumnType::Text),
    ("RecordKey", ColumnType::Text),
    ("Revision", ColumnType::Whole),
    ("IsDeleted", ColumnType::Flag),
    ("PartnerType", ColumnType::Text),
    ("CorrelationId", ColumnType::Text),
    ("RunId", ColumnType::Text),
];

/// A record on its way into the table. What it does not have is left out, and so is null there.
#[derive(Debug, Clone, Copy)]
pub struct ServiceDeskRow<'a> {
    record: &'a Record,
    run_id: &'a str,
}

impl<'a> ServiceDeskRow<'a> {
    /// The row of a record that a run of the sync has read.
    pub fn new(record: &'a Record, run_id: &'a str) -> Self {
        Self { record, run_id }
    }
}

/// What names a record among those of all connections: `contoso/incident/<the product's key>`.
pub fn record_key(record: &Record) -> String {
    let kind = match record.record_type() {
        RecordType::Incident => "incident",
        RecordType::ChangeRequest => "change_request",
    };
    format!("{}/{kind}/{}", record.connection, record.id)
}

impl TableRow for ServiceDeskRow<'_> {
    const TABLE: Table = Table::ServiceDesk;
}

impl Serialize for ServiceDeskRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.record;
        let (type_name, incident, change) = match &record.details {
            Details::Incident(details) => ("Incident", Some(details), None),
            Details::ChangeRequest(details) => ("ChangeRequest", None, Some(details)),
        };
        Columns::of(
            record,
            &record.fields,
            type_name,
            incident,
            change,
            self.run_id,
        )
        .serialize(serializer)
    }
}

/// The row as it is written; serde keeps the order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Columns<'a> {
    time_generated: Timestamp,
    #[serde(rename = "ServiceDeskConnectionName_s")]
    connection: &'a str,
    #[serde(rename = "ServiceDeskWorkItemType_s")]
    work_item_type: &'static str,
    #[serde(rename = "ServiceDeskId_s")]
    number: Cow<'a, str>,
    #[serde(rename = "IncidentState_s", skip_serializing_if = "Option::is_none")]
    incident_state: Text<'a>,
    #[serde(rename = "CRState_s", skip_serializing_if = "Option::is_none")]
    change_state: Text<'a>,
    #[serde(rename = "Urgency_s", skip_serializing_if = "Option::is_none")]
    urgency: Text<'a>,
    #[serde(rename = "Impact_s", skip_serializing_if = "Option::is_none")]
    impact: Text<'a>,
    #[serde(rename = "Priority_s", skip_serializing_if = "Option::is_none")]
    priority: Text<'a>,
    #[serde(rename = "Escalation_s", skip_serializing_if = "Option::is_none")]
    escalation: Text<'a>,
    #[serde(rename = "CreatedBy_s", skip_serializing_if = "Option::is_none")]
    created_by: Text<'a>,
    #[serde(rename = "ResolvedBy_s", skip_serializing_if = "Option::is_none")]
    resolved_by: Text<'a>,
    #[serde(rename = "ClosedBy_s", skip_serializing_if = "Option::is_none")]
    closed_by: Text<'a>,
    #[serde(rename = "Source_s", skip_serializing_if = "Option::is_none")]
    source: Text<'a>,
    #[serde(rename = "AssignedTo_s", skip_serializing_if = "Option::is_none")]
    assigned_to: Text<'a>,
    #[serde(rename = "Type_s", skip_serializing_if = "Option::is_none")]
    kind: Text<'a>,
    #[serde(rename = "Category_s", skip_serializing_if = "Option::is_none")]
    category: Text<'a>,
    #[serde(rename = "ConflictStatus_s", skip_serializing_if = "Option::is_none")]
    conflict_status: Text<'a>,
    #[serde(rename = "Risk_s", skip_serializing_if = "Option::is_none")]
    risk: Text<'a>,
    #[serde(rename = "Title_s", skip_serializing_if = "Option::is_none")]
    title: Text<'a>,
    #[serde(rename = "Description_s", skip_serializing_if = "Option::is_none")]
    description: Text<'a>,
    #[serde(rename = "WorkNotes_s", skip_serializing_if = "Option::is_none")]
    work_notes: Text<'a>,
    #[serde(rename = "CreatedDate_t", skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(rename = "ClosedDate_t", skip_serializing_if = "Option::is_none")]
    closed: Option<Timestamp>,
    #[serde(rename = "ResolvedDate_t", skip_serializing_if = "Option::is_none")]
    resolved: Option<Timestamp>,
    #[serde(rename = "LastModifiedDate_t")]
    last_modified: Timestamp,
    #[serde(rename = "RequestedDate_t", skip_serializing_if = "Option::is_none")]
    requested: Option<Timestamp>,
    #[serde(rename = "PlannedStartDate_t", skip_serializing_if = "Option::is_none")]
    planned_start: Option<Timestamp>,
    #[serde(rename = "PlannedEndDate_t", skip_serializing_if = "Option::is_none")]
    planned_end: Option<Timestamp>,
    #[serde(rename = "WorkStartDate_t", skip_serializing_if = "Option::is_none")]
    work_start: Option<Timestamp>,
    #[serde(rename = "WorkEndDate_t", skip_serializing_if = "Option::is_none")]
    work_end: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    computer: Text<'a>,
    record_key: String,
    revision: i64,
    is_deleted: bool,
    partner_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Text<'a>,
    run_id: &'a str,
}

/// A text that fits into its column.
type Text<'a> = Option<Cow<'a, str>>;

/// An empty text is none: ServiceNow writes every empty field so.
fn fitted(text: &Option<String>) -> Text<'_> {
    let text = text.as_deref().filter(|text| !text.is_empty())?;
    Some(cut_to_bytes(text, FIELD_BYTES_MAX))
}

impl<'a> Columns<'a> {
    fn of(
        record: &'a Record,
        fields: &'a Fields,
        work_item_type: &'static str,
        incident: Option<&'a IncidentDetails>,
        change: Option<&'a ChangeDetails>,
        run_id: &'a str,
    ) -> Self {
        let state = fitted(&fields.state);
        let (incident_state, change_state) = match change {
            None => (state, None),
            Some(_) => (None, state),
        };
        Self {
            time_generated: record.changed_at,
            connection: record.connection.as_str(),
            work_item_type,
            number: cut_to_bytes(&record.number, FIELD_BYTES_MAX),
            incident_state,
            change_state,
            urgency: fitted(&fields.urgency),
            impact: fitted(&fields.impact),
            priority: fitted(&fields.priority),
            escalation: fitted(&fields.escalation),
            created_by: fitted(&fields.created_by),
            resolved_by: incident.and_then(|its| fitted(&its.resolved_by)),
            closed_by: fitted(&fields.closed_by),
            source: fitted(&fields.source),
            assigned_to: fitted(&fields.assigned_to),
            kind: change.and_then(|its| fitted(&its.kind)),
            category: fitted(&fields.category),
            conflict_status: change.and_then(|its| fitted(&its.conflict_status)),
            risk: change.and_then(|its| fitted(&its.risk)),
            title: fitted(&fields.title),
            description: fitted(&fields.description),
            work_notes: fitted(&fields.work_notes),
            created: fields.created_at,
            closed: fields.closed_at,
            resolved: incident.and_then(|its| its.resolved_at),
            last_modified: record.changed_at,
            requested: change.and_then(|its| its.requested_at),
            planned_start: change.and_then(|its| its.planned_start),
            planned_end: change.and_then(|its| its.planned_end),
            work_start: change.and_then(|its| its.work_start),
            work_end: change.and_then(|its| its.work_end),
            computer: fitted(&fields.computer),
            record_key: record_key(record),
            revision: record.revision,
            is_deleted: record.is_deleted,
            partner_type: record.partner_type.as_str(),
            correlation_id: fitted(&record.correlation_id),
            run_id,
        }
    }
}

#[cfg(test)]
mod tests;
