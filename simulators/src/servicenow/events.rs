//! Event Management: events come in by `em/jsonv2` (or the Table API) and are processed a little later into alerts, one per
//! message key.

use serde_json::{Map, Value, json};

use super::acl::Operation;
use super::call::Call;
use super::config::User;
use super::instance::{Instance, Outcome};
use super::reply::Reply;
use super::stamp;
use super::store::Record;
use super::table::refused_by_acl;

/// Where events are sent to.
pub(super) const PATH: &str = "/api/global/em/jsonv2";

/// Columns that a sender may fill; any other is refused.
const COLUMNS: [&str; 12] = [
    "source",
    "event_class",
    "node",
    "resource",
    "metric_name",
    "type",
    "severity",
    "message_key",
    "description",
    "additional_info",
    "time_of_event",
    "resolution_state",
];

/// What an alert takes over from each of its events.
const OF_THE_EVENT: [&str; 7] = [
    "source",
    "node",
    "resource",
    "metric_name",
    "type",
    "description",
    "additional_info",
];

impl Instance {
    /// `POST /api/global/em/jsonv2`.
    pub(super) fn receive_events(&mut self, call: &Call, user: &User, now_ms: i64) -> Outcome {
        if !self.config.event_management || call.method != "POST" {
            return Outcome::refused(Reply::no_such_resource(&call.path));
        }
        let sends_json = call
            .header("content-type")
            .and_then(|media| media.split(';').next())
            .is_some_and(|media| media.trim() == "application/json");
        if !sends_json {
            return Outcome::refused(Reply::error(415, "Unsupported media type", None));
        }
        if !self.allows(user, Operation::Create, "em_event") {
            return Outcome::refused(refused_by_acl(Operation::Create));
        }
        let records = match records(&call.body) {
            Ok(records) => records,
            Err(why) => return Outcome::refused(Reply::error(400, "Invalid payload", Some(&why))),
        };
        let mut touched = None;
        let count = records.len();
        for fields in records {
            let mut record = self.blank(&user.name, now_ms);
            record.set("state", "Ready");
            record.set("resolution_state", "New");
            record.set("time_of_event", stamp::text(now_ms));
            for (name, value) in &fields {
                let value = value.as_str().unwrap_or_default();
                let kept: String = value.chars().take(self.longest("em_event", name)).collect();
                record.set(name, kept);
            }
            touched.get_or_insert_with(|| {
                (
                    record.sys_id().to_owned(),
                    record.get("message_key").to_owned(),
                )
            });
            self.queue_event(record, now_ms);
        }
        let told = format!("{count} events were inserted");
        let reply = Reply::result(200, json!({ "Default Bulk Endpoint": told }));
        Outcome {
            touched,
            ..Outcome::done(reply)
        }
    }

    /// An event that waits to be processed.
    pub(super) fn queue_event(&mut self, record: Record, now_ms: i64) {
        let wait_ms = i64::try_from(self.config.events_take_ms).unwrap_or(i64::MAX / 2);
        let due_ms = now_ms.saturating_add(wait_ms);
        self.store.events.push((due_ms, record.sys_id().to_owned()));
        self.store.insert("em_event", record);
    }

    /// Makes alerts of the events that have waited long enough, in the order in which they came.
    pub(super) fn process_events(&mut self, now_ms: i64) {
        while let Some((due_ms, _)) = self.store.events.first()
            && *due_ms <= now_ms
        {
            let (due_ms, key) = self.store.events.remove(0);
            let found = self.store.find(&self.schema, "em_event", &key);
            let Some(mut event) = found.map(|row| row.record.clone()) else {
                continue;
            };
            match wrong(&event) {
                Some(why) => {
                    event.set("state", "Error");
                    event.set("error_msg", why);
                }
                None => {
                    let alert = self.alert_of(&event, due_ms);
                    event.set("state", "Processed");
                    event.set("alert", alert.unwrap_or_default());
                }
            }
            self.store.insert("em_event", event);
        }
    }

    /// Makes or changes the alert of an event; its key. An end of what there is not makes none.
    fn alert_of(&mut self, event: &Record, now_ms: i64) -> Option<String> {
        let key = match event.get("message_key") {
            "" => ["source", "node", "type", "resource", "metric_name"]
                .map(|name| event.get(name))
                .join("_"),
            key => key.to_owned(),
        };
        let clears = event.get("severity") == "0" || event.get("resolution_state") == "Closing";
        let known = self
            .store
            .rows(&self.schema, "em_alert")
            .find(|row| row.record.get("message_key") == key)
            .map(|row| row.record.clone());
        let mut alert = match known {
            Some(alert) => alert,
            None if clears => return None,
            None => {
                let mut alert = self.blank("system", now_ms);
                alert.set("number", self.store.next_number("Alert", 10_001));
                alert.set("message_key", key);
                alert.set("state", "Open");
                alert.set("initial_event_time", event.get("time_of_event"));
                alert
            }
        };
        let is_closed = alert.get("state") == "Closed";
        alert.set("last_event_time", event.get("time_of_event"));
        if clears {
            alert.set("state", "Closed");
        } else {
            if is_closed {
                alert.set("state", "Reopen");
            }
            alert.set("severity", event.get("severity"));
            for name in OF_THE_EVENT {
                if self.schema.holds("em_alert", name).is_some() {
                    alert.set(name, event.get(name));
                }
            }
        }
        super::writing::touch(&mut alert, "system", now_ms);
        let key = alert.sys_id().to_owned();
        self.store.insert("em_alert", alert);
        Some(key)
    }

    fn longest(&self, table: &str, column: &str) -> usize {
        match self.schema.holds(table, column) {
            Some(super::schema::Holds::Text(max)) => *max,
            _ => usize::MAX,
        }
    }
}

/// The events of a body: an object with a list, of flat objects of texts, of known columns.
fn records(body: &[u8]) -> Result<Vec<Map<String, Value>>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "not JSON".to_owned())?;
    let Some(Value::Array(list)) = body.get("records") else {
        return Err("`records` is missing".to_owned());
    };
    if list.is_empty() {
        return Err("no records".to_owned());
    }
    let mut records = Vec::new();
    for one in list {
        let Value::Object(fields) = one else {
            return Err("a record is no object".to_owned());
        };
        for (name, value) in fields {
            if !COLUMNS.contains(&name.as_str()) {
                return Err(format!("unknown column {name}"));
            }
            if !value.is_string() {
                return Err(format!("{name} is no text"));
            }
        }
        records.push(fields.clone());
    }
    Ok(records)
}

/// Why an event makes no alert.
fn wrong(event: &Record) -> Option<&'static str> {
    let is_severity = matches!(event.get("severity"), "0" | "1" | "2" | "3" | "4" | "5");
    let info = event.get("additional_info");
    let is_flat = |info: &str| {
        let info: Option<Map<String, Value>> = serde_json::from_str(info).ok();
        info.is_some_and(|info| info.values().all(Value::is_string))
    };
    if !is_severity {
        Some("severity is blank or unknown")
    } else if stamp::parse(event.get("time_of_event")).is_none() {
        Some("time_of_event is no time")
    } else if !info.is_empty() && !is_flat(info) {
        Some("additional_info is no JSON object of texts")
    } else {
        None
    }
}
