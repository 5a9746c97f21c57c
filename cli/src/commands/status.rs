//! `itsmc status`: what is pending, held back or given up, per connection.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use itsm_connector::domain::gate::{Gate, Passage};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::work_item::Uniqueness;
use itsm_connector::flows::Core;
use itsm_connector::flows::backlog::{self, Backlog};
use itsm_connector::flows::refresh_tokens::NotRefreshed;
use itsm_connector::flows::token_status::{self, Standing, TokenStatus};
use itsm_connector::stores::connections::SECRET_PREFIX;
use itsm_connector::stores::objects::StoreFailure;
use serde::Serialize;

use crate::commands::connection::stored;
use crate::commands::tokens;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{Output, hint_line};
use crate::spans;

/// Objects that cannot be read and are named one by one.
const UNREADABLE_SHOWN: usize = 3;

/// Folders of the state that have one folder per connection.
const FOLDERS: [&str; 4] = ["pending", "dead", "quarantine", "gates"];

/// Show what is pending, held back or given up.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc status --json")]
pub(crate) struct Status {}

#[derive(Serialize)]
struct Report {
    name: ConnectionName,
    in_vault: bool,
    pending: Backlog,
    gate: GateReport,
    dead_letters: usize,
    quarantined: usize,
    uniqueness: Uniqueness,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<TokenStatus>,
    /// Objects of the state that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<Unreadable>,
}

#[derive(Serialize)]
struct Unreadable {
    object: String,
    because: String,
    hint: &'static str,
}

impl From<StoreFailure> for Unreadable {
    fn from(failure: StoreFailure) -> Self {
        Self {
            because: failure.to_string(),
            hint: failure.hint(),
            object: failure.path,
        }
    }
}

#[derive(Serialize)]
struct GateReport {
    /// `unreadable`; `open`, `closed`, `probing`: one call goes through to find out, or `opening`: some at once do.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Status {
    /// Shows it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        desk.existing_state()?;
        let core = desk.core()?;
        let in_vault: BTreeSet<ConnectionName> = named(&desk.vault().list(SECRET_PREFIX).await?);
        let mut names = in_vault.clone();
        for folder in FOLDERS {
            names.extend(named(&core.objects.folders(folder).await?));
        }
        let now = core.clock.now();
        let mut reports = Vec::new();
        for name in names {
            let is_there = in_vault.contains(&name);
            reports.push(report(&core, name, is_there, now).await?);
        }
        let unsound = core.soundness.relied_on().await.err().map(Unreadable::from);
        if output.is_json() {
            let mut document = serde_json::json!({ "connections": reports });
            if let Some(unsound) = unsound {
                document["state_store"] = serde_json::json!(unsound);
            }
            output.document(&document);
            return Ok(());
        }
        tell(&reports, now, output);
        if let Some(Unreadable { because, hint, .. }) = unsound {
            output.line(format!("\n{because}"));
            output.line(hint_line(hint));
        }
        Ok(())
    }
}

/// The connections among names of secrets or folders.
fn named(names: &[String]) -> BTreeSet<ConnectionName> {
    names
        .iter()
        .map(|name| name.strip_prefix(SECRET_PREFIX).unwrap_or(name))
        .filter_map(|name| ConnectionName::parse(name).ok())
        .collect()
}

async fn report(
    core: &Core,
    name: ConnectionName,
    in_vault: bool,
    now: Timestamp,
) -> Result<Report, StoreFailure> {
    let mut backlog = backlog::look(core, &name).await?;
    let mut unreadable = std::mem::take(&mut backlog.unreadable);
    let gate = readable(core.gates.read(&name).await, &mut unreadable)?;
    let facts = readable(core.facts.read(&name).await, &mut unreadable)?;
    let tokens = match token_status::look(core, &name).await {
        Err(NotRefreshed::Store(failure)) => readable(Err(failure), &mut unreadable)?,
        // A vault that does not answer hides nothing else.
        looked => looked.ok().flatten(),
    };
    Ok(Report {
        pending: backlog,
        gate: gate_report(&name, gate.map(|seen| seen.gate).as_ref(), now),
        dead_letters: core.dead.list(&name).await?.len(),
        quarantined: core.quarantine.count(&name).await?,
        uniqueness: facts.unwrap_or_default().uniqueness,
        unreadable: unreadable.into_iter().map(Unreadable::from).collect(),
        in_vault,
        tokens,
        name,
    })
}

/// What was read; `None` if it is there and cannot be read, which is told beside the rest.
fn readable<T>(
    read: Result<T, StoreFailure>,
    unreadable: &mut Vec<StoreFailure>,
) -> Result<Option<T>, StoreFailure> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(failure) if failure.is_about_content() => {
            unreadable.push(failure);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn gate_report(name: &ConnectionName, gate: Option<&Gate>, now: Timestamp) -> GateReport {
    let Some(gate) = gate else {
        return GateReport {
            state: "unreadable",
            until: None,
            because: None,
            hint: None,
        };
    };
    let (state, until) = match gate.passage(now) {
        Passage::Open => ("open", None),
        Passage::Probe => ("probing", None),
        Passage::Ramp(_) => ("opening", None),
        Passage::ClosedUntil(until) => ("closed", Some(until)),
    };
    GateReport {
        state,
        until,
        because: gate.because.as_ref().map(ToString::to_string),
        hint: gate
            .because
            .as_ref()
            .map(|failure| failure.hint().replace("NAME", name.as_str())),
    }
}

fn tell(reports: &[Report], now: Timestamp, output: &Output) {
    if reports.is_empty() {
        output.words("no connections and no alerts yet");
        output.words(hint_line("`itsmc connection add` makes a connection"));
        return;
    }
    let rows: Vec<Vec<String>> = reports.iter().map(|report| row(report, now)).collect();
    output.table(
        &[
            "CONNECTION",
            "PENDING",
            "OLDEST",
            "URGENT",
            "GATE",
            "TOKENS",
            "DEAD",
            "QUARANTINE",
            "UNIQUENESS",
        ],
        &rows,
    );
    for report in reports {
        if let (Some(because), Some(hint)) = (&report.gate.because, &report.gate.hint) {
            let until = report.gate.until.map_or_else(
                || "until one call has gone through".to_owned(),
                |at| format!("until {at}"),
            );
            output.line(format!(
                "\n{}: closed {until} because {because}",
                report.name
            ));
            output.line(hint_line(hint));
        }
        if let Some(TokenStatus {
            standing: Standing::EndsSoon | Standing::LoginNeeded,
            hint: Some(hint),
            refresh_ends_at,
            credentials_end_at,
            login,
            ..
        }) = &report.tokens
        {
            let what = match (login, refresh_ends_at) {
                (Some(login), _) => login.because.as_text().to_owned(),
                (None, Some(end)) => format!("its refresh token ends {}", end.for_people()),
                (None, None) => match credentials_end_at.filter(|end| *end <= now) {
                    Some(end) => stored::has_expired(end),
                    None => "its secret ends before long".to_owned(),
                },
            };
            output.line(format!("\n{}: {what}", report.name));
            output.line(hint_line(hint));
        }
        for Unreadable { because, hint, .. } in report.unreadable.iter().take(UNREADABLE_SHOWN) {
            output.line(format!("\n{}: {because}", report.name));
            output.line(hint_line(hint));
        }
        if report.unreadable.len() > UNREADABLE_SHOWN {
            let more = report.unreadable.len() - UNREADABLE_SHOWN;
            output.line(format!(
                "\n{}: {more} more objects cannot be read; `--json` names them",
                report.name
            ));
        }
        if !report.in_vault {
            output.line(format!(
                "\n{}: the vault has no connection of this name",
                report.name
            ));
            output.line(hint_line(
                "add it by `itsmc connection add`; after a day its alerts become dead letters",
            ));
        }
    }
}

fn row(report: &Report, now: Timestamp) -> Vec<String> {
    let waiting = &report.pending;
    let gate = match report.gate.until {
        Some(until) => format!("closed for {}", spans::short(until.since(now))),
        None => report.gate.state.to_owned(),
    };
    let uniqueness = match report.uniqueness {
        Uniqueness::Enforced => "enforced",
        Uniqueness::BestEffort => "best effort",
    };
    vec![
        report.name.to_string(),
        waiting.count.to_string(),
        waiting
            .oldest_received_at
            .map_or_else(|| "-".to_owned(), |at| spans::short(now.since(at))),
        waiting.urgent.to_string(),
        gate,
        tokens::words(report.tokens.as_ref()).to_owned(),
        report.dead_letters.to_string(),
        report.quarantined.to_string(),
        uniqueness.to_owned(),
    ]
}
