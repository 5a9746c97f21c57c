//! How `object_store` gets at a cloud: by a client of ours, shared by the store and whatever fetches its identity, and
//! made at the first request. Its own would read the root certificates at the cold start, twice, follow redirects, obey
//! the environment's proxies, and bring HTTP/2 into every function.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest,
    HttpResponse, HttpService,
};
use once_cell::sync::OnceCell;

use crate::adapters::http::store_client;

/// Longest answer that is read: a page of 5,000 names of Azure Blob is four megabytes of XML at most.
const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long one request may take. Whoever asks for one object gives up before that; this is for the pages of listings,
/// which together have twenty seconds.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// Makes clients that are one client.
#[derive(Debug, Clone, Default)]
pub(super) struct LazyConnector {
    client: Arc<OnceCell<reqwest::Client>>,
}

impl HttpConnector for LazyConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        Ok(HttpClient::new(LazyClient {
            client: Arc::clone(&self.client),
            may_be_plain: allow_http.as_deref() == Some("true"),
        }))
    }
}

#[derive(Debug)]
struct LazyClient {
    client: Arc<OnceCell<reqwest::Client>>,
    /// Whether it may be asked without TLS: a server that the settings allow, and the metadata endpoints of the clouds.
    may_be_plain: bool,
}

/// Why a request was not sent, or its answer not read.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("this address may not be asked without TLS")]
    Plain,
    #[error("the answer is too long")]
    TooLong,
}

#[async_trait]
impl HttpService for LazyClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        if !self.may_be_plain && parts.uri.scheme() != Some(&http::uri::Scheme::HTTPS) {
            return Err(HttpError::new(HttpErrorKind::Unknown, NotDone::Plain));
        }
        let client = self
            .client
            .get_or_try_init(store_client::build)
            .map_err(failure)?;
        let body = body.collect().await?.to_bytes();
        let mut response = client
            .request(parts.method, parts.uri.to_string())
            .headers(parts.headers)
            .timeout(REQUEST_MAX)
            .body(body)
            .send()
            .await
            .map_err(failure)?;
        let mut answer = http::Response::new(Bytes::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        let mut read = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if read.len() + chunk.len() > RESPONSE_BYTES_MAX {
                return Err(HttpError::new(HttpErrorKind::Unknown, NotDone::TooLong));
            }
            read.extend_from_slice(&chunk);
        }
        Ok(answer.map(|_| read.freeze().into()))
    }
}

/// The kind decides whether `object_store` sends a request again. A broken connection is always worth it, also for a
/// create, of which nobody knows whether it was done: whoever finds the object there finds out whether it is his own
/// (`Objects::keep`, `NumberedLog::append`), and a function that was frozen meets broken connections at its first alert.
/// What took too long is sent again only if it changes nothing.
fn failure(error: reqwest::Error) -> HttpError {
    let kind = if error.is_builder() {
        HttpErrorKind::Unknown
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if error.is_timeout() {
        HttpErrorKind::Timeout
    } else {
        HttpErrorKind::Request
    };
    // The address may hold a shared access signature.
    HttpError::new(kind, error.without_url())
}
