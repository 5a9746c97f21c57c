//! Which Entra tenant gives the tokens of an instance: what the definition says, or what the instance itself says to whoever
//! asks it without a token.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, WWW_AUTHENTICATE};

use crate::adapters::http::answer::{retry_after, told};
use crate::domain::connection::Connection;
use crate::domain::entra_authority::{Authority, NotAnAuthority};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::network::AllowedHosts;
use crate::ports::{Clock, Transport, TransportFailure};

const OPERATION: &str = "find the Entra tenant";

/// What to do where the instance does not say it well.
const SAY_IT: &str = "set `entra_authority` in the connection's definition to `https://login.microsoftonline.com/<tenant id>`; and see that `server_url` is the instance itself";

/// The way to the tenant of one connection.
pub struct EntraTenant {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    connection: Arc<Connection>,
    allowed: AllowedHosts,
    /// What of the instance is asked.
    path: &'static str,
}

impl EntraTenant {
    /// Of a connection whose instance challenges at `path`. Hosts that are `allowed` may be a tenant's although they are not
    /// Microsoft's.
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        connection: Arc<Connection>,
        allowed: AllowedHosts,
        path: &'static str,
    ) -> Self {
        Self {
            transport,
            clock,
            connection,
            allowed,
            path,
        }
    }

    /// The tenant. Where the definition says it nobody is asked.
    pub async fn find(&self, within: Duration) -> Result<Authority, CallFailure> {
        match &self.connection.authority {
            Some(authority) => Ok(authority.clone()),
            None => self.ask(within).await,
        }
    }

    /// Asks the instance without a token: its 401 names the tenant.
    async fn ask(&self, within: Duration) -> Result<Authority, CallFailure> {
        let url = self.connection.server.join(self.path);
        let request = http::Request::get(url.as_str())
            .header(ACCEPT, "application/json")
            .extension(Arc::clone(&self.connection.egress))
            .body(Bytes::new())
            .map_err(|_| self.failure(Kind::Invalid, "the request could not be built"))?;
        let answer = self.transport.send(request, within).await;
        let response = answer.map_err(|failure| {
            let (TransportFailure::NotSent(trouble) | TransportFailure::Unknown(trouble)) = failure;
            let (kind, detail) = told(trouble);
            self.failure(kind, detail)
        })?;
        let status = response.status().as_u16();
        match status {
            401 => {}
            429 => {
                let failure = self
                    .failure(
                        Kind::RateLimited,
                        "the instance's quota of calls is used up",
                    )
                    .with_status(status);
                return Err(match retry_after(response.headers(), self.clock.now()) {
                    Some(wait) => failure.with_retry_after(wait),
                    None => failure,
                });
            }
            500..=599 => {
                let failure = self.failure(Kind::Unavailable, "the instance is not available");
                return Err(failure.with_status(status));
            }
            _ => {
                let detail = "the instance did not ask for a token, as Dataverse does";
                let failure = self.failure(Kind::Undecodable, detail);
                return Err(failure.with_status(status).with_advice(SAY_IT));
            }
        }
        let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let mut refused = NotAnAuthority::NoChallenge;
        for challenge in challenges.filter_map(|value| value.to_str().ok()) {
            match Authority::of_challenge(challenge, &self.allowed) {
                Ok(authority) => return Ok(authority),
                Err(NotAnAuthority::NoChallenge) => {}
                Err(other) => refused = other,
            }
        }
        let detail = match refused {
            NotAnAuthority::Host(_) => {
                "the instance sends to a host for its tokens that is not Microsoft's"
            }
            _ => "the instance asks for a token and does not say which tenant gives it",
        };
        let failure = self.failure(Kind::Undecodable, detail).with_status(status);
        Err(failure.with_advice(SAY_IT))
    }

    fn failure(&self, kind: Kind, detail: &str) -> CallFailure {
        let service = self.connection.partner_type.product();
        CallFailure::new(service, OPERATION, Effect::NotSent, kind, detail)
    }
}
