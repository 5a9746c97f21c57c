//! The settings of the vault in Azure: `ITSMC_VAULT=https://…`, and the variables that say as whom it is asked. Their names are
//! Azure's and AWS's own; what of them is set by a platform says which identity is meant, and nothing is tried out.

use super::{Platform, SettingsError, shown};
use crate::domain::entra::{Cloud, guid};
use crate::domain::key_vault::{App, AwsRole, Identity, KeyVaultUrl, NotAKeyVault};
use crate::domain::network::AllowedHosts;
use crate::domain::secret::Secret;

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A vault in Azure, and as whom it is asked.
#[derive(Debug, Clone)]
pub struct KeyVaultLocation {
    /// Its address.
    pub url: KeyVaultUrl,
    /// As whom.
    pub identity: Identity,
    /// Where the alerts of its cloud are listed: `ITSMC_RESOURCE_MANAGER`, else the cloud's own.
    pub resource_manager: url::Url,
}

/// Who reads the settings: a function on a platform, or a person's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Function(Platform),
    Person,
}

/// Reads them.
pub(super) fn location(
    value: &str,
    variable: Variable<'_>,
    allowed: &AllowedHosts,
    reader: Reader,
) -> Result<KeyVaultLocation, SettingsError> {
    let url = KeyVaultUrl::parse(value, allowed).map_err(|why| SettingsError {
        variable: "ITSMC_VAULT",
        found: shown(value),
        expected: "`https://NAME.vault.azure.net`, or another cloud's",
        hint: match why {
            NotAKeyVault::Form => "the vault's own address, with nothing behind the host",
            NotAKeyVault::ManagedHsm => "a Managed HSM keeps keys; secrets are kept in a vault",
            NotAKeyVault::Host => {
                "another host is taken if ITSMC_ALLOW_HOSTS lists it with its port"
            }
        },
    })?;
    let identity = identity(url.cloud(), variable, reader)?;
    let resource_manager = match variable("ITSMC_RESOURCE_MANAGER") {
        Some(said) => address("ITSMC_RESOURCE_MANAGER", &said, &["http", "https"])?,
        None => {
            let host = url.cloud().unwrap_or(Cloud::Public).resource_manager();
            address(
                "ITSMC_RESOURCE_MANAGER",
                &format!("https://{host}"),
                &["https"],
            )?
        }
    };
    Ok(KeyVaultLocation {
        url,
        identity,
        resource_manager,
    })
}

fn identity(
    cloud: Option<Cloud>,
    variable: Variable<'_>,
    reader: Reader,
) -> Result<Identity, SettingsError> {
    let app = |because| app(cloud, variable, because);
    if let Some(secret) = variable("AZURE_CLIENT_SECRET") {
        return Ok(Identity::ClientSecret {
            app: app("AZURE_CLIENT_SECRET is set")?,
            secret: Secret::new(secret),
        });
    }
    if let Some(file) = variable("AZURE_FEDERATED_TOKEN_FILE") {
        return Ok(Identity::Workload {
            app: app("AZURE_FEDERATED_TOKEN_FILE is set")?,
            token_file: file.into(),
        });
    }
    if reader == Reader::Function(Platform::Lambda) {
        return Ok(Identity::Aws {
            app: app("on AWS Lambda the function's role takes the place of a secret")?,
            role: role(variable)?,
        });
    }
    if let Some(endpoint) = variable("IDENTITY_ENDPOINT")
        && variable("IDENTITY_HEADER").is_some()
    {
        return Ok(Identity::Managed {
            endpoint: address("IDENTITY_ENDPOINT", &endpoint, &["http", "https"])?,
            client_id: variable("AZURE_CLIENT_ID"),
        });
    }
    match reader {
        Reader::Person => Ok(Identity::DeveloperLogin {
            tenant_id: variable("AZURE_TENANT_ID"),
        }),
        Reader::Function(Platform::AzureFunctions { .. }) => Err(SettingsError {
            variable: "IDENTITY_ENDPOINT",
            found: "nothing".to_owned(),
            expected: "what the platform sets for a function app with a managed identity",
            hint: "assign one: `az functionapp identity assign`; docs/key-vault.md has the rights that it needs",
        }),
        Reader::Function(_) => Err(SettingsError {
            variable: "AZURE_CLIENT_SECRET",
            found: "nothing".to_owned(),
            expected: "an app's secret, with AZURE_TENANT_ID and AZURE_CLIENT_ID; or AZURE_FEDERATED_TOKEN_FILE",
            hint: "the login of a person is taken by `itsmc` alone; `itsmc up` runs the function with it",
        }),
    }
}

fn app(
    cloud: Option<Cloud>,
    variable: Variable<'_>,
    because: &'static str,
) -> Result<App, SettingsError> {
    let id = |name: &'static str, expected| {
        let error = |found| SettingsError {
            variable: name,
            found,
            expected,
            hint: because,
        };
        let value = variable(name).ok_or_else(|| error("nothing".to_owned()))?;
        guid(&value).ok_or_else(|| error(shown(&value)))
    };
    let authority = match variable("AZURE_AUTHORITY_HOST") {
        Some(host) => address("AZURE_AUTHORITY_HOST", &host, &["https"])?,
        None => {
            let host = cloud.unwrap_or(Cloud::Public).authority();
            address(
                "AZURE_AUTHORITY_HOST",
                &format!("https://{host}"),
                &["https"],
            )?
        }
    };
    Ok(App {
        tenant_id: id("AZURE_TENANT_ID", "the vault's Entra tenant, a GUID")?,
        client_id: id("AZURE_CLIENT_ID", "the app's client id, a GUID")?,
        authority,
    })
}

/// What Lambda gives each function: the keys of its role.
fn role(variable: Variable<'_>) -> Result<AwsRole, SettingsError> {
    let given = |name: &'static str| {
        variable(name)
            // It becomes a part of a header.
            .filter(|value| value.bytes().all(|b| b.is_ascii_graphic()))
            .ok_or_else(|| SettingsError {
                variable: name,
                found: "nothing that can be used (not shown)".to_owned(),
                expected: "what AWS Lambda sets for every function",
                hint: "do not set it yourself; elsewhere use AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE",
            })
    };
    let region = given("AWS_REGION")?;
    let sts = match variable("AWS_ENDPOINT_URL_STS") {
        Some(endpoint) => address("AWS_ENDPOINT_URL_STS", &endpoint, &["http", "https"])?,
        None => {
            let top = match region.starts_with("cn-") {
                true => "amazonaws.com.cn",
                false => "amazonaws.com",
            };
            address(
                "AWS_REGION",
                &format!("https://sts.{region}.{top}"),
                &["https"],
            )?
        }
    };
    Ok(AwsRole {
        key_id: given("AWS_ACCESS_KEY_ID")?,
        secret_key: Secret::new(given("AWS_SECRET_ACCESS_KEY")?),
        session_token: match variable("AWS_SESSION_TOKEN") {
            Some(_) => Some(Secret::new(given("AWS_SESSION_TOKEN")?)),
            None => None,
        },
        region,
        sts,
    })
}

fn address(
    variable: &'static str,
    value: &str,
    schemes: &[&str],
) -> Result<url::Url, SettingsError> {
    url::Url::parse(value)
        .ok()
        .filter(|url| schemes.contains(&url.scheme()) && url.has_host())
        .ok_or_else(|| SettingsError {
            variable,
            found: shown(value),
            expected: "an address, such as `https://host`",
            hint: "the platform or its SDKs set it; without it the usual one is taken",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair = (&'static str, &'static str);

    const VAULT: &str = "https://contoso.vault.azure.net";
    const TENANT_ID: (&str, &str) = ("AZURE_TENANT_ID", "AAAAAAAA-0001-4000-8000-000000000001");
    const CLIENT: (&str, &str) = ("AZURE_CLIENT_ID", "BBBBBBBB-0001-4000-8000-000000000001");
    const SECRET: (&str, &str) = ("AZURE_CLIENT_SECRET", "canary");
    const FILE: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token");
    const ENDPOINT: (&str, &str) = ("IDENTITY_ENDPOINT", "http://169.254.129.2:8081/msi/token");
    const HEADER: (&str, &str) = ("IDENTITY_HEADER", "canary");
    const LAMBDA: [(&str, &str); 4] = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "ASIA"),
        ("AWS_SECRET_ACCESS_KEY", "canary"),
        ("AWS_SESSION_TOKEN", "canary"),
    ];
    const AZURE: Reader = Reader::Function(Platform::AzureFunctions { port: 1 });
    const ON_LAMBDA: Reader = Reader::Function(Platform::Lambda);
    const LOCAL: Reader = Reader::Function(Platform::Local);

    fn read(
        vault: &str,
        pairs: &[(&str, &str)],
        reader: Reader,
    ) -> Result<Identity, SettingsError> {
        let variable = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        location(vault, &variable, &AllowedHosts::default(), reader).map(|found| found.identity)
    }

    #[test]
    fn the_platform_says_which_identity_is_meant() {
        let lambda: Vec<Pair> = [TENANT_ID, CLIENT].into_iter().chain(LAMBDA).collect();
        let with_secret: Vec<Pair> = lambda.iter().copied().chain([SECRET]).collect();
        let cases: [(&[Pair], Reader, &str); 9] = [
            (&[ENDPOINT, HEADER], AZURE, "the managed identity"),
            (&[ENDPOINT, HEADER, CLIENT], AZURE, "the managed identity"),
            (
                &[ENDPOINT, HEADER, TENANT_ID, CLIENT, SECRET],
                AZURE,
                "the app and its secret",
            ),
            (&[TENANT_ID, CLIENT, FILE], LOCAL, "the workload identity"),
            (
                &[TENANT_ID, CLIENT, SECRET],
                LOCAL,
                "the app and its secret",
            ),
            (&lambda, ON_LAMBDA, "the function's AWS role"),
            (&with_secret, ON_LAMBDA, "the app and its secret"),
            (&lambda, Reader::Person, "the login of `az` or `azd`"),
            (&[], Reader::Person, "the login of `az` or `azd`"),
        ];
        for (pairs, reader, expected) in cases {
            assert_eq!(
                read(VAULT, pairs, reader).unwrap().as_str(),
                expected,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn each_cloud_has_its_own_login_and_each_region_its_own_sts() {
        let authority = |vault, extra: &[(&str, &str)]| {
            let pairs: Vec<(&str, &str)> = [TENANT_ID, CLIENT, SECRET]
                .iter()
                .chain(extra)
                .copied()
                .collect();
            match read(vault, &pairs, LOCAL).unwrap() {
                Identity::ClientSecret { app, .. } => app.authority.to_string(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(authority(VAULT, &[]), "https://login.microsoftonline.com/");
        assert_eq!(
            authority("https://c.vault.usgovcloudapi.net", &[]),
            "https://login.microsoftonline.us/"
        );
        let own = ("AZURE_AUTHORITY_HOST", "https://login.corp.example/");
        assert_eq!(authority(VAULT, &[own]), "https://login.corp.example/");
        let sts = |region| {
            let pairs = [
                TENANT_ID,
                CLIENT,
                ("AWS_REGION", region),
                LAMBDA[1],
                LAMBDA[2],
                LAMBDA[3],
            ];
            match read(VAULT, &pairs, ON_LAMBDA).unwrap() {
                Identity::Aws { role, .. } => role.sts.to_string(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            sts("eu-central-1"),
            "https://sts.eu-central-1.amazonaws.com/"
        );
        assert_eq!(
            sts("cn-north-1"),
            "https://sts.cn-north-1.amazonaws.com.cn/"
        );
    }

    #[test]
    fn every_mistake_names_its_variable() {
        let odd = ("AWS_SESSION_TOKEN", "canary\n");
        let cases: Vec<(&str, Vec<Pair>, Reader)> = vec![
            ("https://contoso.example", vec![], LOCAL),
            ("https://c.managedhsm.azure.net", vec![], LOCAL),
            ("https://contoso.vault.azure.net/secrets", vec![], LOCAL),
            (VAULT, vec![], LOCAL),
            (VAULT, vec![], AZURE),
            (VAULT, vec![], ON_LAMBDA),
            (VAULT, vec![TENANT_ID, CLIENT], ON_LAMBDA),
            (
                VAULT,
                vec![TENANT_ID, CLIENT, LAMBDA[0], LAMBDA[1], LAMBDA[2], odd],
                ON_LAMBDA,
            ),
            (VAULT, vec![TENANT_ID, SECRET], LOCAL),
            (
                VAULT,
                vec![("AZURE_TENANT_ID", "contoso.com"), CLIENT, SECRET],
                LOCAL,
            ),
            (
                VAULT,
                vec![
                    TENANT_ID,
                    CLIENT,
                    SECRET,
                    ("AZURE_AUTHORITY_HOST", "http://a"),
                ],
                LOCAL,
            ),
            (VAULT, vec![("IDENTITY_ENDPOINT", "here"), HEADER], AZURE),
        ];
        let told: Vec<String> = cases
            .iter()
            .map(|(vault, pairs, reader)| read(vault, pairs, *reader).unwrap_err().to_string())
            .collect();
        let told = told.join("\n");
        assert!(!told.contains("canary"), "{told}");
        insta::assert_snapshot!(told);
    }
}
