//! `itsmc sync status`: how far the sync of each connection is, and what it has set aside.

use std::path::Path;

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::sync_window::{Backfill, Live, Stream};
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::Core;
use itsm_connector::flows::sync_records::streams;
use itsm_connector::stores::connections::Lookup;
use itsm_connector::stores::cursors::{Cursor, Cursors};
use itsm_connector::stores::objects::StoreFailure;
use itsm_connector::stores::set_aside::{SetAside, SetAsides};
use serde::Serialize;

use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{Output, hint_line};

/// Rows that were set aside and are shown without `--json`.
const SHOWN_MAX: usize = 20;

/// Show how far the sync is, and which rows it has set aside
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc sync status contoso --json")]
pub(crate) struct Status {
    /// Only these connections
    #[arg(value_parser = connection_name)]
    connections: Vec<ConnectionName>,
}

#[derive(Serialize)]
struct Row {
    connection: ConnectionName,
    stream: Stream,
    /// All that was changed before is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_until: Option<Timestamp>,
    /// How far back the past days are there, and how far they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    back_to: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted_from: Option<Timestamp>,
    /// Until then the product is not asked: it has refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_until: Option<Timestamp>,
    rows: u64,
}

#[derive(Serialize)]
struct Aside {
    connection: ConnectionName,
    #[serde(flatten)]
    row: SetAside,
}

impl Status {
    /// Shows it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        desk.existing_state()?;
        let core = desk.core()?;
        let names = match self.connections.is_empty() {
            true => core.connections.names().await?,
            false => self.connections.clone(),
        };
        let (mut rows, mut asides) = (Vec::new(), Vec::new());
        for name in names {
            let of = match core.connections.look_up(&name).await {
                Lookup::Found(connection) => streams(&connection),
                _ => Stream::ALL.to_vec(),
            };
            for stream in of {
                rows.push(row(&core, &name, stream).await?);
            }
            let set_aside = SetAsides::new(core.objects.clone()).list(&name).await?;
            asides.extend(set_aside.into_iter().map(|row| Aside {
                connection: name.clone(),
                row,
            }));
        }
        if output.is_json() {
            output.document(&serde_json::json!({ "streams": rows, "set_aside": asides }));
            return Ok(());
        }
        let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
        output.table(
            &[
                "CONNECTION",
                "WHAT",
                "COMPLETE UNTIL",
                "PAST DAYS BACK TO",
                "ROWS",
            ],
            &cells,
        );
        if !asides.is_empty() {
            output.words(format!("{} rows were set aside", asides.len()));
            for aside in asides.iter().take(SHOWN_MAX) {
                let id = aside.row.id.as_deref().unwrap_or("without a key");
                output.words(format!(
                    "  {} {} {id}: {} {}",
                    aside.connection, aside.row.stream, aside.row.path, aside.row.reason
                ));
            }
            output.words(hint_line("correct them in the product: what changes there is read again; `itsmc sync reset NAME` forgets the list"));
        }
        Ok(())
    }
}

async fn row(core: &Core, name: &ConnectionName, stream: Stream) -> Result<Row, StoreFailure> {
    let cursors = Cursors::new(core.objects.clone());
    let live = cursors.read::<Live>(name, Cursor::Live(stream)).await?;
    let back = cursors
        .read::<Backfill>(name, Cursor::Backfill(stream))
        .await?;
    let live = live.map(|head| head.state);
    let back = back.map(|head| head.state);
    let rows = [
        live.as_ref().map(|live| live.rows),
        back.as_ref().map(|back| back.rows),
    ];
    Ok(Row {
        connection: name.clone(),
        stream,
        complete_until: live.as_ref().map(|live| live.complete_until),
        refused_until: live.as_ref().and_then(|live| live.refused_until),
        back_to: back.as_ref().map(|back| back.edge),
        wanted_from: back.as_ref().map(|back| back.oldest),
        rows: rows.into_iter().flatten().sum(),
    })
}

fn cells(row: &Row) -> Vec<String> {
    let none = || "-".to_owned();
    let back = match (row.back_to, row.wanted_from) {
        (Some(back_to), Some(wanted)) if back_to <= wanted => {
            format!("{} (all)", back_to.for_people())
        }
        (Some(back_to), Some(wanted)) => {
            format!("{} of {}", back_to.for_people(), wanted.for_people())
        }
        _ => none(),
    };
    let until = match (row.refused_until, row.complete_until) {
        (Some(until), _) => format!(
            "the product refuses it; asked again after {}",
            until.for_people()
        ),
        (None, Some(until)) => until.for_people(),
        (None, None) => "never synchronised".to_owned(),
    };
    vec![
        row.connection.to_string(),
        row.stream.as_str().to_owned(),
        until,
        back,
        row.rows.to_string(),
    ]
}
