//! Settings → adapters → flows. It knows everything and is known by nobody; nothing here asks the outside anything.

mod sync;

use std::sync::Arc;

use object_store::ObjectStore;

use crate::adapters::alerts_management::AlertsManagement;
use crate::adapters::azure_tokens::AzureTokens;
use crate::adapters::clock::SystemClock;
use crate::adapters::entra_keys::EntraKeys;
use crate::adapters::entropy::OsEntropy;
use crate::adapters::file_vault::FileVault;
use crate::adapters::http::HttpTransport;
use crate::adapters::itsm::ItsmProducts;
use crate::adapters::key_vault::KeyVault;
use crate::adapters::logs_ingestion::LogsIngestion;
use crate::adapters::row_sinks::folder::FolderSink;
#[cfg(feature = "desk")]
use crate::adapters::row_sinks::sqlite::SqliteSink;
use crate::adapters::state_store::{self, NotOpened, Opening};
use crate::domain::egress::Proxy;
use crate::domain::failure::CallFailure;
use crate::domain::network::AllowedHosts;
use crate::domain::webhook_auth::WebhookAuth;
use crate::flows::callers::Callers;
use crate::flows::{Core, Outside};
use crate::hosts::Function;
use crate::hosts::intake::Intake;
use crate::hosts::refresher::Refresher;
use crate::ports::{AlertHistory, AzureIdentity, Clock, RowSink, Transport, Vault};
use crate::settings::{
    CloudStore, KeyVaultLocation, RowsLocation, Settings, StateLocation, VaultLocation,
};
use crate::stores::soundness::Backend;
pub use sync::{NotWired, rows, scheduled_sync};

/// What the flows work with, as the settings say.
pub fn core(
    vault: &VaultLocation,
    state: &StateLocation,
    allowed: &AllowedHosts,
    proxy: Option<&Proxy>,
) -> Result<Core, NotOpened> {
    core_over(transport(allowed, proxy), vault, state, allowed)
}

/// The one way out of a process: its client, built at the first call, reads the root certificates, which takes
/// milliseconds.
fn transport(allowed: &AllowedHosts, proxy: Option<&Proxy>) -> Arc<dyn Transport> {
    Arc::new(HttpTransport::new(allowed.clone()).by_way_of(proxy.cloned()))
}

fn core_over(
    transport: Arc<dyn Transport>,
    vault: &VaultLocation,
    state: &StateLocation,
    allowed: &AllowedHosts,
) -> Result<Core, NotOpened> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let vault = vault_over(vault, &transport, &clock);
    let products = ItsmProducts::new(transport, Arc::clone(&vault), Arc::clone(&clock));
    let products = Arc::new(products.allowing(allowed.clone()));
    let outside = Outside {
        store: store(state)?,
        vault,
        products,
        clock,
        entropy: Arc::new(OsEntropy),
        allowed: allowed.clone(),
    };
    let backend = Backend {
        to_be_proven: state.to_be_proven(),
        lists_in_order: matches!(state, StateLocation::Azure(_) | StateLocation::S3(_)),
    };
    Ok(Core::over(outside, backend))
}

/// The store that the settings name.
fn store(state: &StateLocation) -> Result<Arc<dyn ObjectStore>, NotOpened> {
    match state {
        StateLocation::Memory => Ok(state_store::memory()),
        StateLocation::Folder(folder) => state_store::folder(folder),
        StateLocation::Azure(store) => opening(state, store).azure(),
        StateLocation::S3(store) => opening(state, store).s3(),
    }
}

fn opening<'a>(state: &StateLocation, store: &'a CloudStore) -> Opening<'a> {
    Opening {
        location: state.to_string(),
        container: &store.container,
        prefix: &store.prefix,
        options: &store.options,
    }
}

/// The vault that the settings name, for who needs nothing else.
pub fn vault(
    location: &VaultLocation,
    allowed: &AllowedHosts,
    proxy: Option<&Proxy>,
) -> Arc<dyn Vault> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    vault_over(location, &transport(allowed, proxy), &clock)
}

fn vault_over(
    location: &VaultLocation,
    transport: &Arc<dyn Transport>,
    clock: &Arc<dyn Clock>,
) -> Arc<dyn Vault> {
    match location {
        VaultLocation::Folder(folder) => Arc::new(FileVault::new(folder.clone())),
        VaultLocation::KeyVault(vault) => Arc::new(KeyVault::new(
            vault.url.clone(),
            vault.identity.clone(),
            Arc::clone(transport),
            Arc::clone(clock),
        )),
    }
}

/// Where rows go, as the settings say. Only Log Analytics asks who we are.
pub fn row_sink(
    location: &RowsLocation,
    transport: Arc<dyn Transport>,
    identity: Arc<dyn AzureIdentity>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn RowSink>, CallFailure> {
    Ok(match location {
        RowsLocation::LogAnalytics { endpoint, rule } => Arc::new(LogsIngestion::new(
            transport,
            identity,
            clock,
            endpoint.clone(),
            rule,
        )),
        RowsLocation::Folder(folder) => Arc::new(FolderSink::new(folder.clone(), clock)),
        #[cfg(feature = "desk")]
        RowsLocation::Sqlite(file) => Arc::new(SqliteSink::open(file)?),
    })
}

/// `create-work-item`: the intake over the flows.
pub fn create_work_item(settings: &Settings) -> Result<Arc<dyn Function>, NotOpened> {
    let transport = transport(&settings.allowed, settings.proxy.as_ref());
    let (vault, state) = (&settings.vault, &settings.state);
    let mut core = core_over(Arc::clone(&transport), vault, state, &settings.allowed)?;
    if let VaultLocation::KeyVault(vault) = vault {
        core = core.with_alert_history(alert_history(vault, &transport));
    }
    let callers = callers(&settings.auth, transport, &core.clock);
    Ok(Arc::new(Intake::for_callers(core, callers)))
}

/// `token-refresher`: the renewals over the flows.
pub fn token_refresher(settings: &Settings) -> Result<Arc<dyn Function>, NotOpened> {
    let transport = transport(&settings.allowed, settings.proxy.as_ref());
    let (vault, state) = (&settings.vault, &settings.state);
    let core = core_over(transport, vault, state, &settings.allowed)?;
    let only = settings.connections.clone();
    Ok(Arc::new(Refresher::new(core, only)))
}

/// Azure's own list of alerts, asked for as who asks the vault.
fn alert_history(
    vault: &KeyVaultLocation,
    transport: &Arc<dyn Transport>,
) -> Arc<dyn AlertHistory> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let identity = AzureTokens::new(
        vault.identity.clone(),
        Arc::clone(transport),
        Arc::clone(&clock),
    );
    Arc::new(AlertsManagement::new(
        Arc::clone(transport),
        Arc::new(identity),
        clock,
        vault.resource_manager.clone(),
    ))
}

/// Who may call, as the settings say.
fn callers(auth: &WebhookAuth, transport: Arc<dyn Transport>, clock: &Arc<dyn Clock>) -> Callers {
    let clock = Arc::clone(clock);
    match auth {
        WebhookAuth::Open | WebhookAuth::Keys(_) => Callers::by_key(auth.clone(), clock),
        WebhookAuth::Entra(entra, _) => {
            let keys = EntraKeys::new(transport, entra.keys_url());
            Callers::by_token(auth.clone(), clock, Arc::new(keys))
        }
    }
}
