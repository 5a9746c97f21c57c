//! Which actions a connection needs for the ITSM actions that were found, which of them it has, and writing the others.

use std::collections::BTreeMap;

use itsm_connector::domain::connection::Mode;
use itsm_connector::domain::definition;
use itsm_connector::domain::name::{ActionName, ConnectionName};
use itsm_connector::domain::secret::Secret;
use itsm_connector::stores::connections::SECRET_PREFIX;
use serde_json::{Map, Value, json};

use super::exported::{ActionGroup, Receiver};
use super::guid::Guid;
use super::per_connection::{PerConnection, Planned, Standing};
use super::receivers;
use crate::desk::Desk;
use crate::failure::{Exit, Failure, Trouble};

/// The actions of all connections.
pub(super) struct Plan {
    connections: BTreeMap<ConnectionName, PerConnection>,
    mode: Mode,
}

impl Plan {
    /// What is needed, compared with what the vault has.
    pub(super) async fn make(
        desk: &Desk,
        groups: &[ActionGroup],
        names: &BTreeMap<Guid, ConnectionName>,
        mode: Mode,
    ) -> Result<Self, Failure> {
        let mut plan = Self {
            connections: BTreeMap::new(),
            mode,
        };
        for (_, receiver) in receivers(groups) {
            let Some(name) = names.get(&receiver.connection) else {
                continue;
            };
            if !plan.connections.contains_key(name) {
                let connection = PerConnection {
                    definition: stored(desk, name).await?,
                    actions: Vec::new(),
                };
                plan.connections.insert(name.clone(), connection);
            }
            if let Some(connection) = plan.connections.get_mut(name) {
                connection.need(receiver, mode);
            }
        }
        Ok(plan)
    }

    /// The action that an ITSM action becomes.
    pub(super) fn action(
        &self,
        connection: &ConnectionName,
        receiver: &Receiver,
    ) -> Option<&ActionName> {
        let actions = &self.connections.get(connection)?.actions;
        let mut same = actions
            .iter()
            .filter(|action| action.meant == receiver.meant);
        same.next().map(|action| &action.name)
    }

    /// Connections that the vault does not have.
    pub(super) fn missing_connections(&self) -> impl Iterator<Item = &ConnectionName> {
        let missing = |(_, one): &(&ConnectionName, &PerConnection)| one.definition.is_none();
        self.connections
            .iter()
            .filter(missing)
            .map(|(name, _)| name)
    }

    /// True if the vault has not all of it.
    pub(super) fn changes_anything(&self) -> bool {
        self.all()
            .any(|(_, action)| action.standing != Standing::There)
    }

    /// An action that somebody has changed is replaced only if the person says so.
    pub(super) fn refuse_what_differs(&self, replace: bool) -> Result<(), Failure> {
        let wanted = json!(self.mode);
        let wanted = wanted.as_str().unwrap_or_default();
        let differs = |(connection, action): (&ConnectionName, &Planned)| match action.standing {
            Standing::New | Standing::There => None,
            Standing::OtherMode(mode) => Some(Trouble {
                error: format!(
                    "the action `{}` of `{connection}` is `{}`, and the import says `{wanted}`",
                    action.name,
                    json!(mode).as_str().unwrap_or_default()
                ),
                hint: "`--replace` sets it; `--mode` says which the import means".to_owned(),
            }),
            Standing::Differs => Some(Trouble {
                error: format!(
                    "the action `{}` of `{connection}` is there and says something else",
                    action.name
                ),
                hint: format!(
                    "`itsmc connection show {connection} --json` shows it; `--replace` sets its `ticket_configuration` and `mode`, and leaves the rest"
                ),
            }),
        };
        let troubles: Vec<Trouble> = self.all().filter_map(differs).collect();
        if replace || troubles.is_empty() {
            return Ok(());
        }
        Err(Failure {
            exit: Exit::WrongUsage,
            troubles,
        })
    }

    /// Writes what is not there yet; how many connections have changed.
    pub(super) async fn apply(&mut self, desk: &Desk) -> Result<usize, Failure> {
        if let Some(name) = self.missing_connections().next() {
            return Err(Failure::does_not_work(
                format!(
                    "there is no connection `{name}` in `{}`",
                    desk.vault_place()
                ),
                format!("`itsmc connection add {name}` makes it; nothing was written"),
            ));
        }
        // All are checked before the first is written.
        let mut changed = Vec::new();
        for (name, connection) in &self.connections {
            if let Some(definition) = connection.changed(self.mode) {
                let text = serde_json::to_string_pretty(&Value::Object(definition));
                let text = Secret::new(text.unwrap_or_default());
                definition::parse(text.expose().as_bytes(), desk.allowed())
                    .map_err(|problems| Failure::from(&problems))?;
                changed.push((name, text));
            }
        }
        for (name, text) in &changed {
            desk.vault()
                .set(&format!("{SECRET_PREFIX}{name}"), text, None)
                .await?;
        }
        Ok(changed.len())
    }

    /// For a script.
    pub(super) fn actions(&self) -> Vec<Value> {
        let told = |(connection, action): (&ConnectionName, &Planned)| {
            json!({
                "connection": connection,
                "name": action.name,
                "standing": action.standing.word(false),
                "definition": { "ticket_configuration": action.written, "mode": self.mode },
            })
        };
        self.all().map(told).collect()
    }

    /// For a person.
    pub(super) fn rows(&self, applied: bool) -> ([&'static str; 5], Vec<Vec<String>>) {
        let mode = json!(self.mode);
        let row = |(connection, action): (&ConnectionName, &Planned)| {
            let fields = action.meant.fields.keys().map(String::as_str);
            let fields: Vec<&str> = fields.collect();
            vec![
                connection.to_string(),
                action.name.to_string(),
                mode.as_str().unwrap_or_default().to_owned(),
                action.standing.word(applied).to_owned(),
                if fields.is_empty() {
                    "-".to_owned()
                } else {
                    fields.join(", ")
                },
            ]
        };
        (
            ["CONNECTION", "ACTION", "MODE", "VAULT", "FIELDS"],
            self.all().map(row).collect(),
        )
    }

    fn all(&self) -> impl Iterator<Item = (&ConnectionName, &Planned)> {
        self.connections
            .iter()
            .flat_map(|(name, one)| one.actions.iter().map(move |action| (name, action)))
    }
}

/// A connection's definition as the vault has it.
async fn stored(desk: &Desk, name: &ConnectionName) -> Result<Option<Map<String, Value>>, Failure> {
    let Some(kept) = desk.vault().get(&format!("{SECRET_PREFIX}{name}")).await? else {
        return Ok(None);
    };
    let text = kept.value;
    let parsed = definition::parse(text.expose().as_bytes(), desk.allowed());
    if let Err(problems) = parsed {
        return Err(Failure {
            exit: Exit::DoesNotWork,
            ..Failure::from(&problems)
        });
    }
    match serde_json::from_str(text.expose()) {
        Ok(Value::Object(definition)) => Ok(Some(definition)),
        _ => Ok(None),
    }
}
