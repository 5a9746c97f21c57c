//! `itsmc alert preview`: the work item that an alert would make, field by field, calling nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::domain::alert::Condition;
use itsm_connector::domain::connection::{Action, Connection};
use itsm_connector::domain::definition;
use itsm_connector::domain::name::{ActionName, ConnectionName, DEFAULT_ACTION};
use itsm_connector::domain::text;
use itsm_connector::domain::work_item::{NewWorkItem, WorkItemRef};
use itsm_connector::flows::preview::{self, NotPreviewed, Previewed};
use itsm_connector::inbound::webhook::Delivery;
use itsm_connector::ports::Clock as _;
use serde::Serialize;
use serde_json::{Value, json};

use crate::commands::connection::stored;
use crate::commands::{action_name, connection_name};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::files;
use crate::output::{GOOD, Output, QUIET, harmless};
use crate::rehearsal::{Rehearsal, Sent};

/// Work items that are shown in full; of an alert with a hundred rows the others differ in their row only.
const SHOWN_MAX: usize = 3;

/// Show the work item that an alert would make, field by field. Nothing is called and nothing is kept.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: with a connection that is set up; with a definition that is not saved yet\n\n  \
        itsmc alert preview .itsmc/sample-alert.json --connection demo\n  \
        itsmc alert preview alert.json --definition contoso.json --action network"
)]
pub(crate) struct Preview {
    /// The alert, as Azure Monitor sends it; `-` is standard input
    file: PathBuf,
    /// The connection that it is for
    #[arg(long, value_parser = connection_name, value_name = "NAME", default_value = "demo")]
    connection: ConnectionName,
    /// A definition in a file, in place of a connection that is set up
    #[arg(long, value_name = "FILE", conflicts_with = "connection")]
    definition: Option<PathBuf>,
    /// The connection's action
    #[arg(long, value_parser = action_name, value_name = "NAME", default_value = DEFAULT_ACTION)]
    action: ActionName,
}

/// A work item as it is shown.
#[derive(Serialize)]
struct Shown {
    /// The configuration item or row that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    /// The request that makes it; `None` if this version has no client for the product.
    request: Option<Sent>,
    /// What is said of single fields.
    fields: Vec<Field>,
}

/// A field of the work item.
#[derive(Serialize)]
struct Field {
    name: String,
    value: String,
    /// Where it comes from, or what happened to it; empty where the alert says it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Preview {
    /// Shows it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let connection = Arc::new(self.connection(data).await?);
        let body = Bytes::from(files::read_named(&self.file)?);
        let delivery = Delivery::of_a_person(connection.name.clone(), self.action.clone(), body);
        let preview = preview::preview(&connection, &delivery, SystemClock::default().now())
            .map_err(|reason| self.nothing_to_show(&connection, &reason))?;
        let action = &connection.actions[&self.action];
        // Where this version has no client for the product, what every product gets is shown.
        let rehearsal = Rehearsal::new(&connection).await;
        let mut remarks = self.remarks(&preview);
        let mut shown = Vec::new();
        for previewed in &preview.items {
            let request = match &rehearsal {
                Ok(rehearsal) => rehearsal.create(&previewed.item).await,
                Err(failure) => Err(failure.clone()),
            };
            if let Err(failure) = &request {
                remarks.push(failure.to_string());
            }
            shown.push(show(previewed, action, request.ok()));
        }
        let change = preview.on_resolve.as_ref().or(preview.on_repeat.as_ref());
        let changed = match (&rehearsal, change, preview.items.first()) {
            (Ok(rehearsal), Some(change), Some(first)) => {
                Some(rehearsal.write(&stand_in(&first.item), change).await?)
            }
            _ => None,
        };
        remarks.dedup();
        if output.is_json() {
            output.document(&json!({
                "connection": connection.name,
                "action": self.action,
                "event": preview.event,
                "condition": preview.alert.condition,
                "severity": preview.alert.severity,
                "rule": preview.alert.rule,
                "work_items": shown,
                "rows_beyond": preview.rows_beyond,
                "change": changed,
                "remarks": remarks,
            }));
            return Ok(());
        }
        self.tell(&connection, &preview, &shown, changed.as_ref(), output);
        for remark in remarks {
            output.words(remark);
        }
        output.words("nothing was called and nothing is kept");
        Ok(())
    }

    async fn connection(&self, data: &Path) -> Result<Connection, Failure> {
        let desk = Desk::open(data)?;
        match &self.definition {
            Some(file) => {
                let text = files::read_named(file)?;
                definition::parse(&text, desk.allowed())
                    .map_err(|problems| Failure::from(&problems))
            }
            None => stored::read(&desk, &self.connection)
                .await?
                .connection
                .map_err(|problems| Failure::from(&problems)),
        }
    }

    fn nothing_to_show(&self, connection: &Connection, reason: &NotPreviewed) -> Failure {
        match reason {
            NotPreviewed::NoAction(_) => {
                let names: Vec<String> = connection
                    .actions
                    .keys()
                    .map(|name| format!("`{name}`"))
                    .collect();
                Failure::wrong_usage(reason.to_string(), format!("it has {}", names.join(", ")))
            }
            NotPreviewed::NotAnAlert(_) => Failure::does_not_work(
                format!("`{}` is {reason}", self.file.display()),
                "from Azure Monitor it would be answered 202 and kept in quarantine: `itsmc dead list`",
            ),
        }
    }

    fn remarks(&self, preview: &preview::Preview) -> Vec<String> {
        let mut remarks: Vec<String> = preview
            .remarks
            .iter()
            .map(|remark| remark.as_str().to_owned())
            .collect();
        for mark in &preview.alert.marks {
            remarks.push(mark.as_str().to_owned());
        }
        if preview.rows_beyond > 0 {
            remarks.push(format!(
                "{} rows of the alert get no work item of their own: there are too many",
                preview.rows_beyond
            ));
        }
        remarks
    }

    fn tell(
        &self,
        connection: &Connection,
        preview: &preview::Preview,
        shown: &[Shown],
        changed: Option<&Sent>,
        output: &Output,
    ) {
        let alert = &preview.alert;
        output.line(format!(
            "{} alert of {}{}",
            match alert.condition {
                Condition::Fired => "a fired",
                Condition::Resolved => "a resolved",
            },
            harmless(
                alert
                    .monitoring_service
                    .as_deref()
                    .unwrap_or("Azure Monitor")
            ),
            alert.severity.map_or_else(String::new, |severity| format!(
                ", {} ({})",
                severity.as_str(),
                severity.word()
            )),
        ));
        output.line(format!(
            "connection {}, action {}, event {}",
            connection.name, self.action, preview.event
        ));
        if alert.condition == Condition::Fired {
            for (at, item) in shown.iter().take(SHOWN_MAX).enumerate() {
                output.line("");
                let of = match shown.len() {
                    1 => String::new(),
                    all => format!(" ({} of {all})", at + 1),
                };
                tell_item(item, &of, output);
            }
            if shown.len() > SHOWN_MAX {
                output.line(format!(
                    "\n… and {} more; `--json` has all",
                    shown.len() - SHOWN_MAX
                ));
            }
        }
        let Some(changed) = changed else {
            if alert.condition == Condition::Resolved {
                output.line("\nits work item is left as it is");
            }
            return;
        };
        output.line(match alert.condition {
            Condition::Fired => "\nif its group has an open work item, that one gets this instead:",
            Condition::Resolved => "\nthe work item of the alert gets:",
        });
        for (name, value) in body(changed) {
            tell_field(&name, &value, &[], output);
        }
    }
}

fn tell_item(item: &Shown, of: &str, output: &Output) {
    let about = item
        .about
        .as_deref()
        .map_or_else(String::new, |about| format!(" for {}", harmless(about)));
    match &item.request {
        Some(request) => output.line(format!(
            "{GOOD}{} {}{GOOD:#}{of}{about}",
            request.method, request.url
        )),
        None => output.line(format!("{GOOD}a work item{GOOD:#}{of}{about}")),
    }
    for field in &item.fields {
        tell_field(&field.name, &field.value, &field.notes, output);
    }
}

/// `name  value  (note)`; a value of several lines below its name.
fn tell_field(name: &str, value: &str, notes: &[String], output: &Output) {
    let notes = match notes {
        [] => String::new(),
        notes => format!("  {QUIET}({}){QUIET:#}", notes.join("; ")),
    };
    let value = text::plain(value);
    if value.contains('\n') {
        output.line(format!("  {name}:{notes}"));
        for line in value.lines() {
            output.line(format!("    {line}").trim_end());
        }
    } else {
        output.line(format!("  {:<20}  {value}{notes}", format!("{name}:")));
    }
}

fn show(previewed: &Previewed, action: &Action, request: Option<Sent>) -> Shown {
    let item = &previewed.item;
    let sent = match &request {
        Some(request) => body(request),
        None => every_product_gets(item),
    };
    let fields = sent.into_iter().map(|(name, value)| Field {
        notes: notes(&name, &value, item, action),
        name,
        value,
    });
    Shown {
        about: previewed.about.clone(),
        fields: fields.collect(),
        request,
    }
}

/// Fields and values of a request, in their order, the long ones last.
fn body(request: &Sent) -> Vec<(String, String)> {
    // An event is sent as a list of one; of one that is over already, its end comes second.
    let first = request.body.pointer("/records/0");
    let mut fields: Vec<(String, String)> = match first.unwrap_or(&request.body) {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), as_text(value)))
            .collect(),
        Value::Null => Vec::new(),
        other => vec![("body".to_owned(), as_text(other))],
    };
    fields.sort_by_key(|(_, value)| value.contains('\n'));
    fields
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn every_product_gets(item: &NewWorkItem) -> Vec<(String, String)> {
    let mut fields = vec![
        ("title".to_owned(), item.title.clone()),
        ("impact".to_owned(), item.impact.as_number().to_string()),
        ("urgency".to_owned(), item.urgency.as_number().to_string()),
        (
            "correlation id".to_owned(),
            item.correlation.as_str().to_owned(),
        ),
    ];
    fields.extend(item.fields.clone());
    fields.push(("description".to_owned(), item.description.clone()));
    fields
}

/// Where a field comes from, and what happened to it on the way.
fn notes(name: &str, value: &str, item: &NewWorkItem, action: &Action) -> Vec<String> {
    let mut notes = Vec::new();
    if item.fields.contains_key(name) {
        notes.push("set by the action".to_owned());
    } else if matches!(name, "impact" | "urgency") && action.severity.is_empty() {
        notes.push("default for the severity".to_owned());
    }
    if let Some(kept) = text::before_the_cut(value) {
        let whole = [&item.title, &item.description]
            .into_iter()
            .find(|whole| whole.starts_with(kept));
        notes.push(match whole {
            Some(whole) => format!(
                "cut: {} of {} characters",
                value.chars().count(),
                whole.chars().count()
            ),
            None => "cut".to_owned(),
        });
    }
    notes
}

/// A work item that the change would be for: the client asks for no more than its key.
fn stand_in(item: &NewWorkItem) -> WorkItemRef {
    WorkItemRef {
        work_item_type: item.work_item_type,
        number: "its number".to_owned(),
        id: item.key.as_str().to_owned(),
        url: String::new(),
    }
}
