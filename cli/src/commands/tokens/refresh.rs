//! `itsmc tokens refresh`: new tokens now, by what the vault has.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::flows::Core;
use itsm_connector::flows::refresh_tokens::{self, Order, Refreshed};
use itsm_connector::hosts::refresher;
use serde::Serialize;

use crate::commands::connection::stored;
use crate::commands::connection_name;
use crate::desk::Desk;
use crate::failure::{Exit, Failure, Trouble};
use crate::output::{GOOD, Output};
use crate::spans;

/// How long a person waits for it at most: the issuer's time, the vault's reserve and the proof.
const WITHIN: Duration = Duration::from_secs(120);

/// Renew tokens now, by the stored refresh token
///
/// The same steps as the `token-refresher` takes, without waiting until they are due. Client credentials need none.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n\n  itsmc tokens refresh contoso")]
pub(crate) struct Refresh {
    /// The connection; all of them where none is named
    #[arg(value_parser = connection_name)]
    name: Option<ConnectionName>,
}

#[derive(Serialize)]
struct Row {
    connection: ConnectionName,
    #[serde(flatten)]
    done: Refreshed,
}

impl Refresh {
    /// Renews.
    pub(crate) async fn run(&self, data: &Path, output: &Output) -> Result<(), Failure> {
        let desk = Desk::open(data)?;
        let names = match &self.name {
            Some(name) => {
                stored::read(&desk, name).await?;
                vec![name.clone()]
            }
            None => {
                desk.existing_state()?;
                desk.core()?.token_sets.connections().await?
            }
        };
        let core = desk.core()?;
        let (mut rows, mut troubles) = (Vec::new(), Vec::new());
        for name in names {
            match refresh(&core, &name, output).await {
                Ok(done) => {
                    if !output.is_json() {
                        tell(&core, &name, &done, output);
                    }
                    rows.push(Row {
                        connection: name,
                        done,
                    });
                }
                Err(failure) => troubles.extend(failure.troubles),
            }
        }
        if output.is_json() && troubles.is_empty() {
            output.document(&serde_json::json!({ "connections": rows }));
        }
        match troubles.is_empty() {
            true => Ok(()),
            false => Err(Failure {
                exit: Exit::DoesNotWork,
                troubles,
            }),
        }
    }
}

fn tell(core: &Core, name: &ConnectionName, done: &Refreshed, output: &Output) {
    let Some(end) = done.access_ends_at else {
        output.line(format!(
            "`{name}` is by client credentials: nothing is stored"
        ));
        return;
    };
    let life = spans::short(end.since(core.clock.now()));
    output.line(format!(
        "{GOOD}renewed{GOOD:#} the tokens of `{name}`: good for {life}"
    ));
    if let Some(trouble) = &done.trouble {
        output.warning(
            format!("the new tokens are stored and not proven yet: {trouble}"),
            "nothing to do: the `token-refresher` goes on from here",
        );
    }
}

/// Renews the tokens of one connection; an error if there are no new ones.
pub(in crate::commands) async fn refresh(
    core: &Core,
    name: &ConnectionName,
    output: &Output,
) -> Result<Refreshed, Failure> {
    let order = Order {
        span: WITHIN,
        tick: refresher::EVERY,
        forced: true,
    };
    output.progress(format!("renewing the tokens of `{name}`"));
    let report = Box::pin(refresh_tokens::run(
        core,
        order,
        Some(std::slice::from_ref(name)),
    ))
    .await;
    output.settle();
    let refreshed = report?.into_iter().find(|(found, _)| found == name);
    let Some((_, refreshed)) = refreshed else {
        return Ok(Refreshed::default());
    };
    let done = refreshed.map_err(|why| {
        Failure::does_not_work(why.to_string(), why.hint().replace("NAME", name.as_str()))
    })?;
    let trouble = |error: String, hint: String| Failure {
        exit: Exit::DoesNotWork,
        troubles: vec![Trouble { error, hint }],
    };
    if let Some(login) = done.login {
        return Err(trouble(
            format!("`{name}`: {}", login.because.as_text()),
            format!("run `itsmc connection login {name}`"),
        ));
    }
    if done.busy {
        return Err(trouble(
            format!("another process is renewing the tokens of `{name}`"),
            "try again in three minutes; nothing was changed".to_owned(),
        ));
    }
    match &done.trouble {
        Some(failure) if !done.renewed => Err(trouble(
            format!("`{name}`: {failure}"),
            failure.hint().replace("NAME", name.as_str()),
        )),
        _ => Ok(done),
    }
}
