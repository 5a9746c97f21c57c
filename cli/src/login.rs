//! A person's login: the password is put into one token request and stored nowhere (promise P7).

use std::sync::Arc;

use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::failure::{CallFailure, Kind};
use itsm_connector::domain::secret::Secret;
use itsm_connector::flows::Core;
use itsm_connector::flows::log_in::{self, LoggedIn, NotLoggedIn};

use crate::failure::Failure;
use crate::output::Output;
use crate::prompt;

/// The password of a connection's user: as it was piped in, or asked for.
pub(crate) fn password_of(user: &str, piped: Option<Secret>) -> Result<Secret, Failure> {
    match piped {
        Some(password) => Ok(password),
        None if prompt::somebody_is_there() => prompt::ask_hidden(&format!("Password of {user}")),
        None => Err(Failure::wrong_usage(
            format!("password: found nothing, expected the password of `{user}`"),
            "`--password-stdin` reads it from a pipe; it is used for one login and stored nowhere",
        )),
    }
}

/// Obtains the tokens of a connection by its user's password, and stores them.
pub(crate) async fn by_password(
    core: &Core,
    connection: &Arc<Connection>,
    password: &Secret,
    output: &Output,
) -> Result<LoggedIn, Failure> {
    output.progress(format!("logging in to {}", connection.server));
    let done = log_in::run(core, connection, password).await;
    output.settle();
    let logged_in = done.map_err(|why| not_logged_in(connection, why))?;
    if !logged_in.has_refresh_token {
        output.warning(
            "the issuer gave no refresh token: the connection works for minutes only",
            "give the client's application registry a refresh token life span, then log in again by `itsmc connection login`",
        );
    }
    Ok(logged_in)
}

fn not_logged_in(connection: &Connection, why: NotLoggedIn) -> Failure {
    match why {
        NotLoggedIn::Issuer(failure) if failure.kind == Kind::Unusable => Failure::does_not_work(
            format!(
                "this version cannot log in to {} yet",
                connection.partner_type.product()
            ),
            "with `grant` `client_credentials` the connection can be stored; its alerts wait until a version that can",
        ),
        NotLoggedIn::Issuer(failure) => not_given(connection, &failure),
        NotLoggedIn::Vault(failure) => failure.into(),
        NotLoggedIn::Store(failure) => failure.into(),
        busy @ NotLoggedIn::Busy => Failure::does_not_work(
            busy.to_string(),
            "try again in three minutes; nothing was changed",
        ),
    }
}

fn not_given(connection: &Connection, failure: &CallFailure) -> Failure {
    let user = connection.username.as_deref().unwrap_or_default();
    let status = failure
        .status
        .map_or_else(String::new, |status| format!(" (status {status})"));
    let hint = match failure.kind {
        Kind::Unauthorized if failure.advice.is_none() => {
            "type user, password, client id and client secret again; the user must not be locked, nor be for web services only"
        }
        _ => failure.hint(),
    };
    Failure::does_not_work(
        format!(
            "the login of `{user}` at {} failed, and nothing was stored: {}{status}",
            connection.server, failure.detail
        ),
        hint.replace("NAME", connection.name.as_str()),
    )
}
