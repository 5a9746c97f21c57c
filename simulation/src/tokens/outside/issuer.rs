//! The issuer behind the wire, as the flows ask it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use itsm_connector::adapters::oauth::{By, TokenEndpoint};
use itsm_connector::adapters::token_source::TokenSource;
use itsm_connector::domain::allowance::Meter;
use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::failure::{CallFailure, Effect, Kind};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::secret::Secret;
use itsm_connector::domain::token::Issued;
use itsm_connector::ports::{Clock, Issuer, ItsmProduct, Products, RecordSource, Transport, Vault};
use simulators::issuer::Rotation;

use super::{Ports, lost};
use crate::tokens::bugs::Bug;
use crate::tokens::world::TOKENS;

/// All that a process knows of products.
pub(super) struct Behind {
    ports: Ports,
    clock: Arc<dyn Clock>,
}

impl Behind {
    pub(super) fn new(ports: Ports, clock: Arc<dyn Clock>) -> Self {
        Self { ports, clock }
    }
}

struct OfConnection {
    ports: Ports,
    endpoint: TokenEndpoint,
    clock: Arc<dyn Clock>,
    life: Duration,
}

impl Ports {
    /// Where a warm process gets its tokens.
    pub fn tokens(&self, connection: &Arc<Connection>, skew_ms: i64) -> TokenSource {
        let clock = self.clock(skew_ms);
        let transport: Arc<dyn Transport> = Arc::new(self.clone());
        let vault: Arc<dyn Vault> = Arc::new(self.clone());
        let endpoint = TokenEndpoint::new(transport, Arc::clone(&clock), connection, "/token");
        let replaces = self.world().rotation == Rotation::Replaced
            && self.world().bug != Some(Bug::ReadersSpendTokens);
        let name = TOKENS.to_owned();
        TokenSource::new(endpoint, vault, clock, connection, name, replaces)
    }
}

#[async_trait]
impl Products for Behind {
    async fn product(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn ItsmProduct>, CallFailure> {
        let _ = connection;
        Err(lost(Effect::NotSent))
    }

    async fn records(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn RecordSource>, CallFailure> {
        let _ = connection;
        Err(lost(Effect::NotSent))
    }

    fn issuer(&self, connection: &Arc<Connection>) -> Result<Arc<dyn Issuer>, CallFailure> {
        let transport: Arc<dyn Transport> = Arc::new(self.ports.clone());
        let clock = Arc::clone(&self.clock);
        Ok(Arc::new(OfConnection {
            ports: self.ports.clone(),
            endpoint: TokenEndpoint::new(transport, Arc::clone(&clock), connection, "/token"),
            clock,
            life: connection.refresh_token_life,
        }))
    }

    fn meter(&self, _: &ConnectionName) -> Meter {
        Meter::default()
    }
}

#[async_trait]
impl Issuer for OfConnection {
    async fn refresh(&self, refresh: &Secret, within: Duration) -> Result<Issued, CallFailure> {
        let issued = self.endpoint.obtain(By::Refresh(refresh), within).await;
        match (self.ports.world().bug, issued) {
            (Some(Bug::ExpiryFromTheRenewal), Ok(issued)) => Ok(Issued {
                refresh_expires_at: Some(self.clock.now().plus(self.life)),
                ..issued
            }),
            (Some(Bug::RefusalsAreOutages), Err(failure)) if failure.kind == Kind::Unauthorized => {
                Err(CallFailure {
                    kind: Kind::Unavailable,
                    ..failure
                })
            }
            (_, issued) => issued,
        }
    }

    async fn log_in(
        &self,
        username: &str,
        password: &Secret,
        within: Duration,
    ) -> Result<Issued, CallFailure> {
        let by = By::Password { username, password };
        self.endpoint.obtain(by, within).await
    }

    async fn prove(&self, access: &Secret, _: Duration) -> Result<(), CallFailure> {
        if self.ports.world().bug == Some(Bug::RevokeBeforeProof) {
            return Ok(());
        }
        let failed =
            |kind| CallFailure::new("the product", "prove", Effect::Unknown, kind, "simulated");
        match self.ports.opens(access).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed(Kind::Unauthorized)),
            Err(_) => Err(failed(Kind::Unavailable)),
        }
    }

    async fn revoke(&self, token: &Secret, within: Duration) -> Result<(), CallFailure> {
        let mut all = vec![token.clone()];
        if self.ports.world().bug == Some(Bug::RevokesWhatIsOurs) {
            // Who forgets that the issuer gave the same refresh token again takes it for superseded.
            all.extend(self.ports.world().stored().and_then(|set| set.refresh));
        }
        for token in all {
            let body = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("token", token.expose())
                .finish();
            let request = http::Request::post("https://contoso.service-now.com/revoke")
                .body(Bytes::from(body))
                .map_err(|_| lost(Effect::NotSent))?;
            let answer = itsm_connector::ports::Transport::send(&self.ports, request, within).await;
            answer.map_err(|_| lost(Effect::Unknown))?;
        }
        Ok(())
    }

    fn replaces_refresh_tokens(&self) -> bool {
        self.ports.world().rotation == Rotation::Replaced
    }
}
