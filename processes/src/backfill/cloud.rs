//! Azure, as a sync meets it: the vault with the connection in it, what gives tokens, and the endpoint for rows, which notes
//! which records it has seen.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use simulators::key_vault::{Config as Identities, KeyVaultCloud};
use simulators::logs_ingestion::{Config, LogsIngestion, Rule};
use simulators::machine::{Answer, Machine};
use simulators::server::now_ms;

use super::pages::Pages;
use crate::Trouble;
use crate::sender::CONNECTION;

/// The rule's immutable id.
pub(super) const RULE: &str = "dcr-00000000000000000000000000000001";

/// The streams' columns, as they are published.
const TABLES: &str = include_str!("../../../infra/kql/tables.json");

const STREAM: &str = "Custom-ServiceDesk_CL";
const LOG_STREAM: &str = "Custom-ServiceDeskLog_CL";

/// What the endpoint got.
#[derive(Debug, Clone, Default)]
pub(super) struct Received {
    /// How often each record was seen, by its place.
    pub(super) seen: Vec<u32>,
    /// Different records so far.
    pub(super) different: u64,
    /// All rows, repeats included.
    pub(super) rows: u64,
    /// The length of each accepted call's rows, uncompressed.
    pub(super) calls: Vec<usize>,
    /// Calls that were refused.
    pub(super) refused: u64,
}

/// Vault, tokens and endpoint at one address.
#[derive(Debug)]
pub(super) struct Cloud {
    vault: KeyVaultCloud,
    endpoint: LogsIngestion,
    /// What came in.
    pub(super) received: Received,
}

impl Cloud {
    /// With the definition of the connection in the vault, for so many records.
    pub(super) fn new(definition: &Value, records: u64) -> Result<Self, Trouble> {
        let identities = Identities::default();
        let mut vault =
            KeyVaultCloud::new(&identities).map_err(|_| "keys cannot be made".to_owned())?;
        let resources = &mut vault.entra.resources;
        resources.push("https://monitor.azure.com".to_owned());
        let mut tables: BTreeMap<String, BTreeMap<String, String>> =
            serde_json::from_str(TABLES).map_err(|error| error.to_string())?;
        let mut streams = BTreeMap::new();
        for stream in [STREAM, LOG_STREAM] {
            let table = stream.trim_start_matches("Custom-");
            let columns = tables.remove(table).unwrap_or_default();
            streams.insert(stream.to_owned(), columns);
        }
        let role_from_ms = 0;
        let rule = Rule {
            streams,
            role_from_ms,
        };
        let endpoint = LogsIngestion::new(Config {
            rules: BTreeMap::from([(RULE.to_owned(), rule)]),
            ..Config::default()
        });
        let mut cloud = Self {
            vault,
            endpoint,
            received: Received {
                seen: vec![0; usize::try_from(records).unwrap_or(0)],
                ..Received::default()
            },
        };
        cloud.keep(&identities, definition)?;
        Ok(cloud)
    }

    /// The settings of a process that is its managed identity.
    pub(super) fn settings(vault: SocketAddr, platform: SocketAddr) -> Vec<(&'static str, String)> {
        let identity = format!("http://{platform}/msi/token");
        vec![
            ("ITSMC_VAULT", format!("https://{vault}")),
            ("ITSMC_LOG_ANALYTICS", format!("https://{vault}")),
            ("ITSMC_DCR_ID", RULE.to_owned()),
            ("ITSMC_CONNECTIONS", CONNECTION.to_owned()),
            ("IDENTITY_ENDPOINT", identity),
            ("IDENTITY_HEADER", Identities::default().identity_header),
        ]
    }

    /// Puts the definition into the vault, as an administrator does.
    fn keep(&mut self, identities: &Identities, definition: &Value) -> Result<(), Trouble> {
        let ask =
            "https://vault/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net";
        let request = Request::get(ask)
            .header("x-identity-header", &identities.identity_header)
            .body(Bytes::new());
        let token = self.ask(request)?;
        let token = token["access_token"].as_str().unwrap_or_default();
        let url = format!("https://vault/secrets/itsm-connection-{CONNECTION}?api-version=7.6");
        let body = json!({ "value": definition.to_string() }).to_string();
        let request = Request::put(url)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Bytes::from(body));
        self.ask(request).map(drop)
    }

    fn ask(&mut self, request: http::Result<Request<Bytes>>) -> Result<Value, Trouble> {
        let request = request.map_err(|error| error.to_string())?;
        let path = request.uri().path().to_owned();
        let response = self.vault.answer(request, now_ms()).response;
        let status = response.status();
        match status.is_success() {
            true => serde_json::from_slice(response.body()).map_err(|error| error.to_string()),
            false => Err(format!("the vault answered {path} with {status}")),
        }
    }

    fn ingest(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        // Who may write is shown elsewhere; here every token is good.
        let token = request.headers().get(http::header::AUTHORIZATION);
        let token = token.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        self.endpoint.config.tokens = token.map(str::to_owned).into_iter().collect();
        let (is_rows, before) = (
            request.uri().path().ends_with(STREAM),
            self.endpoint.received.bytes,
        );
        let answer = self.endpoint.answer(request, now_ms);
        let stored = std::mem::take(&mut self.endpoint.rows);
        if !answer.response.status().is_success() {
            self.received.refused += 1;
        } else if is_rows {
            let bytes = self.endpoint.received.bytes - before;
            self.received.calls.push(bytes);
        }
        for row in stored.get(STREAM).into_iter().flatten() {
            self.received.note(row);
        }
        answer
    }
}

impl Received {
    fn note(&mut self, row: &serde_json::Map<String, Value>) {
        self.rows += 1;
        let number = row.get("ServiceDeskId_s").and_then(Value::as_str);
        let times = number
            .and_then(Pages::place)
            .and_then(|place| self.seen.get_mut(place));
        if let Some(times) = times {
            self.different += u64::from(*times == 0);
            *times += 1;
        }
    }
}

impl Machine for Cloud {
    fn answer(&mut self, request: Request<Bytes>, now_ms: i64) -> Answer {
        match request.uri().path().starts_with("/dataCollectionRules/") {
            true => self.ingest(request, now_ms),
            false => self.vault.answer(request, now_ms),
        }
    }
}
