//! Which Key Vault, and as whom it is asked.

use std::fmt;
use std::path::PathBuf;

use super::entra::Cloud;
use super::network::AllowedHosts;
use super::secret::Secret;

/// Hosts of vaults, by cloud. Managed HSM has hosts of its own and keeps no secrets.
const HOSTS: [(&str, Cloud); 3] = [
    (".vault.azure.net", Cloud::Public),
    (".vault.usgovcloudapi.net", Cloud::UsGovernment),
    (".vault.azure.cn", Cloud::China),
];

/// The address of a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVaultUrl {
    url: url::Url,
    cloud: Option<Cloud>,
}

/// Why an address is not one of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAKeyVault {
    /// It is no URL, or has more to it than a host.
    Form,
    /// A Managed HSM.
    ManagedHsm,
    /// The host is not Azure's, and not on the list of allowed hosts.
    Host,
}

impl KeyVaultUrl {
    /// Reads `https://NAME.vault.azure.net`, of any cloud. Another host is taken if it is on the list: a vault for tests, or
    /// one behind a name of its own.
    pub fn parse(text: &str, allowed: &AllowedHosts) -> Result<Self, NotAKeyVault> {
        let url = url::Url::parse(text).map_err(|_| NotAKeyVault::Form)?;
        let host = url.host_str().ok_or(NotAKeyVault::Form)?;
        let is_bare = url.scheme() == "https"
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_bare {
            return Err(NotAKeyVault::Form);
        }
        if host.contains(".managedhsm.") {
            return Err(NotAKeyVault::ManagedHsm);
        }
        let is_of = |(suffix, _): &&(&str, Cloud)| {
            url.port().is_none()
                && host
                    .strip_suffix(suffix)
                    .is_some_and(|name| !name.is_empty() && !name.contains('.'))
        };
        let cloud = HOSTS.iter().find(is_of).map(|(_, cloud)| *cloud);
        let port = url.port_or_known_default().unwrap_or(0);
        if cloud.is_none() && !allowed.contains(host, port) {
            return Err(NotAKeyVault::Host);
        }
        Ok(Self { cloud, url })
    }

    /// The address.
    pub fn as_url(&self) -> &url::Url {
        &self.url
    }

    /// The cloud whose vault it is; `None` for a host that was allowed by name.
    pub fn cloud(&self) -> Option<Cloud> {
        self.cloud
    }
}

impl fmt::Display for KeyVaultUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

/// An app registration, or a user-assigned identity that others may act as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its Entra tenant.
    pub tenant_id: String,
    /// Its client id.
    pub client_id: String,
    /// Where Entra gives tokens, such as `https://login.microsoftonline.com`.
    pub authority: url::Url,
}

/// What an AWS Lambda function acts as: the keys of its role, and where it asks for tokens.
#[derive(Debug, Clone)]
pub struct AwsRole {
    /// The id of the access key.
    pub key_id: String,
    /// The access key.
    pub secret_key: Secret,
    /// What makes a role's key good.
    pub session_token: Option<Secret>,
    /// The region, which is a part of every signature.
    pub region: String,
    /// The security token service of that region. The global one does not give such tokens.
    pub sts: url::Url,
}

/// As whom the vault is asked. It is chosen by the settings, never tried out.
#[derive(Debug, Clone)]
pub enum Identity {
    /// The identity that Azure Functions gives a function app.
    Managed {
        /// Where the platform gives tokens.
        endpoint: url::Url,
        /// Which of several identities.
        client_id: Option<String>,
    },
    /// A token of the platform in a file, as Kubernetes puts it there.
    Workload {
        /// What it acts as.
        app: App,
        /// The file.
        token_file: PathBuf,
    },
    /// An app and its secret.
    ClientSecret {
        /// The app.
        app: App,
        /// Its secret.
        secret: Secret,
    },
    /// The role of an AWS Lambda function, which the app trusts: nothing secret is stored.
    Aws {
        /// What it acts as.
        app: App,
        /// What it is at AWS.
        role: AwsRole,
    },
    /// Whoever is logged in to `az` or `azd`: for people.
    DeveloperLogin {
        /// In which Entra tenant, if not in the login's own.
        tenant_id: Option<String>,
    },
}

impl Identity {
    /// For people and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Managed { .. } => "the managed identity",
            Self::Workload { .. } => "the workload identity",
            Self::ClientSecret { .. } => "the app and its secret",
            Self::Aws { .. } => "the function's AWS role",
            Self::DeveloperLogin { .. } => "the login of `az` or `azd`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_vaults_of_every_cloud_and_nothing_like_them() {
        let allowed = AllowedHosts::parse("localhost:8443");
        let good = [
            ("https://contoso.vault.azure.net", Some(Cloud::Public)),
            ("https://contoso.vault.azure.net/", Some(Cloud::Public)),
            (
                "https://c.vault.usgovcloudapi.net",
                Some(Cloud::UsGovernment),
            ),
            ("https://c.vault.azure.cn", Some(Cloud::China)),
            ("https://localhost:8443", None),
        ];
        for (text, cloud) in good {
            let vault = KeyVaultUrl::parse(text, &allowed).unwrap();
            assert_eq!(vault.cloud(), cloud, "{text}");
            assert_eq!(vault.to_string(), text.trim_end_matches('/'));
        }
        let bad = [
            ("contoso.vault.azure.net", NotAKeyVault::Form),
            ("http://contoso.vault.azure.net", NotAKeyVault::Form),
            (
                "https://contoso.vault.azure.net/secrets/a",
                NotAKeyVault::Form,
            ),
            ("https://user@contoso.vault.azure.net", NotAKeyVault::Form),
            ("https://contoso.vault.azure.net?a=b", NotAKeyVault::Form),
            ("https://c.managedhsm.azure.net", NotAKeyVault::ManagedHsm),
            ("https://vault.azure.net", NotAKeyVault::Host),
            ("https://.vault.azure.net", NotAKeyVault::Host),
            ("https://a.b.vault.azure.net", NotAKeyVault::Host),
            (
                "https://contoso.vault.azure.net.evil.example",
                NotAKeyVault::Host,
            ),
            ("https://contosovault.azure.net", NotAKeyVault::Host),
            ("https://contoso.vault.azure.net:8443", NotAKeyVault::Host),
            ("https://localhost", NotAKeyVault::Host),
        ];
        for (text, why) in bad {
            assert_eq!(KeyVaultUrl::parse(text, &allowed), Err(why), "{text}");
        }
    }

    #[test]
    fn an_identity_prints_no_secret() {
        let app = App {
            tenant_id: "t".to_owned(),
            client_id: "c".to_owned(),
            authority: "https://login.microsoftonline.com".parse().unwrap(),
        };
        let role = AwsRole {
            key_id: "AKIA".to_owned(),
            secret_key: Secret::from("canary"),
            session_token: Some(Secret::from("canary")),
            region: "eu-central-1".to_owned(),
            sts: "https://sts.eu-central-1.amazonaws.com".parse().unwrap(),
        };
        let secret = Secret::from("canary");
        let all = [
            Identity::ClientSecret {
                app: app.clone(),
                secret,
            },
            Identity::Aws { app, role },
        ];
        assert!(!format!("{all:?}").contains("canary"));
    }
}
