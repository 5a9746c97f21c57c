//! What was exported → action groups with their ITSM actions, each checked and understood; every mistake with its place.

use itsm_connector::domain::definition::ticket_configuration::{self, TicketConfiguration};
use serde_json::{Map, Value, json};

use super::guid::Guid;
use super::resource::{self, Found, Template};
use crate::failure::Trouble;
use crate::output::harmless;

/// What exports action groups without expressions.
const PLAIN_EXPORT: &str = "`az monitor action-group list` prints them with their values";

/// An action group.
pub(super) struct ActionGroup {
    /// Its name, for people and files.
    pub(super) name: String,
    /// The resource group that it is in, where the export tells.
    pub(super) resource_group: Option<String>,
    /// The resource as a template says it, in one form.
    pub(super) resource: Map<String, Value>,
    /// What it uses of the template that it stood in.
    pub(super) template: Template,
    /// Its ITSM actions.
    pub(super) receivers: Vec<Receiver>,
}

/// An ITSM action.
pub(super) struct Receiver {
    /// Its name in the group.
    pub(super) name: String,
    /// The connection that it was for.
    pub(super) connection: Guid,
    /// The workspace that had the connection.
    pub(super) workspace: String,
    /// Its `ticketConfiguration`, as an object.
    pub(super) written: Value,
    /// And what that means.
    pub(super) meant: TicketConfiguration,
}

/// Reads the action groups of a file; its mistakes go to `troubles`.
pub(super) fn read(file: &str, text: &[u8], troubles: &mut Vec<Trouble>) -> Vec<ActionGroup> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let document: Value = match serde_json::from_slice(text) {
        Ok(document) => document,
        Err(error) => {
            let found = if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
                "UTF-16".to_owned()
            } else {
                format!(
                    "text that is not JSON at line {}, column {}",
                    error.line(),
                    error.column()
                )
            };
            troubles.push(Trouble {
                error: format!("{file}: found {found}, expected exported action groups as JSON"),
                hint: "save it as UTF-8; a Bicep or Terraform file is no export".to_owned(),
            });
            return Vec::new();
        }
    };
    let found = resource::action_groups(&document);
    if found.is_empty() {
        troubles.push(Trouble {
            error: format!("{file}: found no action group, expected a resource of the type Microsoft.Insights/actionGroups, a list of them or a template"),
            hint: "export it by `az monitor action-group list`, or in the portal by *Export template* of the action group".to_owned(),
        });
    }
    found
        .iter()
        .enumerate()
        .map(|(at, found)| action_group(file, at, found, troubles))
        .collect()
}

fn action_group(
    file: &str,
    at: usize,
    found: &Found<'_>,
    troubles: &mut Vec<Trouble>,
) -> ActionGroup {
    let text = |value: Option<&Value>| -> Option<String> {
        let text = value?.as_str()?;
        match &found.template {
            Some(template) => template.resolve(text),
            None => Some(text.to_owned()),
        }
    };
    let name =
        text(found.resource.get("name")).unwrap_or_else(|| format!("action-group-{}", at + 1));
    let properties = resource::properties(found.resource);
    let path = resource::path_of(found.resource, "itsmReceivers");
    let path = format!("{}{path}", found.path);
    let path = format!("{file}: {}", path.trim_start_matches('.'));
    let mut receivers = Vec::new();
    match properties.get("itsmReceivers") {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) => {
            for (at, written) in list.iter().enumerate() {
                let path = format!("{path}[{at}]");
                match receiver(&path, written, &text) {
                    Ok(receiver) => receivers.push(receiver),
                    Err(mut found) => troubles.append(&mut found),
                }
            }
        }
        Some(_) => troubles.push(Trouble {
            error: format!("{path}: found no list, expected a list of ITSM actions"),
            hint: PLAIN_EXPORT.to_owned(),
        }),
    }
    ActionGroup {
        name,
        resource_group: resource_group(found.resource),
        resource: as_in_a_template(found, properties),
        template: found.template.clone().unwrap_or_default(),
        receivers,
    }
}

fn receiver(
    path: &str,
    written: &Value,
    text: &impl Fn(Option<&Value>) -> Option<String>,
) -> Result<Receiver, Vec<Trouble>> {
    let mut troubles = Vec::new();
    let mut said = |name: &str| {
        let value = text(written.get(name));
        if value.is_none() {
            let found = match written.get(name) {
                None | Some(Value::Null) => "nothing",
                Some(Value::String(_)) => "an expression",
                Some(_) => "no text",
            };
            troubles.push(Trouble {
                error: format!("{path}.{name}: found {found}, expected a text"),
                hint: PLAIN_EXPORT.to_owned(),
            });
        }
        value
    };
    let name = said("name");
    let connection = said("connectionId");
    let configuration = said("ticketConfiguration");
    let connection = connection.and_then(|id| {
        let parsed = Guid::parse(&id);
        if let Err(expected) = &parsed {
            troubles.push(Trouble {
                error: format!("{path}.connectionId: found `{}`, {expected}", harmless(&id)),
                hint: "it is the id of the connection in its workspace".to_owned(),
            });
        }
        parsed.ok()
    });
    let meant = configuration.and_then(|configuration| {
        let path = format!("{path}.ticketConfiguration");
        match ticket_configuration::read(&path, &json!(configuration)) {
            Ok(meant) => Some((
                serde_json::from_str(&configuration).unwrap_or_default(),
                meant,
            )),
            Err(problems) => {
                let told = problems.iter().map(|problem| Trouble {
                    error: format!(
                        "{}: found {}, expected {}",
                        problem.path, problem.found, problem.expected
                    ),
                    hint: problem.hint.clone(),
                });
                troubles.extend(told);
                None
            }
        }
    });
    let (Some(name), Some(connection), Some((written_configuration, meant))) =
        (name, connection, meant)
    else {
        return Err(troubles);
    };
    Ok(Receiver {
        name,
        connection,
        workspace: text(written.get("workspaceId")).unwrap_or_default(),
        written: written_configuration,
        meant,
    })
}

/// `…/resourceGroups/NAME/…`, or what `az` says beside it.
fn resource_group(resource: &Map<String, Value>) -> Option<String> {
    let said = resource.get("resourceGroup").and_then(Value::as_str);
    let id = resource
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut segments = id.split('/');
    let in_id = segments
        .find(|segment| segment.eq_ignore_ascii_case("resourceGroups"))
        .and_then(|_| segments.next());
    said.or(in_id).map(str::to_owned)
}

/// The parts of a resource that are deployed, in the form of a template.
fn as_in_a_template(found: &Found<'_>, properties: Map<String, Value>) -> Map<String, Value> {
    let mut resource = Map::new();
    for name in ["apiVersion", "name", "location", "tags", "identity"] {
        if let Some(value) = found.resource.get(name).filter(|value| !value.is_null()) {
            resource.insert(name.to_owned(), value.clone());
        }
    }
    resource.insert("properties".to_owned(), Value::Object(properties));
    match (
        &found.template,
        resource::escaped(&Value::Object(resource.clone())),
    ) {
        (None, Value::Object(escaped)) => escaped,
        _ => resource,
    }
}
