//! Log Analytics by the Logs Ingestion API, `2023-01-01`: rows through a data collection rule into its tables
//! (azure-platform §4).
//!
//! 204 is success, and nothing else is. That the rows are accepted does not mean that they can be found yet.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use url::Url;

use crate::domain::batch::Batch;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::sink_failure::SinkFailure;
use crate::domain::table::Table;
use crate::ports::{AzureIdentity, Clock, RowSink, Transport, TransportFailure};

mod meaning;

use meaning::{failure, meaning};

const API_VERSION: &str = "2023-01-01";

/// How hard is compressed: the fastest level. The wire is never what is waited for, and 1 MB of rows is a tenth already.
const COMPRESSION: Compression = Compression::fast();

/// What compressed rows take, for the first guess of their buffer.
const COMPRESSED_SHARE: usize = 6;

/// One data collection rule.
pub struct LogsIngestion {
    transport: Arc<dyn Transport>,
    identity: Arc<dyn AzureIdentity>,
    clock: Arc<dyn Clock>,
    endpoint: Url,
    rule: String,
    scope: &'static str,
}

impl fmt::Debug for LogsIngestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogsIngestion")
            .field("endpoint", &self.endpoint.as_str())
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

impl LogsIngestion {
    /// At the address for logs of a data collection endpoint or of a rule of the kind `Direct`, by the rule's immutable id.
    pub fn new(
        transport: Arc<dyn Transport>,
        identity: Arc<dyn AzureIdentity>,
        clock: Arc<dyn Clock>,
        endpoint: Url,
        rule: &str,
    ) -> Self {
        Self {
            transport,
            identity,
            clock,
            scope: scope(&endpoint),
            endpoint,
            rule: rule.to_owned(),
        }
    }

    fn address(&self, table: Table) -> Url {
        let mut url = self.endpoint.clone();
        url.set_path(&format!(
            "/dataCollectionRules/{}/streams/{}",
            self.rule,
            table.stream()
        ));
        url.set_query(Some(&format!("api-version={API_VERSION}")));
        url
    }

    async fn request(
        &self,
        table: Table,
        batch: &Batch,
        within: Duration,
    ) -> Result<http::Request<Bytes>, CallFailure> {
        let token = self.identity.token(self.scope, within).await?;
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
                failure(
                    table,
                    Effect::NotSent,
                    Kind::Unauthorized,
                    "the token is none",
                )
            })?;
        bearer.set_sensitive(true);
        let request = http::Request::post(self.address(table).as_str())
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, "application/json");
        let request = match compressed(batch) {
            Some(body) => request.header(CONTENT_ENCODING, "gzip").body(body),
            None => request.body(batch.body()),
        };
        let invalid = |_| {
            failure(
                table,
                Effect::NotSent,
                Kind::Invalid,
                "the request could not be built",
            )
        };
        request.map_err(invalid)
    }
}

#[async_trait]
impl RowSink for LogsIngestion {
    async fn send(&self, table: Table, batch: &Batch, within: Duration) -> Result<(), SinkFailure> {
        let began = self.clock.monotonic();
        let request = self.request(table, batch, within);
        let request = request.await.map_err(before_it_was_sent)?;
        let left = within.saturating_sub(self.clock.monotonic().saturating_sub(began));
        match self.transport.send(request, left).await {
            Ok(response) => meaning(table, batch.body_bytes(), &response, self.clock.now()),
            Err(TransportFailure::NotSent(trouble)) => {
                let (kind, detail) = crate::adapters::http::answer::told(trouble);
                Err(before_it_was_sent(failure(
                    table,
                    Effect::NotSent,
                    kind,
                    detail,
                )))
            }
            Err(TransportFailure::Unknown(trouble)) => {
                let (kind, detail) = crate::adapters::http::answer::told(trouble);
                let failure = failure(table, Effect::Unknown, kind, detail);
                Err(SinkFailure::Unknown(failure))
            }
        }
    }
}

/// Whoever could not be reached now may be later; an address that may not be called and an identity without rights may not.
fn before_it_was_sent(failure: CallFailure) -> SinkFailure {
    match failure.kind {
        Kind::Forbidden
        | Kind::Invalid
        | Kind::Unauthorized
        | Kind::NoRights
        | Kind::NotFound
        | Kind::Unusable => SinkFailure::Refused(failure),
        _ => SinkFailure::Wait(failure),
    }
}

/// The body, compressed; `None` where that makes it no shorter.
fn compressed(batch: &Batch) -> Option<Bytes> {
    let raw = batch.body_bytes();
    let mut gzip = GzEncoder::new(Vec::with_capacity(raw / COMPRESSED_SHARE), COMPRESSION);
    // The rows go in as they are: no body is put together.
    for piece in [b"[".as_slice(), batch.joined(), b"]"] {
        gzip.write_all(piece).ok()?;
    }
    gzip.finish()
        .ok()
        .filter(|body| body.len() < raw)
        .map(Bytes::from)
}

/// For whom a token is asked, as Microsoft's own client does. Samples double the last slash; the audience is accepted with it and without.
fn scope(endpoint: &Url) -> &'static str {
    let host = endpoint.host_str().unwrap_or_default();
    if host.ends_with(".monitor.azure.us") {
        "https://monitor.azure.us/.default"
    } else if host.ends_with(".monitor.azure.cn") {
        "https://monitor.azure.cn/.default"
    } else {
        "https://monitor.azure.com/.default"
    }
}

#[cfg(test)]
mod tests;
