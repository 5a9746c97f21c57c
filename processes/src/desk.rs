//! What a process is started with: a vault folder with one connection in it, a key, a state.

use std::net::SocketAddr;
use std::path::Path;

use data_encoding::HEXLOWER;
use itsm_connector::adapters::file_vault::FileVault;
use itsm_connector::domain::secret::Secret;
use itsm_connector::ports::Vault as _;
use sha2::{Digest as _, Sha256};

use crate::Trouble;
use crate::sender::{CONNECTION, KEY};
use crate::vault::definition;

/// The vault below a folder.
pub fn vault(folder: &Path) -> FileVault {
    FileVault::new(folder.join("vault"))
}

/// Writes the connection to a product into the vault.
pub async fn define(folder: &Path, product: SocketAddr) -> Result<(), Trouble> {
    let definition = definition(&format!("http://{product}"));
    let secret = Secret::new(definition.to_string());
    let name = format!("itsm-connection-{CONNECTION}");
    vault(folder)
        .set(&name, &secret, None)
        .await
        .map_err(|failure| failure.to_string())?;
    Ok(())
}

/// The settings of a process.
pub fn environment(
    folder: &Path,
    state: String,
    product: SocketAddr,
) -> Vec<(&'static str, String)> {
    let vault = folder.join("vault");
    let hash = HEXLOWER.encode(&Sha256::digest(KEY.as_bytes()));
    vec![
        ("ITSMC_VAULT", format!("file://{}", vault.display())),
        ("ITSMC_STATE", state),
        ("ITSMC_WEBHOOK_AUTH", "key".to_owned()),
        ("ITSMC_WEBHOOK_KEYS", hash),
        ("ITSMC_ALLOW_HOSTS", product.to_string()),
    ]
}
