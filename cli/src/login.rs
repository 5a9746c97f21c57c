//! A person's login: the password is put into one token request and stored nowhere (promise P7).

use std::sync::Arc;
use std::time::Duration;

use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::http::HttpTransport;
use itsm_connector::adapters::itsm::servicenow;
use itsm_connector::adapters::oauth::{By, TokenEndpoint};
use itsm_connector::domain::connection::{Connection, PartnerType};
use itsm_connector::domain::egress::Proxy;
use itsm_connector::domain::failure::{CallFailure, Kind};
use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::token::TokenSet;
use itsm_connector::ports::Clock;

use crate::failure::Failure;

/// How long the issuer may take.
const LOGIN_WITHIN: Duration = Duration::from_secs(20);

/// Obtains the tokens of a connection by its user's password.
pub(crate) async fn by_password(
    connection: &Connection,
    password: &Secret,
    allowed: &AllowedHosts,
    proxy: Option<&Proxy>,
) -> Result<TokenSet, Failure> {
    let path = token_path(connection.partner_type)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let transport = Arc::new(HttpTransport::new(allowed.clone()).by_way_of(proxy.cloned()));
    let endpoint = TokenEndpoint::new(transport, Arc::clone(&clock), connection, path);
    let by = By::Password {
        username: connection.username.as_deref().unwrap_or_default(),
        password,
    };
    let logged_in_at = clock.now();
    let issued = endpoint
        .obtain(by, LOGIN_WITHIN)
        .await
        .map_err(|failure| not_logged_in(connection, &failure))?;
    let refresh_expires_at = issued
        .refresh
        .as_ref()
        .map(|_| logged_in_at.plus(connection.refresh_token_life));
    Ok(TokenSet {
        access: Some(issued.access),
        refresh: issued.refresh,
        refresh_expires_at,
        logged_in_at,
    })
}

fn not_logged_in(connection: &Connection, failure: &CallFailure) -> Failure {
    let user = connection.username.as_deref().unwrap_or_default();
    let status = failure
        .status
        .map_or_else(String::new, |status| format!(" (status {status})"));
    let hint = match failure.kind {
        Kind::Unauthorized => {
            "type user, password, client id and client secret again; the user must not be locked, nor be for web services only"
        }
        _ => failure.hint(),
    };
    Failure::does_not_work(
        format!(
            "the login of `{user}` at {} failed, and nothing was stored: {}{status}",
            connection.server, failure.detail
        ),
        hint,
    )
}

fn token_path(partner: PartnerType) -> Result<&'static str, Failure> {
    match partner {
        PartnerType::Servicenow => Ok(servicenow::TOKEN_PATH),
        other => Err(Failure::does_not_work(
            format!("this version cannot log in to {} yet", other.product()),
            "with `grant` `client_credentials` the connection can be stored; its alerts wait until a version that can",
        )),
    }
}
