//! Azure Monitor's Logs Ingestion API on this machine: `logs-ingestion-simulator --tls-ca-out ca.pem --config config.json`.
//!
//! The first line on stdout is its URL. What can be set while it runs, and the stored rows, are under `/__simulator/`.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Parser;
use simulators::logs_ingestion::{Config, LogsIngestion};
use simulators::server::{Server, Tls};

/// A simulated endpoint for logs.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to write the certificate of the throw-away authority. The endpoint speaks TLS only.
    #[arg(long)]
    tls_ca_out: PathBuf,
    /// Further names in the certificate.
    #[arg(long)]
    tls_name: Vec<String>,
    /// Rules, streams and tokens, JSON.
    #[arg(long)]
    config: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let path = &arguments.config;
    let config: Config = serde_json::from_str(&read(path)?)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let names: Vec<&str> = arguments.tls_name.iter().map(String::as_str).collect();
    let tls = Tls::throw_away(&names)?;
    write(&arguments.tls_ca_out, tls.ca_pem())?;
    let machine = LogsIngestion::new(config);
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
