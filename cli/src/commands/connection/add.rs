//! `itsmc connection add`: a definition is built or read, checked, proved by a login where the grant needs one, and only
//! then stored.

mod draft;
mod ending;
mod entra_tenant;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use itsm_connector::domain::connection::{Connection, Grant};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::flows::{Core, refresh_tokens};
use itsm_connector::stores::connections::{SECRET_PREFIX, TOKENS_PREFIX};
use serde_json::json;

use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{GOOD, Output};
use crate::{login, prompt};
use draft::Draft;

/// Set up a connection to an ITSM instance.
///
/// What is not given is asked for when somebody is there; secrets are not shown. The password of the grant `password`
/// is put into one token request and stored nowhere. Nothing is stored if the definition has a mistake or the login
/// fails.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: client credentials (recommended); a user's login from a script\n\n  \
        itsmc connection add contoso --server-url https://contoso.service-now.com --client-id ID\n  \
        printf '%s\\n' \"$SECRET\" \"$PASSWORD\" | itsmc connection add contoso --file contoso.json \\\n    \
        --username svc-monitor --client-secret-stdin --password-stdin"
)]
pub(crate) struct Add {
    /// The connection's name: lower-case letters and digits, with single hyphens between
    name: Option<String>,
    /// A definition to begin with (`itsmc connection schema` describes it); `-` is standard input
    #[arg(long, value_name = "DEFINITION")]
    file: Option<PathBuf>,
    /// servicenow, system_center_service_manager, provance or cherwell
    #[arg(long, value_name = "PRODUCT")]
    partner_type: Option<String>,
    /// The instance's address
    #[arg(long, value_name = "URL")]
    server_url: Option<String>,
    /// The OAuth client's id
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The integration user; with it the grant is `password`
    #[arg(long, value_name = "USER")]
    username: Option<String>,
    /// client_credentials or password, where the user does not say it
    #[arg(long)]
    grant: Option<String>,
    /// The Entra tenant that gives the tokens (Provance); asked of the instance where it is not given
    #[arg(long, value_name = "URL")]
    entra_authority: Option<String>,
    /// internal, windows, ldap or auto: where the user's account is kept (Cherwell)
    #[arg(long, value_name = "MODE")]
    auth_mode: Option<String>,
    /// When the client secret or certificate ends, as `2027-01-31`: written into the key vault, and announced ahead
    #[arg(long, value_name = "DATE", value_parser = ending::date)]
    secret_expires: Option<Timestamp>,
    /// Read the client secret from standard input, one line
    #[arg(long)]
    client_secret_stdin: bool,
    /// Read the user's password from standard input, one line, after the client secret
    #[arg(long)]
    password_stdin: bool,
    /// Overwrite a connection of the same name; without a file, what is not given stays as it is
    #[arg(long)]
    replace: bool,
    /// Do not test it afterwards
    #[arg(long)]
    no_test: bool,
}

/// Secrets that were piped in.
#[derive(Debug, Default)]
struct Piped {
    client_secret: Option<Secret>,
    password: Option<Secret>,
}

impl Add {
    /// Adds it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        let from_stdin = self.file.as_deref() == Some(Path::new("-"));
        if from_stdin && (self.client_secret_stdin || self.password_stdin) {
            return Err(Failure::wrong_usage(
                "standard input holds the definition, so that it holds no secret",
                "name the definition's file, and pipe only the secrets in",
            ));
        }
        let mut draft = Draft::begin(self, self.replaced(&desk).await?.as_ref())?;
        let piped = self.piped()?;
        if let Some(secret) = &piped.client_secret {
            draft.set("client_secret", secret.expose());
        }
        self.refuse_to_overwrite(&desk, draft.name()).await?;
        if prompt::somebody_is_there() && !from_stdin {
            draft.ask_for_the_rest(desk.allowed(), output)?;
            self.refuse_to_overwrite(&desk, draft.name()).await?;
        }
        let (connection, text) = draft.finish(desk.allowed())?;
        self.refuse_to_overwrite(&desk, Some(&connection.name))
            .await?;

        let ends_at = self.secret_ends_at(&desk, &connection).await?;
        crate::files::make_folder(desk.folder())?;
        let core = desk.core()?;
        let (connection, text) =
            entra_tenant::write_down(&desk, &core, Arc::new(connection), text, output).await?;
        // The tokens first: a connection is never seen without them.
        self.login(&core, &connection, piped.password, output)
            .await?;
        store(&desk, &core, &connection, &text, ends_at).await?;
        self.finish(&desk, &connection, output).await
    }

    /// The definition that is to be replaced, where no file stands in its place.
    async fn replaced(&self, desk: &Desk) -> Result<Option<Secret>, Failure> {
        let name = self.name.as_deref().map(ConnectionName::parse);
        match name {
            Some(Ok(name)) if self.replace && self.file.is_none() => {
                let kept = desk.vault().get(&format!("{SECRET_PREFIX}{name}")).await?;
                Ok(kept.map(|kept| kept.value))
            }
            _ => Ok(None),
        }
    }

    fn piped(&self) -> Result<Piped, Failure> {
        let wanted = [
            (self.client_secret_stdin, "client secret"),
            (self.password_stdin, "password"),
        ];
        let names: Vec<&str> = wanted
            .iter()
            .filter_map(|(is_wanted, name)| is_wanted.then_some(*name))
            .collect();
        let mut secrets = prompt::piped_secrets(&names)?.into_iter();
        Ok(Piped {
            client_secret: self.client_secret_stdin.then(|| secrets.next()).flatten(),
            password: self.password_stdin.then(|| secrets.next()).flatten(),
        })
    }

    async fn refuse_to_overwrite(
        &self,
        desk: &Desk,
        name: Option<&ConnectionName>,
    ) -> Result<(), Failure> {
        let Some(name) = name.filter(|_| !self.replace) else {
            return Ok(());
        };
        match desk.vault().get(&format!("{SECRET_PREFIX}{name}")).await? {
            None => Ok(()),
            Some(_) => Err(Failure::wrong_usage(
                format!(
                    "there is a connection `{name}` in `{}` already",
                    desk.vault_place()
                ),
                "`--replace` overwrites it; `itsmc connection show` shows it",
            )),
        }
    }

    /// Obtains and stores the tokens that the grant `password` needs, by one login.
    async fn login(
        &self,
        core: &Core,
        connection: &Arc<Connection>,
        piped: Option<Secret>,
        output: &Output,
    ) -> Result<(), Failure> {
        let user = match (connection.grant, &connection.username) {
            (Grant::Password, Some(user)) => user,
            _ if piped.is_some() => {
                return Err(Failure::wrong_usage(
                    "the grant `client_credentials` uses no password",
                    "name the integration user by `--username`, or leave `--password-stdin` out",
                ));
            }
            _ => return Ok(()),
        };
        let password = login::password_of(user, piped)?;
        login::by_password(core, connection, &password, output).await?;
        Ok(())
    }

    async fn finish(
        &self,
        desk: &Desk,
        connection: &Connection,
        output: &Output,
    ) -> Result<(), Failure> {
        let name = &connection.name;
        if !output.is_json() {
            output.line(format!("{GOOD}added{GOOD:#} the connection `{name}`"));
        }
        if self.no_test {
            if output.is_json() {
                output.document(&json!({ "connection": name }));
            }
            return Ok(());
        }
        let tested = super::test::after_login(desk, name, output).await;
        if tested.is_err() {
            output.words(format!(
                "the connection `{name}` is stored; `itsmc connection test {name}` tests it again"
            ));
        }
        tested
    }
}

/// Stores the definition. Tokens that it does not need any more go.
async fn store(
    desk: &Desk,
    core: &Core,
    connection: &Connection,
    text: &Secret,
    ends_at: Option<Timestamp>,
) -> Result<(), Failure> {
    let (vault, name) = (desk.vault(), &connection.name);
    if connection.grant == Grant::ClientCredentials {
        vault.remove(&format!("{TOKENS_PREFIX}{name}")).await?;
    }
    vault
        .set(&format!("{SECRET_PREFIX}{name}"), text, ends_at)
        .await?;
    refresh_tokens::wake(core, name).await?;
    Ok(())
}
