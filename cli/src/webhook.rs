//! The webhook as the desk's commands use it: where it is, what is posted there, and what it answered.

use std::path::Path;

use bytes::Bytes;
use clap::Args;
use itsm_connector::domain::name::{ActionName, ConnectionName, DEFAULT_ACTION};
use itsm_connector::domain::secret::Secret;
use itsm_connector::settings::LISTEN_DEFAULT;
use serde_json::json;
use url::Url;

use crate::alert_delivery::{self, Answered, said};
use crate::commands::{action_name, connection_name};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::{GOOD, Output};
use crate::prompt;

/// For whom something is posted, and where to.
#[derive(Debug, Args)]
pub(crate) struct To {
    /// The connection that it is for
    #[arg(long, value_parser = connection_name, value_name = "NAME", default_value = "demo")]
    connection: ConnectionName,
    /// The connection's action
    #[arg(long, value_parser = action_name, value_name = "NAME", default_value = DEFAULT_ACTION)]
    action: ActionName,
    /// Where the webhook is: `http://HOST:PORT`, or the whole address from an action group
    #[arg(long)]
    url: Option<Url>,
    /// Read the webhook's key from standard input, one line
    #[arg(long)]
    key_stdin: bool,
}

impl To {
    /// The webhook, for what stands in `file`. The key is read here, once.
    pub(crate) fn webhook(&self, data: &Path, file: &Path) -> Result<Webhook, Failure> {
        let address = self.address(data)?;
        if self.key_stdin && file == Path::new("-") {
            return Err(Failure::wrong_usage(
                "standard input holds the alert, so that it holds no key",
                "name the alert's file, and pipe only the key in",
            ));
        }
        let key = match self.key_stdin {
            true => prompt::piped_secrets(&["key"])?.pop(),
            false => None,
        };
        Ok(Webhook { address, key })
    }

    fn address(&self, data: &Path) -> Result<Url, Failure> {
        let unusable = || {
            Failure::wrong_usage(
                "--url: found another address, expected `http://HOST:PORT` or `https://HOST`",
                "the whole address from an action group is taken as well",
            )
        };
        let mut url = match &self.url {
            Some(url) => url.clone(),
            None => {
                let addresses = Desk::open(data)?.addresses();
                let listen = addresses.map_or(LISTEN_DEFAULT, |addresses| addresses.listen);
                Url::parse(&format!("http://{listen}")).map_err(|_| unusable())?
            }
        };
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(unusable());
        }
        if url.path() == "/" {
            let action = match self.action.as_str() {
                DEFAULT_ACTION => String::new(),
                other => format!("/{other}"),
            };
            url.set_path(&format!(
                "/api/create-work-item/{}{action}",
                self.connection
            ));
        }
        Ok(url)
    }
}

/// A webhook and the key to it.
#[derive(Debug)]
pub(crate) struct Webhook {
    address: Url,
    key: Option<Secret>,
}

impl Webhook {
    /// Posts an alert.
    pub(crate) async fn post(&self, alert: Bytes, output: &Output) -> Result<Answered, Failure> {
        output.progress("sending the alert");
        let answered = alert_delivery::deliver(&self.address, alert, self.key.as_ref()).await;
        output.settle();
        answered
    }
}

/// Shows the answer; one that is no 2xx is a failure.
pub(crate) fn show(answered: &Answered, output: &Output) -> Result<(), Failure> {
    if !(200..300).contains(&answered.status) {
        return Err(refused(answered));
    }
    if output.is_json() {
        output.document(&json!({ "status": answered.status, "answer": answered.body }));
        return Ok(());
    }
    let item = answered.work_item();
    let shown = item.map_or_else(String::new, |item| {
        format!(
            "  {GOOD}{}{GOOD:#}  {}",
            said(item, "number"),
            said(item, "url")
        )
    });
    output.line(format!(
        "{} {}{shown}",
        answered.status,
        answered.text("outcome")
    ));
    if item.is_none() {
        output.words(waits(&answered.text("outcome")));
    }
    Ok(())
}

/// What is to come of an alert that has no work item yet.
fn waits(outcome: &str) -> &'static str {
    match outcome {
        "quarantined" => {
            "it is not understood or was given up, and is kept for a person: `itsmc dead list`"
        }
        "ignored" => "its action wants nothing done",
        _ => "it is kept, and finished within a minute once the ITSM product answers",
    }
}

fn refused(answered: &Answered) -> Failure {
    let (title, detail, hint) = (
        answered.text("title"),
        answered.text("detail"),
        answered.text("hint"),
    );
    if title.is_empty() {
        return Failure::does_not_work(
            format!(
                "the webhook answered {} and did not say why",
                answered.status
            ),
            "is this the address of `create-work-item`, or of something in front of it?",
        );
    }
    Failure::does_not_work(
        format!("{title}: {detail} (status {})", answered.status),
        hint,
    )
}
