//! Provance's tokens, which Entra gives for the Dataverse environment that it lives in (provance-api §1). Its records come
//! later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::proof;
use crate::adapters::entra_tenant::EntraTenant;
use crate::adapters::oauth::{By, Scopes, TokenEndpoint};
use crate::domain::connection::Connection;
use crate::domain::failure::CallFailure;
use crate::domain::network::AllowedHosts;
use crate::domain::secret::Secret;
use crate::domain::token::Issued;
use crate::ports::{Clock, Issuer, Transport};

/// The Web API, which names its Entra tenant to whoever comes without a token.
const CHALLENGE_PATH: &str = "/api/data/v9.2/";

/// What proves a token: who it is for, three ids. Everybody who may use the environment may ask.
const PROOF_PATH: &str = "/api/data/v9.2/WhoAmI";

/// Each answer of Entra's has a new refresh token, which lives anew.
pub(super) const REPLACES_REFRESH_TOKENS: bool = true;

/// One Dataverse environment.
pub struct Provance {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    connection: Arc<Connection>,
    entra: Arc<EntraTenant>,
    endpoint: TokenEndpoint,
}

impl std::fmt::Debug for Provance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provance")
            .field("connection", &self.connection.name)
            .finish_non_exhaustive()
    }
}

impl Provance {
    /// The issuer of a connection.
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        connection: Arc<Connection>,
        allowed: AllowedHosts,
    ) -> Self {
        let entra = Arc::new(EntraTenant::new(
            Arc::clone(&transport),
            Arc::clone(&clock),
            Arc::clone(&connection),
            allowed,
            CHALLENGE_PATH,
        ));
        let endpoint = TokenEndpoint::of_entra(
            Arc::clone(&transport),
            Arc::clone(&clock),
            &connection,
            Arc::clone(&entra),
            scopes(&connection),
        );
        Self {
            transport,
            clock,
            connection,
            entra,
            endpoint,
        }
    }

    /// Its token endpoint.
    pub fn endpoint(&self) -> TokenEndpoint {
        self.endpoint.clone()
    }

    /// Its Entra tenant.
    pub fn entra(&self) -> Arc<EntraTenant> {
        Arc::clone(&self.entra)
    }
}

/// An app with a secret asks for all that it was given, one without for what it may do in a person's name. The refresh token
/// comes only to who asks for it (provance-api §1.2).
fn scopes(connection: &Connection) -> Scopes {
    let of = |name: &str| format!("{}/{name}", connection.server.as_str());
    let permission = match connection.client_secret {
        Some(_) => ".default",
        None => "user_impersonation",
    };
    Scopes {
        of_client: vec![of(".default")],
        of_person: vec![of(permission), "offline_access".to_owned()],
    }
}

#[async_trait]
impl Issuer for Provance {
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

    /// Nothing: Entra ends all of a user's tokens or none, the new ones among them.
    async fn revoke(&self, _token: &Secret, _within: Duration) -> Result<(), CallFailure> {
        Ok(())
    }

    fn replaces_refresh_tokens(&self) -> bool {
        REPLACES_REFRESH_TOKENS
    }
}
