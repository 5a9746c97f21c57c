//! The frame of the Common Alert Schema, and nothing else. Unknown fields are skipped without being kept.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Pairs, Text, Texts};

#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "schemaId", default, borrow)]
    pub(super) schema_id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    pub(super) data: Option<Data<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Data<'a> {
    #[serde(default)]
    pub(super) essentials: Option<Essentials>,
    #[serde(rename = "alertContext", default, borrow)]
    pub(super) alert_context: Option<&'a RawValue>,
    #[serde(rename = "customProperties", default)]
    pub(super) custom_properties: Pairs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Essentials {
    #[serde(default)]
    pub(super) alert_id: Text,
    #[serde(default)]
    pub(super) alert_rule: Text,
    /// Azure's table spells it `alertRuleID`, its sample `alertRuleId`.
    #[serde(rename = "alertRuleID", default)]
    pub(super) alert_rule_id: Text,
    #[serde(rename = "alertRuleId", default)]
    pub(super) alert_rule_id_of_the_sample: Text,
    #[serde(default)]
    pub(super) severity: Text,
    #[serde(default)]
    pub(super) monitor_condition: Text,
    #[serde(default)]
    pub(super) monitoring_service: Text,
    #[serde(rename = "alertTargetIDs", alias = "alertTargetIds", default)]
    pub(super) alert_target_ids: Texts,
    #[serde(default)]
    pub(super) target_resource_type: Text,
    #[serde(default)]
    pub(super) target_resource_group: Text,
    #[serde(default)]
    pub(super) configuration_items: Texts,
    #[serde(default)]
    pub(super) fired_date_time: Text,
    #[serde(default)]
    pub(super) resolved_date_time: Text,
    #[serde(default)]
    pub(super) description: Text,
    #[serde(default)]
    pub(super) investigation_link: Text,
}
