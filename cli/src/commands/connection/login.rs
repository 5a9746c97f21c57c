//! `itsmc connection login`: a person's password becomes tokens, or, with `--refresh`, the stored refresh token does.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::domain::connection::{Connection, Grant};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::refresh_tokens::Refreshed;
use itsm_connector::ports::Clock as _;
use serde_json::json;

use super::stored;
use crate::commands::{connection_name, tokens};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{GOOD, Output};
use crate::{login, prompt, spans};

/// Log in to a connection's product again, before its refresh token ends or after.
///
/// The user's password is asked for, or read from a pipe; it is put into one request and stored nowhere. Alerts that wait
/// for a login are sent at once. Tokens that are still good are used until the new ones are proven.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: with the password; without it, as long as the refresh token lives\n\n  \
        printf '%s\\n' \"$PASSWORD\" | itsmc connection login contoso --password-stdin\n  \
        itsmc connection login contoso --refresh"
)]
pub(crate) struct Login {
    /// The connection
    #[arg(value_parser = connection_name)]
    name: ConnectionName,
    /// Renew the tokens by the stored refresh token, asking nothing: what ITSMC called Sync
    #[arg(long, conflicts_with = "password_stdin")]
    refresh: bool,
    /// Read the user's password from standard input, one line
    #[arg(long)]
    password_stdin: bool,
    /// Do not test it afterwards
    #[arg(long)]
    no_test: bool,
}

impl Login {
    /// Logs in.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        let stored = stored::read(&desk, &self.name).await?;
        let connection = match stored.connection {
            Ok(connection) => Arc::new(connection),
            Err(problems) => return Err(Failure::from(&problems)),
        };
        let done = match (connection.grant, self.refresh) {
            (Grant::ClientCredentials, false) => {
                return Err(Failure::wrong_usage(
                    format!("the connection `{}` is by client credentials", self.name),
                    "it needs no login: tokens are obtained when they are needed; `itsmc connection test` tries one",
                ));
            }
            (_, true) => self.refresh(&desk, output).await?,
            (Grant::Password, false) => Some(self.by_password(&desk, &connection, output).await?),
        };
        let lives_anew = desk
            .core()?
            .products
            .issuer(&connection)
            .is_ok_and(|issuer| issuer.replaces_refresh_tokens());
        self.tell(done, lives_anew, output);
        if self.no_test {
            return Ok(());
        }
        super::test::after_login(&desk, &self.name, output).await
    }

    async fn by_password(
        &self,
        desk: &Desk,
        connection: &Arc<Connection>,
        output: &Output,
    ) -> Result<Refreshed, Failure> {
        let user = connection.username.as_deref().unwrap_or_default();
        let piped = match self.password_stdin {
            true => prompt::piped_secrets(&["password"])?.into_iter().next(),
            false => None,
        };
        let password = login::password_of(user, piped)?;
        let core = desk.core()?;
        let done = login::by_password(&core, connection, &password, output).await?;
        Ok(done.tokens)
    }

    /// By what the vault has; `None` where no token is stored at all.
    async fn refresh(&self, desk: &Desk, output: &Output) -> Result<Option<Refreshed>, Failure> {
        let core = desk.core()?;
        let done = tokens::refresh(&core, &self.name, output).await?;
        Ok(done.access_ends_at.is_some().then_some(done))
    }

    fn tell(&self, done: Option<Refreshed>, lives_anew: bool, output: &Output) {
        let name = &self.name;
        if output.is_json() {
            if self.no_test {
                output.document(&json!({ "connection": name, "tokens": done }));
            }
            return;
        }
        let Some(done) = done else {
            output.line(format!(
                "`{name}` is by client credentials: nothing is stored"
            ));
            return;
        };
        let until = match done.refresh_ends_at {
            Some(end) if lives_anew => format!(
                "; no other login is due while the `token-refresher` runs (without it, before {})",
                end.for_people()
            ),
            Some(end) => format!(
                "; the next login is due before {} (in {})",
                end.for_people(),
                spans::short(end.since(SystemClock::default().now()))
            ),
            None => String::new(),
        };
        output.line(format!("{GOOD}logged in{GOOD:#} to `{name}`{until}"));
        if let Some(trouble) = &done.trouble {
            output.warning(
                format!("the new tokens are stored and not proven yet: {trouble}"),
                "nothing to do: the `token-refresher` goes on from here",
            );
        }
    }
}
