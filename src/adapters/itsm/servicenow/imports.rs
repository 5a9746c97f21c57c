//! Incidents by the Import Set API: a row in a staging table of the customer's, of which transform maps make or change an
//! incident in the same call (servicenow-api §11).
//!
//! A 201 says nothing: each map has a status of its own in it. Which incident a row is about is decided by the map's
//! coalesce field, which must be the correlation id.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::request::Request;
use super::{Answered, ServiceNow, wire};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::identity::CorrelationId;
use crate::domain::work_item::{
    Change, NewWorkItem, Standing, WorkItemRef, WorkItemSeen, WorkItemType,
};
use crate::ports::ItsmProduct as _;

/// The table that maps must lead to.
const TARGET: &str = "incident";

impl ServiceNow {
    /// Puts a row for a new incident into the staging table.
    pub(super) async fn import_new(
        &self,
        staging_table: &str,
        item: &NewWorkItem,
        within: Duration,
    ) -> Result<WorkItemSeen, CallFailure> {
        const OPERATION: &str = "import incident";
        let ends_at = self.clock.monotonic().saturating_add(within);
        let mut row = wire::new_incident_fields(item);
        // A row has a key of its own; that of the incident is the instance's to choose.
        row.remove("sys_id");
        let made = match self.import(OPERATION, staging_table, &row, within).await {
            Ok(made) => made,
            // It was executed, and the user may not read what came of it.
            Err(failure) if failure.status == Some(201) => Made::Untold(failure),
            Err(failure) => return Err(failure),
        };
        match made {
            Made::Record { id, number } => Ok(WorkItemSeen {
                item: wire::incident(id, number, &self.connection),
                correlation: Some(item.correlation.to_string()),
                standing: Standing::Open,
                created_at: None,
            }),
            Made::Untold(failure) => {
                let left = ends_at.saturating_sub(self.clock.monotonic());
                let found = self.find(WorkItemType::Incident, &item.correlation, left);
                match found.await {
                    Ok(found) => found.into_iter().next().ok_or(failure),
                    // The row is in: it must not be given up for a search that failed.
                    Err(failure) => Err(CallFailure {
                        effect: Effect::Unknown,
                        ..failure
                    }),
                }
            }
        }
    }

    /// Puts a row that changes an incident into the staging table. The record is read first: the row is about whatever has
    /// its correlation id.
    pub(super) async fn import_change(
        &self,
        staging_table: &str,
        item: &WorkItemRef,
        change: &Change,
        within: Duration,
    ) -> Result<(), CallFailure> {
        let operation = wire::change_name(change);
        let ends_at = self.clock.monotonic().saturating_add(within);
        let left = || ends_at.saturating_sub(self.clock.monotonic());
        let seen = self.read(item, left()).await?;
        let correlation = seen.and_then(|seen| seen.correlation);
        let Some(correlation) = correlation.as_deref().and_then(super::events::key) else {
            return Err(refused(
                operation,
                "the incident has no correlation id of ours: the transform map must set `correlation_id`",
            ));
        };
        let row = changed(&correlation, change);
        match self.import(operation, staging_table, &row, left()).await {
            Ok(Made::Record { id, .. }) if id == item.id => Ok(()),
            Ok(Made::Record { .. }) => Err(refused(
                operation,
                "the transform map wrote to another incident: its coalesce field must be `correlation_id`",
            )),
            Ok(Made::Untold(failure)) => Err(failure),
            // It was executed, and the user may not read what came of it; the next read shows it.
            Err(failure) if failure.status == Some(201) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn import(
        &self,
        operation: &'static str,
        staging_table: &str,
        row: &BTreeMap<&str, String>,
        within: Duration,
    ) -> Result<Made, CallFailure> {
        let body = serde_json::to_vec(row).unwrap_or_default();
        match self
            .call(operation, Request::Import(staging_table, body), within)
            .await
        {
            Ok(Answered::Record(body)) => made(&body, operation),
            Ok(Answered::NoRecord) => Err(refused(operation, NO_STAGING_TABLE)),
            Err(failure) if failure.status == Some(400) && failure.kind == Kind::Invalid => {
                Err(CallFailure {
                    detail: NO_STAGING_TABLE.to_owned(),
                    ..failure
                })
            }
            Err(failure) if failure.kind == Kind::NoRights => Err(CallFailure {
                detail: format!(
                    "{}; import sets need the roles `import_set_loader` and `import_transformer`",
                    failure.detail
                ),
                ..failure
            }),
            Err(failure) => Err(failure),
        }
    }
}

const NO_STAGING_TABLE: &str = "the staging table does not exist, does not take the row, or the integration user may not see it";

/// What became of a row.
enum Made {
    /// An incident was made or changed.
    Record { id: String, number: String },
    /// Something was done, and which incident it was about is not said.
    Untold(CallFailure),
}

fn changed(correlation: &CorrelationId, change: &Change) -> BTreeMap<&'static str, String> {
    let mut row = wire::changes(change);
    row.insert("correlation_id", correlation.to_string());
    row
}

#[derive(Deserialize)]
struct Imported {
    result: Option<Vec<OfMap>>,
    #[serde(default)]
    error: Option<serde::de::IgnoredAny>,
}

/// What one transform map did.
#[derive(Deserialize)]
struct OfMap {
    #[serde(default)]
    table: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    display_value: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    sys_id: String,
}

/// Of several maps, the one that leads to an incident counts.
fn made(body: &[u8], operation: &str) -> Result<Made, CallFailure> {
    let answer: Imported = wire::read(body, operation)?;
    let Imported {
        result: Some(results),
        error: None,
    } = answer
    else {
        return Err(wire::undecodable(
            operation,
            "the answer does not say what became of the row",
        ));
    };
    let written = results.iter().find(|one| {
        one.table == TARGET
            && matches!(one.status.as_str(), "inserted" | "updated")
            && wire::is_key(&one.sys_id)
    });
    if let Some(one) = written {
        let has_number = one.display_name == "number" && wire::is_number(&one.display_value);
        return Ok(match has_number {
            true => Made::Record {
                id: one.sys_id.clone(),
                number: one.display_value.clone(),
            },
            false => Made::Untold(wire::undecodable(operation, "the answer has no number")),
        });
    }
    if results.iter().any(|one| one.status == "error") {
        let detail = "a transform map refused the row: a mandatory field, a business rule or a wrong value; its import log says which";
        return Err(refused(operation, detail));
    }
    // Nothing changed by it, as after a lost reply; or a script of the map left it out.
    let detail = "no transform map made an incident of the row";
    Ok(Made::Untold(refused(operation, detail)))
}

/// The call was executed and had no effect: a 201 with a refusal in it.
fn refused(operation: &str, detail: &str) -> CallFailure {
    CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Refused,
        Kind::Invalid,
        detail,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn of(rows: &str) -> String {
        let body = format!(r#"{{"import_set":"ISET1","staging_table":"u_x","result":[{rows}]}}"#);
        match made(body.as_bytes(), "import incident") {
            Ok(Made::Record { number, .. }) => format!("made {number}"),
            Ok(Made::Untold(failure)) => format!("untold: {}", failure.detail),
            Err(failure) => format!("{:?}: {}", failure.effect, failure.detail),
        }
    }

    fn row(status: &str, more: &str) -> String {
        format!(
            r#"{{"transform_map":"m","table":"incident","status":"{status}","sys_id":"{KEY}","display_name":"number","display_value":"INC0010001","error_message":"canary"{more}}}"#
        )
    }

    #[test]
    fn every_status_of_a_row_has_one_meaning() {
        let error = row("error", "");
        let number_elsewhere = row("inserted", "").replace("\"number\"", "\"short_description\"");
        for (rows, expected) in [
            (row("inserted", ""), "made INC0010001"),
            (row("updated", ""), "made INC0010001"),
            (
                format!("{error},{}", row("inserted", "")),
                "made INC0010001",
            ),
            (number_elsewhere, "untold: the answer has no number"),
            (
                row("ignored", ""),
                "untold: no transform map made an incident of the row",
            ),
            (
                row("skipped", ""),
                "untold: no transform map made an incident of the row",
            ),
            (
                row("something new", ""),
                "untold: no transform map made an incident of the row",
            ),
            (
                String::new(),
                "untold: no transform map made an incident of the row",
            ),
            (
                row("inserted", "").replace("incident", "problem"),
                "untold: no transform map made an incident of the row",
            ),
            (
                error,
                "Refused: a transform map refused the row: a mandatory field, a business rule or a wrong value; its import log says which",
            ),
        ] {
            assert_eq!(of(&rows), expected, "{rows}");
        }
        for body in [
            "null",
            "{}",
            r#"{"result":[],"error":{"message":"canary"}}"#,
            r#"{"result":[{"#,
        ] {
            let failure = made(body.as_bytes(), "import incident").err().unwrap();
            assert_eq!(failure.effect, Effect::Unknown, "{body}");
        }
    }
}
