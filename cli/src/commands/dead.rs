//! `itsmc dead list|show|redrive`: what was given up or not understood, and waits for a person.

use std::path::Path;

use clap::{Args, Subcommand};
use itsm_connector::domain::identity::{BodyId, EventId};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::Core;
use itsm_connector::flows::redrive::{self, NotRedriven};
use itsm_connector::stores::objects::StoreFailure;
use serde::Serialize;

use super::connection_name;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{Output, harmless, hint_line};
use crate::spans;

/// Look at and try again what was given up or not understood.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: everything that waits for a person\n\n  itsmc dead list")]
pub(crate) enum Dead {
    /// List what waits for a person
    List(List),
    /// Show one, with its reason and its alert
    Show(Show),
    /// Try it again: once its reason is mended
    Redrive(Redrive),
}

/// List what waits for a person.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc dead list --connection contoso")]
pub(crate) struct List {
    /// Of this connection only
    #[arg(long, value_parser = connection_name)]
    connection: Option<ConnectionName>,
}

/// Show one, with its reason and its alert.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc dead show lbbbhs2pr6ytfv2kyt2lfblggt")]
pub(crate) struct Show {
    /// Its name, as `dead list` and the answer of the webhook tell it
    name: String,
}

/// Try it again.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n\n  itsmc dead redrive lbbbhs2pr6ytfv2kyt2lfblggt\n  itsmc dead redrive --all --connection contoso"
)]
pub(crate) struct Redrive {
    /// Its name
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    name: Option<String>,
    /// Everything that waits
    #[arg(long)]
    all: bool,
    /// Of this connection only
    #[arg(long, value_parser = connection_name)]
    connection: Option<ConnectionName>,
}

/// Something that waits for a person.
#[derive(Debug, Serialize)]
struct Waiting {
    connection: ConnectionName,
    name: String,
    /// `dead letter` or `quarantine`.
    kind: &'static str,
    at: Timestamp,
    reason: String,
    hint: String,
}

impl Dead {
    /// Does it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        desk.existing_state()?;
        let core = desk.core()?;
        match self {
            Self::List(list) => list.run(&core, output).await,
            Self::Show(show) => show.run(&core, output).await,
            Self::Redrive(redrive) => redrive.run(&core, output).await,
        }
    }
}

impl List {
    async fn run(&self, core: &Core, output: &Output) -> Result<(), Failure> {
        let waiting = waiting(core, self.connection.as_ref()).await?;
        if output.is_json() {
            output.document(&serde_json::json!({ "waiting": waiting }));
            return Ok(());
        }
        if waiting.is_empty() {
            output.words("nothing waits for a person");
            return Ok(());
        }
        let now = core.clock.now();
        let rows: Vec<Vec<String>> = waiting
            .iter()
            .map(|one| {
                let age = spans::short(now.since(one.at));
                vec![
                    one.name.clone(),
                    one.connection.to_string(),
                    one.kind.to_owned(),
                    age,
                    harmless(&one.reason),
                ]
            })
            .collect();
        output.table(&["NAME", "CONNECTION", "KIND", "SINCE", "REASON"], &rows);
        output.words(hint_line(
            "`itsmc dead show NAME` tells more; mend the reason, then `itsmc dead redrive NAME`",
        ));
        Ok(())
    }
}

impl Show {
    async fn run(&self, core: &Core, output: &Output) -> Result<(), Failure> {
        let all = waiting(core, None).await?;
        let one = all
            .into_iter()
            .find(|one| one.name == self.name)
            .ok_or_else(nothing_there)?;
        let alert = alert(core, &one).await?;
        if output.is_json() {
            output.document(&serde_json::json!({ "waiting": one, "alert": alert }));
            return Ok(());
        }
        output.line(format!(
            "{} of {}, since {}",
            one.kind, one.connection, one.at
        ));
        output.line(harmless(&one.reason));
        output.line(hint_line(&one.hint));
        output.line("");
        for line in alert
            .as_deref()
            .unwrap_or("the alert is not in the journal any more")
            .lines()
        {
            output.line(harmless(line));
        }
        Ok(())
    }
}

impl Redrive {
    async fn run(&self, core: &Core, output: &Output) -> Result<(), Failure> {
        let all = waiting(core, self.connection.as_ref()).await?;
        let chosen: Vec<Waiting> = all
            .into_iter()
            .filter(|one| self.all || self.name.as_deref() == Some(&one.name))
            .collect();
        if chosen.is_empty() && !self.all {
            return Err(nothing_there());
        }
        let (mut pending, mut failed) = (Vec::new(), Vec::new());
        for one in chosen {
            output.progress(format!("{} of {}", one.name, one.connection));
            match redrive::run(core, &one.connection, &one.name).await {
                Ok(event) => pending.push(event),
                Err(reason) => failed.push((one, reason)),
            }
        }
        output.settle();
        if output.is_json() {
            let failed: Vec<_> = failed
                .iter()
                .map(|(one, reason)| serde_json::json!({ "name": one.name, "error": reason.to_string(), "hint": reason.hint() }))
                .collect();
            output.document(&serde_json::json!({ "pending": pending, "failed": failed }));
        } else {
            for event in &pending {
                output.line(format!(
                    "{event} is pending again; the next drain takes it up within a minute"
                ));
            }
            for (one, reason) in &failed {
                output.warning(format!("{}: {reason}", one.name), reason.hint());
            }
        }
        if failed.is_empty() {
            Ok(())
        } else {
            Err(Failure::told())
        }
    }
}

fn nothing_there() -> Failure {
    let reason = NotRedriven::NothingThere;
    Failure::does_not_work(reason.to_string(), reason.hint())
}

/// Everything that waits, the oldest first.
async fn waiting(core: &Core, only: Option<&ConnectionName>) -> Result<Vec<Waiting>, StoreFailure> {
    let mut names = Vec::new();
    for folder in ["dead", "quarantine"] {
        names.extend(core.objects.folders(folder).await?);
    }
    names.sort_unstable();
    names.dedup();
    let mut all = Vec::new();
    for name in names
        .iter()
        .filter_map(|name| ConnectionName::parse(name).ok())
    {
        if only.is_some_and(|only| *only != name) {
            continue;
        }
        for event in core.dead.list(&name).await? {
            let Some(letter) = core.dead.read(&name, &event).await? else {
                continue;
            };
            all.push(Waiting {
                connection: name.clone(),
                name: event.to_string(),
                kind: "dead letter",
                at: letter.at,
                reason: letter.reason.to_string(),
                hint: letter.hint,
            });
        }
        for body in core.quarantine.list(&name).await? {
            let Some(kept) = core.quarantine.read(&name, &body).await? else {
                continue;
            };
            all.push(Waiting {
                connection: name.clone(),
                name: body.to_string(),
                kind: "quarantine",
                at: kept.at,
                reason: kept.detail,
                hint: "if it is an alert of another schema, switch on the common alert schema in the action group".to_owned(),
            });
        }
    }
    all.sort_by_key(|one| one.at);
    Ok(all)
}

/// The alert as it came, where it is text.
async fn alert(core: &Core, one: &Waiting) -> Result<Option<String>, StoreFailure> {
    let bytes = if let Some(event) = EventId::parse(&one.name).filter(|_| one.kind == "dead letter")
    {
        core.journal
            .read(&one.connection, &event)
            .await?
            .map(|entry| entry.body)
    } else if let Some(body) = BodyId::parse(&one.name) {
        core.quarantine
            .read(&one.connection, &body)
            .await?
            .and_then(|kept| kept.body())
    } else {
        None
    };
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
