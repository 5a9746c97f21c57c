//! A ServiceNow instance on this machine: `servicenow-simulator --records 100`.
//!
//! The first line on stdout is its URL. What can be set while it runs is under `/__simulator/`.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use simulators::machine::Controls;
use simulators::server::{Server, Tls, now_ms, pause};
use simulators::servicenow::{Config, ServiceNow};

/// How often the state is saved.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// A simulated ServiceNow instance.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Serve TLS, and write the certificate of the throw-away authority here.
    #[arg(long)]
    tls_ca_out: Option<PathBuf>,
    /// Further names in the certificate.
    #[arg(long)]
    tls_name: Vec<String>,
    /// The configuration, JSON; what it leaves out is as in the demo.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Keep records and tokens in this file across restarts.
    #[arg(long)]
    state: Option<PathBuf>,
    /// How many incidents to begin with, where no state was kept.
    #[arg(long, default_value_t = 0)]
    records: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let machine = machine(&arguments)?;
    let tls = match &arguments.tls_ca_out {
        Some(path) => {
            let names: Vec<&str> = arguments.tls_name.iter().map(String::as_str).collect();
            let tls = Tls::throw_away(&names)?;
            write(path, tls.ca_pem())?;
            Some(tls)
        }
        None => None,
    };
    let server = Server::start(machine, arguments.listen, tls).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", server.url())?;
    stdout.flush()?;

    let mut stop = std::pin::pin!(stopped());
    let mut saved = None;
    loop {
        let ended = tokio::select! {
            biased;
            _ = &mut stop => true,
            () = pause(SAVE_EVERY) => false,
        };
        if let Some(path) = &arguments.state {
            let state = server.lock().saved();
            if saved.as_ref() != Some(&state) {
                write(path, &state.to_string())?;
                saved = Some(state);
            }
        }
        if ended {
            server.stop().await;
            return Ok(());
        }
    }
}

fn machine(arguments: &Arguments) -> Result<ServiceNow, Box<dyn Error>> {
    let config: Config = match &arguments.config {
        Some(path) => serde_json::from_str(&read(path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?,
        None => Config::default(),
    };
    if let Some(path) = arguments.state.as_ref().filter(|path| path.exists()) {
        return Ok(ServiceNow::load(
            config,
            &serde_json::from_str(&read(path)?)?,
        )?);
    }
    let mut machine = ServiceNow::new(config);
    machine.seed_incidents(arguments.records, now_ms());
    Ok(machine)
}

/// Interrupt, or the polite kill.
async fn stopped() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            biased;
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
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
    reason = "a simulator keeps nothing but made-up data, so no mode and no fsync matter"
)]
fn write(path: &Path, text: &str) -> Result<(), String> {
    let beside = path.with_extension("writing");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| format!("{}: {error}", path.display()))
}
