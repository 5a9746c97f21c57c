//! The Entra tenant of a connection: found out once, and written into the definition, so that nobody else can name another
//! later on.

use std::sync::Arc;
use std::time::Duration;

use itsm_connector::domain::connection::{Connection, Grant};
use itsm_connector::domain::definition;
use itsm_connector::domain::secret::Secret;
use itsm_connector::flows::Core;
use serde_json::{Map, Value, json};

use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::Output;

/// How long the instance may take to say which tenant it belongs to.
const WITHIN: Duration = Duration::from_secs(20);

/// The connection and its text, with the tenant in it where there is one. An app that logs in by its secret can be set up while
/// its instance is away: then each process asks for itself.
pub(super) async fn write_down(
    desk: &Desk,
    core: &Core,
    connection: Arc<Connection>,
    text: Secret,
    output: &Output,
) -> Result<(Arc<Connection>, Secret), Failure> {
    if connection.authority.is_some() {
        return Ok((connection, text));
    }
    output.progress(format!("asking {} for its tenant", connection.server));
    let found = core.products.authority(&connection, WITHIN).await;
    output.settle();
    let authority = match found {
        Ok(Some(authority)) => authority,
        Ok(None) => return Ok((connection, text)),
        Err(failure) if connection.grant == Grant::ClientCredentials => {
            output.warning(failure.to_string(), failure.hint());
            return Ok((connection, text));
        }
        Err(failure) => return Err(failure.into()),
    };
    output.words(format!("tokens come from the tenant {authority}"));
    let fields = serde_json::from_str(text.expose());
    let mut fields: Map<String, Value> = fields.unwrap_or_default();
    fields.insert("entra_authority".to_owned(), json!(authority.to_string()));
    let text = Secret::new(serde_json::to_string_pretty(&fields).unwrap_or_default());
    let connection = definition::parse(text.expose().as_bytes(), desk.allowed())
        .map_err(|problems| Failure::from(&problems))?;
    Ok((Arc::new(connection), text))
}
