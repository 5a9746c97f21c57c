//! HTTP to products: the client is built at the first call (reading root certificates takes milliseconds that a cold start
//! does not have), no redirects, no cookies, a proxy only where the settings name one, limits on size and time, and an address
//! check on every dial.

pub(in crate::adapters) mod answer;
mod clients;
mod resolver;
pub(in crate::adapters) mod store_client;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use crate::domain::egress::{Dial, Egress, Proxy};
use crate::domain::network::AllowedHosts;
use crate::ports::{Transport, TransportFailure, TransportTrouble};
use clients::{Clients, Reach};

/// The most that is set aside for a response by its announced length; behind that it grows as it comes.
const RESERVED_BYTES_MAX: usize = 1024 * 1024;

/// Longest response that is read (row N16).
pub const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longest wait for a connection.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);

/// What every client of ours calls itself.
const USER_AGENT: &str = concat!("itsm-connector/", env!("CARGO_PKG_VERSION"));

/// HTTP over TCP and TLS.
#[derive(Debug)]
pub struct HttpTransport {
    allowed: AllowedHosts,
    clients: Clients,
}

impl HttpTransport {
    /// A transport that may call public hosts with TLS, those on the list, and what the connection of a request names.
    pub fn new(allowed: AllowedHosts) -> Self {
        Self {
            allowed,
            clients: Clients::default(),
        }
    }

    /// The same, calling public hosts through a proxy, which then looks up their names. Hosts on the list and those in a
    /// connection's own networks are called directly.
    #[must_use]
    pub fn by_way_of(mut self, proxy: Option<Proxy>) -> Self {
        self.clients = self.clients.by_way_of(proxy);
        self
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
        let not_sent = TransportFailure::NotSent;
        let url = url::Url::parse(&parts.uri.to_string())
            .map_err(|_| not_sent(TransportTrouble::Malformed))?;
        let egress = parts.extensions.get::<Arc<Egress>>().map(Arc::as_ref);
        let dial = Dial::for_call(&url, egress, &self.allowed)
            .ok_or(not_sent(TransportTrouble::Forbidden))?;
        let client = self
            .clients
            .get(Reach::new(dial, egress))
            .map_err(|_| not_sent(TransportTrouble::Certificate))?;
        let sent = client
            .request(parts.method, url)
            .headers(parts.headers)
            .timeout(within)
            .body(body)
            .send()
            .await;
        let mut response = sent.map_err(|error| trouble::failure(&error))?;
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
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    let mut body = BytesMut::with_capacity(announced.min(RESERVED_BYTES_MAX));
    while let Some(chunk) =
        response
            .chunk()
            .await
            .map_err(|error| match trouble::failure(&error) {
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

#[cfg(test)]
mod tests;
