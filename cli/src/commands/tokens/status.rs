//! `itsmc tokens status`: when each connection's tokens end, and what to do.

use std::path::Path;

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::token_status::{self, Standing, TokenStatus};
use serde::Serialize;

use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{Output, hint_line};
use crate::spans;

/// Show when tokens end and who must log in
///
/// The access token is renewed by the `token-refresher`; the login is a person's to renew. An end is announced at 14, 7, 3
/// and 1 days.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc tokens status --json")]
pub(crate) struct Status {}

#[derive(Serialize)]
struct Row {
    connection: ConnectionName,
    #[serde(flatten)]
    tokens: Option<TokenStatus>,
}

impl Status {
    /// Shows it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        desk.existing_state()?;
        let core = desk.core()?;
        let mut rows = Vec::new();
        for name in core.token_sets.connections().await? {
            rows.push(Row {
                tokens: token_status::look(&core, &name).await?,
                connection: name,
            });
        }
        let now = core.clock.now();
        if output.is_json() {
            output.document(&serde_json::json!({ "connections": rows }));
        } else {
            tell(&rows, now, output);
        }
        Ok(())
    }
}

fn tell(rows: &[Row], now: Timestamp, output: &Output) {
    if rows.is_empty() {
        output.words("no connections yet");
        output.words(hint_line("`itsmc connection add` makes a connection"));
        return;
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let of = |end: fn(&TokenStatus) -> Option<Timestamp>| {
                let end = row.tokens.as_ref().and_then(end);
                end.map_or_else(|| "-".to_owned(), |end| until(end, now))
            };
            vec![
                row.connection.to_string(),
                words(row.tokens.as_ref()).to_owned(),
                of(|tokens| tokens.access_ends_at),
                of(|tokens| tokens.refresh_ends_at),
                of(|tokens| tokens.credentials_end_at),
            ]
        })
        .collect();
    output.table(
        &["CONNECTION", "TOKENS", "ACCESS TOKEN", "LOGIN", "SECRET"],
        &cells,
    );
    for row in rows {
        let Some(tokens) = &row.tokens else {
            output.line(format!(
                "\n{}: its definition cannot be used",
                row.connection
            ));
            output.line(hint_line(format!(
                "`itsmc connection test {}` says why",
                row.connection
            )));
            continue;
        };
        let why = match (&tokens.login, &tokens.trouble) {
            (Some(login), _) => Some(format!(
                "{}, since {}",
                login.because.as_text(),
                login.since.for_people()
            )),
            (None, trouble) => trouble.clone(),
        };
        if let Some(why) = &why {
            output.line(format!("\n{}: {why}", row.connection));
        }
        if let Some(hint) = &tokens.hint {
            let gap = if why.is_none() { "\n" } else { "" };
            output.line(format!("{gap}{}", hint_line(hint)));
        }
    }
}

/// How tokens stand, for a table.
pub(in crate::commands) fn words(tokens: Option<&TokenStatus>) -> &'static str {
    match tokens.map(|tokens| tokens.standing) {
        None => "unusable",
        Some(Standing::NoneNeeded) => "by client",
        Some(Standing::Good) => "good",
        Some(Standing::Renewing) => "renewing",
        Some(Standing::EndsSoon) => "ends soon",
        Some(Standing::LoginNeeded) => "LOGIN NEEDED",
    }
}

fn until(end: Timestamp, now: Timestamp) -> String {
    match end > now {
        true => format!("in {}", spans::short(end.since(now))),
        false => "ended".to_owned(),
    }
}
