//! Where our own state is kept: `ITSMC_STATE`, and for a cloud's store the account, region, endpoint and identity in
//! `object_store`'s own variables. They are read here and handed over; nothing else of the environment is.

mod server;

use std::fmt;
use std::path::PathBuf;

use super::{SettingsError, folder, shown};
use crate::domain::network::AllowedHosts;
use crate::domain::secret::Secret;
use server::server;

/// Where our own state is kept.
#[derive(Debug, Clone)]
pub enum StateLocation {
    /// A folder; every write is on disk before it counts.
    Folder(PathBuf),
    /// Nowhere: it is gone with the process.
    Memory,
    /// A container of Azure Blob Storage.
    Azure(CloudStore),
    /// A bucket of S3, or of a server that speaks S3.
    S3(CloudStore),
}

/// A container or bucket, and how to get at it.
#[derive(Clone)]
pub struct CloudStore {
    /// The container's or bucket's name.
    pub container: String,
    /// The folder in it; empty for all of it.
    pub prefix: String,
    /// What `object_store` is told, by the names of its variables. Some of the values are keys.
    pub options: Vec<(&'static str, Secret)>,
    /// The server, if it is not the cloud's own: then somebody has to see that it honours create-only writes.
    pub foreign_server: Option<String>,
}

impl fmt::Debug for CloudStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.options.iter().map(|(name, _)| *name).collect();
        f.debug_struct("CloudStore")
            .field("container", &self.container)
            .field("prefix", &self.prefix)
            .field("options", &names)
            .field("foreign_server", &self.foreign_server)
            .finish()
    }
}

impl fmt::Display for StateLocation {
    /// As a person would name it. Never a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cloud = |f: &mut fmt::Formatter<'_>, scheme: &str, store: &CloudStore| {
            write!(f, "{scheme}://{}", store.container)?;
            if !store.prefix.is_empty() {
                write!(f, "/{}", store.prefix)?;
            }
            match &store.foreign_server {
                Some(server) => write!(f, " at {server}"),
                None => Ok(()),
            }
        };
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Memory => f.write_str("memory:///"),
            Self::Azure(store) => cloud(f, "az", store),
            Self::S3(store) => cloud(f, "s3", store),
        }
    }
}

impl StateLocation {
    /// The store's name, if it has to be seen that it honours create-only writes. S3, Azure Blob and a folder do.
    pub fn to_be_proven(&self) -> Option<String> {
        match self {
            Self::Azure(store) | Self::S3(store) => {
                store.foreign_server.as_ref().map(|_| self.to_string())
            }
            Self::Folder(_) | Self::Memory => None,
        }
    }
}

/// What `object_store` takes for Azure Blob, beside account and endpoint. `AZURE_CLIENT_ID` alone names a managed
/// identity.
const AZURE_OPTIONS: [&str; 14] = [
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_OBJECT_ID",
    "AZURE_MSI_RESOURCE_ID",
    "AZURE_CREDENTIAL_TYPE",
    "AZURE_USE_AZURE_CLI",
    "IDENTITY_ENDPOINT",
];

/// What `object_store` takes for S3, beside the endpoint.
const S3_OPTIONS: [&str; 14] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_METADATA_ENDPOINT",
    "AWS_ENDPOINT_URL_STS",
];

/// Where S3 may be said to be, the most special first (as in the AWS SDKs; the last is `object_store`'s own).
const S3_ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];

/// The account of the Azurite emulator and its key, which are in its documentation and the same everywhere.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const EMULATOR_ENDPOINT: &str = "http://127.0.0.1:10000";

/// What the names of Azure Blob's own servers end with, in its three clouds and in accounts with a zone of their own.
const AZURE_SERVERS: [&str; 4] = [
    ".blob.core.windows.net",
    ".blob.core.usgovcloudapi.net",
    ".blob.core.chinacloudapi.cn",
    ".blob.storage.azure.net",
];

/// What the names of S3's own servers end with; one of the parts before it says that it is S3 and not somebody's server
/// behind a load balancer of AWS.
const AWS_SERVERS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];
const S3_PARTS: [&str; 4] = ["s3", "s3-fips", "s3-accesspoint", "s3-accesspoint-fips"];

/// Longest prefix: it is part of the name of every object, and these may have 1,024 characters (Azure Blob, S3).
const PREFIX_CHARS_MAX: usize = 200;

/// What a state's location looks like.
const EXPECTED: &str =
    "`file:///DIR`, `az://CONTAINER/PREFIX`, `s3://BUCKET/PREFIX` or `memory:///`";

type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads `ITSMC_STATE` and what belongs to it.
pub(super) fn state(
    variable: Variables<'_>,
    allowed: &AllowedHosts,
) -> Result<StateLocation, SettingsError> {
    let Some(value) = variable("ITSMC_STATE") else {
        let hint = "alerts are kept there before anything is done with them";
        return Err(error("ITSMC_STATE", "nothing".to_owned(), EXPECTED, hint));
    };
    match value.as_str() {
        "memory:///" | "memory://" => return Ok(StateLocation::Memory),
        _ => {}
    }
    if let Some(place) = value.strip_prefix("az://") {
        let (container, prefix) = place_of(&value, place, is_container, CONTAINER_HINT)?;
        return azure(variable, allowed, container, prefix).map(StateLocation::Azure);
    }
    if let Some(place) = value.strip_prefix("s3://") {
        let (bucket, prefix) = place_of(&value, place, is_bucket, BUCKET_HINT)?;
        return s3(variable, allowed, bucket, prefix).map(StateLocation::S3);
    }
    folder(&value).map(StateLocation::Folder).ok_or_else(|| {
        let hint = "three slashes and an absolute path: two of the scheme, one of the path";
        error("ITSMC_STATE", shown(&value), EXPECTED, hint)
    })
}

fn error(
    variable: &'static str,
    found: String,
    expected: &'static str,
    hint: &'static str,
) -> SettingsError {
    SettingsError {
        variable,
        found,
        expected,
        hint,
    }
}

const CONTAINER_HINT: &str = "a container's name has 3 to 63 lower-case letters, digits and single hyphens; the account stands in `AZURE_STORAGE_ACCOUNT_NAME`";
const BUCKET_HINT: &str = "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens; directory buckets (`--x-s3`) list in no order and are not taken";

/// The container or bucket and the prefix in it.
fn place_of(
    value: &str,
    place: &str,
    is_name: fn(&str) -> bool,
    hint: &'static str,
) -> Result<(String, String), SettingsError> {
    let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
    if !is_name(name) {
        return Err(error("ITSMC_STATE", shown(value), EXPECTED, hint));
    }
    let prefix = prefix.trim_end_matches('/');
    let is_plain = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        !matches!(part, "" | "." | "..") && part.bytes().all(plain)
    };
    if prefix.len() > PREFIX_CHARS_MAX || !(prefix.is_empty() || prefix.split('/').all(is_plain)) {
        let hint = "the prefix is a folder in it, such as `state` or `itsm/prod`: letters, digits, `-`, `_` and `.`, at most 200 characters";
        return Err(error("ITSMC_STATE", shown(value), EXPECTED, hint));
    }
    Ok((name.to_owned(), prefix.to_owned()))
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_name_of(name: &str, also: &[u8]) -> bool {
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|&b| is_lower(b) || also.contains(&b))
        && [bytes.first(), bytes.last()]
            .iter()
            .all(|end| end.is_some_and(|&b| is_lower(b)))
}

fn is_container(name: &str) -> bool {
    is_name_of(name, b"-") && !name.contains("--")
}

fn is_bucket(name: &str) -> bool {
    is_name_of(name, b"-.") && !name.contains("..") && !name.ends_with("--x-s3")
}

fn azure(
    variable: Variables<'_>,
    allowed: &AllowedHosts,
    container: String,
    prefix: String,
) -> Result<CloudStore, SettingsError> {
    let is_emulator = variable("AZURE_STORAGE_USE_EMULATOR")
        .is_some_and(|said| matches!(said.to_ascii_lowercase().as_str(), "true" | "1"));
    let mut options = said(variable, &AZURE_OPTIONS);
    let account = match variable("AZURE_STORAGE_ACCOUNT_NAME") {
        Some(account) if (3..=24).contains(&account.len()) && account.bytes().all(is_lower) => {
            account
        }
        Some(account) => {
            return Err(error(
                "AZURE_STORAGE_ACCOUNT_NAME",
                shown(&account),
                "the storage account's name: 3 to 24 lower-case letters and digits",
                "the name alone, such as `contosoitsm`; a server of another name stands in `AZURE_STORAGE_ENDPOINT`",
            ));
        }
        None if is_emulator => EMULATOR_ACCOUNT.to_owned(),
        None => {
            return Err(error(
                "AZURE_STORAGE_ACCOUNT_NAME",
                "nothing".to_owned(),
                "the storage account's name",
                "`ITSMC_STATE=az://…` names a container; its account stands here, and the function's identity needs `Storage Blob Data Contributor` on the container",
            ));
        }
    };
    let endpoint = match variable("AZURE_STORAGE_ENDPOINT") {
        None if is_emulator => {
            let server = variable("AZURITE_BLOB_STORAGE_URL");
            let server = server.as_deref().unwrap_or(EMULATOR_ENDPOINT);
            let server = server.trim_end_matches('/');
            Some(("AZURITE_BLOB_STORAGE_URL", format!("{server}/{account}")))
        }
        endpoint => endpoint.map(|endpoint| ("AZURE_STORAGE_ENDPOINT", endpoint)),
    };
    if is_emulator && !options.iter().any(|(name, _)| name.ends_with("_KEY")) {
        options.push(("AZURE_STORAGE_ACCOUNT_KEY", Secret::from(EMULATOR_KEY)));
    }
    let mut foreign_server = None;
    if let Some((variable, endpoint)) = endpoint {
        let server = server(variable, &endpoint, allowed)?;
        let is_own = |host: &str| AZURE_SERVERS.iter().any(|end| host.ends_with(end));
        foreign_server = server.unless(is_own);
        options.push(("AZURE_STORAGE_ENDPOINT", Secret::new(endpoint)));
    }
    options.push(("AZURE_STORAGE_ACCOUNT_NAME", Secret::new(account)));
    Ok(CloudStore {
        container,
        prefix,
        options,
        foreign_server,
    })
}

fn s3(
    variable: Variables<'_>,
    allowed: &AllowedHosts,
    bucket: String,
    prefix: String,
) -> Result<CloudStore, SettingsError> {
    let mut options = said(variable, &S3_OPTIONS);
    let has = |wanted: &str| options.iter().any(|(name, _)| *name == wanted);
    if has("AWS_ACCESS_KEY_ID") != has("AWS_SECRET_ACCESS_KEY") {
        return Err(error(
            "AWS_SECRET_ACCESS_KEY",
            "one half of a key".to_owned(),
            "`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or neither",
            "with neither the role of the function, task or machine is used; AWS Lambda sets both by itself",
        ));
    }
    let endpoint = S3_ENDPOINTS
        .iter()
        .find_map(|name| variable(name).map(|endpoint| (*name, endpoint)));
    if endpoint.is_none() && !has("AWS_REGION") && !has("AWS_DEFAULT_REGION") {
        return Err(error(
            "AWS_REGION",
            "nothing".to_owned(),
            "the bucket's region, such as `eu-central-1`",
            "AWS Lambda sets its own region; a bucket elsewhere, or a server of your own, stands in `AWS_ENDPOINT_URL_S3`",
        ));
    }
    let mut foreign_server = None;
    if let Some((variable, endpoint)) = endpoint {
        let server = server(variable, &endpoint, allowed)?;
        let is_own = |host: &str| {
            AWS_SERVERS.iter().any(|end| {
                host.strip_suffix(end)
                    .is_some_and(|parts| parts.split('.').any(|part| S3_PARTS.contains(&part)))
            })
        };
        foreign_server = server.unless(is_own);
        options.push(("AWS_ENDPOINT_URL_S3", Secret::new(endpoint)));
    }
    Ok(CloudStore {
        container: bucket,
        prefix,
        options,
        foreign_server,
    })
}

fn said(variable: Variables<'_>, names: &[&'static str]) -> Vec<(&'static str, Secret)> {
    names
        .iter()
        .filter_map(|name| variable(name).map(|value| (*name, Secret::new(value))))
        .collect()
}

#[cfg(test)]
mod tests;
