//! `itsmc connection show`: a connection's definition and when its tokens end, without anything secret.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::domain::connection::{Action, Connection, Grant, Grouping, Mode};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::token::TokenSet;
use itsm_connector::ports::Clock as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::stored::{self, Stored, grant_words};
use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::{Exit, Failure};
use crate::output::{Output, harmless};
use crate::spans;

/// What stands in place of a secret.
const SET: &str = "(set)";

/// Show a connection, without its secrets.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc connection show demo")]
pub(crate) struct Show {
    /// The connection
    #[arg(value_parser = connection_name)]
    name: ConnectionName,
}

#[derive(Serialize)]
struct Shown {
    definition: Value,
    usable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Value>,
}

impl Show {
    /// Shows it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        let stored = stored::read(&desk, &self.name).await?;
        let now = SystemClock::default().now();
        let connection = stored.connection.as_ref().map_err(|problems| Failure {
            exit: Exit::DoesNotWork,
            ..Failure::from(problems)
        })?;
        if output.is_json() {
            let why_not = stored.unusable(now);
            output.document(&Shown {
                definition: without_secrets(&stored),
                usable: why_not.is_none(),
                why_not,
                tokens: stored.tokens.as_ref().map(expiries),
            });
            return Ok(());
        }
        for (label, value) in lines(connection, &stored, now) {
            output.line(format!("{label:<20} {value}"));
        }
        if stored.login_is_due(now) {
            output.warning(
                "the refresh token ends before long; alerts wait once it has",
                format!("`itsmc connection login {}` logs in again", self.name),
            );
        }
        Ok(())
    }
}

/// The definition as it was written down, without what is secret in it.
fn without_secrets(stored: &Stored) -> Value {
    let mut definition: Value = serde_json::from_str(stored.text.expose()).unwrap_or_default();
    if let Some(secret) = definition.get_mut("client_secret") {
        *secret = json!(SET);
    }
    definition
}

fn expiries(tokens: &TokenSet) -> Value {
    json!({
        "access_expires_at": tokens.access.as_ref().map(|token| token.expires_at),
        "refresh_expires_at": tokens.refresh_expires_at,
        "logged_in_at": tokens.logged_in_at,
    })
}

fn lines(connection: &Connection, stored: &Stored, now: Timestamp) -> Vec<(&'static str, String)> {
    let secret = connection.client_secret.as_ref().map_or("none", |_| SET);
    let mut lines = vec![
        ("name", connection.name.to_string()),
        ("product", connection.partner_type.product().to_owned()),
        ("server", connection.server.to_string()),
        ("grant", grant_words(connection.grant).to_owned()),
        ("client id", harmless(&connection.client_id)),
        ("client secret", secret.to_owned()),
    ];
    if let Some(authority) = &connection.authority {
        lines.push(("Entra tenant", harmless(&authority.to_string())));
    }
    if let Some(username) = &connection.username {
        lines.push(("user", harmless(username)));
    }
    lines.push((
        "tokens",
        token_words(connection, stored.tokens.as_ref(), now),
    ));
    if connection.grant == Grant::Password {
        let life = spans::short(connection.refresh_token_life);
        lines.push(("refresh token lives", format!("{life} from a login on")));
    }
    for (at, (name, action)) in connection.actions.iter().enumerate() {
        let label = if at == 0 { "actions" } else { "" };
        lines.push((label, format!("{name}: {}", action_words(action))));
    }
    let path = format!("/api/create-work-item/{}", connection.name);
    lines.push(("webhook path", path));
    let usable = stored
        .unusable(now)
        .map_or_else(|| "yes".to_owned(), |why| format!("no: {why}"));
    lines.push(("usable", usable));
    lines
}

fn token_words(connection: &Connection, tokens: Option<&TokenSet>, now: Timestamp) -> String {
    if connection.grant == Grant::ClientCredentials {
        return "obtained when they are needed; none is stored".to_owned();
    }
    let Some(tokens) = tokens else {
        return "none: nobody has logged in".to_owned();
    };
    let until = |what: &str, end: Option<Timestamp>| match end {
        None => format!("no {what} token"),
        Some(end) if end.since(now) == Duration::ZERO => format!("{what} token ended {end}"),
        Some(end) => format!(
            "{what} token until {end} (in {})",
            spans::short(end.since(now))
        ),
    };
    format!(
        "{}, {}",
        until(
            "access",
            tokens.access.as_ref().map(|token| token.expires_at)
        ),
        until("refresh", tokens.refresh_expires_at)
    )
}

fn action_words(action: &Action) -> String {
    // The words of the definition, as serde writes them.
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let others = match action.grouping {
        Grouping::Row => " (per alert where it brings no rows, as Log Alerts V2 do not)",
        Grouping::Rule | Grouping::ConfigurationItem if action.groups_log_alerts_only => {
            " for log alerts (all others: per alert)"
        }
        Grouping::Alert | Grouping::Rule | Grouping::ConfigurationItem => "",
    };
    let shadow = match action.mode {
        Mode::Live => "",
        Mode::Shadow => "; only watches (shadow)",
    };
    let storm = action.storm.map_or_else(String::new, |storm| {
        let (alerts, seconds) = (storm.threshold, storm.within.as_secs());
        format!(", one for all of a rule beyond {alerts} in {seconds} s")
    });
    format!(
        "{}, one per {}{others}{storm}, on resolve: {}{shadow}",
        action.work_item_type.as_str(),
        word(json!(action.grouping)),
        word(json!(action.on_resolve)),
    )
}
