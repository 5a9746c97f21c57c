//! A connection as the vault has it: its definition, its tokens, and whether it can be used.

use std::sync::Arc;
use std::time::Duration;

use itsm_connector::domain::connection::{Connection, Grant, PartnerType};
use itsm_connector::domain::definition;
use itsm_connector::domain::definition::problem::Problems;
use itsm_connector::domain::kept::Kept;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::token::TokenSet;
use itsm_connector::ports::Vault;
use itsm_connector::stores::connections::{SECRET_PREFIX, TOKENS_PREFIX};

use crate::desk::Desk;
use crate::failure::Failure;

/// Before a refresh token has this long to live, the person hears of it.
const LOGIN_SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A connection as the vault has it.
pub(in crate::commands) struct Stored {
    /// The definition's text.
    pub(super) text: Secret,
    /// The definition, read.
    pub(in crate::commands) connection: Result<Connection, Problems>,
    /// Its tokens, if there are any that can be read.
    pub(super) tokens: Option<TokenSet>,
    /// Until when the vault says that the definition is good, if it says so.
    pub(super) expires: Option<Timestamp>,
}

/// What is told of a definition whose expiry date has passed: it serves on (row C9).
pub(in crate::commands) fn has_expired(end: Timestamp) -> String {
    let end = end.for_people();
    format!("its expiry date in the vault, {end}, has passed; it serves on")
}

/// The names of all connections in the vault.
pub(super) async fn names(vault: &Arc<dyn Vault>) -> Result<Vec<ConnectionName>, Failure> {
    let secrets = vault.list(SECRET_PREFIX).await?;
    Ok(secrets
        .iter()
        .filter_map(|secret| ConnectionName::parse(secret.strip_prefix(SECRET_PREFIX)?).ok())
        .collect())
}

/// Reads one; an error if there is none.
pub(in crate::commands) async fn read(
    desk: &Desk,
    name: &ConnectionName,
) -> Result<Stored, Failure> {
    let vault = desk.vault();
    let Some(Kept {
        value: text,
        expires,
        ..
    }) = vault.get(&format!("{SECRET_PREFIX}{name}")).await?
    else {
        return Err(Failure::does_not_work(
            format!(
                "there is no connection `{name}` in `{}`",
                desk.vault_place()
            ),
            "`itsmc connection list` shows all; `itsmc connection add` makes one",
        ));
    };
    let tokens = vault.get(&format!("{TOKENS_PREFIX}{name}")).await?;
    Ok(Stored {
        connection: definition::parse(text.expose().as_bytes(), desk.allowed()),
        tokens: tokens.and_then(|kept| TokenSet::from_vault_text(&kept.value).ok()),
        text,
        expires,
    })
}

impl Stored {
    /// Why it cannot be used, as far as the vault shows; `None` if it can.
    pub(super) fn unusable(&self, now: Timestamp) -> Option<String> {
        let connection = match &self.connection {
            Ok(connection) => connection,
            Err(problems) => {
                return problems.iter().next().map(|problem| {
                    format!("{}: found {}", problem.path, problem.found)
                        .trim_start_matches(": ")
                        .to_owned()
                });
            }
        };
        if connection.partner_type != PartnerType::Servicenow {
            return Some("this version has no client for its product yet".to_owned());
        }
        if connection.grant == Grant::ClientCredentials {
            return None;
        }
        let Some(tokens) = &self.tokens else {
            return Some("nobody has logged in".to_owned());
        };
        let ended = tokens.refresh_expires_at.is_none_or(|end| end <= now);
        let access = tokens
            .access
            .as_ref()
            .is_some_and(|token| token.is_fresh(now));
        (ended && !access).then(|| "its refresh token has ended: log in again".to_owned())
    }

    /// True if somebody should log in again before long.
    pub(super) fn login_is_due(&self, now: Timestamp) -> bool {
        let ends = self
            .tokens
            .as_ref()
            .and_then(|tokens| tokens.refresh_expires_at);
        ends.is_some_and(|end| end.since(now) < LOGIN_SOON)
    }
}

/// A grant in words.
pub(super) fn grant_words(grant: Grant) -> &'static str {
    match grant {
        Grant::ClientCredentials => "client credentials",
        Grant::Password => "password",
    }
}
