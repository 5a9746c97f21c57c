//! The settings: the only reader of the environment. `docs/settings.md` lists every variable; a test compares the two.

mod connections;
mod entra;
mod key_vault;
mod log_analytics;
mod proxy;
mod state;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::domain::egress::Proxy;
use crate::domain::name::ConnectionName;
use crate::domain::network::AllowedHosts;
use crate::domain::webhook_auth::{KEYS_MAX, WebhookAuth};
pub use key_vault::KeyVaultLocation;
use key_vault::Reader;
pub use log_analytics::RowsLocation;
pub use state::{CloudStore, StateLocation};

/// Where the local host listens if nobody says otherwise.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7071);

/// What is logged if nobody says otherwise.
const LOG_DEFAULT: &str = "info";

/// Where connections and tokens are kept.
#[derive(Debug, Clone)]
pub enum VaultLocation {
    /// A folder of files.
    Folder(PathBuf),
    /// A vault in Azure.
    KeyVault(Box<KeyVaultLocation>),
}

/// Where the function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// AWS Lambda.
    Lambda,
    /// Azure Functions, as its custom handler.
    AzureFunctions {
        /// Where its host asks us.
        port: u16,
    },
    /// The desk: plain HTTP and timers in this process.
    Local,
}

/// Everything that the environment says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `ITSMC_VAULT`.
    pub vault: VaultLocation,
    /// `ITSMC_STATE`.
    pub state: StateLocation,
    /// `ITSMC_WEBHOOK_AUTH`, with `ITSMC_WEBHOOK_KEYS` and `ITSMC_ENTRA_…`.
    pub auth: WebhookAuth,
    /// `ITSMC_ALLOW_HOSTS`.
    pub allowed: AllowedHosts,
    /// `ITSMC_CONNECTIONS`: which ones the timers work on; all where it says nothing.
    pub connections: Option<Vec<ConnectionName>>,
    /// `ITSMC_PROXY`.
    pub proxy: Option<Proxy>,
    /// `ITSMC_LISTEN`.
    pub listen: SocketAddr,
    /// `ITSMC_LOG_ANALYTICS`, with `ITSMC_DCR_ID`.
    pub rows: Option<RowsLocation>,
    /// What the platform says.
    pub platform: Platform,
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// Which.
    pub variable: &'static str,
    /// What it says. Never a secret.
    pub found: String,
    /// What it should.
    pub expected: &'static str,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: found {}, expected {}\n  hint: {}",
            self.variable, self.found, self.expected, self.hint
        )
    }
}

impl std::error::Error for SettingsError {}

/// Where a person's command finds the data of the desk.
#[derive(Debug, Clone)]
pub struct Desk {
    /// `ITSMC_VAULT`, or `vault` below the desk's folder.
    pub vault: VaultLocation,
    /// `ITSMC_STATE`, or `state` below the desk's folder.
    pub state: StateLocation,
    /// `ITSMC_ALLOW_HOSTS`.
    pub allowed: AllowedHosts,
    /// `ITSMC_PROXY`.
    pub proxy: Option<Proxy>,
    /// `ITSMC_LOG_ANALYTICS`, or `rows.sqlite` below the desk's folder.
    #[cfg(feature = "desk")]
    pub rows: RowsLocation,
}

impl Desk {
    /// From the environment of the process; what it does not say is below `folder`.
    pub fn from_env(folder: &Path) -> Result<Self, SettingsError> {
        Self::from(&environment, folder)
    }

    /// From anything that answers like an environment.
    pub fn from(
        variable: &dyn Fn(&str) -> Option<String>,
        folder: &Path,
    ) -> Result<Self, SettingsError> {
        let allowed = AllowedHosts::parse(&variable("ITSMC_ALLOW_HOSTS").unwrap_or_default());
        Ok(Self {
            vault: match variable("ITSMC_VAULT") {
                None => VaultLocation::Folder(folder.join("vault")),
                said => vault(said, variable, &allowed, Reader::Person)?,
            },
            state: match variable("ITSMC_STATE") {
                None => StateLocation::Folder(folder.join("state")),
                Some(_) => state::state(variable, &allowed)?,
            },
            #[cfg(feature = "desk")]
            rows: log_analytics::rows(variable, &allowed)?
                .unwrap_or_else(|| RowsLocation::Sqlite(folder.join("rows.sqlite"))),
            proxy: proxy::proxy(variable)?,
            allowed,
        })
    }
}

/// What is logged: `RUST_LOG`.
pub fn log_filter() -> String {
    log_filter_or(LOG_DEFAULT)
}

/// What is logged: `RUST_LOG`, else `quiet`.
pub fn log_filter_or(quiet: &str) -> String {
    environment("RUST_LOG").unwrap_or_else(|| quiet.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "this is the environment's owner")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

impl Settings {
    /// From the environment of the process.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from(&environment)
    }

    /// The same for a function that has no webhook: who may call it is not asked.
    pub fn of_timer_from_env() -> Result<Self, SettingsError> {
        Self::of_timer(&environment)
    }

    /// From anything that answers like an environment.
    pub fn from(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let (platform, listen) = (platform(variable)?, listen(variable("ITSMC_LISTEN"))?);
        let settings = Self::of_timer(variable)?;
        Ok(Self {
            auth: auth(variable, platform, listen)?,
            ..settings
        })
    }

    /// The same for a function that has no webhook.
    pub fn of_timer(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let platform = platform(variable)?;
        let listen = listen(variable("ITSMC_LISTEN"))?;
        let allowed = AllowedHosts::parse(&variable("ITSMC_ALLOW_HOSTS").unwrap_or_default());
        let reader = Reader::Function(platform);
        Ok(Self {
            vault: vault(variable("ITSMC_VAULT"), variable, &allowed, reader)?,
            state: state::state(variable, &allowed)?,
            // Nobody: there is no key.
            auth: WebhookAuth::Keys(Vec::new()),
            connections: connections::connections(variable)?,
            rows: log_analytics::rows(variable, &allowed)?,
            proxy: proxy::proxy(variable)?,
            allowed,
            listen,
            platform,
        })
    }
}

fn platform(variable: &dyn Fn(&str) -> Option<String>) -> Result<Platform, SettingsError> {
    if variable("AWS_LAMBDA_RUNTIME_API").is_some() {
        return Ok(Platform::Lambda);
    }
    match variable("FUNCTIONS_CUSTOMHANDLER_PORT") {
        None => Ok(Platform::Local),
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => Ok(Platform::AzureFunctions { port }),
            _ => Err(SettingsError {
                variable: "FUNCTIONS_CUSTOMHANDLER_PORT",
                found: shown(&port),
                expected: "a port, as the Functions host sets it",
                hint: "do not set it yourself; without it the function runs at the desk",
            }),
        },
    }
}

fn listen(value: Option<String>) -> Result<SocketAddr, SettingsError> {
    let Some(value) = value else {
        return Ok(LISTEN_DEFAULT);
    };
    value.parse().map_err(|_| SettingsError {
        variable: "ITSMC_LISTEN",
        found: shown(&value),
        expected: "an address and port, such as `127.0.0.1:7071`",
        hint: "names are not resolved here; `0.0.0.0:7071` listens on every interface",
    })
}

fn vault(
    value: Option<String>,
    variable: &dyn Fn(&str) -> Option<String>,
    allowed: &AllowedHosts,
    reader: Reader,
) -> Result<VaultLocation, SettingsError> {
    let error = |found: String, expected, hint| SettingsError {
        variable: "ITSMC_VAULT",
        found,
        expected,
        hint,
    };
    match value {
        None => Err(error(
            "nothing".to_owned(),
            "`https://NAME.vault.azure.net` or `file:///DIR`",
            "the vault keeps the connections and their tokens; `itsmc up` sets one up by itself",
        )),
        Some(value) if value.starts_with("https://") => {
            let location = key_vault::location(&value, variable, allowed, reader)?;
            Ok(VaultLocation::KeyVault(Box::new(location)))
        }
        Some(value) => match folder(&value) {
            Some(folder) => Ok(VaultLocation::Folder(folder)),
            None => Err(error(
                shown(&value),
                "`https://NAME.vault.azure.net`, or `file:///DIR` with an absolute path",
                "three slashes: two of the scheme, one of the path",
            )),
        },
    }
}

fn folder(value: &str) -> Option<PathBuf> {
    let url = url::Url::parse(value)
        .ok()
        .filter(|url| url.scheme() == "file" && url.query().is_none())?;
    url.to_file_path().ok()
}

fn auth(
    variable: &dyn Fn(&str) -> Option<String>,
    platform: Platform,
    listen: SocketAddr,
) -> Result<WebhookAuth, SettingsError> {
    let mode = variable("ITSMC_WEBHOOK_AUTH");
    let keys = variable("ITSMC_WEBHOOK_KEYS");
    let error = |found: String, expected, hint| SettingsError {
        variable: "ITSMC_WEBHOOK_AUTH",
        found,
        expected,
        hint,
    };
    match mode.as_deref() {
        None => Err(error(
            "nothing".to_owned(),
            "`entra`, `key` or `none`",
            "there is no open default; `none` is for the desk, where the listener is loopback",
        )),
        Some("none") if platform == Platform::Local && listen.ip().is_loopback() => {
            Ok(WebhookAuth::Open)
        }
        Some("none") => Err(error(
            "`none`".to_owned(),
            "`entra` or `key`",
            "`none` is refused unless the listener is loopback: anybody could make work items",
        )),
        Some("key") => Ok(WebhookAuth::Keys(webhook_keys(keys)?)),
        Some("entra") => Ok(WebhookAuth::Entra(
            entra::entra(variable)?,
            match keys {
                Some(keys) => webhook_keys(Some(keys))?,
                None => Vec::new(),
            },
        )),
        Some(other) => Err(error(
            shown(other),
            "`entra`, `key` or `none`",
            "lower case",
        )),
    }
}

/// One or two SHA-256 hashes, hex. What is found is never shown: somebody may have put the key itself there.
fn webhook_keys(value: Option<String>) -> Result<Vec<[u8; 32]>, SettingsError> {
    let error = |found: &str, hint| SettingsError {
        variable: "ITSMC_WEBHOOK_KEYS",
        found: found.to_owned(),
        expected: "one or two SHA-256 hashes in hexadecimal, separated by a comma",
        hint,
    };
    let value = value.ok_or_else(|| {
        error(
            "nothing",
            "`printf %s KEY | sha256sum` gives the hash of a key",
        )
    })?;
    let hashes: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|hash| !hash.is_empty())
        .collect();
    if hashes.is_empty() || hashes.len() > KEYS_MAX {
        return Err(error(
            "another number of values",
            "a second hash is for the time while the key is replaced",
        ));
    }
    hashes
        .iter()
        .map(|hash| {
            let lower = hash.to_ascii_lowercase();
            data_encoding::HEXLOWER
                .decode(lower.as_bytes())
                .ok()
                .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
                .ok_or_else(|| {
                    error(
                        "a value that is no such hash (not shown)",
                        "put the hash of the key there, not the key: `printf %s KEY | sha256sum`",
                    )
                })
        })
        .collect()
}

fn shown(value: &str) -> String {
    crate::domain::redact::echo("value", value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let base = [
            ("ITSMC_VAULT", "file:///v"),
            ("ITSMC_STATE", "memory:///"),
            ("ITSMC_WEBHOOK_AUTH", "none"),
        ];
        let find = |name: &str| {
            let of = |list: &[(&str, &str)]| {
                list.iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            of(pairs)
                .or_else(|| of(&base))
                .filter(|value| !value.is_empty())
        };
        Settings::from(&find)
    }

    const ENTRA: [(&str, &str); 3] = [
        ("ITSMC_WEBHOOK_AUTH", "entra"),
        ("ITSMC_ENTRA_TENANT", "AAAAAAAA-0001-4000-8000-000000000001"),
        (
            "ITSMC_ENTRA_AUDIENCE",
            "api://itsmc, BBBBBBBB-0001-4000-8000-000000000001",
        ),
    ];

    #[test]
    fn every_mistake_names_its_variable() {
        let key = "a".repeat(64);
        let three = format!("{key},{key},{key}");
        let cases: Vec<Vec<(&str, &str)>> = vec![
            vec![("ITSMC_VAULT", "")],
            vec![("ITSMC_VAULT", "https://x.vault.azure.net")],
            vec![("ITSMC_VAULT", "./vault")],
            vec![("ITSMC_STATE", "")],
            vec![("ITSMC_STATE", "s3://bucket/prefix")],
            vec![("ITSMC_STATE", "file://relative")],
            vec![("ITSMC_CONNECTIONS", "contoso,Fabrikam")],
            vec![("ITSMC_LISTEN", "localhost:7071")],
            vec![("ITSMC_WEBHOOK_AUTH", "")],
            vec![("ITSMC_WEBHOOK_AUTH", "open")],
            vec![("ITSMC_WEBHOOK_AUTH", "entra")],
            vec![ENTRA[0], ("ITSMC_ENTRA_TENANT", "contoso.onmicrosoft.com")],
            vec![ENTRA[0], ENTRA[1]],
            vec![ENTRA[0], ENTRA[1], ("ITSMC_ENTRA_AUDIENCE", "a,b,c")],
            vec![
                ENTRA[0],
                ENTRA[1],
                ENTRA[2],
                ("ITSMC_ENTRA_CLOUD", "germany"),
            ],
            vec![ENTRA[0], ENTRA[1], ENTRA[2], ("ITSMC_ENTRA_CLOUD", "china")],
            vec![
                ENTRA[0],
                ENTRA[1],
                ENTRA[2],
                ("ITSMC_ENTRA_CALLER", "AZNS AAD Webhook"),
            ],
            vec![
                ENTRA[0],
                ENTRA[1],
                ENTRA[2],
                ("ITSMC_WEBHOOK_KEYS", "canary-key"),
            ],
            vec![("ITSMC_LISTEN", "0.0.0.0:7071")],
            vec![("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")],
            vec![("FUNCTIONS_CUSTOMHANDLER_PORT", "http")],
            vec![("FUNCTIONS_CUSTOMHANDLER_PORT", "8080")],
            vec![("ITSMC_WEBHOOK_AUTH", "key")],
            vec![
                ("ITSMC_WEBHOOK_AUTH", "key"),
                ("ITSMC_WEBHOOK_KEYS", "canary-key"),
            ],
            vec![
                ("ITSMC_WEBHOOK_AUTH", "key"),
                ("ITSMC_WEBHOOK_KEYS", &three),
            ],
        ];
        let told: Vec<String> = cases
            .iter()
            .map(|case| {
                settings(case)
                    .err()
                    .unwrap_or_else(|| panic!("{case:?} is accepted"))
                    .to_string()
            })
            .collect();
        let told = told.join("\n");
        assert!(!told.contains("canary"), "{told}");
        insta::assert_snapshot!(told);
    }

    #[test]
    fn the_desk_is_its_folder_unless_the_environment_says_otherwise() {
        let folder = Path::new("desk");
        let quiet = Desk::from(&|_| None, folder).unwrap();
        assert!(
            matches!(quiet.vault, VaultLocation::Folder(folder) if folder == Path::new("desk/vault"))
        );
        assert!(
            matches!(quiet.state, StateLocation::Folder(folder) if folder == Path::new("desk/state"))
        );
        let said = |name: &str| match name {
            "ITSMC_VAULT" => Some("file:///v".to_owned()),
            "ITSMC_ALLOW_HOSTS" => Some("sm.corp.example".to_owned()),
            _ => None,
        };
        let told = Desk::from(&said, folder).unwrap();
        assert!(matches!(told.vault, VaultLocation::Folder(folder) if folder == Path::new("/v")));
        assert!(told.allowed.contains("sm.corp.example", 443));
        assert!(Desk::from(&|_| Some("x".to_owned()), folder).is_err());
    }

    #[test]
    fn good_settings_are_taken() {
        let hash = format!("{}, {}", "A".repeat(64), "b".repeat(64));
        let key = [
            ("ITSMC_WEBHOOK_AUTH", "key"),
            ("ITSMC_WEBHOOK_KEYS", hash.as_str()),
            ("ITSMC_LISTEN", "0.0.0.0:80"),
        ];
        assert!(matches!(settings(&key).unwrap().auth, WebhookAuth::Keys(keys) if keys.len() == 2));
        let told = settings(&[("ITSMC_STATE", "file:///var/state")]).unwrap();
        assert!(
            matches!(told.state, StateLocation::Folder(folder) if folder == Path::new("/var/state"))
        );
        let WebhookAuth::Entra(entra, keys) = settings(&ENTRA).unwrap().auth else {
            panic!("another way to look at callers");
        };
        assert_eq!(
            entra.keys_url(),
            "https://login.microsoftonline.com/aaaaaaaa-0001-4000-8000-000000000001/discovery/v2.0/keys"
        );
        assert_eq!(
            entra.audiences,
            ["api://itsmc", "bbbbbbbb-0001-4000-8000-000000000001"]
        );
        assert_eq!(entra.caller, "461e8683-5575-4561-ac7f-899cc907d62a");
        assert_eq!(entra.role, None);
        assert!(keys.is_empty());
        let lambda = [("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"), key[0], key[1]];
        assert_eq!(settings(&lambda).unwrap().platform, Platform::Lambda);
        let azure = [("FUNCTIONS_CUSTOMHANDLER_PORT", "40001"), key[0], key[1]];
        assert_eq!(
            settings(&azure).unwrap().platform,
            Platform::AzureFunctions { port: 40001 }
        );
    }
}
