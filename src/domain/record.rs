//! A record: an incident or a change request as it stands in the ITSM product, read back by the sync.
//!
//! Texts are what people see there (display values), moments are UTC; what the product does not have is `None`.

use super::connection::{PartnerType, RecordType};
use super::name::ConnectionName;
use super::timestamp::Timestamp;

/// The revision of a record that was deleted: after every other of the same moment.
pub const REVISION_OF_A_DELETION: i64 = i64::MAX;

/// One state of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub connection: ConnectionName,
    /// The product.
    pub partner_type: PartnerType,
    /// The product's own key of it (ServiceNow: `sys_id`).
    pub id: String,
    /// The number that people use.
    pub number: String,
    /// When it came to stand so; of a deletion, when that was.
    pub changed_at: Timestamp,
    /// Which of the states of one moment is the later (ServiceNow: `sys_mod_count`); of a deletion
    /// [`REVISION_OF_A_DELETION`]. A state is known by the record's id, `changed_at` and this.
    pub revision: i64,
    /// True if the product has it no more.
    pub is_deleted: bool,
    /// What the product's field for it says, ours or another's.
    pub correlation_id: Option<String>,
    /// What both kinds have.
    pub fields: Fields,
    /// What one of them has, and so which it is.
    pub details: Details,
}

/// The fields of every record (itsmc-product §3.2 and §3.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Where it stands.
    pub state: Option<String>,
    /// How soon something must be done.
    pub urgency: Option<String>,
    /// How much is affected.
    pub impact: Option<String>,
    /// What follows from both.
    pub priority: Option<String>,
    /// How far up it has gone.
    pub escalation: Option<String>,
    /// Who opened the incident, or requested the change.
    pub created_by: Option<String>,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// By which way it came.
    pub source: Option<String>,
    /// Who works on it.
    pub assigned_to: Option<String>,
    /// What it is about, in the product's own classes.
    pub category: Option<String>,
    /// One line.
    pub title: Option<String>,
    /// The whole text.
    pub description: Option<String>,
    /// The notes of those who work on it, where the connection asks for them.
    pub work_notes: Option<String>,
    /// The configuration item, by its name.
    pub computer: Option<String>,
    /// When it was opened.
    pub created_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// What only one kind of record has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Details {
    /// An incident's.
    Incident(IncidentDetails),
    /// A change request's.
    ChangeRequest(ChangeDetails),
}

/// What only an incident has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentDetails {
    /// Who resolved it.
    pub resolved_by: Option<String>,
    /// When.
    pub resolved_at: Option<Timestamp>,
}

/// What only a change request has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeDetails {
    /// Standard, normal, emergency, in the product's words.
    pub kind: Option<String>,
    /// Whether it meets with others.
    pub conflict_status: Option<String>,
    /// How much may go wrong.
    pub risk: Option<String>,
    /// By when it is wanted.
    pub requested_at: Option<Timestamp>,
    /// When it shall begin.
    pub planned_start: Option<Timestamp>,
    /// When it shall end.
    pub planned_end: Option<Timestamp>,
    /// When it began.
    pub work_start: Option<Timestamp>,
    /// When it ended.
    pub work_end: Option<Timestamp>,
}

impl Record {
    /// Which kind it is.
    pub fn record_type(&self) -> RecordType {
        match self.details {
            Details::Incident(_) => RecordType::Incident,
            Details::ChangeRequest(_) => RecordType::ChangeRequest,
        }
    }
}

impl Details {
    /// Those of a kind, with nothing in them.
    pub fn empty(kind: RecordType) -> Self {
        match kind {
            RecordType::Incident => Self::Incident(IncidentDetails::default()),
            RecordType::ChangeRequest => Self::ChangeRequest(ChangeDetails::default()),
        }
    }
}
