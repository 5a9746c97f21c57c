//! `itsmc connection import`: the ITSM actions of exported action groups become actions of connections, and the action
//! groups get webhooks that call them.

mod actions;
mod endpoint;
mod exported;
mod folder;
mod guid;
mod per_connection;
mod resource;
mod told;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use itsm_connector::domain::connection::Mode;
use itsm_connector::domain::name::ConnectionName;

use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::{Exit, Failure};
use crate::files;
use crate::output::{Output, harmless};
use actions::Plan;
use endpoint::Endpoint;
use exported::ActionGroup;
use folder::Folder;
use guid::Guid;
use told::Told;
use webhook::{Entra, Webhooks};

/// Longest export that is read: Azure takes no template over 4 MB.
const EXPORT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Take over the ITSM actions of Microsoft's connector.
///
/// Reads exported action groups: what `az monitor action-group list` or the REST API prints, or an exported template. Each
/// different `ticketConfiguration` becomes an action of the connection that `--connection` names for its id, and each
/// action group becomes a template in which a webhook stands beside its ITSM actions, or in their place.
///
/// Nothing is written to the vault without `--apply`. While the ITSM actions are kept, the imported actions only watch
/// (`mode: shadow`), so that no incident is made twice.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: what is in there; run beside Microsoft's connector; take its place\n\n  \
        az monitor action-group list > groups.json\n  \
        itsmc connection import groups.json\n  \
        itsmc connection import groups.json --connection GUID=contoso \\\n    \
        --endpoint https://alerts.contoso.example --out webhooks --apply\n  \
        itsmc connection import groups.json --connection GUID=contoso \\\n    \
        --endpoint https://alerts.contoso.example --out webhooks --remove-itsm-receivers --replace --apply"
)]
pub(crate) struct Import {
    /// Exported action groups; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The connection that takes the place of the one with this id, as `GUID=NAME`; once for each
    #[arg(long = "connection", value_name = "GUID=NAME", value_parser = named_guid)]
    connections: Vec<(Guid, ConnectionName)>,
    /// Where Azure reaches the function, such as `https://alerts.contoso.example`
    #[arg(long, value_name = "URL", value_parser = Endpoint::parse)]
    endpoint: Option<Endpoint>,
    /// Write a template for each action group, and `connections.json`, into this folder
    #[arg(long, value_name = "DIR", requires = "endpoint")]
    out: Option<PathBuf>,
    /// Put the actions into the connections of the vault
    #[arg(long)]
    apply: bool,
    /// Replace actions and files of the same name that say something else
    #[arg(long)]
    replace: bool,
    /// Leave the ITSM actions out of the templates; by default they stay, and both connectors run
    #[arg(long)]
    remove_itsm_receivers: bool,
    /// Whether the imported actions make work items: by default once the ITSM actions are left out
    #[arg(long, value_name = "MODE")]
    mode: Option<ModeWord>,
    /// Secure webhook: the object id of the Entra application that stands for the function
    #[arg(long, value_name = "ID", value_parser = Guid::parse, requires_all = ["entra_identifier_uri", "entra_tenant_id"])]
    entra_object_id: Option<Guid>,
    /// Secure webhook: its identifier URI, such as api://…
    #[arg(long, value_name = "URI", requires = "entra_object_id")]
    entra_identifier_uri: Option<String>,
    /// Secure webhook: the Entra tenant
    #[arg(long, value_name = "ID", value_parser = Guid::parse, requires = "entra_object_id")]
    entra_tenant_id: Option<Guid>,
}

/// Whether an action makes work items.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeWord {
    Live,
    Shadow,
}

impl Import {
    /// Imports them.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let groups = self.read(output)?;
        let names = self.names(&groups)?;
        let desk = Desk::open(data)?;
        let mut plan = Plan::make(&desk, &groups, &names, self.mode()).await?;
        self.warn(&groups, &names, &plan, output);
        plan.refuse_what_differs(self.replace)?;
        let webhooks = self.endpoint.as_ref().map(|endpoint| Webhooks {
            endpoint,
            entra: self.entra(),
            removes_itsm_receivers: self.remove_itsm_receivers,
            names: &names,
        });
        let templates = match &webhooks {
            Some(webhooks) => webhooks.templates(&groups, &plan)?,
            None => Vec::new(),
        };
        let table = told::table(&groups, &names);
        let folder = self
            .out
            .as_deref()
            .map(|out| Folder::prepare(out, &groups, &templates, &table, self.replace))
            .transpose()?;
        let applied = if self.apply {
            plan.apply(&desk).await?
        } else {
            0
        };
        if let Some(folder) = &folder {
            folder.write()?;
        }
        let told = Told {
            plan: &plan,
            groups: &groups,
            templates: &templates,
            table: &table,
            files: folder.as_ref().map(Folder::names).unwrap_or_default(),
            applied: self.apply.then_some(applied),
        };
        told.tell(output);
        told.sum_up(self.endpoint.is_some(), self.out.as_deref(), output);
        Ok(())
    }

    /// The action groups of all files that have an ITSM action.
    fn read(&self, output: &Output) -> Result<Vec<ActionGroup>, Failure> {
        let from_stdin = self.files.iter().filter(|file| *file == Path::new("-"));
        if from_stdin.count() > 1 {
            return Err(Failure::wrong_usage(
                "standard input can be read only once",
                "name each file, or `-` once",
            ));
        }
        let (mut groups, mut troubles) = (Vec::new(), Vec::new());
        for file in &self.files {
            output.progress(format!("reading {}", file.display()));
            let text = files::read_export(file, EXPORT_BYTES_MAX)?;
            let name = match file.to_str() {
                Some("-") | None => "standard input".to_owned(),
                Some(name) => name.to_owned(),
            };
            groups.extend(exported::read(&name, &text, &mut troubles));
        }
        output.settle();
        if !troubles.is_empty() {
            return Err(Failure {
                exit: Exit::WrongUsage,
                troubles,
            });
        }
        let all = groups.len();
        groups.retain(|group: &ActionGroup| !group.receivers.is_empty());
        if groups.is_empty() {
            return Err(Failure::wrong_usage(
                format!(
                    "none of the {all} action groups has an ITSM action: `itsmReceivers` is empty or not there"
                ),
                "`az monitor action-group list` prints all action groups of a subscription",
            ));
        }
        if groups.len() < all {
            output.words(format!(
                "{} of {all} action groups have no ITSM action; they stay as they are",
                all - groups.len()
            ));
        }
        Ok(groups)
    }

    /// The connections' names by their ids; an error if one has none.
    fn names(&self, groups: &[ActionGroup]) -> Result<BTreeMap<Guid, ConnectionName>, Failure> {
        let mut names: BTreeMap<Guid, ConnectionName> = BTreeMap::new();
        for (id, name) in &self.connections {
            if let Some(other) = names.insert(id.clone(), name.clone())
                && other != *name
            {
                return Err(Failure::wrong_usage(
                    format!("`{id}` is named `{other}` and `{name}`"),
                    "an id stands for one connection",
                ));
            }
        }
        let mut nameless: BTreeMap<&Guid, Vec<String>> = BTreeMap::new();
        for (group, receiver) in receivers(groups) {
            if !names.contains_key(&receiver.connection) {
                let told = format!(
                    "`{}` of `{}`",
                    harmless(&receiver.name),
                    harmless(&group.name)
                );
                nameless.entry(&receiver.connection).or_default().push(told);
            }
        }
        if nameless.is_empty() {
            return Ok(names);
        }
        let lines: Vec<String> = nameless
            .iter()
            .map(|(id, receivers)| format!("\n  {id}  {}", receivers.join(", ")))
            .collect();
        let ids: BTreeSet<&Guid> = names.keys().chain(nameless.keys().copied()).collect();
        Err(Failure::wrong_usage(
            format!("connections whose names are not known:{}", lines.concat()),
            format!("name them: {}", self.command(&ids, &names)),
        ))
    }

    /// The command to run again, once the person has filled in the names.
    fn command(&self, ids: &BTreeSet<&Guid>, names: &BTreeMap<Guid, ConnectionName>) -> String {
        let mut words = vec!["itsmc connection import".to_owned()];
        words.extend(
            self.files
                .iter()
                .map(|file| quoted(&file.display().to_string())),
        );
        for id in ids {
            let name = names.get(*id).map_or("NAME", ConnectionName::as_str);
            words.push(format!("--connection {id}={name}"));
        }
        words.join(" ")
    }

    /// While Microsoft's connector goes on making incidents, ours would be the second.
    fn mode(&self) -> Mode {
        match (self.mode, self.remove_itsm_receivers) {
            (Some(ModeWord::Live), _) | (None, true) => Mode::Live,
            (Some(ModeWord::Shadow), _) | (None, false) => Mode::Shadow,
        }
    }

    fn entra(&self) -> Option<Entra<'_>> {
        Some(Entra {
            object_id: self.entra_object_id.as_ref()?,
            identifier_uri: self.entra_identifier_uri.as_deref()?,
            tenant_id: self.entra_tenant_id.as_ref()?,
        })
    }

    fn warn(
        &self,
        groups: &[ActionGroup],
        names: &BTreeMap<Guid, ConnectionName>,
        plan: &Plan,
        output: &Output,
    ) {
        let found: BTreeSet<&Guid> = receivers(groups).map(|(_, one)| &one.connection).collect();
        for id in names.keys().filter(|id| !found.contains(id)) {
            output.warning(
                format!("no ITSM action has the connection `{id}`"),
                "compare the id with the table; it stands in `itsmReceivers[].connectionId`",
            );
        }
        for name in plan.missing_connections() {
            output.warning(
                format!("there is no connection `{name}` in the vault yet"),
                format!("`itsmc connection add {name}` makes it; then import with `--apply`"),
            );
        }
        if self.mode() == Mode::Live && !self.remove_itsm_receivers {
            output.warning(
                "both connectors make work items: each alert will have two",
                "`--remove-itsm-receivers` takes Microsoft's out of the action groups, or leave `--mode live` out",
            );
        }
    }
}

/// Each ITSM action with its group.
fn receivers(groups: &[ActionGroup]) -> impl Iterator<Item = (&ActionGroup, &exported::Receiver)> {
    groups.iter().flat_map(|group| {
        group
            .receivers
            .iter()
            .map(move |receiver| (group, receiver))
    })
}

/// `GUID=NAME`.
fn named_guid(text: &str) -> Result<(Guid, ConnectionName), String> {
    let (id, name) = text.split_once('=').ok_or("expected GUID=NAME")?;
    Ok((Guid::parse(id)?, connection_name(name)?))
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
