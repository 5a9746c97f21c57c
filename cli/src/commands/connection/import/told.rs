//! What the person sees of an import: the actions, the table of ids, the files, and what to do next.

use std::collections::BTreeMap;
use std::path::Path;

use itsm_connector::domain::name::ConnectionName;
use itsm_connector::stores::connections::FRESH_MAX;
use serde_json::{Value, json};

use super::actions::Plan;
use super::exported::ActionGroup;
use super::guid::Guid;
use super::{quoted, receivers};
use crate::output::{Output, harmless, hint_line};

/// An import that went well.
pub(super) struct Told<'a> {
    pub(super) plan: &'a Plan,
    pub(super) groups: &'a [ActionGroup],
    /// A template for each group; none without an endpoint.
    pub(super) templates: &'a [Value],
    pub(super) table: &'a [Value],
    /// The files that were written.
    pub(super) files: Vec<String>,
    /// How many connections of the vault have changed; none if they were not to be.
    pub(super) applied: Option<usize>,
}

impl Told<'_> {
    /// The data.
    pub(super) fn tell(&self, output: &Output) {
        if output.is_json() {
            output.document(&self.document());
            return;
        }
        let (headings, rows) = self.plan.rows(self.applied.is_some());
        output.table(&headings, &rows);
        output.line("");
        let row = |row: &Value| {
            let word = |key: &str| harmless(row[key].as_str().unwrap_or_default());
            let count = row["itsm_actions"].as_array().map_or(0, Vec::len);
            vec![word("id"), word("connection"), count.to_string()]
        };
        let rows: Vec<Vec<String>> = self.table.iter().map(row).collect();
        output.table(&["ID", "CONNECTION", "ITSM ACTIONS"], &rows);
        if !self.files.is_empty() {
            output.line("");
            self.files.iter().for_each(|file| output.line(file));
        }
    }

    fn document(&self) -> Value {
        let group = |(group, template): (&ActionGroup, &Value)| {
            json!({
                "name": group.name,
                "resource_group": group.resource_group,
                "template": template,
            })
        };
        let groups: Vec<Value> = self.groups.iter().zip(self.templates).map(group).collect();
        json!({
            "applied": self.applied.is_some(),
            "actions": self.plan.actions(),
            "connections": self.table,
            "action_groups": groups,
            "files": self.files,
        })
    }

    /// What was done, and what is still to do.
    pub(super) fn sum_up(&self, has_endpoint: bool, out: Option<&Path>, output: &Output) {
        match self.applied {
            Some(0) => output.words("the vault had all of these actions already"),
            Some(changed) => {
                output.words(match changed {
                    1 => "one connection of the vault has changed".to_owned(),
                    many => format!("{many} connections of the vault have changed"),
                });
                let minutes = FRESH_MAX.as_secs() / 60;
                output.words(hint_line(format!(
                    "a running function reads it anew within {minutes} minutes: deploy after that"
                )));
            }
            None if self.plan.changes_anything() => {
                output.words("nothing was written to the vault");
                output.words(hint_line(
                    "the same command with `--apply` writes the actions",
                ));
            }
            None => output.words("the vault has all of these actions already"),
        }
        match out {
            Some(out) => {
                let folder = quoted(&out.display().to_string());
                output.words(hint_line(format!(
                    "deploy each: az deployment group create --resource-group GROUP --template-file {folder}/FILE"
                )));
            }
            None if !has_endpoint => output.words(hint_line(
                "`--endpoint URL` and `--out DIR` write the action groups with their webhooks",
            )),
            None => {}
        }
    }
}

/// Which id is which connection, and where it was found.
pub(super) fn table(groups: &[ActionGroup], names: &BTreeMap<Guid, ConnectionName>) -> Vec<Value> {
    let mut found: BTreeMap<&Guid, (&str, Vec<Value>)> = BTreeMap::new();
    for (group, receiver) in receivers(groups) {
        let entry = found
            .entry(&receiver.connection)
            .or_insert((&receiver.workspace, Vec::new()));
        entry
            .1
            .push(json!({ "action_group": group.name, "name": receiver.name }));
    }
    let row = |(id, (workspace, actions)): (&Guid, (&str, Vec<Value>))| json!({ "id": id.as_str(), "connection": names.get(id), "workspace_id": workspace, "itsm_actions": actions });
    found.into_iter().map(row).collect()
}
