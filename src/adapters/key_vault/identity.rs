//! From the identity that the settings chose to the credential of Microsoft's client. Everything is handed over; what its
//! managed identity reads from the environment by itself are the two variables that the settings have read before.

use std::sync::Arc;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret as AzureSecret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};

use super::client_options;
use super::pipe::Pipe;
use super::web_identity::WebIdentity;
use crate::adapters::http::HttpTransport;
use crate::domain::key_vault::{App, Identity};
use crate::domain::network::AllowedHosts;
use crate::ports::{Clock, Transport};

/// Who gives tokens to apps.
pub(super) const ENTRA: &str = "Entra";

/// Who gives tokens to managed identities.
pub(super) const PLATFORM: &str = "the platform's identity endpoint";

/// The credential of an identity.
pub(in crate::adapters) fn credential(
    identity: &Identity,
    transport: &Arc<dyn Transport>,
    clock: &Arc<dyn Clock>,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Ok(match identity {
        Identity::Managed {
            endpoint,
            client_id,
        } => ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
            client_options: client_options(Pipe::to(endpoint, PLATFORM, to_the_platform(endpoint))),
        }))?,
        Identity::Workload { app, token_file } => {
            WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: assertion_options(app, transport),
                client_id: Some(app.client_id.clone()),
                tenant_id: Some(app.tenant_id.clone()),
                token_file_path: Some(token_file.clone()),
            }))?
        }
        Identity::ClientSecret { app, secret } => ClientSecretCredential::new(
            &app.tenant_id,
            app.client_id.clone(),
            AzureSecret::new(secret.expose().to_owned()),
            Some(ClientSecretCredentialOptions {
                client_options: to_entra(app, transport),
            }),
        )?,
        Identity::Aws { app, role } => ClientAssertionCredential::new(
            app.tenant_id.clone(),
            app.client_id.clone(),
            WebIdentity::new(role.clone(), Arc::clone(transport), Arc::clone(clock)),
            Some(assertion_options(app, transport)),
        )?,
        Identity::DeveloperLogin { tenant_id } => developer_login(tenant_id.as_deref())?,
    })
}

fn assertion_options(
    app: &App,
    transport: &Arc<dyn Transport>,
) -> ClientAssertionCredentialOptions {
    ClientAssertionCredentialOptions {
        client_options: to_entra(app, transport),
    }
}

fn to_entra(app: &App, transport: &Arc<dyn Transport>) -> ClientOptions {
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = app.authority.as_str().trim_end_matches('/').to_owned();
    let pipe = Pipe::to(&app.authority, ENTRA, Arc::clone(transport));
    ClientOptions {
        cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
        ..client_options(pipe)
    }
}

/// The platform's own endpoint is a private address without TLS. Only this client may call it: through the one that calls
/// the products, a connection's `server_url` could ask for the function's tokens.
fn to_the_platform(endpoint: &url::Url) -> Arc<dyn Transport> {
    let host = endpoint.host_str().unwrap_or_default();
    let port = endpoint.port_or_known_default().unwrap_or(0);
    let allowed = AllowedHosts::default().with(&format!("{host}:{port}"));
    Arc::new(HttpTransport::new(allowed))
}

/// For people: what `az` or `azd` are logged in as. It runs them, so that no function has it.
#[cfg(feature = "desk")]
fn developer_login(tenant_id: Option<&str>) -> azure_core::Result<Arc<dyn TokenCredential>> {
    developer::Logins::new(tenant_id).map(|logins| Arc::new(logins) as Arc<dyn TokenCredential>)
}

#[cfg(not(feature = "desk"))]
fn developer_login(_tenant_id: Option<&str>) -> azure_core::Result<Arc<dyn TokenCredential>> {
    Err(azure_core::Error::with_message(
        azure_core::error::ErrorKind::Credential,
        "only `itsmc` takes the login of a person",
    ))
}

#[cfg(feature = "desk")]
mod developer {
    use azure_core::credentials::{AccessToken, TokenRequestOptions};
    use azure_identity::{
        AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential,
        AzureDeveloperCliCredentialOptions,
    };

    use super::{Arc, TokenCredential};

    /// First `az`, then `azd`.
    #[derive(Debug)]
    pub(super) struct Logins {
        az: Arc<AzureCliCredential>,
        azd: Arc<AzureDeveloperCliCredential>,
    }

    impl Logins {
        pub(super) fn new(tenant_id: Option<&str>) -> azure_core::Result<Self> {
            let tenant_id = tenant_id.map(str::to_owned);
            Ok(Self {
                az: AzureCliCredential::new(Some(AzureCliCredentialOptions {
                    tenant_id: tenant_id.clone(),
                    ..AzureCliCredentialOptions::default()
                }))?,
                azd: AzureDeveloperCliCredential::new(Some(AzureDeveloperCliCredentialOptions {
                    tenant_id,
                    ..AzureDeveloperCliCredentialOptions::default()
                }))?,
            })
        }
    }

    #[async_trait::async_trait]
    impl TokenCredential for Logins {
        async fn get_token(
            &self,
            scopes: &[&str],
            options: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            match self.az.get_token(scopes, options.clone()).await {
                Ok(token) => Ok(token),
                Err(_) => self.azd.get_token(scopes, options).await,
            }
        }
    }
}
