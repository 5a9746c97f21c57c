//! `itsmc sync status`: how far the sync of each connection is, and what it has set aside.

use std::path::Path;

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::sync_window::{Backfill, Live, Stream, Window};
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::Core;
use itsm_connector::flows::sync_records::streams;
use itsm_connector::stores::connections::Lookup;
use itsm_connector::stores::cursors::{Cursor, Cursors};
use itsm_connector::stores::numbered_log::Head;
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
    /// The window that is being read, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<Window>,
    /// While the past days are not all there: how fast they come, pauses between runs included, and how long it will
    /// take if they go on like that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pace: Option<Pace>,
}

/// How fast the past days come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Pace {
    rows_per_second: f64,
    minutes_left: u64,
}

/// From where the backfill began, and from when; `None` as long as nothing of it is there.
fn pace(back: &Head<Backfill>, began_at: Timestamp) -> Option<Pace> {
    let state = &back.state;
    let passed = back.at.since(state.started?).as_secs_f64();
    let done = began_at.since(state.edge).as_secs_f64();
    if state.edge <= state.oldest || done < 1.0 || passed < 1.0 {
        return None;
    }
    let left = state.edge.since(state.oldest).as_secs_f64();
    Some(Pace {
        rows_per_second: state.rows as f64 / passed,
        minutes_left: (left / done * passed / 60.0).ceil() as u64,
    })
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
                "READING",
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
    let began_at = live.as_ref().map(|head| head.state.began_at);
    let pace = back
        .as_ref()
        .zip(began_at)
        .and_then(|(back, began_at)| pace(back, began_at));
    let live = live.map(|head| head.state);
    let back = back.map(|head| head.state);
    let open = [
        live.as_ref().and_then(|live| live.open.as_ref()),
        back.as_ref().and_then(|back| back.open.as_ref()),
    ];
    let reading = open.into_iter().flatten().next().map(|open| open.window);
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
        reading,
        pace,
    })
}

fn cells(row: &Row) -> Vec<String> {
    let none = || "-".to_owned();
    let back = match (row.back_to, row.wanted_from) {
        (Some(back_to), Some(wanted)) if back_to <= wanted => {
            format!("{} (all)", back_to.for_people())
        }
        (Some(back_to), Some(wanted)) => {
            let pace = row.pace.map(|pace| {
                let (rate, left) = (pace.rows_per_second, pace.minutes_left);
                format!(": {rate:.0} rows a second, about {left} minutes left")
            });
            let pace = pace.unwrap_or_default();
            let (back_to, wanted) = (back_to.for_people(), wanted.for_people());
            format!("{back_to} of {wanted}{pace}")
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
        row.reading.map_or_else(none, |window| {
            let (from, until) = (window.from.for_people(), window.until.for_people());
            format!("{from} to {until}")
        }),
        row.rows.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use itsm_connector::domain::sync_window::Rules;
    use std::time::Duration;

    /// A backfill of ten days that has done four in two hours.
    #[tokio::test]
    async fn the_time_that_is_left_follows_from_what_was_done() {
        const DAY: Duration = Duration::from_secs(86_400);
        let core = itsm_connector::stores::objects::Objects::new(
            itsm_connector::adapters::state_store::memory(),
            std::sync::Arc::new(itsm_connector::adapters::clock::SystemClock::default()),
        );
        let now = Timestamp::from_millis(1_772_359_200_000);
        let began_at = Live::begin(&Rules::default(), now, "r").began_at;
        let mut back = Backfill::begin(began_at, began_at.minus(DAY * 10), now, "r");
        let cursors = Cursors::new(core);
        let (name, cursor) = (
            ConnectionName::parse("contoso").unwrap(),
            Cursor::Backfill(Stream::Incident),
        );
        let later = now.plus(Duration::from_secs(7_200));
        let head = cursors.write(&name, cursor, None, "a", later, &back).await;
        let mut head = head.unwrap().unwrap();
        assert_eq!(pace(&head, began_at), None, "nothing is done yet");
        (back.edge, back.rows) = (began_at.minus(DAY * 4), 720_000);
        head.state = back;
        let told = pace(&head, began_at).unwrap();
        assert_eq!((told.rows_per_second, told.minutes_left), (100.0, 180));
    }
}
