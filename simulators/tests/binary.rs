//! The simulator as a process: its first line, its files, and what it says when one is wrong.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and has its own files, client and waiting"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Certificate, Client};
use serde_json::{Value, json};

struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(arguments: &[&str]) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_servicenow-simulator"));
    let mut child = command
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    Running {
        child,
        url: line.trim().to_owned(),
    }
}

fn client(ca: Option<&Path>) -> Client {
    let builder = Client::builder().no_proxy();
    match ca {
        Some(path) => {
            builder.tls_certs_only([Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap()])
        }
        None => builder,
    }
    .build()
    .unwrap()
}

async fn incidents(running: &Running, ca: Option<&Path>) -> Vec<Value> {
    let url = format!("{}/__simulator/records/incident", running.url);
    client(ca)
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[tokio::test]
async fn records_and_tls_are_set_by_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let running = start(&["--records", "7", "--tls-ca-out", ca.to_str().unwrap()]);
    assert!(
        running.url.starts_with("https://127.0.0.1:"),
        "{}",
        running.url
    );
    assert_eq!(incidents(&running, Some(&ca)).await.len(), 7);
}

#[tokio::test]
async fn the_state_survives_even_a_hard_end() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let arguments = ["--records", "2", "--state", state.to_str().unwrap()];
    let running = start(&arguments);
    let url = format!("{}/api/now/table/incident", running.url);
    let request = client(None)
        .post(url)
        .basic_auth("svc-monitor", Some("svc-monitor-password"));
    assert_eq!(
        request
            .json(&json!({ "short_description": "kept" }))
            .send()
            .await
            .unwrap()
            .status(),
        201
    );
    let mut waited = 0;
    while !std::fs::read_to_string(&state).is_ok_and(|text| text.contains("kept")) {
        assert!(waited < 100, "the state is not saved");
        tokio::time::sleep(Duration::from_millis(100)).await;
        waited += 1;
    }
    drop(running);
    let again = start(&arguments);
    let found = incidents(&again, None).await;
    assert_eq!(
        (found.len(), &found[2]["short_description"]),
        (3, &json!("kept"))
    );
}

#[test]
fn a_wrong_configuration_is_told_with_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    std::fs::write(&config, r#"{ "sead": 3 }"#).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_servicenow-simulator"));
    let output = command.arg("--config").arg(&config).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && text.contains("config.json") && text.contains("`sead`"),
        "{text}"
    );
}
