//! What the connector has to say of itself, as a row of `ServiceDeskLog_CL`: the retired connector's nine categories of errors
//! (itsmc-product §5.3) and information.
//!
//! Of that table's columns `LogType_s` is all that was published; error rows say `ERROR` there.

mod announced;
pub mod notice;

use serde::{Deserialize, Serialize};

use super::connection::{PartnerType, RecordType};
use super::failure::{CallFailure, Kind};
use super::identity::LogKey;
use super::name::ConnectionName;
use super::table::{Column, ColumnType, Table, TableRow};
use super::timestamp::Timestamp;

/// The columns of `ServiceDeskLog_CL`.
pub const COLUMNS: &[Column] = &[
    ("TimeGenerated", ColumnType::Moment),
    ("LogType_s", ColumnType::Text),
    ("ServiceDeskConnectionName_s", ColumnType::Text),
    ("ServiceDeskWorkItemType_s", ColumnType::Text),
    ("Category", ColumnType::Text),
    ("Code", ColumnType::Text),
    ("Message", ColumnType::Text),
    ("Hint", ColumnType::Text),
    ("Status", ColumnType::Whole),
    ("Reference", ColumnType::Text),
    ("Records", ColumnType::Whole),
    ("SyncedUntil", ColumnType::Moment),
    ("ExpiresAt", ColumnType::Moment),
    ("LoggedAt", ColumnType::Moment),
    ("LogKey", ColumnType::Text),
    ("PartnerType", ColumnType::Text),
    ("RunId", ColumnType::Text),
];

/// Good news or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogType {
    /// Bad.
    Error,
    /// Good, or neither.
    Info,
}

/// The retired connector's categories of errors, by the names of its page of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Category {
    /// The product answered, and with something else.
    #[serde(rename = "Unexpected response")]
    UnexpectedResponse,
    /// The rights of the integration user do not reach.
    #[serde(rename = "Exception update failure")]
    ExceptionUpdateFailure,
    /// Nobody is there, or nobody who could answer.
    #[serde(rename = "Problem sending a request")]
    ProblemSendingARequest,
    /// Too many calls. Its name is ServiceNow's also where the product is another.
    #[serde(rename = "ServiceNow rate problem")]
    RateProblem,
    /// A person must log in again.
    #[serde(rename = "Invalid refresh token")]
    InvalidRefreshToken,
    /// The connection is not there.
    #[serde(rename = "Missing connector")]
    MissingConnector,
    /// The connection is there and cannot be used.
    #[serde(rename = "Lack of connection details")]
    LackOfConnectionDetails,
    /// An address may not be called, or not from here.
    #[serde(rename = "IP restrictions")]
    IpRestrictions,
    /// Token or credentials are refused.
    #[serde(rename = "Authentication")]
    Authentication,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::UnexpectedResponse,
        Self::ExceptionUpdateFailure,
        Self::ProblemSendingARequest,
        Self::RateProblem,
        Self::InvalidRefreshToken,
        Self::MissingConnector,
        Self::LackOfConnectionDetails,
        Self::IpRestrictions,
        Self::Authentication,
    ];

    /// The category of a failed call. That a refresh token is over and that a connection is not there are known without one.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Unreachable
            | Kind::TimedOut
            | Kind::ConnectionLost
            | Kind::Maintenance
            | Kind::Hibernating
            | Kind::Unavailable => Self::ProblemSendingARequest,
            Kind::Forbidden => Self::IpRestrictions,
            Kind::RateLimited | Kind::Busy => Self::RateProblem,
            Kind::Unauthorized | Kind::RefreshWanted => Self::Authentication,
            Kind::NoRights => Self::ExceptionUpdateFailure,
            Kind::NotFound | Kind::Invalid | Kind::Undecodable | Kind::TooLong | Kind::Foreign => {
                Self::UnexpectedResponse
            }
            Kind::Unusable => Self::LackOfConnectionDetails,
        }
    }
}

/// One thing that the connector has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// When it was so.
    pub at: Timestamp,
    /// Error or information.
    pub log_type: LogType,
    /// Of an error, which of the nine.
    pub category: Option<Category>,
    /// Our own name for it, as in the logs: `sync_finished`, `rate_limited`. Queries ask for it.
    pub code: String,
    /// What happened, in our own words.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The product's own id of the call.
    pub reference: Option<String>,
    /// Of which connection, and its product where that is known.
    pub connection: Option<(ConnectionName, Option<PartnerType>)>,
    /// Of which kind of record, if it is about one.
    pub record_type: Option<RecordType>,
    /// How many records it is about.
    pub records: Option<u64>,
    /// Up to which change of a record the table is complete.
    pub synced_until: Option<Timestamp>,
    /// When the connection's login is over.
    pub expires_at: Option<Timestamp>,
    /// In which run.
    pub run_id: String,
}

impl LogRow {
    /// Information.
    pub fn info(at: Timestamp, code: &str, message: impl Into<String>, run_id: &str) -> Self {
        Self {
            at,
            log_type: LogType::Info,
            category: None,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
            status: None,
            reference: None,
            connection: None,
            record_type: None,
            records: None,
            synced_until: None,
            expires_at: None,
            run_id: run_id.to_owned(),
        }
    }

    /// An error.
    pub fn error(
        at: Timestamp,
        category: Category,
        code: &str,
        message: impl Into<String>,
        hint: &str,
        run_id: &str,
    ) -> Self {
        Self {
            log_type: LogType::Error,
            category: Some(category),
            hint: Some(hint.to_owned()),
            ..Self::info(at, code, message, run_id)
        }
    }

    /// A call that did not succeed.
    pub fn of_failure(at: Timestamp, failure: &CallFailure, run_id: &str) -> Self {
        let category = Category::of(failure.kind);
        let code = code(failure.kind);
        let hint = failure.hint();
        Self {
            status: failure.status,
            reference: failure.reference.as_deref().map(str::to_owned),
            ..Self::error(at, category, code, failure.to_string(), hint, run_id)
        }
    }

    /// The same, of a connection.
    #[must_use]
    pub fn about(mut self, name: &ConnectionName, partner_type: PartnerType) -> Self {
        self.hint = self.hint.map(|hint| hint.replace("NAME", name.as_str()));
        self.connection = Some((name.clone(), Some(partner_type)));
        self
    }

    /// What tells it from every other: the same event has the same key however often its row is sent.
    pub fn key(&self) -> LogKey {
        let connection = self.connection.as_ref().map(|(name, _)| name.as_str());
        let kind = self.record_type.map(work_item_type);
        LogKey::new(&[
            &self.run_id,
            &self.at.to_string(),
            &self.code,
            connection.unwrap_or_default(),
            kind.unwrap_or_default(),
            &self.message,
        ])
    }
}

/// Our own name for a kind of failure; what it is in our logs and objects too.
fn code(kind: Kind) -> &'static str {
    match kind {
        Kind::Unreachable => "unreachable",
        Kind::Forbidden => "forbidden",
        Kind::TimedOut => "timed_out",
        Kind::ConnectionLost => "connection_lost",
        Kind::RateLimited => "rate_limited",
        Kind::Busy => "busy",
        Kind::Unauthorized => "unauthorized",
        Kind::RefreshWanted => "refresh_wanted",
        Kind::NoRights => "no_rights",
        Kind::NotFound => "not_found",
        Kind::Invalid => "invalid",
        Kind::Maintenance => "maintenance",
        Kind::Hibernating => "hibernating",
        Kind::Unavailable => "unavailable",
        Kind::Undecodable => "undecodable",
        Kind::TooLong => "too_long",
        Kind::Foreign => "foreign",
        Kind::Unusable => "unusable",
    }
}

fn work_item_type(kind: RecordType) -> &'static str {
    match kind {
        RecordType::Incident => "Incident",
        RecordType::ChangeRequest => "ChangeRequest",
    }
}

impl TableRow for LogRow {
    const TABLE: Table = Table::ServiceDeskLog;
}

impl Serialize for LogRow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Columns {
            time_generated: self.at,
            log_type: self.log_type,
            connection: self.connection.as_ref().map(|(name, _)| name.as_str()),
            work_item_type: self.record_type.map(work_item_type),
            category: self.category,
            code: &self.code,
            message: &self.message,
            hint: self.hint.as_deref(),
            status: self.status,
            reference: self.reference.as_deref(),
            records: self.records,
            synced_until: self.synced_until,
            expires_at: self.expires_at,
            logged_at: self.at,
            log_key: self.key(),
            partner_type: self
                .connection
                .as_ref()
                .and_then(|(_, partner)| Some((*partner)?.as_str())),
            run_id: &self.run_id,
        }
        .serialize(serializer)
    }
}

/// The row as it is written; serde keeps the order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Columns<'a> {
    time_generated: Timestamp,
    #[serde(rename = "LogType_s")]
    log_type: LogType,
    #[serde(
        rename = "ServiceDeskConnectionName_s",
        skip_serializing_if = "Option::is_none"
    )]
    connection: Option<&'a str>,
    #[serde(
        rename = "ServiceDeskWorkItemType_s",
        skip_serializing_if = "Option::is_none"
    )]
    work_item_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<Category>,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synced_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    /// Azure replaces a `TimeGenerated` of two days ago; this stays.
    logged_at: Timestamp,
    log_key: LogKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner_type: Option<&'static str>,
    run_id: &'a str,
}

#[cfg(test)]
mod tests;
