//! Tokens for Azure's own services, of the same identity by which the vault is asked. Microsoft's client keeps and renews them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use once_cell::sync::OnceCell;

use crate::adapters::key_vault::identity;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::key_vault::Identity;
use crate::domain::secret::Secret;
use crate::ports::{AzureIdentity, Clock, Transport};

const SERVICE: &str = "Entra";
const OPERATION: &str = "obtain token for Azure";

/// An identity and its tokens. Nothing is built before the first is wanted.
pub struct AzureTokens {
    identity: Identity,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    credential: OnceCell<Arc<dyn TokenCredential>>,
}

impl fmt::Debug for AzureTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureTokens")
            .field("identity", &self.identity.as_str())
            .finish_non_exhaustive()
    }
}

impl AzureTokens {
    /// Of this identity.
    pub fn new(identity: Identity, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self {
            identity,
            transport,
            clock,
            credential: OnceCell::new(),
        }
    }

    fn failure(&self, kind: Kind, detail: String) -> CallFailure {
        CallFailure::new(SERVICE, OPERATION, Effect::NotSent, kind, detail)
    }
}

#[async_trait]
impl AzureIdentity for AzureTokens {
    async fn token(&self, scope: &str, within: Duration) -> Result<Secret, CallFailure> {
        // What the client says of its trouble may repeat what others have sent: it is not repeated here.
        let refused = |_| {
            let identity = self.identity.as_str();
            self.failure(
                Kind::Unauthorized,
                format!("no token was given for {identity}; docs/key-vault.md says what it needs"),
            )
        };
        let credential = self
            .credential
            .get_or_try_init(|| identity::credential(&self.identity, &self.transport, &self.clock))
            .map_err(refused)?;
        let scopes = [scope];
        let asked = credential.get_token(&scopes, None);
        match tokio::time::timeout(within, asked).await {
            Ok(Ok(token)) => Ok(Secret::from(token.token.secret())),
            Ok(Err(error)) => Err(refused(error)),
            Err(_) => Err(self.failure(Kind::TimedOut, "no answer in time".to_owned())),
        }
    }
}
