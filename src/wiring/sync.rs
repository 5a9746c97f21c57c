//! `scheduled-sync`: where records come from, and where rows go.

use std::sync::Arc;

use super::{core_over, row_sink, transport};
use crate::adapters::azure_tokens::AzureTokens;
use crate::adapters::clock::SystemClock;
use crate::adapters::state_store::NotOpened;
use crate::domain::egress::Proxy;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::network::AllowedHosts;
use crate::domain::secret::Secret;
use crate::flows::sync_records::Sync;
use crate::hosts::Function;
use crate::hosts::syncer::Syncer;
use crate::ports::{AzureIdentity, Clock, RowSink, Transport};
use crate::settings::{RowsLocation, Settings, VaultLocation};

/// Why the sync cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum NotWired {
    /// Our own state.
    #[error(transparent)]
    State(#[from] NotOpened),
    /// Nothing says where rows go.
    #[error("ITSMC_LOG_ANALYTICS: found nothing, expected where rows go")]
    NoRows,
    /// Nothing says who we are.
    #[error(
        "ITSMC_LOG_ANALYTICS: Log Analytics asks who we are, and `ITSMC_VAULT` is a folder: only a vault in Azure says as whom"
    )]
    NoIdentity,
    /// The place of the rows.
    #[error(transparent)]
    Rows(#[from] CallFailure),
}

/// `scheduled-sync`: the sync over the flows.
pub fn scheduled_sync(settings: &Settings) -> Result<Arc<dyn Function>, NotWired> {
    let transport = transport(&settings.allowed, settings.proxy.as_ref());
    let rows = settings.rows.as_ref().ok_or(NotWired::NoRows)?;
    let sink = sink(rows, &settings.vault, &transport)?;
    let (vault, state) = (&settings.vault, &settings.state);
    let core = core_over(transport, vault, state, &settings.allowed)?;
    let only = settings.connections.clone();
    let sync = Sync {
        only,
        ..Sync::into(sink)
    };
    Ok(Arc::new(Syncer::new(core, sync)))
}

/// Where rows go, for a person's command.
pub fn rows(
    location: &RowsLocation,
    vault: &VaultLocation,
    allowed: &AllowedHosts,
    proxy: Option<&Proxy>,
) -> Result<Arc<dyn RowSink>, NotWired> {
    sink(location, vault, &transport(allowed, proxy))
}

/// Only Log Analytics asks who we are; it is told the same as the vault.
fn sink(
    location: &RowsLocation,
    vault: &VaultLocation,
    transport: &Arc<dyn Transport>,
) -> Result<Arc<dyn RowSink>, NotWired> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let identity: Arc<dyn AzureIdentity> = match (location, vault) {
        (_, VaultLocation::KeyVault(vault)) => Arc::new(AzureTokens::new(
            vault.identity.clone(),
            Arc::clone(transport),
            Arc::clone(&clock),
        )),
        (RowsLocation::LogAnalytics { .. }, VaultLocation::Folder(_)) => {
            return Err(NotWired::NoIdentity);
        }
        (_, VaultLocation::Folder(_)) => Arc::new(Nobody),
    };
    Ok(row_sink(location, Arc::clone(transport), identity, clock)?)
}

/// Who we are where nobody asks.
struct Nobody;

#[async_trait::async_trait]
impl AzureIdentity for Nobody {
    async fn token(&self, _: &str, _: std::time::Duration) -> Result<Secret, CallFailure> {
        let detail = "nothing says as whom Azure is asked";
        Err(CallFailure::new(
            "Entra",
            "obtain token for Azure",
            Effect::NotSent,
            Kind::Unusable,
            detail,
        ))
    }
}
