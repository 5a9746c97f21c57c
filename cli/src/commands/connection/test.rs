//! `itsmc connection test`: step by step, each told as soon as it is known.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use itsm_connector::domain::definition::problem::Problem;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::test_connection::{self, Step};

use super::stored::{self, Stored};
use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::{Failure, place};
use crate::output::{BAD, GOOD, Output, harmless, hint_line};

/// What to do where the simulator of the desk is not there.
const ASLEEP: &str =
    "this is the simulator of `itsmc up`, which is not running: start it in another terminal";

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
        test(&desk, &self.name, self.write, Wants::Everything, output).await
    }
}

/// What must work for the command to have done what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// All of it.
    Everything,
    /// The login. That this version makes no records in the product yet is told, and was not asked.
    TheLogin,
}

impl Wants {
    fn excuses(self, step: &Step) -> bool {
        self == Self::TheLogin && step.name == test_connection::PRODUCT
    }
}

/// What a login and a new connection end with.
pub(super) async fn after_login(
    desk: &Desk,
    name: &ConnectionName,
    output: &Output,
) -> Result<(), Failure> {
    test(desk, name, false, Wants::TheLogin, output).await
}

/// Runs the steps and tells them; an error if one of them fails.
async fn test(
    desk: &Desk,
    name: &ConnectionName,
    write: bool,
    wants: Wants,
    output: &Output,
) -> Result<(), Failure> {
    let stored = stored::read(desk, name).await?;
    if let Err(problems) = &stored.connection {
        let steps: Vec<Step> = problems.iter().map(mistake).collect();
        if !output.is_json() {
            steps.iter().for_each(|step| tell(step, output));
        }
        return finish(name, &steps, wants, output);
    }
    let core = desk.core()?;
    let sleeping = simulator_sleeps(desk, &stored);
    let shown = |step: &Step| {
        let hint = step.hint.as_deref().map(|hint| advice(hint, name));
        let is_asleep = sleeping && !step.works && step.name == "sign-in";
        Step {
            hint: if is_asleep {
                Some(ASLEEP.to_owned())
            } else {
                hint
            },
            ..step.clone()
        }
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
    let steps: Vec<Step> = steps.iter().map(shown).collect();
    finish(name, &steps, wants, output)
}

/// The last word: the document where one is wanted, and the exit code.
fn finish(
    name: &ConnectionName,
    steps: &[Step],
    wants: Wants,
    output: &Output,
) -> Result<(), Failure> {
    let works = steps.iter().all(|step| step.works);
    let is_enough = steps.iter().all(|step| step.works || wants.excuses(step));
    if output.is_json() {
        output.document(&serde_json::json!({
            "connection": name,
            "works": works,
            "steps": steps,
        }));
    }
    if is_enough {
        Ok(())
    } else {
        Err(Failure::told())
    }
}

/// A mistake of the definition as a step.
fn mistake(problem: &Problem) -> Step {
    Step {
        name: "definition",
        works: false,
        seen: format!(
            "{}: found {}, expected {}",
            place(problem),
            problem.found,
            problem.expected
        ),
        hint: Some(problem.hint.clone()),
    }
}

/// What to do, for somebody who is testing already.
fn advice(hint: &str, name: &ConnectionName) -> String {
    hint.trim_start_matches("run `itsmc connection test NAME`; ")
        .replace("NAME", name.as_str())
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
fn simulator_sleeps(desk: &Desk, stored: &Stored) -> bool {
    let (Some(addresses), Ok(connection)) = (desk.addresses(), &stored.connection) else {
        return false;
    };
    let simulator = format!("http://{}", addresses.servicenow);
    connection.server.as_str() == simulator
        && TcpStream::connect_timeout(&addresses.servicenow, THERE_WITHIN).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tests_is_not_told_to_test() {
        let name = ConnectionName::parse("contoso").unwrap();
        assert_eq!(
            advice("run `itsmc connection test NAME`; it is locked", &name),
            "it is locked"
        );
        assert_eq!(advice("wake NAME", &name), "wake contoso");
    }
}
