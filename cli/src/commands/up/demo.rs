//! The connection `demo` to the simulated ServiceNow.

use itsm_connector::domain::definition;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::work_item::Uniqueness;
use itsm_connector::flows::test_connection;
use itsm_connector::stores::connections::SECRET_PREFIX;
use serde_json::{Value, json};
use url::{Host, Url};

use super::instance::Instance;
use crate::desk::Desk;
use crate::failure::{Exit, Failure, Trouble};

/// Its name.
pub(super) const NAME: &str = "demo";

/// Makes it, or lets it follow the simulator to its new port. What else a person has changed in it stays.
pub(super) async fn ensure(desk: &Desk, instance: &Instance) -> Result<(), Failure> {
    let (vault, secret) = (desk.vault(), format!("{SECRET_PREFIX}{NAME}"));
    let stored = vault.get(&secret).await?.map(|kept| kept.value);
    let definition = match stored
        .as_ref()
        .map(|text| serde_json::from_str(text.expose()))
    {
        Some(Ok(Value::Object(mut definition))) => {
            refuse_a_real_one(definition.get("server_url"))?;
            definition.insert("server_url".to_owned(), json!(instance.url()));
            Value::Object(definition)
        }
        Some(_) => {
            return Err(Failure::wrong_usage(
                format!(
                    "the connection `{NAME}` in `{}` is not JSON",
                    desk.vault_place()
                ),
                format!("`itsmc connection remove {NAME}`; the next `itsmc up` makes it anew"),
            ));
        }
        None => fresh(instance),
    };
    let text = Secret::new(serde_json::to_string_pretty(&definition).unwrap_or_default());
    definition::parse(text.expose().as_bytes(), desk.allowed())
        .map_err(|problems| Failure::from(&problems))?;
    if stored.is_none_or(|stored| stored.expose() != text.expose()) {
        vault.set(&secret, &text, None).await?;
    }
    Ok(())
}

fn fresh(instance: &Instance) -> Value {
    let client = instance.client();
    json!({
        "name": NAME,
        "partner_type": "servicenow",
        "server_url": instance.url(),
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "actions": { "default": { "work_item_type": "incident", "grouping": "alert" } },
    })
}

/// A connection of this name to another instance is somebody's work: it is not turned round to the simulator.
fn refuse_a_real_one(server_url: Option<&Value>) -> Result<(), Failure> {
    let url = server_url
        .and_then(Value::as_str)
        .and_then(|text| Url::parse(text).ok());
    let is_here = match url.as_ref().and_then(Url::host) {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    if is_here {
        return Ok(());
    }
    Err(Failure::wrong_usage(
        format!("the connection `{NAME}` is to another instance than the simulator"),
        "`itsmc up --data DIR` with another folder, or add that connection by another name",
    ))
}

/// Finds out, the first time, whether the simulator refuses a second record with the same key, so that an alert whose
/// answer is lost can be sent again at once. The test's own incident is taken back.
pub(super) async fn find_out_uniqueness(desk: &Desk, instance: &Instance) -> Result<(), Failure> {
    let name = ConnectionName::parse(NAME).map_err(|expected| {
        Failure::wrong_usage(format!("`{NAME}` is no name"), expected.to_string())
    })?;
    // A core of its own: its tokens and what it remembers end with the test.
    let core = desk.core()?;
    if core.facts.read(&name).await?.uniqueness == Uniqueness::Enforced {
        return Ok(());
    }
    let test = test_connection::run(&core, &name, true, |_| {});
    let steps = instance.without_a_trace(test).await;
    let troubles: Vec<Trouble> = steps
        .into_iter()
        .filter(|step| !step.works)
        .map(|step| Trouble {
            error: format!(
                "the connection `{NAME}` does not work: {}: {}",
                step.name, step.seen
            ),
            hint: step.hint.unwrap_or_default(),
        })
        .collect();
    if troubles.is_empty() {
        return Ok(());
    }
    Err(Failure {
        exit: Exit::DoesNotWork,
        troubles,
    })
}
