//! The definition of a connection: the JSON that people write and the vault keeps, and its way to a [`Connection`].
//!
//! Every mistake is told with its path, what was found, what was expected and what to do; as many at once as can be seen.

mod actions;
mod egress;
mod fields;
mod kinds;
mod login;
pub mod problem;
mod storm;
mod sync;
pub mod ticket_configuration;
mod transport;
mod written;

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Grant, PartnerType, RecordType, SyncOptions};
use super::egress::Egress;
use super::name::ConnectionName;
use super::network::AllowedHosts;
use super::secret::Secret;
use super::server_url::ServerUrl;
use problem::{Problem, Problems};
use written::{Definition, SecretText};

/// Longest definition. Key Vault keeps at most 25 KB in a secret (azure-platform §5).
pub const DEFINITION_BYTES_MAX: usize = 25 * 1024;

/// Days of the past that the sync may read at first: ITSMC's limit.
pub const SYNC_DAYS_MAX: i64 = 120;

/// Days that the sync reads at first when the definition does not say.
pub const SYNC_DAYS_DEFAULT: i64 = 30;

/// Days that a refresh token lives when the definition does not say: what ITSMC's instructions had people set.
pub const REFRESH_TOKEN_DAYS_DEFAULT: i64 = 90;

/// Seconds that ServiceNow lets a REST transaction run by default (servicenow-api §7).
pub const LONGEST_TRANSACTION_SECONDS_DEFAULT: i64 = 60;

/// Reads a definition and checks all of it.
pub fn parse(text: &[u8], allowed: &AllowedHosts) -> Result<Connection, Problems> {
    if text.len() > DEFINITION_BYTES_MAX {
        return Err(Problems::one(Problem::new(
            "",
            format!("{} bytes", text.len()),
            format!("at most {DEFINITION_BYTES_MAX} bytes"),
            "a Key Vault secret holds no more; shorten the actions",
        )));
    }
    // serde_json would say that a value is missing where an editor shows one (row C10).
    if text.starts_with("\u{feff}".as_bytes()) {
        return Err(Problems::one(Problem::new(
            "",
            "a byte order mark before the definition",
            "JSON alone",
            "save the file as UTF-8 without a byte order mark (BOM): PowerShell 5 and Notepad write one",
        )));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let definition: Definition = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Problems::one(problem::from_serde(&error)))?;
    deserializer.end().map_err(|_| {
        Problems::one(Problem::new(
            "",
            "more text after the definition",
            "one JSON object",
            "remove what stands after the last `}`",
        ))
    })?;
    check(definition, allowed)
}

/// The JSON Schema of a definition.
#[cfg(feature = "desk")]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Definition).to_value()
}

fn check(definition: Definition, allowed: &AllowedHosts) -> Result<Connection, Problems> {
    let mut problems = Problems::default();
    let partner_type = definition.partner_type;

    let name = problems.keep(ConnectionName::parse(&definition.name).map_err(|expected| {
        Problem::new(
            "name",
            super::redact::echo("name", &definition.name),
            expected.to_string(),
            "such as `contoso-prod`: it becomes part of the webhook's address",
        )
    }));
    let networks = egress::networks(&definition.allow_networks, &mut problems);
    let authorities = egress::authorities(definition.ca_certificate.as_deref(), &mut problems);
    let server = problems.keep(
        ServerUrl::parse(
            &definition.server_url,
            partner_type.domains(),
            &networks,
            allowed,
        )
        .map_err(|refused| {
            Problem::new(
                "server_url",
                refused.to_string(),
                refused.expected().to_owned(),
                refused.hint(),
            )
        }),
    );
    let client_id = problems.keep(visible_text("client_id", &definition.client_id));
    let client_secret = problems.keep(check_client_secret(definition.client_secret, partner_type));
    let username = problems.keep(
        definition
            .username
            .as_deref()
            .map(|text| visible_text("username", text))
            .transpose(),
    );
    let grant = definition
        .grant
        .unwrap_or(if definition.username.is_some() {
            Grant::Password
        } else {
            Grant::ClientCredentials
        });
    if grant == Grant::Password && definition.username.is_none() {
        problems.push(Problem::new(
            "username",
            "nothing",
            "the integration user",
            "the grant `password` needs it; or leave `grant` out",
        ));
    }
    let has_secret = client_secret.as_ref().is_none_or(Option::is_some);
    login::check_grant(partner_type, grant, has_secret, &mut problems);
    let authority = login::authority(
        definition.entra_authority.as_deref(),
        partner_type,
        allowed,
        &mut problems,
    );
    let auth_mode = login::auth_mode(definition.auth_mode, partner_type, &mut problems);
    let days = problems.keep(within(
        "sync.days",
        definition.sync.days,
        1,
        SYNC_DAYS_MAX,
        SYNC_DAYS_DEFAULT,
        "how many past days the first sync reads",
    ));
    let refresh_days = problems.keep(within(
        "refresh_token_days",
        definition.refresh_token_days,
        1,
        3650,
        REFRESH_TOKEN_DAYS_DEFAULT,
        "the refresh token's life span in the product's application registry, in days",
    ));
    let transaction = problems.keep(within(
        "longest_transaction_seconds",
        definition.longest_transaction_seconds,
        10,
        3600,
        LONGEST_TRANSACTION_SECONDS_DEFAULT,
        "the product's longest REST transaction; the default is ServiceNow's quota rule",
    ));
    let transport = transport::check(
        definition.transport,
        definition.staging_table,
        partner_type,
        &mut problems,
    );
    let filter = sync::filter(&definition.sync, partner_type, &mut problems);
    let actions = actions::check(definition.actions, partner_type, &mut problems);

    let (
        Some(name),
        Some(server),
        Some(client_id),
        Some(client_secret),
        Some(username),
        Some(days),
        Some(refresh_days),
        Some(transaction),
    ) = (
        name,
        server,
        client_id,
        client_secret,
        username,
        days,
        refresh_days,
        transaction,
    )
    else {
        return Err(problems);
    };
    problems.or(Connection {
        name,
        partner_type,
        egress: Arc::new(Egress::to(&server, networks, authorities)),
        server,
        grant,
        client_id,
        client_secret,
        client_authentication: definition.client_authentication,
        authority,
        auth_mode,
        username,
        refresh_token_life: Duration::from_secs(refresh_days * 24 * 60 * 60),
        longest_transaction: Duration::from_secs(transaction),
        transport,
        sync: SyncOptions {
            record_types: definition
                .sync
                .record_types
                .unwrap_or_else(|| vec![RecordType::Incident, RecordType::ChangeRequest]),
            days: u16::try_from(days).unwrap_or(u16::MAX),
            filter,
            work_notes: definition.sync.work_notes,
        },
        create_configuration_items: definition.create_configuration_items,
        actions,
    })
}

/// Text without control characters or blanks at its ends: it stands in headers and forms.
fn visible_text(path: &str, text: &str) -> Result<String, Problem> {
    let fine = !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    if fine {
        return Ok(text.to_owned());
    }
    let found = if text.is_empty() {
        "an empty text"
    } else {
        "a text with line breaks, control characters or blanks at its ends"
    };
    Err(Problem::new(
        path,
        found,
        "a text of visible characters",
        "copy it again, without what stands around it",
    ))
}

fn check_client_secret(
    secret: Option<SecretText>,
    partner: PartnerType,
) -> Result<Option<Secret>, Problem> {
    let Some(SecretText(secret)) = secret else {
        // Cherwell and Provance clients have none (itsmc-product §1.1).
        return match partner {
            PartnerType::Servicenow | PartnerType::SystemCenterServiceManager => Err(Problem::new(
                "client_secret",
                "nothing",
                "the OAuth client's secret",
                "`itsmc connection add` asks for it, so that it stands in no file",
            )),
            PartnerType::Provance | PartnerType::Cherwell => Ok(None),
        };
    };
    if secret.expose().starts_with('\u{feff}') {
        return Err(Problem::new(
            "client_secret",
            "a byte order mark before it",
            "the secret alone",
            "copy it again, not out of a file",
        ));
    }
    // A line break at the end comes from `echo secret | …`; nobody's secret ends with one.
    let trimmed = secret.expose().trim_end_matches(['\r', '\n']);
    if trimmed.is_empty() || trimmed.chars().any(char::is_control) {
        return Err(Problem::new(
            "client_secret",
            "an empty text or one with control characters",
            "the OAuth client's secret",
            "copy it again",
        ));
    }
    Ok(Some(Secret::from(trimmed)))
}

fn within(
    path: &str,
    value: Option<i64>,
    min: i64,
    max: i64,
    default: i64,
    meaning: &'static str,
) -> Result<u64, Problem> {
    let value = value.unwrap_or(default);
    if (min..=max).contains(&value) {
        return Ok(u64::try_from(value).unwrap_or(0));
    }
    Err(Problem::new(
        path,
        format!("{value}"),
        format!("a whole number from {min} to {max}"),
        meaning,
    ))
}

#[cfg(test)]
mod tests;
