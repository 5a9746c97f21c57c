//! The desk: where its data is, and where its servers listen while `itsmc up` runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use itsm_connector::domain::network::AllowedHosts;
use itsm_connector::flows::Core;
use itsm_connector::ports::{RowSink, Vault};
use itsm_connector::settings::{self, StateLocation, VaultLocation};
use itsm_connector::wiring;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::files;

/// Where `itsmc up` writes down its addresses, for the commands of a second terminal.
const ADDRESSES_FILE: &str = "desk.json";

/// Where the servers of `itsmc up` listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// The webhook.
    pub(crate) listen: SocketAddr,
    /// The simulated ServiceNow.
    pub(crate) servicenow: SocketAddr,
}

/// The desk.
#[derive(Debug)]
pub(crate) struct Desk {
    folder: PathBuf,
    places: settings::Desk,
    addresses: Option<Addresses>,
}

impl Desk {
    /// In this folder, with what `itsmc up` has written down there.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let mut desk = Self::blank(folder)?;
        let path = folder.join(ADDRESSES_FILE);
        if let Some(text) = files::read_own(&path)? {
            let addresses: Addresses = serde_json::from_str(&text).map_err(|_| {
                Failure::does_not_work(
                    format!("`{}` is not what `itsmc up` writes", path.display()),
                    "remove it; the next `itsmc up` writes it anew",
                )
            })?;
            desk.know(addresses);
        }
        Ok(desk)
    }

    /// In this folder, before anything listens.
    pub(crate) fn blank(folder: &Path) -> Result<Self, Failure> {
        Ok(Self {
            folder: folder.to_owned(),
            places: settings::Desk::from_env(folder)?,
            addresses: None,
        })
    }

    /// Takes up where the servers listen, and writes it down for others.
    pub(crate) fn announce(&mut self, addresses: Addresses) -> Result<(), Failure> {
        self.know(addresses);
        let text = serde_json::to_string_pretty(&addresses).unwrap_or_default();
        files::write_own(&self.folder.join(ADDRESSES_FILE), &text)
    }

    /// The simulator may be called although it is here and without TLS. Nothing else that stands in the file may.
    fn know(&mut self, addresses: Addresses) {
        if addresses.servicenow.ip().is_loopback() {
            let allowed = std::mem::take(&mut self.places.allowed);
            self.places.allowed = allowed.with(&addresses.servicenow.to_string());
        }
        self.addresses = Some(addresses);
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the servers listen, or listened last.
    pub(crate) fn addresses(&self) -> Option<Addresses> {
        self.addresses
    }

    /// Hosts that may be called although private or without TLS.
    pub(crate) fn allowed(&self) -> &AllowedHosts {
        &self.places.allowed
    }

    /// The vault.
    pub(crate) fn vault(&self) -> Arc<dyn Vault> {
        wiring::vault(
            &self.places.vault,
            &self.places.allowed,
            self.places.proxy.as_ref(),
        )
    }

    /// Whether the vault keeps when a secret ends.
    pub(crate) fn keeps_ends(&self) -> bool {
        matches!(self.places.vault, VaultLocation::KeyVault(_))
    }

    /// Where the vault is, for people.
    pub(crate) fn vault_place(&self) -> String {
        match &self.places.vault {
            VaultLocation::Folder(folder) => folder.display().to_string(),
            VaultLocation::KeyVault(vault) => vault.url.to_string(),
        }
    }

    /// An error if there is no state to look at that another process fills.
    pub(crate) fn existing_state(&self) -> Result<(), Failure> {
        match &self.places.state {
            StateLocation::Azure(_) | StateLocation::S3(_) => Ok(()),
            StateLocation::Folder(folder) if folder.is_dir() => Ok(()),
            StateLocation::Folder(folder) => Err(Failure::does_not_work(
                format!("there is no data at `{}`", folder.display()),
                "`itsmc up` makes it; `--data`, `ITSMC_VAULT` and `ITSMC_STATE` say where it is",
            )),
            StateLocation::Memory => Err(Failure::wrong_usage(
                "ITSMC_STATE: found `memory:///`, expected a folder",
                "state in memory is seen by its own process only; its `/api/health` says how it does",
            )),
        }
    }

    /// Where rows go, for people.
    pub(crate) fn rows_place(&self) -> String {
        self.places.rows.to_string()
    }

    /// Where rows go.
    pub(crate) fn rows(&self) -> Result<Arc<dyn RowSink>, Failure> {
        let (places, proxy) = (&self.places, self.places.proxy.as_ref());
        files::make_folder(&self.folder)?;
        wiring::rows(&places.rows, &places.vault, &places.allowed, proxy).map_err(|not| {
            Failure::does_not_work(not.to_string(), "docs/sync.md says where rows can go")
        })
    }

    /// What the flows work with. The folders are made where they are missing.
    pub(crate) fn core(&self) -> Result<Core, Failure> {
        files::make_folder(&self.folder)?;
        Ok(wiring::core(
            &self.places.vault,
            &self.places.state,
            &self.places.allowed,
            self.places.proxy.as_ref(),
        )?)
    }
}
