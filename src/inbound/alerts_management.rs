//! The alerts that Azure keeps → what their webhook would have brought (Alerts Management API, `2019-03-01`).
//!
//! Azure's list says the same as the Common Alert Schema under other names: `startDateTime` is `firedDateTime`,
//! `monitorService` is `monitoringService`, and the id stands below the resource that is watched where the webhook's stands
//! below the subscription. What is made of it is a body of the Common Alert Schema, so that an alert is read, keyed and kept
//! in one way, whichever way it came.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::alert::Condition;
use crate::domain::alert_key::AlertKey;
use crate::domain::timestamp::Timestamp;

/// One answer of the API: some alerts of a subscription.
#[derive(Debug)]
pub struct Page {
    /// Those that could be read, in the order in which they came.
    pub alerts: Vec<KeptAlert>,
    /// Where the next page is.
    pub next: Option<String>,
    /// How many could not be read.
    pub unreadable: usize,
}

/// An alert as Azure keeps it.
#[derive(Debug, Clone)]
pub struct KeptAlert {
    /// Which.
    pub key: AlertKey,
    /// Whether it is over.
    pub condition: Condition,
    /// When it fired.
    pub fired_at: Timestamp,
    /// When it ended; where Azure does not say, when it was last changed.
    pub ended_at: Option<Timestamp>,
    /// An alert processing rule has kept its action groups from being called.
    pub is_suppressed: bool,
    essentials: Essentials,
    name: Option<String>,
    context: Option<Box<RawValue>>,
    custom_properties: Option<Box<RawValue>>,
}

/// The answer is none of this API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is no list of alerts")]
pub struct NotAPage;

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "nextLink", default)]
    next_link: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    #[serde(default)]
    name: Option<String>,
    properties: Properties,
}

#[derive(Deserialize)]
struct Properties {
    essentials: Essentials,
    #[serde(default)]
    context: Option<Box<RawValue>>,
    #[serde(rename = "customProperties", default)]
    custom_properties: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Essentials {
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    signal_type: Option<String>,
    monitor_condition: String,
    #[serde(default)]
    monitor_service: Option<String>,
    #[serde(default)]
    target_resource: Option<String>,
    #[serde(default)]
    target_resource_name: Option<String>,
    #[serde(default)]
    target_resource_group: Option<String>,
    #[serde(default)]
    target_resource_type: Option<String>,
    #[serde(default)]
    alert_rule: Option<String>,
    #[serde(default)]
    source_created_id: Option<String>,
    start_date_time: String,
    #[serde(default)]
    last_modified_date_time: Option<String>,
    #[serde(default)]
    monitor_condition_resolved_date_time: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    action_status: ActionStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ActionStatus {
    is_suppressed: bool,
}

/// Reads a page. One alert that cannot be read costs itself alone.
pub fn read_page(body: &[u8]) -> Result<Page, NotAPage> {
    let list: List<'_> = serde_json::from_slice(body).map_err(|_| NotAPage)?;
    let of_all = list.value.len();
    let alerts: Vec<KeptAlert> = list
        .value
        .into_iter()
        .filter_map(|raw| kept(raw.get().as_bytes()))
        .collect();
    Ok(Page {
        unreadable: of_all - alerts.len(),
        alerts,
        next: list.next_link.filter(|link| !link.is_empty()),
    })
}

/// Reads one alert.
pub fn read_one(body: &[u8]) -> Result<KeptAlert, NotAPage> {
    kept(body).ok_or(NotAPage)
}

fn kept(raw: &[u8]) -> Option<KeptAlert> {
    let item: Item = serde_json::from_slice(raw).ok()?;
    let essentials = item.properties.essentials;
    // An alert that never ended has an empty text there.
    let moment = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse_lenient);
    let condition = Condition::parse(&essentials.monitor_condition)?;
    let ended_at = moment(&essentials.monitor_condition_resolved_date_time)
        .or_else(|| moment(&essentials.last_modified_date_time));
    Some(KeptAlert {
        key: AlertKey::of(&item.id)?,
        condition,
        fired_at: Timestamp::parse_lenient(&essentials.start_date_time)?,
        ended_at: ended_at.filter(|_| condition == Condition::Resolved),
        is_suppressed: essentials.action_status.is_suppressed,
        name: item.name,
        context: item.properties.context,
        custom_properties: item.properties.custom_properties,
        essentials,
    })
}

impl KeptAlert {
    /// What the webhook would have brought: that it fired, or that it ended. `fired_at` is when it fired by a message that did
    /// come, if one did.
    pub fn message(&self, condition: Condition, fired_at: Option<Timestamp>) -> Bytes {
        let (rule, rule_id) = self.rule();
        let own = &self.essentials;
        let body = Body {
            schema_id: "azureMonitorCommonAlertSchema",
            data: Data {
                essentials: Written {
                    alert_id: self.key.alert_id(),
                    alert_rule: rule,
                    alert_rule_id: rule_id,
                    severity: own.severity.as_deref(),
                    signal_type: own.signal_type.as_deref(),
                    monitor_condition: match condition {
                        Condition::Fired => "Fired",
                        Condition::Resolved => "Resolved",
                    },
                    monitoring_service: own.monitor_service.as_deref().map(service),
                    alert_target_ids: own.target_resource.iter().map(String::as_str).collect(),
                    configuration_items: own
                        .target_resource_name
                        .iter()
                        .map(String::as_str)
                        .collect(),
                    target_resource_group: own.target_resource_group.as_deref(),
                    target_resource_type: own.target_resource_type.as_deref(),
                    origin_alert_id: own.source_created_id.as_deref(),
                    fired_date_time: fired_at.unwrap_or(self.fired_at).to_string(),
                    resolved_date_time: self
                        .ended_at
                        .filter(|_| condition == Condition::Resolved)
                        .map(|at| at.to_string()),
                    description: own.description.as_deref(),
                    essentials_version: "1.0",
                    alert_context_version: "1.0",
                },
                alert_context: self.context.as_deref(),
                custom_properties: self.custom_properties.as_deref(),
            },
        };
        // Plain texts and JSON that was read: there is nothing that could not be written.
        Bytes::from(serde_json::to_vec(&body).unwrap_or_default())
    }

    /// The rule's name and id. Most rules stand there by their resource id, some by an address or a name.
    fn rule(&self) -> (Option<&str>, Option<&str>) {
        let written = self.essentials.alert_rule.as_deref();
        let id = written.filter(|text| text.starts_with('/'));
        let last = id.and_then(|id| id.rsplit('/').next());
        let plain = written.filter(|text| !text.contains('/'));
        let name = self.name.as_deref().filter(|name| !name.is_empty());
        (last.or(plain).or(name), id)
    }
}

/// The services by the names that the webhook gives them (azure-platform §1.3).
fn service(name: &str) -> String {
    match name.strip_prefix("ActivityLog ") {
        Some(kind) => format!("Activity Log - {kind}"),
        None => name.to_owned(),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "schemaId")]
    schema_id: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    essentials: Written<'a>,
    #[serde(rename = "alertContext", skip_serializing_if = "Option::is_none")]
    alert_context: Option<&'a RawValue>,
    #[serde(rename = "customProperties", skip_serializing_if = "Option::is_none")]
    custom_properties: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    alert_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert_rule: Option<&'a str>,
    #[serde(rename = "alertRuleID", skip_serializing_if = "Option::is_none")]
    alert_rule_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal_type: Option<&'a str>,
    monitor_condition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitoring_service: Option<String>,
    #[serde(rename = "alertTargetIDs")]
    alert_target_ids: Vec<&'a str>,
    configuration_items: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_resource_group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_resource_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin_alert_id: Option<&'a str>,
    fired_date_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_date_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    essentials_version: &'static str,
    alert_context_version: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Alert;
    use crate::domain::name::{ActionName, ConnectionName};
    use crate::inbound::common_alert_schema;
    use crate::inbound::webhook::Delivery;

    const PAGE: &str = r#"{
      "value": [
        { "id": "/subscriptions/AAAAAAAA-0001-4000-8000-000000000001/resourceGroups/rg-shop/providers/Microsoft.Compute/virtualMachines/web01/providers/Microsoft.AlertsManagement/alerts/BBBBBBBB-0001-4000-8000-000000000001",
          "name": "CPU over 80 %", "type": "Microsoft.AlertsManagement/alerts",
          "properties": {
            "essentials": { "severity": "Sev1", "signalType": "Metric", "alertState": "New", "monitorCondition": "Resolved",
              "monitorService": "ActivityLog Administrative",
              "targetResource": "/subscriptions/aaaaaaaa-0001-4000-8000-000000000001/resourcegroups/rg-shop/providers/microsoft.compute/virtualmachines/web01",
              "targetResourceName": "web01", "targetResourceGroup": "rg-shop", "targetResourceType": "microsoft.compute/virtualmachines",
              "alertRule": "/subscriptions/aaaaaaaa-0001-4000-8000-000000000001/resourceGroups/rg-shop/providers/microsoft.insights/metricAlerts/CPU over 80 %",
              "sourceCreatedId": "x", "startDateTime": "2026-03-01T10:00:00.1234567Z", "lastModifiedDateTime": "2026-03-01T10:09:00Z",
              "monitorConditionResolvedDateTime": "2026-03-01T10:08:00Z", "actionStatus": { "isSuppressed": true }, "description": "Busy \"web\" 1" },
            "context": { "odd": [1, {"deep": null}] } } },
        { "id": "nonsense", "properties": { "essentials": { "monitorCondition": "Fired", "startDateTime": "2026-03-01T10:00:00Z" } } },
        { "id": "/subscriptions/aaaaaaaa-0001-4000-8000-000000000001/providers/Microsoft.AlertsManagement/alerts/bbbbbbbb-0002-4000-8000-000000000002",
          "properties": { "essentials": { "monitorCondition": "Fired", "startDateTime": "2026-03-01T10:00:00Z", "monitorConditionResolvedDateTime": "", "lastModifiedDateTime": "2026-03-01T10:00:00Z" } } }
      ],
      "nextLink": "https://management.azure.com/next" }"#;

    fn read(message: &Bytes) -> Alert {
        let delivery = Delivery::from_journal(
            ConnectionName::parse("contoso").unwrap(),
            ActionName::default(),
            message.clone(),
        );
        common_alert_schema::parse(&delivery).unwrap()
    }

    #[test]
    fn an_alert_of_the_list_reads_like_its_webhook() {
        let page = read_page(PAGE.as_bytes()).unwrap();
        assert_eq!((page.alerts.len(), page.unreadable), (2, 1));
        assert_eq!(
            page.next.as_deref(),
            Some("https://management.azure.com/next")
        );
        let kept = &page.alerts[0];
        assert!(kept.is_suppressed);
        let fired = read(&kept.message(Condition::Fired, None));
        assert_eq!(
            fired.alert_id,
            "/subscriptions/aaaaaaaa-0001-4000-8000-000000000001/providers/Microsoft.AlertsManagement/alerts/bbbbbbbb-0001-4000-8000-000000000001"
        );
        assert_eq!(fired.rule.as_deref(), Some("CPU over 80 %"));
        assert!(
            fired
                .rule_id
                .unwrap()
                .ends_with("metricAlerts/CPU over 80 %")
        );
        assert_eq!(
            fired.fired_at.unwrap().to_string(),
            "2026-03-01T10:00:00.123Z"
        );
        assert_eq!(
            (fired.condition, fired.resolved_at),
            (Condition::Fired, None)
        );
        assert_eq!(fired.configuration_items, ["web01"]);
        assert_eq!(
            fired.monitoring_service.as_deref(),
            Some("Activity Log - Administrative")
        );
        assert_eq!(fired.description.as_deref(), Some("Busy \"web\" 1"));

        let ended = read(&kept.message(Condition::Resolved, Some(Timestamp::from_millis(5))));
        assert_eq!(ended.condition, Condition::Resolved);
        assert_eq!(
            ended.fired_at,
            Some(Timestamp::from_millis(5)),
            "as the message said that came"
        );
        assert_eq!(
            ended.resolved_at.unwrap().to_string(),
            "2026-03-01T10:08:00.000Z"
        );
    }

    #[test]
    fn an_alert_with_the_least_that_there_can_be_is_one() {
        let page = read_page(PAGE.as_bytes()).unwrap();
        let kept = &page.alerts[1];
        assert_eq!((kept.condition, kept.ended_at), (Condition::Fired, None));
        let alert = read(&kept.message(Condition::Fired, None));
        assert_eq!(alert.rule, None);
        assert!(read_page(b"<html>").is_err());
        assert!(
            read_page(b"{}").is_err(),
            "an error document is no empty list"
        );
    }
}
