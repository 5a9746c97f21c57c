//! What a function without a way to Log Analytics has to say there: it is left in the state, and the next sync takes it along.

use serde::{Deserialize, Serialize};

use super::{Category, LogRow, code};
use crate::domain::connection::PartnerType;
use crate::domain::failure::CallFailure;
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;

/// Of a connection and a code one notice is kept an hour: what fails for every alert must not become an object per alert.
const EVERY_MS: i64 = 60 * 60 * 1000;

/// An error that is to become a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When it was so.
    pub at: Timestamp,
    /// Of which connection.
    pub connection: ConnectionName,
    /// Its product, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub partner_type: Option<PartnerType>,
    /// Which of the nine.
    pub category: Category,
    /// Our own name for it.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The HTTP status, where there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// The product's own id of the call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<String>,
}

impl Notice {
    /// There is no such connection, and somebody asks for it.
    pub fn missing(at: Timestamp, connection: &ConnectionName) -> Self {
        Self {
            at,
            connection: connection.clone(),
            partner_type: None,
            category: Category::MissingConnector,
            code: "missing_connector".to_owned(),
            message: format!(
                "there is no connection `{connection}`; alerts for it are refused, records of it not read"
            ),
            hint: format!(
                "`itsmc connection add {connection}` makes one; or take its address out of the action groups and out of `ITSMC_CONNECTIONS`"
            ),
            status: None,
            reference: None,
        }
    }

    /// The connection is there, and nothing can be done with it.
    pub fn unusable(
        at: Timestamp,
        connection: &ConnectionName,
        partner_type: Option<PartnerType>,
        failure: &CallFailure,
    ) -> Self {
        Self::of(at, connection, partner_type, failure, code(failure.kind))
    }

    /// An alert was given up.
    pub fn given_up(
        at: Timestamp,
        connection: &ConnectionName,
        partner_type: Option<PartnerType>,
        failure: &CallFailure,
    ) -> Self {
        let named = format!("given_up_{}", code(failure.kind));
        let notice = Self::of(at, connection, partner_type, failure, &named);
        Self {
            message: format!("an alert was given up: {failure}"),
            hint: format!(
                "{}; `itsmc dead list {connection}` shows what was given up, `itsmc dead redrive` tries it again",
                notice.hint
            ),
            ..notice
        }
    }

    fn of(
        at: Timestamp,
        connection: &ConnectionName,
        partner_type: Option<PartnerType>,
        failure: &CallFailure,
        code: &str,
    ) -> Self {
        Self {
            at,
            connection: connection.clone(),
            partner_type,
            category: Category::of(failure.kind),
            code: code.to_owned(),
            message: failure.to_string(),
            hint: failure.hint().replace("NAME", connection.as_str()),
            status: failure.status,
            reference: failure.reference.as_deref().map(str::to_owned),
        }
    }

    /// What it is kept under: the same within the hour.
    pub fn name(&self) -> String {
        let hour = self.at.as_millis().div_euclid(EVERY_MS);
        format!("{}.{}.{hour}", self.connection, self.code)
    }

    /// Its row. However often it is sent, it has the same key.
    pub fn row(&self) -> LogRow {
        let row = LogRow::error(
            self.at,
            self.category,
            &self.code,
            &self.message,
            &self.hint,
            &self.name(),
        );
        LogRow {
            status: self.status,
            reference: self.reference.clone(),
            connection: Some((self.connection.clone(), self.partner_type)),
            ..row
        }
    }
}
