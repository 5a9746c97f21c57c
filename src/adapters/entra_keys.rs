//! The signing keys of an Entra tenant, from the address where Entra publishes them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::ACCEPT;

use crate::adapters::http::answer::told;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::ports::{KeySet, Transport, TransportFailure};

/// One tenant's keys.
pub struct EntraKeys {
    transport: Arc<dyn Transport>,
    url: String,
}

impl std::fmt::Debug for EntraKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntraKeys")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl EntraKeys {
    /// At this address.
    pub fn new(transport: Arc<dyn Transport>, url: String) -> Self {
        Self { transport, url }
    }
}

#[async_trait]
impl KeySet for EntraKeys {
    async fn key_set(&self, within: Duration) -> Result<Bytes, CallFailure> {
        let failure = |effect, kind, detail: &str| {
            CallFailure::new("Entra", "fetch signing keys", effect, kind, detail)
        };
        let request = http::Request::get(&self.url)
            .header(ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|_| failure(Effect::NotSent, Kind::Invalid, "the address is none"))?;
        let response = match self.transport.send(request, within).await {
            Ok(response) => response,
            Err(TransportFailure::NotSent(trouble)) => {
                let (kind, detail) = told(trouble);
                return Err(failure(Effect::NotSent, kind, detail));
            }
            Err(TransportFailure::Unknown(trouble)) => {
                let (kind, detail) = told(trouble);
                return Err(failure(Effect::Unknown, kind, detail));
            }
        };
        match response.status().as_u16() {
            200 => Ok(response.into_body()),
            status @ (400 | 404) => Err(failure(
                Effect::Refused,
                Kind::NotFound,
                "Entra knows no such tenant; look at ITSMC_ENTRA_TENANT and ITSMC_ENTRA_CLOUD",
            )
            .with_status(status)),
            status => Err(failure(
                Effect::Unknown,
                Kind::Unavailable,
                "Entra did not give its keys",
            )
            .with_status(status)),
        }
    }
}
