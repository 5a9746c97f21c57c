//! The settings of the secure webhook: `ITSMC_ENTRA_…`.

use super::{SettingsError, shown};
use crate::domain::entra::{AUDIENCES_MAX, Cloud, EntraAuth, guid};

/// Longest audience or role that is taken; app id URIs may have 255 characters.
const NAME_CHARS_MAX: usize = 255;

/// Reads them.
pub(super) fn entra(variable: &dyn Fn(&str) -> Option<String>) -> Result<EntraAuth, SettingsError> {
    let cloud = cloud(variable("ITSMC_ENTRA_CLOUD"))?;
    Ok(EntraAuth {
        cloud,
        tenant: tenant(variable("ITSMC_ENTRA_TENANT"))?,
        audiences: audiences(variable("ITSMC_ENTRA_AUDIENCE"))?,
        caller: caller(variable("ITSMC_ENTRA_CALLER"), cloud)?,
        role: role(variable("ITSMC_ENTRA_ROLE"))?,
    })
}

fn cloud(value: Option<String>) -> Result<Cloud, SettingsError> {
    let Some(value) = value else {
        return Ok(Cloud::Public);
    };
    Cloud::parse(&value).ok_or_else(|| SettingsError {
        variable: "ITSMC_ENTRA_CLOUD",
        found: shown(&value),
        expected: "`public`, `usgovernment` or `china`",
        hint: "lower case; without it the cloud is `public`",
    })
}

fn tenant(value: Option<String>) -> Result<String, SettingsError> {
    let error = |found| SettingsError {
        variable: "ITSMC_ENTRA_TENANT",
        found,
        expected: "the tenant's id, a GUID",
        hint: "`az account show --query tenantId` shows it; a domain's name does not do, for tokens carry the id",
    };
    let value = value.ok_or_else(|| error("nothing".to_owned()))?;
    guid(&value).ok_or_else(|| error(shown(&value)))
}

/// A client id is compared as Entra writes it, in lower case; an app id URI as it is.
fn audiences(value: Option<String>) -> Result<Vec<String>, SettingsError> {
    let error = |found| SettingsError {
        variable: "ITSMC_ENTRA_AUDIENCE",
        found,
        expected: "the app's id URI (`api://…`), its client id, or both with a comma between",
        hint: "v1.0 tokens carry the URI, v2.0 tokens the client id; which are sent is a setting of the app: give both",
    };
    let value = value.ok_or_else(|| error("nothing".to_owned()))?;
    let all: Vec<String> = value
        .split(',')
        .map(str::trim)
        .filter(|audience| !audience.is_empty())
        .map(|audience| guid(audience).unwrap_or_else(|| audience.to_owned()))
        .collect();
    let is_sound = (1..=AUDIENCES_MAX).contains(&all.len())
        && all
            .iter()
            .all(|audience| audience.chars().count() <= NAME_CHARS_MAX);
    if is_sound {
        Ok(all)
    } else {
        Err(error(shown(&value)))
    }
}

fn caller(value: Option<String>, cloud: Cloud) -> Result<String, SettingsError> {
    let error = |found| SettingsError {
        variable: "ITSMC_ENTRA_CALLER",
        found,
        expected: "the app id of whoever calls, a GUID",
        hint: "of action groups it is known in `public` and `usgovernment`; in `china` look at the enterprise application `AZNS AAD Webhook`",
    };
    match (value, cloud.action_groups()) {
        (None, Some(known)) => Ok(known.to_owned()),
        (None, None) => Err(error("nothing".to_owned())),
        (Some(value), _) => guid(&value).ok_or_else(|| error(shown(&value))),
    }
}

fn role(value: Option<String>) -> Result<Option<String>, SettingsError> {
    match value {
        Some(value) if value.chars().count() > NAME_CHARS_MAX => Err(SettingsError {
            variable: "ITSMC_ENTRA_ROLE",
            found: "a long text".to_owned(),
            expected: "the value of an app role, such as `ActionGroupsSecureWebhook`",
            hint: "without it no role is demanded, only the caller's app id",
        }),
        role => Ok(role),
    }
}
