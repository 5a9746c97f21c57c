//! `itsmc connection test`: step by step, each told as soon as it is known.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::test_connection::{self, Step};

use super::stored;
use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{BAD, GOOD, Output, harmless, hint_line};

/// How long the simulator may take to show that it is there.
const THERE_WITHIN: Duration = Duration::from_millis(500);

/// Test a connection step by step.
///
/// With `--write` a test work item is made, made again with the same key, and resolved. That shows whether the product
/// refuses a second one; the answer is remembered, and alerts whose answer is lost are then sent again at once.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc connection test demo --write")]
pub(crate) struct Test {
    /// The connection
    #[arg(value_parser = connection_name)]
    name: ConnectionName,
    /// Make a test work item, and resolve it
    #[arg(long)]
    write: bool,
}

impl Test {
    /// Tests it.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        // Before the state's folder is made: a mistyped `--data` should leave nothing behind.
        stored::read(&desk, &self.name).await?;
        test(&desk, &self.name, self.write, output).await
    }
}

/// Runs the steps and tells them; an error if one of them fails.
pub(super) async fn test(
    desk: &Desk,
    name: &ConnectionName,
    write: bool,
    output: &Output,
) -> Result<(), Failure> {
    let core = desk.core()?;
    let sleeping = simulator_sleeps(desk, name).await;
    let shown = |step: &Step| {
        let mut step = step.clone();
        if sleeping && !step.works && step.name == "sign-in" {
            step.hint = Some("this is the simulator of `itsmc up`, which is not running: start it in another terminal".to_owned());
        }
        step
    };
    output.progress(format!("testing `{name}`"));
    let steps = test_connection::run(&core, name, write, |step| {
        if !output.is_json() {
            tell(&shown(step), output);
            output.progress(format!("testing `{name}`"));
        }
    })
    .await;
    output.settle();
    let works = steps.iter().all(|step| step.works);
    if output.is_json() {
        let steps: Vec<Step> = steps.iter().map(shown).collect();
        output.document(&serde_json::json!({
            "connection": name,
            "works": works,
            "steps": steps,
        }));
    }
    if works { Ok(()) } else { Err(Failure::told()) }
}

fn tell(step: &Step, output: &Output) {
    let mark = if step.works {
        format!("{GOOD}ok  {GOOD:#}")
    } else {
        format!("{BAD}FAIL{BAD:#}")
    };
    output.line(format!(
        "{mark}  {:<11}  {}",
        step.name,
        harmless(&step.seen)
    ));
    if let Some(hint) = &step.hint {
        output.line(format!("      {}", hint_line(hint)));
    }
}

/// True if the connection is to the simulator of `itsmc up`, and nobody listens there.
async fn simulator_sleeps(desk: &Desk, name: &ConnectionName) -> bool {
    let Some(addresses) = desk.addresses() else {
        return false;
    };
    let simulator = format!("http://{}", addresses.servicenow);
    let stored = stored::read(desk, name).await;
    let is_its = stored
        .ok()
        .and_then(|stored| stored.connection.ok())
        .is_some_and(|connection| connection.server.as_str() == simulator);
    is_its && TcpStream::connect_timeout(&addresses.servicenow, THERE_WITHIN).is_err()
}
