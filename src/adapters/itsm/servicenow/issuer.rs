//! ServiceNow as the issuer of its own tokens (servicenow-api §2).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;

use super::{REVOKE_PATH, ServiceNow, meaning, request::Request};
use crate::adapters::oauth::By;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::secret::Secret;
use crate::domain::token::Issued;
use crate::ports::Issuer;

#[async_trait]
impl Issuer for ServiceNow {
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
        let proof = self.send("prove token", &Request::Probe, access, within);
        proof.await.map(|_| ())
    }

    /// The token goes in the form: in the address, where the documentation has it, every proxy's log would have it too. The
    /// endpoint asks for no credentials and tells nobody whether there was such a token.
    async fn revoke(&self, token: &Secret, within: Duration) -> Result<(), CallFailure> {
        const OPERATION: &str = "revoke token";
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose())
            .finish();
        let request = http::Request::post(self.connection.server.join(REVOKE_PATH).as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(body))
            .map_err(|_| {
                let detail = "the request could not be built";
                CallFailure::new(
                    "ServiceNow",
                    OPERATION,
                    Effect::NotSent,
                    Kind::Invalid,
                    detail,
                )
            })?;
        match self.transport.send(request, within).await {
            Ok(response) if response.status().is_success() => Ok(()),
            exchange => meaning::of(OPERATION, exchange, self.clock.now()).map(|_| ()),
        }
    }

    fn replaces_refresh_tokens(&self) -> bool {
        super::REPLACES_REFRESH_TOKENS
    }
}
