//! The actions that one connection needs: what each says and is called, and whether the connection has it.

use itsm_connector::domain::connection::{Grouping, Mode};
use itsm_connector::domain::definition::ticket_configuration::{self, TicketConfiguration};
use itsm_connector::domain::identity::BodyId;
use itsm_connector::domain::name::{ActionName, DEFAULT_ACTION};
use serde_json::{Map, Value, json};

use super::exported::Receiver;

/// Characters of a hash that tell one set of fields from another in an action's name: 30 bits, for the few that a
/// connection has. Two that meet all the same are seen, for the second then says something else than the first.
const HASH_CHARS: usize = 6;

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The connection has it not.
    New,
    /// The connection has it, and it says the same.
    There,
    /// The connection has it, in another mode.
    OtherMode(Mode),
    /// The connection has one by this name that says something else.
    Differs,
}

impl Standing {
    /// The word for it, before and after it was written.
    pub(super) fn word(self, applied: bool) -> &'static str {
        match (self, applied) {
            (Self::New, false) => "new",
            (Self::New, true) => "added",
            (Self::There, _) => "there",
            (Self::OtherMode(_) | Self::Differs, false) => "differs",
            (Self::OtherMode(_) | Self::Differs, true) => "replaced",
        }
    }
}

/// An action that an ITSM action becomes.
pub(super) struct Planned {
    pub(super) name: ActionName,
    pub(super) meant: TicketConfiguration,
    /// Microsoft's JSON of the first ITSM action that said so.
    pub(super) written: Value,
    pub(super) standing: Standing,
}

/// The actions of a connection.
pub(super) struct PerConnection {
    /// Its definition as the vault has it; none if it has none.
    pub(super) definition: Option<Map<String, Value>>,
    pub(super) actions: Vec<Planned>,
}

impl PerConnection {
    /// Takes up what an ITSM action says, unless another has said the same.
    pub(super) fn need(&mut self, receiver: &Receiver, mode: Mode) {
        if self
            .actions
            .iter()
            .any(|action| action.meant == receiver.meant)
        {
            return;
        }
        let derived = derived_name(&receiver.meant);
        let (name, standing) = match self.like(&receiver.meant, &derived) {
            Some((name, there)) => match mode_of(there) {
                said if said == mode => (name, Standing::There),
                said => (name, Standing::OtherMode(said)),
            },
            None if self.existing(derived.as_str()).is_some() => (derived, Standing::Differs),
            None => (derived, Standing::New),
        };
        self.actions.push(Planned {
            name,
            meant: receiver.meant.clone(),
            written: receiver.written.clone(),
            standing,
        });
    }

    /// An action that the connection has and whose `ticket_configuration` means the same, be it by another name: the
    /// person may have renamed it. What else it says is theirs.
    fn like(
        &self,
        meant: &TicketConfiguration,
        derived: &ActionName,
    ) -> Option<(ActionName, &Value)> {
        let actions = self.definition.as_ref()?.get("actions")?.as_object()?;
        let means_it = |value: &Value| {
            let written = value.get("ticket_configuration");
            written.is_some_and(|written| {
                ticket_configuration::read("", written).as_ref() == Ok(meant)
            })
        };
        let mut alike: Vec<(ActionName, &Value)> = actions
            .iter()
            .filter(|(_, value)| means_it(value))
            .filter_map(|(name, value)| Some((ActionName::parse(name).ok()?, value)))
            .collect();
        alike.sort_by_key(|(name, _)| name != derived);
        alike.into_iter().next()
    }

    fn existing(&self, name: &str) -> Option<&Value> {
        self.definition.as_ref()?.get("actions")?.get(name)
    }

    /// The definition with its new actions; `None` if it has them all.
    pub(super) fn changed(&self, mode: Mode) -> Option<Map<String, Value>> {
        if self
            .actions
            .iter()
            .all(|action| action.standing == Standing::There)
        {
            return None;
        }
        let mut definition = self.definition.clone()?;
        let actions = definition.entry("actions").or_insert_with(|| json!({}));
        // Without any action a connection has a good one by this name; with some, it must be said.
        if actions.as_object().is_some_and(Map::is_empty) {
            actions[DEFAULT_ACTION] = json!({});
        }
        for action in self
            .actions
            .iter()
            .filter(|action| action.standing != Standing::There)
        {
            let there = &mut actions[action.name.as_str()];
            if !there.is_object() {
                *there = json!({});
            }
            there["ticket_configuration"] = action.written.clone();
            there["mode"] = json!(mode);
        }
        Some(definition)
    }
}

/// `incident-per-rule`, with a hash where it sets fields: it follows from what the action says alone, so that it is the
/// same in whatever file and order the action comes.
fn derived_name(meant: &TicketConfiguration) -> ActionName {
    let per = match meant.grouping {
        Grouping::Alert => "alert",
        Grouping::Rule => "rule",
        Grouping::ConfigurationItem => "configuration-item",
        Grouping::Row => "row",
    };
    let mut name = format!("{}-per-{per}", meant.work_item_type.as_str());
    if !meant.fields.is_empty() {
        let fields = serde_json::to_vec(&meant.fields).unwrap_or_default();
        name.push('-');
        name.push_str(&BodyId::new(&fields).as_str()[..HASH_CHARS]);
    }
    ActionName::parse(&name).unwrap_or_default()
}

/// An action's mode. The definition was checked: what it says is one.
fn mode_of(action: &Value) -> Mode {
    let said = action.get("mode").cloned().unwrap_or_default();
    serde_json::from_value(said).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(written: Value) -> String {
        derived_name(&ticket_configuration::read("", &written).unwrap()).to_string()
    }

    #[test]
    fn a_name_follows_from_what_the_action_says() {
        let incident = |more: Value| {
            let mut written = json!({ "WorkItemType": "Incident" });
            for (key, value) in more.as_object().unwrap() {
                written[key] = value.clone();
            }
            name(written)
        };
        assert_eq!(incident(json!({})), "incident-per-rule");
        assert_eq!(
            incident(json!({ "CreateOneWIPerCI": true })),
            "incident-per-configuration-item"
        );
        assert_eq!(
            incident(json!({ "CreateOneWIPerLog": true })),
            "incident-per-row"
        );
        let network = incident(json!({ "WorkItemData": { "category": "network" } }));
        assert_eq!(
            network,
            incident(
                json!({ "WorkItemData": "{\"category\": \"network\"}", "UseTemplate": false })
            )
        );
        assert_ne!(
            network,
            incident(json!({ "WorkItemData": { "category": "hardware" } }))
        );
        assert!(network.starts_with("incident-per-rule-"), "{network}");
    }
}
