//! The sample: an alert that fires, then resolves, each with its answer and what ServiceNow shows afterwards.

use std::time::Duration;

use bytes::Bytes;
use itsm_connector::ports::Clock;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::Running;
use crate::alert_delivery::{self, said};
use crate::failure::Failure;
use crate::output::{GOOD, Output, QUIET};
use crate::sample_alert;

/// How often and how long the sample is sent again while its answer is that it waits: longer than any claim lasts.
const SENDS_AGAIN_EVERY: Duration = Duration::from_secs(1);
const SENDS_AGAIN_MAX: u32 = 70;

/// One delivery and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct Sent {
    alert: &'static str,
    status: u16,
    outcome: String,
    number: String,
    state: String,
}

/// Sends the sample, and tells each step as soon as it is known.
pub(super) async fn send(running: &Running, output: &Output) -> Result<Vec<Sent>, Failure> {
    let core = running.intake.core();
    let clock = core.clock.as_ref();
    let fired = sample_alert::fired(clock.now(), &*core.entropy);
    let mut sent = vec![deliver(running, output, clock, "fired", &fired).await?];
    let resolved = sample_alert::resolved(&fired, clock.now());
    sent.push(deliver(running, output, clock, "resolved", &resolved).await?);
    Ok(sent)
}

async fn deliver(
    running: &Running,
    output: &Output,
    clock: &dyn Clock,
    alert: &'static str,
    body: &Value,
) -> Result<Sent, Failure> {
    let webhook = Url::parse(&running.webhook()).map_err(|error| {
        Failure::does_not_work(
            format!("the webhook has no address: {error}"),
            "try again with `--listen 127.0.0.1:0`",
        )
    })?;
    output.progress(format!("sending the alert, {alert}"));
    let started = clock.monotonic();
    let mut answered =
        alert_delivery::deliver(&webhook, Bytes::from(body.to_string()), None).await?;
    // A slow disk can make an alert wait. It is kept: sent again it is no second one, and finished if that is possible.
    for _ in 0..SENDS_AGAIN_MAX {
        if answered.text("outcome") != "pending" {
            break;
        }
        output.progress(format!(
            "the alert is kept and waits; asking again, {alert}"
        ));
        clock.sleep(SENDS_AGAIN_EVERY).await;
        answered = alert_delivery::deliver(&webhook, Bytes::from(body.to_string()), None).await?;
    }
    let took = clock.monotonic().saturating_sub(started);
    let outcome = answered.text("outcome");
    let Some(item) = answered.work_item() else {
        return Err(Failure::does_not_work(
            format!(
                "the sample alert was answered {} {outcome}, without a work item",
                answered.status
            ),
            "`itsmc status` shows what it waits for",
        ));
    };
    let incident = running.instance.look(&said(item, "id")).await?;
    if !output.is_json() {
        let answer = format!("{} {outcome}", answered.status);
        output.line(format!(
            "alert {alert:<8}  →  {answer:<12}  →  {GOOD}{} {:<8}{GOOD:#}  {}  {QUIET}({} ms){QUIET:#}",
            incident.number,
            incident.state,
            incident.title,
            took.as_millis()
        ));
    }
    Ok(Sent {
        alert,
        status: answered.status,
        outcome,
        number: incident.number,
        state: incident.state,
    })
}
