//! The templates of the action groups: as they were, with a webhook for each action that their ITSM actions became.
//!
//! Names and types are those of `Microsoft.Insights/actionGroups` (azure-platform §3.2). A key is never in a template: it is
//! a parameter that is asked for when the template is deployed, and becomes part of the address there.

use std::collections::BTreeMap;

use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::hosts::intake::KEY_PARAMETER;
use serde_json::{Map, Value, json};

use super::actions::Plan;
use super::endpoint::Endpoint;
use super::exported::ActionGroup;
use super::guid::Guid;
use crate::failure::Failure;
use crate::output::harmless;

/// The newest version of the type that is no preview. It knows the common alert schema and secure webhooks.
const API_VERSION: &str = "2023-01-01";

/// Webhooks that an action group may have (azure-platform §3.1).
const WEBHOOKS_MAX: usize = 10;

/// The template's parameter that the key is given by.
const KEY: &str = "itsmcWebhookKey";

/// Who the function is for a secure webhook.
pub(super) struct Entra<'a> {
    /// The application's object id.
    pub(super) object_id: &'a Guid,
    /// Its identifier URI.
    pub(super) identifier_uri: &'a str,
    /// The Entra tenant.
    pub(super) tenant_id: &'a Guid,
}

/// What all webhooks have in common.
pub(super) struct Webhooks<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) entra: Option<Entra<'a>>,
    pub(super) removes_itsm_receivers: bool,
    pub(super) names: &'a BTreeMap<Guid, ConnectionName>,
}

impl Webhooks<'_> {
    /// A template for each action group.
    pub(super) fn templates(
        &self,
        groups: &[ActionGroup],
        plan: &Plan,
    ) -> Result<Vec<Value>, Failure> {
        groups
            .iter()
            .map(|group| self.template(group, plan))
            .collect()
    }

    fn template(&self, group: &ActionGroup, plan: &Plan) -> Result<Value, Failure> {
        let mut resource = group.resource.clone();
        let mut properties = match resource.remove("properties") {
            Some(Value::Object(properties)) => properties,
            _ => Map::new(),
        };
        forget_standings(&mut properties);
        let mut taken = receiver_names(&properties);
        let mut webhooks = match properties.remove("webhookReceivers") {
            Some(Value::Array(webhooks)) => webhooks,
            _ => Vec::new(),
        };
        for (connection, action) in self.called(group, plan) {
            let address = self.endpoint.webhook(connection, action);
            match webhooks.iter_mut().find(|webhook| is_to(webhook, &address)) {
                // It was imported before; its address may hold a key by now.
                Some(there) => {
                    let name = there["name"].as_str().unwrap_or_default().to_owned();
                    *there = self.receiver(&name, &address);
                }
                None => {
                    let name = free_name(&format!("itsmc-{action}"), &mut taken);
                    webhooks.push(self.receiver(&name, &address));
                }
            }
        }
        if webhooks.len() > WEBHOOKS_MAX {
            return Err(Failure::wrong_usage(
                format!(
                    "the action group `{}` would have {} webhooks, and may have {WEBHOOKS_MAX}",
                    harmless(&group.name),
                    webhooks.len()
                ),
                "split it in two, or give some of its ITSM actions the same configuration",
            ));
        }
        properties.insert("webhookReceivers".to_owned(), Value::Array(webhooks));
        if self.removes_itsm_receivers {
            properties.insert("itsmReceivers".to_owned(), json!([]));
        }
        resource.insert("type".to_owned(), json!("Microsoft.Insights/actionGroups"));
        let version = resource.get("apiVersion").and_then(Value::as_str);
        if version.is_none_or(|version| version < API_VERSION) {
            resource.insert("apiVersion".to_owned(), json!(API_VERSION));
        }
        resource
            .entry("location")
            .or_insert_with(|| json!("Global"));
        resource.insert("properties".to_owned(), Value::Object(properties));
        Ok(self.whole(group, resource))
    }

    /// The resource with what it uses of the template that it stood in.
    fn whole(&self, group: &ActionGroup, resource: Map<String, Value>) -> Value {
        let mut template = json!({
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "resources": [resource],
        });
        let uses = |text: &Value, function: &str, name: &str| {
            let text = text.to_string().to_ascii_lowercase();
            text.contains(&format!("{function}('{}')", name.to_ascii_lowercase()))
        };
        let variables = &group.template.variables;
        if variables
            .keys()
            .any(|name| uses(&template["resources"], "variables", name))
        {
            template["variables"] = Value::Object(variables.clone());
        }
        let mut parameters: Map<String, Value> = group
            .template
            .parameters
            .iter()
            .filter(|(name, _)| uses(&template, "parameters", name))
            .map(|(name, value)| (name.clone(), with_its_type_spelt(value)))
            .collect();
        if self.entra.is_none() {
            let key = json!({
                "type": "securestring",
                "metadata": { "description": "The key that the webhook's address shows (ITSMC_WEBHOOK_KEYS has its hash)" },
            });
            parameters.insert(KEY.to_owned(), key);
        }
        if !parameters.is_empty() {
            template["parameters"] = Value::Object(parameters);
        }
        template
    }

    /// The actions that a group calls, each once: two ITSM actions of one group that say the same made two incidents.
    fn called<'a>(
        &'a self,
        group: &ActionGroup,
        plan: &'a Plan,
    ) -> Vec<(&'a ConnectionName, &'a ActionName)> {
        let mut called = Vec::new();
        for receiver in &group.receivers {
            let connection = self.names.get(&receiver.connection);
            let action = connection.and_then(|connection| plan.action(connection, receiver));
            if let Some(call) = connection.zip(action)
                && !called.contains(&call)
            {
                called.push(call);
            }
        }
        called
    }

    fn receiver(&self, name: &str, address: &str) -> Value {
        match &self.entra {
            Some(entra) => json!({
                "name": name,
                "serviceUri": address,
                "useCommonAlertSchema": true,
                "useAadAuth": true,
                "objectId": entra.object_id.as_str(),
                "identifierUri": entra.identifier_uri,
                "tenantId": entra.tenant_id.as_str(),
            }),
            None => json!({
                "name": name,
                "serviceUri": format!(
                    "[concat('{}?{KEY_PARAMETER}=', uriComponent(parameters('{KEY}')))]",
                    address.replace('\'', "''")
                ),
                "useCommonAlertSchema": true,
            }),
        }
    }
}

/// The portal writes `String` where the schema has `string`.
fn with_its_type_spelt(parameter: &Value) -> Value {
    const TYPES: [&str; 7] = [
        "string",
        "securestring",
        "int",
        "bool",
        "object",
        "secureObject",
        "array",
    ];
    let mut parameter = parameter.clone();
    let said = parameter["type"].as_str().unwrap_or_default();
    let known = TYPES.iter().find(|known| known.eq_ignore_ascii_case(said));
    if let Some(known) = known {
        parameter["type"] = json!(known);
    }
    parameter
}

/// True if a webhook calls this address, whatever key it shows.
fn is_to(webhook: &Value, address: &str) -> bool {
    let there = webhook["serviceUri"].as_str().unwrap_or_default();
    let there = there.strip_prefix("[concat('").unwrap_or(there);
    let rest = there.strip_prefix(address);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
}

/// Whether a receiver has unsubscribed is Azure's to say: `status` is only read.
fn forget_standings(properties: &mut Map<String, Value>) {
    let lists = properties.values_mut().filter_map(Value::as_array_mut);
    for receiver in lists.flatten().filter_map(Value::as_object_mut) {
        receiver.remove("status");
    }
}

/// The names of all receivers of a group, which must differ.
fn receiver_names(properties: &Map<String, Value>) -> Vec<String> {
    properties
        .values()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|receiver| receiver.get("name")?.as_str())
        .map(str::to_owned)
        .collect()
}

fn free_name(wanted: &str, taken: &mut Vec<String>) -> String {
    let is_free = |name: &String| !taken.iter().any(|other| other.eq_ignore_ascii_case(name));
    let name = std::iter::once(wanted.to_owned())
        .chain((2..).map(|n| format!("{wanted}-{n}")))
        .find(is_free)
        .unwrap_or_default();
    taken.push(name.clone());
    name
}
