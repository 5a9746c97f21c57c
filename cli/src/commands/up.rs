//! `itsmc up`: everything at the desk in one process, no cloud and no account.

mod demo;
mod instance;
mod transcript;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use itsm_connector::domain::webhook_auth::WebhookAuth;
use itsm_connector::flows::Core;
use itsm_connector::flows::sync_records::Sync;
use itsm_connector::hosts::intake::Intake;
use itsm_connector::hosts::local;
use itsm_connector::settings::LISTEN_DEFAULT;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::desk::{Addresses, Desk};
use crate::failure::Failure;
use crate::files;
use crate::output::{GOOD, Output, QUIET};
use crate::sample_alert;
use instance::Instance;

/// Any free port.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Run everything here: the webhook, its timers, and a simulated ServiceNow.
///
/// A connection `demo` to the simulator is made, and an address is printed that takes alerts as Azure Monitor sends
/// them. Records, connections and state are kept in the folder of `--data` and are there again at the next start.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: everything, with an alert that fires and resolves, and then the end\n\n  \
        itsmc up --send-sample --once"
)]
pub(crate) struct Up {
    /// Where the webhook listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = LISTEN_DEFAULT)]
    listen: SocketAddr,
    /// Where the simulated ServiceNow listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = ANY_PORT)]
    servicenow: SocketAddr,
    /// Send a sample alert that fires, then one that resolves it, and show what becomes of them
    #[arg(long)]
    send_sample: bool,
    /// Stop when it is done, rather than stay up until Ctrl-C
    #[arg(long)]
    once: bool,
}

/// Everything that stays up.
struct Running {
    desk: Desk,
    instance: Instance,
    intake: Arc<Intake>,
    sync: Sync,
    /// The file with a fresh alert.
    alert_file: PathBuf,
}

impl Up {
    /// Runs until the person has enough.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        for (option, address) in [("--listen", self.listen), ("--servicenow", self.servicenow)] {
            refuse_unless_loopback(option, address)?;
        }
        files::make_folder(data)?;
        let Some(_lock) = files::lock(&data.join("desk.lock"))? else {
            return Err(Failure::does_not_work(
                format!("another `itsmc up` runs on `{}`", data.display()),
                "stop it, or give this one a folder of its own by `--data DIR`",
            ));
        };
        let listener = bind(self.listen).await?;
        let running = start(self.servicenow, data, &listener, output).await?;
        if !output.is_json() {
            running.introduce(output);
        }

        let mut told = Ok(());
        let stop = async {
            let story = async {
                told = self.story(&running, output).await;
                if !self.once && told.is_ok() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                () = local::asked_to_stop() => output.words("\nstopping, once what is under way has ended"),
                () = story => {}
                () = running.instance.keep_saving(output) => {}
            }
        };
        let intake = Arc::clone(&running.intake);
        local::serve_everything_until(intake, &running.sync, listener, stop)
            .await
            .map_err(|error| {
                Failure::does_not_work(
                    format!("the webhook failed: {error}"),
                    "start it again; alerts that were answered are kept",
                )
            })?;
        running.instance.stop().await?;
        told
    }

    /// What happens once everything listens.
    async fn story(&self, running: &Running, output: &Output) -> Result<(), Failure> {
        if !self.send_sample {
            if output.is_json() {
                output.document(&running.described());
            }
            self.say_how_to_stop(output);
            return Ok(());
        }
        if !output.is_json() {
            output.line("");
        }
        let sent = transcript::send(running, output).await?;
        if output.is_json() {
            let mut document = running.described();
            document["sample"] = json!(sent);
            output.document(&document);
        }
        self.say_how_to_stop(output);
        Ok(())
    }

    fn say_how_to_stop(&self, output: &Output) {
        if !self.once {
            output.words(format!("\n{QUIET}Ctrl-C stops it{QUIET:#}"));
        }
    }
}

async fn start(
    servicenow: SocketAddr,
    data: &Path,
    listener: &TcpListener,
    output: &Output,
) -> Result<Running, Failure> {
    output.progress("starting");
    let mut desk = Desk::blank(data)?;
    let instance = Instance::start(servicenow, data.join("servicenow.json")).await?;
    let listen = listener.local_addr().map_err(|error| {
        Failure::does_not_work(
            format!("the listener has no address: {error}"),
            "try again with `--listen 127.0.0.1:0`",
        )
    })?;
    desk.announce(Addresses {
        listen,
        servicenow: instance.address(),
    })?;
    demo::ensure(&desk, &instance).await?;
    demo::find_out_uniqueness(&desk, &instance).await?;
    let core = desk.core()?;
    let alert_file = write_sample(&core, data)?;
    let sync = Sync::into(desk.rows()?);
    Ok(Running {
        desk,
        instance,
        intake: Arc::new(Intake::new(core, WebhookAuth::Open)),
        sync,
        alert_file,
    })
}

fn write_sample(core: &Core, data: &Path) -> Result<PathBuf, Failure> {
    let alert = sample_alert::fired(core.clock.now(), &*core.entropy);
    let path = std::path::absolute(data.join("sample-alert.json"))
        .unwrap_or_else(|_| data.join("sample-alert.json"));
    let text = serde_json::to_string_pretty(&alert).unwrap_or_default();
    files::write_own(&path, &text)?;
    Ok(path)
}

impl Running {
    fn listen(&self) -> SocketAddr {
        self.desk
            .addresses()
            .map_or(LISTEN_DEFAULT, |addresses| addresses.listen)
    }

    fn webhook(&self) -> String {
        format!(
            "http://{}/api/create-work-item/{}",
            self.listen(),
            demo::NAME
        )
    }

    fn health(&self) -> String {
        format!("http://{}/api/health", self.listen())
    }

    /// What posts the sample alert from any terminal.
    fn curl(&self) -> String {
        let body = quoted(&format!("@{}", self.alert_file.display()));
        format!(
            "curl -sS -H 'content-type: application/json' --data-binary {body} {}",
            self.webhook()
        )
    }

    fn described(&self) -> Value {
        json!({
            "webhook": self.webhook(),
            "health": self.health(),
            "servicenow": self.instance.url(),
            "rows": self.desk.rows_place(),
            "data": self.alert_file.parent(),
            "curl": self.curl(),
        })
    }

    fn introduce(&self, output: &Output) {
        let folder = self.desk.folder().display();
        output.line(format!("webhook     {}", self.webhook()));
        output.line(format!("health      {}", self.health()));
        output.line(format!(
            "ServiceNow  {}  {QUIET}(simulated; its records stay in {folder}){QUIET:#}",
            self.instance.url()
        ));
        output.line(format!(
            "rows        {}  {QUIET}(incidents and change requests, a minute behind){QUIET:#}",
            self.desk.rows_place()
        ));
        output.line("");
        output.line("Send an alert, as Azure Monitor would, and look at the incidents:");
        output.line("");
        output.line(format!("  {}", self.curl()));
        output.line(format!("  {}", self.instance.curl()));
        output.line("");
        output.line("The same alert again makes no second incident.");
        output.line("");
        output.line(format!("{GOOD}ready{GOOD:#}"));
    }
}

/// For a shell: as it is if that is safe, else in quotes.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "@/._-+:=".contains(c);
    if text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen)
        .await
        .map_err(|error| not_bound("--listen", "the webhook", listen, &error))
}

/// Why nothing listens there.
fn not_bound(option: &str, what: &str, address: SocketAddr, error: &std::io::Error) -> Failure {
    let why = match error.kind() {
        std::io::ErrorKind::AddrInUse => format!("port {} is taken", address.port()),
        _ => error.to_string(),
    };
    Failure::does_not_work(
        format!("{what} cannot listen on {address}: {why}"),
        format!("`{option} 127.0.0.1:0` takes a free port"),
    )
}

/// Nobody has to show a key here, so that nobody else may reach it.
fn refuse_unless_loopback(option: &str, address: SocketAddr) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::wrong_usage(
        format!("{option}: found {address}, expected a loopback address such as 127.0.0.1:0"),
        "whoever reaches it could make work items; `create-work-item` with `ITSMC_WEBHOOK_AUTH=key` is for others",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_survives_a_shell() {
        assert_eq!(quoted("@/a/b-c.json"), "@/a/b-c.json");
        assert_eq!(quoted("@/it's here"), r"'@/it'\''s here'");
    }

    #[test]
    fn only_loopback_listens_without_a_key() {
        assert!(refuse_unless_loopback("--listen", LISTEN_DEFAULT).is_ok());
        assert!(refuse_unless_loopback("--listen", SocketAddr::from(([0, 0, 0, 0], 0))).is_err());
    }
}
