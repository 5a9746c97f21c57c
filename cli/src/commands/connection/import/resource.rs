//! Where the action groups stand in what was exported: each tool prints another form of the same resource.
//!
//! A template has `resources`, a list or (with symbolic names) an object; the REST API a list in `value`; `az` a bare list
//! whose resources have the properties beside the name. Texts of a template may be expressions in brackets; a text that
//! only looks like one has its first bracket twice (Microsoft's page "Syntax and expressions in ARM templates").

use serde_json::{Map, Value};

use crate::output::harmless;

/// The type, in any case: the portal exports `microsoft.insights/actionGroups`.
const TYPE: &str = "microsoft.insights/actiongroups";

/// What a template declares beside its resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) parameters: Map<String, Value>,
    pub(super) variables: Map<String, Value>,
}

/// An action group as it stands there.
pub(super) struct Found<'a> {
    /// Where, as a path of the JSON.
    pub(super) path: String,
    pub(super) resource: &'a Map<String, Value>,
    /// The template that it stands in, if its texts may be expressions.
    pub(super) template: Option<Template>,
}

/// All action groups of a document.
pub(super) fn action_groups(document: &Value) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    look(document, "", None, &mut found);
    found
}

fn look<'a>(value: &'a Value, path: &str, template: Option<&Template>, found: &mut Vec<Found<'a>>) {
    let object = match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                look(item, &format!("{path}[{at}]"), template, found);
            }
            return;
        }
        Value::Object(object) => object,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    if is_action_group(object) {
        found.push(Found {
            path: path.to_owned(),
            resource: object,
            template: template.cloned(),
        });
        return;
    }
    let below = |name: &str| format!("{path}.{name}").trim_start_matches('.').to_owned();
    if let Some(resources) = object.get("resources") {
        let map = |name: &str| object.get(name).and_then(Value::as_object).cloned();
        let template = Template {
            parameters: map("parameters").unwrap_or_default(),
            variables: map("variables").unwrap_or_default(),
        };
        match resources {
            Value::Object(named) => {
                for (name, resource) in named {
                    look(
                        resource,
                        &below(&format!("resources.{}", harmless(name))),
                        Some(&template),
                        found,
                    );
                }
            }
            list => look(list, &below("resources"), Some(&template), found),
        }
    } else if let Some(list @ Value::Array(_)) = object.get("value") {
        look(list, &below("value"), template, found);
    }
}

fn is_action_group(object: &Map<String, Value>) -> bool {
    match object.get("type") {
        Some(kind) => kind
            .as_str()
            .is_some_and(|kind| kind.eq_ignore_ascii_case(TYPE)),
        // What one puts to the REST API has no type.
        None => properties(object).contains_key("groupShortName"),
    }
}

/// The properties of an action group, also where they stand beside its name.
pub(super) fn properties(resource: &Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Object(properties)) = resource.get("properties") {
        return properties.clone();
    }
    let is_property =
        |name: &str| name == "enabled" || name == "groupShortName" || name.ends_with("Receivers");
    let own = resource.iter().filter(|(name, _)| is_property(name));
    own.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The path of a property in the resource as it stands there.
pub(super) fn path_of(resource: &Map<String, Value>, property: &str) -> String {
    match resource.get("properties") {
        Some(Value::Object(_)) => format!(".properties.{property}"),
        _ => format!(".{property}"),
    }
}

impl Template {
    /// What a text of the template stands for, if that is seen without Azure: a plain text, or a parameter with a default.
    pub(super) fn resolve(&self, text: &str) -> Option<String> {
        if !is_expression(text) {
            return Some(unescaped(text));
        }
        let inner = text[1..text.len() - 1].trim();
        let name = inner
            .strip_prefix("parameters(")?
            .strip_suffix(')')?
            .trim()
            .strip_prefix('\'')?
            .strip_suffix('\'')?;
        let (_, parameter) = self
            .parameters
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let default = parameter.get("defaultValue")?.as_str()?;
        (!is_expression(default)).then(|| unescaped(default))
    }
}

fn is_expression(text: &str) -> bool {
    text.starts_with('[') && text.ends_with(']') && !text.starts_with("[[")
}

fn unescaped(text: &str) -> String {
    let plain = text
        .strip_prefix('[')
        .filter(|rest| rest.starts_with('[') && rest.ends_with(']'));
    plain.unwrap_or(text).to_owned()
}

/// A value of a resource as a template says it: its texts are no expressions.
pub(super) fn escaped(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with('[') && text.ends_with(']') => {
            Value::String(format!("[{text}"))
        }
        Value::Array(items) => items.iter().map(escaped).collect(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), escaped(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_an_export_is_looked_through() {
        let flat = json!({ "type": "Microsoft.Insights/ActionGroups", "name": "a", "enabled": true, "emailReceivers": [] });
        let whole = json!({ "type": "microsoft.insights/actionGroups", "properties": { "groupShortName": "a" } });
        let bare = json!({ "location": "Global", "properties": { "groupShortName": "a" } });
        let other = json!({ "type": "Microsoft.Web/sites", "properties": {} });
        let cases = [
            (flat.clone(), vec![""]),
            (whole.clone(), vec![""]),
            (bare, vec![""]),
            (json!([flat, other, whole]), vec!["[0]", "[2]"]),
            (json!({ "value": [whole] }), vec!["value[0]"]),
            (json!({ "resources": [other, whole] }), vec!["resources[1]"]),
            (
                json!({ "resources": { "ops": whole } }),
                vec!["resources.ops"],
            ),
            (
                json!({ "resources": { "a\u{1b}[2Jb": whole } }),
                vec!["resources.a [2Jb"],
            ),
            (json!([{ "resources": [whole] }]), vec!["[0].resources[0]"]),
            (other, vec![]),
            (json!(7), vec![]),
        ];
        for (document, paths) in cases {
            let found: Vec<String> = action_groups(&document)
                .into_iter()
                .map(|one| one.path)
                .collect();
            assert_eq!(found, paths, "{document}");
        }
    }

    #[test]
    fn a_parameter_with_a_default_is_resolved_and_a_bracket_is_escaped() {
        let parameters = json!({ "actionGroups_ops_name": { "defaultValue": "ops", "type": "String" }, "bare": { "type": "String" } });
        let template = Template {
            parameters: parameters.as_object().unwrap().clone(),
            ..Template::default()
        };
        let resolve = |text: &str| template.resolve(text);
        assert_eq!(resolve("plain"), Some("plain".to_owned()));
        assert_eq!(
            resolve("[parameters('ACTIONGROUPS_ops_name')]"),
            Some("ops".to_owned())
        );
        assert_eq!(resolve("[[ops]"), Some("[ops]".to_owned()));
        assert_eq!(resolve("[ops] on call"), Some("[ops] on call".to_owned()));
        for unknown in [
            "[parameters('bare')]",
            "[parameters('none')]",
            "[concat('a', 'b')]",
        ] {
            assert_eq!(resolve(unknown), None, "{unknown}");
        }
        assert_eq!(
            escaped(&json!(["[a]", "[a] b", { "c": "[d]" }])),
            json!(["[[a]", "[a] b", { "c": "[[d]" }])
        );
    }
}
