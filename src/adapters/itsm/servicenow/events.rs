//! Event Management: events by `em/jsonv2`, and the alert that the instance makes of them (servicenow-api §13).
//!
//! The message key is ours and the instance keeps one alert per key: an event that is sent twice is the same alert, told
//! twice. So an unknown outcome is sent again, nothing is read before it is written, and what is over is told by an event too.

mod record;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::record::{described, record};
use super::request::Request;
use super::{Answered, ServiceNow, wire};
use crate::domain::connection::Connection;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::identity::{CorrelationId, ItemId};
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::{
    Change, NewWorkItem, Standing, WorkItemRef, WorkItemSeen, WorkItemType,
};

impl ServiceNow {
    /// Sends the event of a work item; of one that is over already, its end too.
    pub(super) async fn create_event(
        &self,
        item: &NewWorkItem,
        within: Duration,
    ) -> Result<WorkItemSeen, CallFailure> {
        const OPERATION: &str = "send event";
        let mut records = vec![record(item, &described(item), false)];
        let ended = item.over.as_ref().and_then(note_of);
        records.extend(ended.map(|note| record(item, note, true)));
        let standing = match records.len() {
            1 => Standing::Open,
            _ => Standing::Resolved,
        };
        self.send_events(OPERATION, records, within).await?;
        Ok(WorkItemSeen {
            standing,
            ..as_told(&item.correlation, &self.connection)
        })
    }

    /// Tells the instance what has become of a work item.
    pub(super) async fn tell(&self, change: &Change, within: Duration) -> Result<(), CallFailure> {
        let Change::Tell {
            item,
            note,
            is_over,
        } = change
        else {
            return Err(CallFailure::new(
                "ServiceNow",
                wire::change_name(change),
                Effect::NotSent,
                Kind::Invalid,
                "an event cannot be changed, only followed by another",
            ));
        };
        let record = record(item, note, *is_over);
        self.send_events(wire::change_name(change), vec![record], within)
            .await
    }

    async fn send_events(
        &self,
        operation: &'static str,
        records: Vec<Map<String, Value>>,
        within: Duration,
    ) -> Result<(), CallFailure> {
        let sent = records.len();
        let body = serde_json::to_vec(&json!({ "records": records })).unwrap_or_default();
        match self.call(operation, Request::Events(body), within).await {
            Ok(Answered::Record(body)) => taken(&body, sent, operation),
            Ok(Answered::NoRecord) => Err(no_event_management(operation)),
            Err(failure) if failure.kind == Kind::NoRights => Err(CallFailure {
                detail: "the integration user may not send events; it needs the role `evt_mgmt_integration`".to_owned(),
                ..failure
            }),
            Err(failure) if failure.status == Some(400) && failure.kind == Kind::Invalid => {
                Err(CallFailure {
                    detail: format!("{}; Event Management may not be installed", failure.detail),
                    ..failure
                })
            }
            Err(failure) => Err(failure),
        }
    }

    /// The alerts that the instance has made of events with this key.
    pub(super) async fn find_alerts(
        &self,
        correlation: &CorrelationId,
        within: Duration,
    ) -> Result<Vec<WorkItemSeen>, CallFailure> {
        const OPERATION: &str = "find alert by message key";
        let found = self
            .alerts(OPERATION, Request::FindAlert(correlation.as_str()), within)
            .await?;
        let any = !found.is_empty();
        let ours: Vec<WorkItemSeen> = found
            .into_iter()
            .filter(|seen| seen.is_ours(correlation))
            .collect();
        // A condition on a column that does not exist vanishes, and every row comes back (servicenow-api §0.1).
        if any && ours.is_empty() {
            return Err(wire::foreign(OPERATION));
        }
        Ok(ours)
    }

    /// The alert with a number, or with a key in its number's place.
    pub(super) async fn look_up_alert(
        &self,
        number: &str,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure> {
        const OPERATION: &str = "look up alert by number";
        let found = self
            .alerts(OPERATION, Request::LookUpAlert(number), within)
            .await?;
        let is_it = |seen: &WorkItemSeen| {
            seen.item.number.eq_ignore_ascii_case(number) || seen.item.id == number
        };
        Ok(found.into_iter().find(is_it))
    }

    async fn alerts(
        &self,
        operation: &'static str,
        request: Request<'_>,
        within: Duration,
    ) -> Result<Vec<WorkItemSeen>, CallFailure> {
        match self.call(operation, request, within).await {
            Ok(Answered::Record(body)) => seen(&body, operation, &self.connection),
            Ok(Answered::NoRecord) => Err(no_event_management(operation)),
            Err(failure) if failure.kind == Kind::NoRights => Err(CallFailure {
                detail: "the integration user may not read alerts; it needs the role `evt_mgmt_operator`".to_owned(),
                ..failure
            }),
            Err(failure) => Err(failure),
        }
    }
}

/// A work item of which nothing is known but that the instance was told of it.
pub(super) fn as_told(correlation: &CorrelationId, connection: &Connection) -> WorkItemSeen {
    WorkItemSeen {
        item: item(
            WorkItemType::Event,
            correlation.as_str(),
            correlation.as_str(),
            connection,
        ),
        correlation: Some(correlation.to_string()),
        standing: Standing::Open,
        created_at: None,
    }
}

/// The key of a work item of ours, out of a text.
pub(super) fn key(text: &str) -> Option<CorrelationId> {
    let (slot, generation) = ItemId::from_correlation(text)?;
    Some(ItemId::new(&slot, generation).correlation())
}

fn item(kind: WorkItemType, number: &str, key: &str, connection: &Connection) -> WorkItemRef {
    let list = match kind {
        WorkItemType::Alert => "/em_alert_list.do",
        _ => "/em_event_list.do",
    };
    let url = connection.server.join(list);
    WorkItemRef {
        work_item_type: kind,
        number: number.to_owned(),
        id: key.to_owned(),
        url: format!("{url}?sysparm_query=message_key%3D{key}"),
    }
}

fn note_of(change: &Change) -> Option<&str> {
    match change {
        Change::Resolve { note, .. } | Change::Close { note, .. } => Some(note),
        _ => None,
    }
}

/// `{"result":{"Default Bulk Endpoint":"1 events were inserted"}}`: a count that is not ours is a refusal.
fn taken(body: &[u8], sent: usize, operation: &str) -> Result<(), CallFailure> {
    #[derive(Deserialize)]
    struct Taken {
        result: Option<BTreeMap<String, Value>>,
        #[serde(default)]
        error: Option<serde::de::IgnoredAny>,
    }
    let answer: Taken = wire::read(body, operation)?;
    let Taken {
        result: Some(result),
        error: None,
    } = answer
    else {
        return Err(wire::undecodable(
            operation,
            "the answer does not say what became of the event",
        ));
    };
    let counts = result.values().filter_map(Value::as_str);
    let counts = counts.filter_map(|text| text.split(' ').next()?.parse::<usize>().ok());
    let counts: Vec<usize> = counts.collect();
    if counts.is_empty() || counts.iter().sum::<usize>() == sent {
        return Ok(());
    }
    let detail = "the instance took fewer events than were sent";
    Err(CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Unknown,
        Kind::Undecodable,
        detail,
    ))
}

/// The alerts of an answer.
fn seen(
    body: &[u8],
    operation: &str,
    connection: &Connection,
) -> Result<Vec<WorkItemSeen>, CallFailure> {
    #[derive(Deserialize)]
    struct Many {
        result: Option<Vec<AlertRecord>>,
        #[serde(default)]
        error: Option<serde::de::IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct AlertRecord {
        #[serde(default)]
        number: String,
        #[serde(default)]
        message_key: String,
        #[serde(default)]
        state: String,
        #[serde(default)]
        sys_created_on: String,
    }
    let answer: Many = wire::read(body, operation)?;
    let Many {
        result: Some(records),
        error: None,
    } = answer
    else {
        return Err(wire::undecodable(
            operation,
            "the answer holds an error or no list",
        ));
    };
    let valid = records
        .into_iter()
        .filter(|record| wire::is_number(&record.number) && wire::is_number(&record.message_key));
    Ok(valid
        .map(|record| WorkItemSeen {
            item: item(
                WorkItemType::Alert,
                &record.number,
                &record.message_key,
                connection,
            ),
            standing: match record.state.as_str() {
                "Closed" => Standing::Closed,
                _ => Standing::Open,
            },
            created_at: Timestamp::parse_lenient(&record.sys_created_on.replace(' ', "T")),
            correlation: Some(record.message_key),
        })
        .collect())
}

fn no_event_management(operation: &str) -> CallFailure {
    let detail = "the instance has no Event Management, or the integration user may not see it";
    CallFailure::new(
        "ServiceNow",
        operation,
        Effect::Refused,
        Kind::NotFound,
        detail,
    )
    .with_status(404)
}
