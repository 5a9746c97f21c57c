//! Our HTTP client in the shape that Microsoft's clients take: one resolver guard, one limit on sizes, no redirects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode, Url};
use bytes::Bytes;

use crate::adapters::http::answer::told;
use crate::ports::{Transport, TransportFailure, TransportTrouble};

/// Longest that one request may take: half of what a call may, for a call can need a token first.
const REQUEST_MAX: Duration = Duration::from_secs(15);

/// The way to one host and no other. A vault names the address of the next page itself; a token must not follow it
/// elsewhere.
pub(super) struct Pipe {
    service: &'static str,
    origin: url::Origin,
    transport: Arc<dyn Transport>,
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// Why a request brought no response, inside an error of Microsoft's clients.
#[derive(Debug, Clone)]
pub(super) struct NoResponse {
    /// Who was asked.
    pub(super) service: &'static str,
    /// What was in the way.
    pub(super) failure: TransportFailure,
}

impl fmt::Display for NoResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (TransportFailure::NotSent(trouble) | TransportFailure::Unknown(trouble)) =
            &self.failure;
        write!(f, "{}: {}", self.service, told(*trouble).1)
    }
}

impl std::error::Error for NoResponse {}

impl Pipe {
    /// To the host of this address.
    pub(super) fn to(
        address: &url::Url,
        service: &'static str,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            service,
            origin: address.origin(),
            transport,
        }
    }

    fn no_response(&self, failure: TransportFailure) -> Error {
        let service = self.service;
        Error::new(ErrorKind::Io, NoResponse { service, failure })
    }

    fn request(&self, request: &Request) -> Option<http::Request<Bytes>> {
        let mut ours = http::Request::builder()
            .method(request.method().as_str())
            .uri(request.url().as_str());
        for (name, value) in request.headers().iter() {
            ours = ours.header(name.as_str(), value.as_str());
        }
        ours.body(Bytes::from(request.body())).ok()
    }
}

#[async_trait]
impl HttpClient for Pipe {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url: &Url = request.url();
        if url.origin() != self.origin {
            let trouble = TransportTrouble::Forbidden;
            return Err(self.no_response(TransportFailure::NotSent(trouble)));
        }
        let ours = self.request(request).ok_or_else(|| {
            let trouble = TransportTrouble::Malformed;
            self.no_response(TransportFailure::NotSent(trouble))
        })?;
        let response = self
            .transport
            .send(ours, REQUEST_MAX)
            .await
            .map_err(|failure| self.no_response(failure))?;
        let (parts, body) = response.into_parts();
        let mut headers = Headers::new();
        for (name, value) in &parts.headers {
            // What is no text is of no use to them.
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        let status = StatusCode::from(parts.status.as_u16());
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}
