//! From the start of a process to its first poll of the Lambda runtime API, and to its first answer.
//!
//! Counted from right before the process is made, so that making it is in the figure; the microVM and the download of
//! the package, which Lambda adds, are not.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::alerts;
use super::bench::{self, Bench, State};
use super::process::{Process, Resident};
use super::product::Product;
use super::runtime_api::{Ask, Call, RuntimeApi};
use super::samples::Samples;
use super::table::Row;

/// Starts before those that count: the binary and the libraries come into the page cache.
const WARM_UP: usize = 5;

/// How long a function is left waiting for its first event, to see what else it does.
const LEFT_ALONE: Duration = Duration::from_millis(300);

/// Where systems keep all root certificates in one file.
const BUNDLES: [&str; 2] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
];

/// The series of the alerts in this file.
const SERIES: u16 = 1;

/// Takes the figures.
pub(super) fn measure(function: &Path, bench: &Bench, starts: usize) -> Result<Vec<Row>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let product = Product::start()?;
    runtime.block_on(nothing_is_fetched_before_the_first_poll(
        function, bench, &product,
    ))?;
    let vault = bench.vault("vault-cold", &product)?;
    let bundle = BUNDLES.into_iter().find(|file| Path::new(file).exists());
    let mut series = Series::default();
    for n in 0..WARM_UP + starts {
        let environment = bench::environment(&vault, &State::Memory, &product);
        let start = runtime.block_on(start(function, environment.clone(), 2 * n))?;
        let mut with_a_bundle = environment;
        with_a_bundle.extend(bundle.map(|file| ("SSL_CERT_FILE".to_owned(), file.to_owned())));
        let bundled = runtime.block_on(self::start(function, with_a_bundle, 2 * n + 1))?;
        let process = any_process()?;
        if n >= WARM_UP {
            series.bundled.push(bundled.response);
            series.any_process.push(process);
            series.poll.push(start.poll);
            series.response.push(start.response);
            series.warm.push(start.warm);
            series.resident = Some(start.resident);
        }
    }
    Ok(series.rows())
}

#[derive(Default)]
struct Series {
    any_process: Samples,
    poll: Samples,
    response: Samples,
    /// The same with the root certificates from one file instead of a folder of them.
    bundled: Samples,
    warm: Samples,
    resident: Option<Resident>,
}

impl Series {
    fn rows(&self) -> Vec<Row> {
        let ms = |what: &str, samples: &Samples, percent| {
            let name = match percent {
                50 => "median".to_owned(),
                other => format!("p{other}"),
            };
            Row::new(
                format!("{what}, {name}"),
                samples.percentile_ms(percent),
                "ms",
            )
        };
        let poll = "cold start: process to first poll";
        let response = "cold start: process to first answer (vault, token, create)";
        vec![
            ms(poll, &self.poll, 50).below(4.0),
            ms(poll, &self.poll, 90),
            ms(
                "  in it, making and ending any process (`true`)",
                &self.any_process,
                50,
            ),
            ms(response, &self.response, 50),
            ms(response, &self.response, 90),
            ms("  the same with SSL_CERT_FILE set", &self.bundled, 50),
            ms(
                "second answer of the same process on Lambda",
                &self.warm,
                50,
            ),
            Row::new(
                "resident on Lambda after two alerts, peak",
                self.resident.map_or(0.0, |resident| resident.peak),
                "MB",
            ),
        ]
    }
}

struct Start {
    poll: Duration,
    response: Duration,
    warm: Duration,
    resident: Resident,
}

async fn start(
    function: &Path,
    mut environment: Vec<(String, String)>,
    n: usize,
) -> Result<Start, String> {
    let mut api = RuntimeApi::bind().await?;
    environment.extend(api.environment()?);
    let events = [2 * n, 2 * n + 1].map(event);
    let started = Instant::now();
    let process = Process::start(function, &environment)?;
    let poll = polled(api.call().await?)?;
    let polled_at = poll.at;
    let answered_at = answered(&mut api, poll, "first", &events[0]).await?;
    let again = polled(api.call().await?)?;
    let invoked_at = Instant::now();
    let second_at = answered(&mut api, again, "second", &events[1]).await?;
    Ok(Start {
        poll: polled_at - started,
        response: answered_at - started,
        warm: second_at - invoked_at,
        resident: process.resident()?,
    })
}

fn polled(call: Call) -> Result<Call, String> {
    match &call.ask {
        Ask::Next => Ok(call),
        Ask::Response { .. } => Err("an answer that nobody waits for".to_owned()),
        Ask::Error { body, .. } | Ask::InitError { body } => {
            Err(String::from_utf8_lossy(body).into_owned())
        }
    }
}

/// Invokes with an event and waits for the answer, which must be a work item that was made.
async fn answered(
    api: &mut RuntimeApi,
    poll: Call,
    id: &str,
    event: &str,
) -> Result<Instant, String> {
    poll.invoke(id, event)?;
    let call = api.call().await?;
    let at = call.at;
    match &call.ask {
        Ask::Response { id: of, body } if of == id && is_created(body) => {
            call.accept()?;
            Ok(at)
        }
        other => Err(format!("not the answer to the {id} event: {other:?}")),
    }
}

fn is_created(body: &[u8]) -> bool {
    let Ok(response) = serde_json::from_slice::<serde_json::Value>(body) else {
        return false;
    };
    let made = |text: &str| {
        serde_json::from_str::<serde_json::Value>(text)
            .is_ok_and(|answer| answer["outcome"] == "created")
    };
    response["statusCode"] == 200 && response["body"].as_str().is_some_and(made)
}

/// The event of a function URL (payload format 2.0) with an alert in it.
fn event(n: usize) -> String {
    let path = alerts::path();
    let body = String::from_utf8_lossy(&alerts::fired(SERIES, n)).into_owned();
    serde_json::json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "content-type": "application/json; charset=utf-8", "x-itsmc-key": bench::KEY },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "figures",
            "domainName": "figures.lambda-url.eu-central-1.on.aws",
            "domainPrefix": "figures",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "IcMBroadcaster/1.0",
            },
            "requestId": format!("00000000-0000-4000-8000-{n:012x}"),
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Mar/2026:10:00:01 +0000",
            "timeEpoch": 1_772_359_201_000_u64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
    .to_string()
}

/// A function whose vault is not there polls all the same, asks the product nothing and makes no folder.
async fn nothing_is_fetched_before_the_first_poll(
    function: &Path,
    bench: &Bench,
    product: &Product,
) -> Result<(), String> {
    let vault = bench.folder("vault-that-is-not-there");
    let mut api = RuntimeApi::bind().await?;
    let mut environment = bench::environment(&vault, &State::Memory, product);
    environment.extend(api.environment()?);
    let _process = Process::start(function, &environment)?;
    let _poll = polled(api.call().await?)?;
    tokio::time::sleep(LEFT_ALONE).await;
    match (product.asked(), vault.exists()) {
        (0, false) => Ok(()),
        (asked, made) => Err(format!(
            "before its first event the function asked the product {asked} times; vault folder made: {made}"
        )),
    }
}

/// What the machine takes to make a process that does nothing, and to see it end.
fn any_process() -> Result<Duration, String> {
    let started = Instant::now();
    Command::new("true")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("true: {error}"))?;
    Ok(started.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_work_item_that_was_made_counts_as_an_answer() {
        let made = r#"{"statusCode":200,"body":"{\"outcome\":\"created\"}"}"#;
        assert!(is_created(made.as_bytes()));
        for other in [
            r#"{"statusCode":503,"body":"{\"outcome\":\"created\"}"}"#,
            r#"{"statusCode":202,"body":"{\"outcome\":\"pending\"}"}"#,
            r#"{"statusCode":200}"#,
            "x",
        ] {
            assert!(!is_created(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_event_has_the_alert_as_text() {
        let event: serde_json::Value = serde_json::from_str(&event(3)).unwrap();
        let body = event["body"].as_str().unwrap();
        let alert: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(alert["schemaId"], "azureMonitorCommonAlertSchema");
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
    }
}
