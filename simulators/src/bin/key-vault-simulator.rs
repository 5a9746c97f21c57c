//! A key vault on this machine, with what gives tokens for it: `key-vault-simulator --tls-ca-out ca.pem`.
//!
//! The first line on stdout is its URL: of the vault, of Entra (`AZURE_AUTHORITY_HOST`) and of AWS's STS. What can be set while it
//! runs is under `/__simulator/`.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Parser;
use simulators::key_vault::{Config, KeyVaultCloud};
use simulators::server::{Server, Tls};

/// A simulated key vault.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to write the certificate of the throw-away authority. A vault speaks TLS only.
    #[arg(long)]
    tls_ca_out: PathBuf,
    /// Further names in the certificate.
    #[arg(long)]
    tls_name: Vec<String>,
    /// The configuration, JSON; what it leaves out is as in the demo.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let config: Config = match &arguments.config {
        Some(path) => serde_json::from_str(&read(path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?,
        None => Config::default(),
    };
    let machine = KeyVaultCloud::new(&config).map_err(|_| "no key can be made")?;
    let names: Vec<&str> = arguments.tls_name.iter().map(String::as_str).collect();
    let tls = Tls::throw_away(&names)?;
    write(&arguments.tls_ca_out, tls.ca_pem())?;
    let server = Server::start(machine, arguments.listen, Some(tls)).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", server.url())?;
    stdout.flush()?;
    tokio::signal::ctrl_c().await?;
    server.stop().await;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a simulator reads the files that its command line names"
)]
fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a throw-away certificate is no secret, so no mode matters"
)]
fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}
