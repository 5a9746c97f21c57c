//! The only HTTP client: built at the first call (reading root certificates takes milliseconds that a cold start does
//! not have), no redirects, no proxies, no cookies, limits on size and time, and an address check on every dial.

pub(in crate::adapters) mod answer;
mod resolver;

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use once_cell::sync::OnceCell;
use url::Host;

use crate::domain::network::{self, AllowedHosts};
use crate::ports::{Transport, TransportFailure, TransportTrouble};
use resolver::{ForbiddenAddress, GuardedResolver};

/// Longest response that is read (row N16).
pub const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest wait for a connection.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long an unused connection is kept: shorter than the idle time-outs of common load balancers.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// HTTP over TCP and TLS.
pub struct HttpTransport {
    allowed: AllowedHosts,
    client: OnceCell<reqwest::Client>,
}

impl std::fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpTransport")
            .field("allowed", &self.allowed)
            .finish_non_exhaustive()
    }
}

impl HttpTransport {
    /// A transport that may call public hosts with TLS, and those on the list.
    pub fn new(allowed: AllowedHosts) -> Self {
        Self {
            allowed,
            client: OnceCell::new(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the HTTP client's owner")]
    fn client(&self) -> Result<&reqwest::Client, reqwest::Error> {
        self.client.get_or_try_init(|| {
            reqwest::Client::builder()
                .user_agent(concat!("itsm-connector/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT_MAX)
                .pool_idle_timeout(IDLE_MAX)
                .dns_resolver(Arc::new(GuardedResolver::new(self.allowed.clone())))
                .build()
        })
    }

    /// Literal addresses never reach the resolver (rust-ecosystem §1.6), so they are looked at here.
    fn admits(&self, url: &url::Url) -> bool {
        let port = url.port_or_known_default().unwrap_or(0);
        let Some(host) = url.host() else { return false };
        if self.allowed.contains(&host.to_string(), port) {
            return true;
        }
        let public = match host {
            Host::Domain(_) => true,
            Host::Ipv4(address) => network::is_public(address.into()),
            Host::Ipv6(address) => network::is_public(address.into()),
        };
        public && url.scheme() == "https"
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        let (parts, body) = request.into_parts();
        let url = url::Url::parse(&parts.uri.to_string())
            .map_err(|_| TransportFailure::NotSent(TransportTrouble::Malformed))?;
        if !self.admits(&url) {
            return Err(TransportFailure::NotSent(TransportTrouble::Forbidden));
        }
        let client = self
            .client()
            .map_err(|_| TransportFailure::NotSent(TransportTrouble::Certificate))?;
        let sent = client
            .request(parts.method, url)
            .headers(parts.headers)
            .timeout(within)
            .body(body)
            .send()
            .await;
        let mut response = sent.map_err(|error| failure(&error))?;
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            *headers = std::mem::take(response.headers_mut());
        }
        let body = read(&mut response).await?;
        answer
            .body(body)
            .map_err(|_| TransportFailure::Unknown(TransportTrouble::Malformed))
    }
}

async fn read(response: &mut reqwest::Response) -> Result<Bytes, TransportFailure> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| match failure(&error) {
            // The head of a response was here: the request was sent for certain.
            TransportFailure::NotSent(trouble) | TransportFailure::Unknown(trouble) => {
                TransportFailure::Unknown(trouble)
            }
        })?
    {
        if body.len() + chunk.len() > RESPONSE_BYTES_MAX {
            return Err(TransportFailure::Unknown(TransportTrouble::TooLong));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Only what is proven not sent is told so.
fn failure(error: &reqwest::Error) -> TransportFailure {
    if error.is_builder() {
        return TransportFailure::NotSent(TransportTrouble::Malformed);
    }
    if error.is_connect() {
        return TransportFailure::NotSent(connect_trouble(error));
    }
    let trouble = if error.is_timeout() {
        TransportTrouble::TimedOut
    } else {
        TransportTrouble::Broken
    };
    TransportFailure::Unknown(trouble)
}

fn connect_trouble(error: &reqwest::Error) -> TransportTrouble {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<ForbiddenAddress>() {
            return TransportTrouble::Forbidden;
        }
        let text = cause.to_string();
        if text.contains("certificate")
            || text.contains("UnknownIssuer")
            || text.contains("received fatal alert")
        {
            return TransportTrouble::Certificate;
        }
        source = cause.source();
    }
    if error.is_timeout() {
        TransportTrouble::TimedOut
    } else {
        TransportTrouble::Unreachable
    }
}
