//! The real client of a product over a stage: what it would send is taken down, and nothing leaves the machine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use itsm_connector::adapters::clock::SystemClock;
use itsm_connector::adapters::itsm::ItsmProducts;
use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::kept::{Kept, VaultVersion, VersionSeen};
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::timestamp::Timestamp;
use itsm_connector::domain::token::{AccessToken, TokenSet};
use itsm_connector::domain::work_item::{Change, NewWorkItem, WorkItemRef};
use itsm_connector::ports::{
    Clock as _, ItsmProduct, Products as _, Transport, TransportFailure, TransportTrouble, Vault,
};
use serde::Serialize;
use serde_json::Value;

/// In place of a token: nobody gets to see it.
const TOKEN: &str = "rehearsal";

/// How long the token seems to live, in seconds; a rehearsal takes none of it.
const TOKEN_LIFE: u64 = 1800;

/// A client's time for a call. The stage answers at once.
const WITHIN: Duration = Duration::from_secs(10);

/// A request that would be sent.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sent {
    /// The method.
    pub(crate) method: String,
    /// Where to, without the query.
    pub(crate) url: String,
    /// The body; null where there is none.
    pub(crate) body: Value,
}

/// The client of a connection's product, on the stage.
pub(crate) struct Rehearsal {
    stage: Arc<Stage>,
    product: Arc<dyn ItsmProduct>,
}

impl Rehearsal {
    /// For a connection. An error if this version has no client for its product.
    pub(crate) async fn new(connection: &Arc<Connection>) -> Result<Self, CallFailure> {
        let stage = Arc::new(Stage::default());
        let products = ItsmProducts::new(
            Arc::<Stage>::clone(&stage),
            Arc::new(NoVault),
            Arc::new(SystemClock::default()),
        );
        Ok(Self {
            product: products.product(connection).await?,
            stage,
        })
    }

    /// The request that makes a work item.
    pub(crate) async fn create(&self, item: &NewWorkItem) -> Result<Sent, CallFailure> {
        self.taken_down(self.product.create(item, WITHIN).await.map(|_| ()))
    }

    /// The request that changes a work item.
    pub(crate) async fn write(
        &self,
        item: &WorkItemRef,
        change: &Change,
    ) -> Result<Sent, CallFailure> {
        self.taken_down(self.product.write(item, change, WITHIN).await)
    }

    /// A call fails on a stage, where nobody answers. What counts is what was said; a failure before that is one.
    fn taken_down(&self, ended: Result<(), CallFailure>) -> Result<Sent, CallFailure> {
        match (self.stage.take(), ended) {
            (Some(sent), _) => Ok(sent),
            (None, Err(failure)) => Err(failure),
            (None, Ok(())) => Err(CallFailure::new(
                "the product",
                "rehearse",
                Effect::NotSent,
                Kind::Unusable,
                "its client sends nothing for this",
            )),
        }
    }
}

/// Takes down the first request that is not for a token.
#[derive(Default)]
struct Stage {
    sent: Mutex<Option<Sent>>,
}

impl Stage {
    fn take(&self) -> Option<Sent> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.take()
    }
}

#[async_trait]
impl Transport for Stage {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _within: Duration,
    ) -> Result<http::Response<Bytes>, TransportFailure> {
        // Token endpoints take forms (RFC 6749 §4), the products' interfaces do not.
        let kind = request
            .headers()
            .get(CONTENT_TYPE)
            .map(http::HeaderValue::as_bytes);
        if kind.is_some_and(|kind| kind.starts_with(b"application/x-www-form-urlencoded")) {
            let token = serde_json::json!({
                "access_token": TOKEN, "token_type": "Bearer", "expires_in": TOKEN_LIFE,
            });
            let mut answer = http::Response::new(Bytes::from(token.to_string()));
            answer.headers_mut().insert(
                CONTENT_TYPE,
                http::HeaderValue::from_static("application/json"),
            );
            return Ok(answer);
        }
        let uri = request.uri();
        let sent = Sent {
            method: request.method().to_string(),
            url: format!(
                "{}://{}{}",
                uri.scheme_str().unwrap_or("https"),
                uri.authority().map_or("", http::uri::Authority::as_str),
                uri.path()
            ),
            body: serde_json::from_slice(request.body()).unwrap_or_default(),
        };
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(sent);
        Err(TransportFailure::NotSent(TransportTrouble::Unreachable))
    }
}

/// A vault with the rehearsal's token for everybody.
struct NoVault;

#[async_trait]
impl Vault for NoVault {
    async fn get(&self, _name: &str) -> Result<Option<Kept>, CallFailure> {
        let now = SystemClock::default().now();
        let tokens = TokenSet {
            access: Some(AccessToken {
                secret: Secret::from(TOKEN),
                obtained_at: Some(now),
                expires_at: now.plus(Duration::from_secs(TOKEN_LIFE)),
            }),
            refresh: None,
            refresh_expires_at: None,
            logged_in_at: now,
            mark: None,
            superseded: Vec::new(),
        };
        Ok(Some(Kept::only(tokens.to_vault_text())))
    }

    async fn set(
        &self,
        _: &str,
        _: &Secret,
        _: Option<Timestamp>,
    ) -> Result<VaultVersion, CallFailure> {
        Ok(VaultVersion::only())
    }

    async fn list(&self, _prefix: &str) -> Result<Vec<String>, CallFailure> {
        Ok(Vec::new())
    }

    async fn versions(&self, _: &str) -> Result<Vec<VersionSeen>, CallFailure> {
        Ok(Vec::new())
    }

    async fn disable(&self, _: &str, _: &VaultVersion) -> Result<(), CallFailure> {
        Ok(())
    }

    async fn remove(&self, _name: &str) -> Result<(), CallFailure> {
        Ok(())
    }
}
