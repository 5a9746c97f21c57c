//! Cherwell as the issuer of its own tokens (cherwell-api §2). Its records come later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::proof;
use crate::adapters::oauth::{By, TokenEndpoint};
use crate::domain::connection::Connection;
use crate::domain::failure::CallFailure;
use crate::domain::secret::Secret;
use crate::domain::token::Issued;
use crate::ports::{Clock, Issuer, Transport};

/// The token endpoint. Its path is told without regard to case; this is how the vendor writes it.
const TOKEN_PATH: &str = "/CherwellAPI/token";

/// What proves a token: the summary of the stock incident, one small array. `serviceinfo` is answered to anybody.
const PROOF_PATH: &str = "/CherwellAPI/api/V1/getbusinessobjectsummary/busobname/Incident";

/// The answer to a refresh has a new refresh token, and the one that was used is over.
pub(super) const REPLACES_REFRESH_TOKENS: bool = true;

/// One Cherwell server.
pub struct Cherwell {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    connection: Arc<Connection>,
    endpoint: TokenEndpoint,
}

impl std::fmt::Debug for Cherwell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cherwell")
            .field("connection", &self.connection.name)
            .finish_non_exhaustive()
    }
}

impl Cherwell {
    /// The issuer of a connection.
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        connection: Arc<Connection>,
    ) -> Self {
        let mut url = connection.server.join(TOKEN_PATH);
        url.query_pairs_mut()
            .append_pair("auth_mode", connection.auth_mode.as_str());
        let endpoint =
            TokenEndpoint::at(Arc::clone(&transport), Arc::clone(&clock), &connection, url);
        Self {
            transport,
            clock,
            connection,
            endpoint,
        }
    }

    /// Its token endpoint.
    pub fn endpoint(&self) -> TokenEndpoint {
        self.endpoint.clone()
    }
}

#[async_trait]
impl Issuer for Cherwell {
    async fn refresh(&self, refresh: &Secret, within: Duration) -> Result<Issued, CallFailure> {
        self.endpoint.obtain(By::Refresh(refresh), within).await
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

    async fn prove(&self, access: &Secret, within: Duration) -> Result<(), CallFailure> {
        let (transport, clock) = (&*self.transport, &*self.clock);
        proof::get(
            transport,
            clock,
            &self.connection,
            PROOF_PATH,
            access,
            within,
        )
        .await
    }

    /// Nothing: `DELETE /api/V1/logout` ends the user's session, and with it the refresh token that took this one's place.
    /// What was superseded ends by itself, an access token after 20 minutes by default.
    async fn revoke(&self, _token: &Secret, _within: Duration) -> Result<(), CallFailure> {
        Ok(())
    }

    fn replaces_refresh_tokens(&self) -> bool {
        REPLACES_REFRESH_TOKENS
    }
}
