//! The JSON of the Table API: what we send, and what of an answer is believed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::connection::Connection;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::text;
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{
    Change, NewWorkItem, Standing, WorkItemRef, WorkItemSeen, WorkItemType,
};

/// Lengths of the incident table's fields (servicenow-api §8), in UTF-16 units: the product is written in Java.
const SHORT_DESCRIPTION_LENGTH_MAX: usize = 160;
const DESCRIPTION_LENGTH_MAX: usize = 4000;
const CLOSE_NOTES_LENGTH_MAX: usize = 4000;

/// How an incident was solved, unless the action says otherwise. The choices differ by release and customer; this one
/// is in today's.
const CLOSE_CODE: &str = "Solution provided";
const CLOSE_CODE_DUPLICATE: &str = "Duplicate";

const STATE_IN_PROGRESS: &str = "2";
const STATE_RESOLVED: &str = "6";
const STATE_CLOSED: &str = "7";
const STATE_CANCELLED: &str = "8";

/// The body of an insert.
pub(super) fn new_incident(item: &NewWorkItem) -> Vec<u8> {
    serde_json::to_vec(&new_incident_fields(item)).unwrap_or_default()
}

/// The fields of a new incident. `priority` is not sent: it is computed from impact and urgency.
pub(super) fn new_incident_fields(item: &NewWorkItem) -> BTreeMap<&str, String> {
    let mut fields: BTreeMap<&str, String> = item
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    fields.insert("sys_id", item.key.as_str().to_owned());
    fields.insert("correlation_id", item.correlation.to_string());
    fields.insert("correlation_display", "Azure Monitor".to_owned());
    let title = fields.remove("short_description");
    let title = title.as_deref().unwrap_or(&item.title);
    fields.insert(
        "short_description",
        text::cut(&text::one_line(title), SHORT_DESCRIPTION_LENGTH_MAX),
    );
    let description = fields.remove("description");
    let description = description.as_deref().unwrap_or(&item.description);
    fields.insert("description", with_notes(description, &item.notes));
    fields
        .entry("impact")
        .or_insert_with(|| item.impact.as_number().to_string());
    fields
        .entry("urgency")
        .or_insert_with(|| item.urgency.as_number().to_string());
    if let Some(change) = &item.over {
        fields.extend(changes(change));
    }
    fields
}

/// The description, cut so that the notes have room under it.
fn with_notes(description: &str, notes: &[String]) -> String {
    let told: String = notes.iter().map(|note| format!("\nNote: {note}")).collect();
    let told = text::cut(&told, DESCRIPTION_LENGTH_MAX / 2);
    let room = DESCRIPTION_LENGTH_MAX - text::length(&told);
    text::cut_and_count(description, room) + &told
}

/// The body of an update. Only what changes is sent, so that what people wrote stays.
pub(super) fn changed(change: &Change) -> Vec<u8> {
    serde_json::to_vec(&changes(change)).unwrap_or_default()
}

/// What a change sets.
pub(super) fn changes(change: &Change) -> BTreeMap<&'static str, String> {
    let solved = |state: &str, code: Option<&str>, default: &str, note: &str| {
        BTreeMap::from([
            ("state", state.to_owned()),
            ("close_code", code.unwrap_or(default).to_owned()),
            (
                "close_notes",
                text::cut_and_count(note, CLOSE_NOTES_LENGTH_MAX),
            ),
        ])
    };
    match change {
        Change::Comment { note } => BTreeMap::from([("work_notes", note.clone())]),
        // Events are told of in `events.rs`; for an incident it is a note.
        Change::Tell { note, .. } => BTreeMap::from([("work_notes", note.clone())]),
        Change::Reopen { note } => BTreeMap::from([
            ("state", STATE_IN_PROGRESS.to_owned()),
            ("work_notes", note.clone()),
        ]),
        Change::Resolve { note, code } => solved(STATE_RESOLVED, code.as_deref(), CLOSE_CODE, note),
        Change::Close { note, code } => solved(STATE_CLOSED, code.as_deref(), CLOSE_CODE, note),
        // Closing for good needs `itil_admin`; resolved ones close by themselves.
        Change::CloseAsDuplicate { of } => solved(
            STATE_RESOLVED,
            None,
            CLOSE_CODE_DUPLICATE,
            &format!("Duplicate of {of}."),
        ),
    }
}

/// The operation's name in errors and logs.
pub(super) fn change_name(change: &Change) -> &'static str {
    match change {
        Change::Comment { .. } => "comment on incident",
        Change::Reopen { .. } => "reopen incident",
        Change::Resolve { .. } => "resolve incident",
        Change::Tell { is_over: false, .. } => "send event again",
        Change::Tell { is_over: true, .. } => "send clearing event",
        Change::Close { .. } => "close incident",
        Change::CloseAsDuplicate { .. } => "close incident as duplicate",
    }
}

/// An update whose answer shows the old state was kept back by a rule of the instance.
pub(super) fn took_effect(
    change: &Change,
    seen: &WorkItemSeen,
    operation: &str,
) -> Result<(), CallFailure> {
    let as_asked = match change {
        Change::Comment { .. } | Change::Tell { .. } => true,
        Change::Reopen { .. } => seen.standing == Standing::Open,
        _ => seen.standing != Standing::Open,
    };
    if as_asked {
        return Ok(());
    }
    let detail = "the instance accepted the request and kept the incident's state; a business rule or a missing mandatory field is the usual reason";
    Err(CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Refused,
        Kind::Invalid,
        detail,
    ))
}

/// The answer is about another record.
pub(super) fn foreign(operation: &str) -> CallFailure {
    let detail =
        "the answer is about another record than ours, or the correlation id is not readable";
    CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Unknown,
        Kind::Foreign,
        detail,
    )
}

#[derive(Deserialize)]
struct One {
    result: Option<Record>,
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Many {
    result: Option<Vec<Record>>,
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    sys_id: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    correlation_id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    sys_created_on: String,
}

/// One record of an answer.
pub(super) fn one(
    body: &[u8],
    operation: &str,
    connection: &Connection,
) -> Result<WorkItemSeen, CallFailure> {
    let answer: One = read(body, operation)?;
    match answer {
        One {
            result: Some(record),
            error: None,
        } => seen(record, operation, connection),
        _ => Err(undecodable(
            operation,
            "the answer holds an error or no record",
        )),
    }
}

/// The records of an answer, in its order.
pub(super) fn many(
    body: &[u8],
    operation: &str,
    connection: &Connection,
) -> Result<Vec<WorkItemSeen>, CallFailure> {
    let answer: Many = read(body, operation)?;
    match answer {
        Many {
            result: Some(records),
            error: None,
        } => records
            .into_iter()
            .map(|record| seen(record, operation, connection))
            .collect(),
        _ => Err(undecodable(
            operation,
            "the answer holds an error or no list",
        )),
    }
}

pub(super) fn read<'a, T: Deserialize<'a>>(
    body: &'a [u8],
    operation: &str,
) -> Result<T, CallFailure> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|_| {
        undecodable(
            operation,
            "the answer is broken off, or no JSON of the Table API",
        )
    })
}

pub(super) fn undecodable(operation: &str, detail: &str) -> CallFailure {
    CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Unknown,
        Kind::Undecodable,
        detail,
    )
}

/// True for what may be an incident's number. It goes into queries, which have no way to escape anything.
pub(super) fn is_number(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text::for_query(text).is_some()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// True for what may be a record's `sys_id`.
pub(super) fn is_key(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// An incident, and where a person opens it.
pub(super) fn incident(id: String, number: String, connection: &Connection) -> WorkItemRef {
    let url = connection.server.join("/incident.do");
    WorkItemRef {
        work_item_type: WorkItemType::Incident,
        number,
        url: format!("{url}?sys_id={id}"),
        id,
    }
}

fn seen(
    record: Record,
    operation: &str,
    connection: &Connection,
) -> Result<WorkItemSeen, CallFailure> {
    if !is_key(&record.sys_id) || !is_number(&record.number) {
        return Err(undecodable(
            operation,
            "the answer's record has no valid `sys_id` or `number`",
        ));
    }
    Ok(WorkItemSeen {
        item: incident(record.sys_id, record.number, connection),
        correlation: (!record.correlation_id.is_empty()).then_some(record.correlation_id),
        standing: match record.state.as_str() {
            STATE_RESOLVED => Standing::Resolved,
            STATE_CLOSED | STATE_CANCELLED => Standing::Closed,
            _ => Standing::Open,
        },
        created_at: Timestamp::parse_lenient(&record.sys_created_on.replace(' ', "T")),
    })
}
