//! From a connection to the client of its product.

pub mod cherwell;
mod proof;
pub mod provance;
pub mod servicenow;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::adapters::entra_tenant::EntraTenant;
use crate::adapters::oauth::TokenEndpoint;
use crate::adapters::token_source::TokenSource;
use crate::domain::allowance::Meter;
use crate::domain::connection::{Connection, PartnerType};
use crate::domain::entra_authority::Authority;
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::name::ConnectionName;
use crate::domain::network::AllowedHosts;
use crate::ports::{Clock, Issuer, ItsmProduct, Products, RecordSource, Transport, Vault};
use cherwell::Cherwell;
use provance::Provance;
use servicenow::ServiceNow;

/// A client, and the connection that it was built for.
type Client = (Arc<Connection>, Faces);

/// One client, by what it is asked for.
#[derive(Clone)]
struct Faces {
    /// What makes and reads records; `None`: this version only gets the product's tokens.
    records: Option<(Arc<dyn ItsmProduct>, Arc<dyn RecordSource>)>,
    issuer: Arc<dyn Issuer>,
    /// The tokens of one whose records this version does not know.
    tokens: Option<Arc<TokenSource>>,
    /// Where its Entra tenant is found out.
    entra: Option<Arc<EntraTenant>>,
}

impl<T: ItsmProduct + RecordSource + Issuer + 'static> From<Arc<T>> for Faces {
    fn from(client: Arc<T>) -> Self {
        let records: (Arc<dyn ItsmProduct>, Arc<dyn RecordSource>) =
            (Arc::<T>::clone(&client), Arc::<T>::clone(&client));
        Self {
            records: Some(records),
            issuer: client,
            tokens: None,
            entra: None,
        }
    }
}

impl Faces {
    fn of_issuer(
        issuer: Arc<dyn Issuer>,
        tokens: Arc<TokenSource>,
        entra: Option<Arc<EntraTenant>>,
    ) -> Self {
        Self {
            records: None,
            issuer,
            tokens: Some(tokens),
            entra,
        }
    }
}

/// The clients of all connections of this process.
pub struct ItsmProducts {
    transport: Arc<dyn Transport>,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    allowed: AllowedHosts,
    clients: Mutex<BTreeMap<ConnectionName, Client>>,
    meters: Mutex<BTreeMap<ConnectionName, Meter>>,
}

impl std::fmt::Debug for ItsmProducts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ItsmProducts").finish_non_exhaustive()
    }
}

impl ItsmProducts {
    /// Over one transport.
    pub fn new(
        transport: Arc<dyn Transport>,
        vault: Arc<dyn Vault>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            transport,
            vault,
            clock,
            allowed: AllowedHosts::default(),
            clients: Mutex::default(),
            meters: Mutex::default(),
        }
    }

    /// The same where these hosts may give tokens too, beside Microsoft's: `ITSMC_ALLOW_HOSTS`.
    #[must_use]
    pub fn allowing(mut self, allowed: AllowedHosts) -> Self {
        self.allowed = allowed;
        self
    }

    fn build(&self, connection: &Arc<Connection>) -> Result<Faces, CallFailure> {
        match connection.partner_type {
            PartnerType::Servicenow => {
                let (transport, vault, clock) = (
                    Arc::clone(&self.transport),
                    Arc::clone(&self.vault),
                    Arc::clone(&self.clock),
                );
                let client = ServiceNow::new(
                    transport,
                    vault,
                    clock,
                    Arc::clone(connection),
                    self.meter(&connection.name),
                );
                Ok(Faces::from(Arc::new(client)))
            }
            PartnerType::Cherwell => {
                let client = Cherwell::new(
                    Arc::clone(&self.transport),
                    Arc::clone(&self.clock),
                    Arc::clone(connection),
                );
                let endpoint = client.endpoint();
                let replaces = cherwell::REPLACES_REFRESH_TOKENS;
                let tokens = self.tokens(endpoint, connection, replaces);
                Ok(Faces::of_issuer(Arc::new(client), tokens, None))
            }
            PartnerType::Provance => {
                let client = Provance::new(
                    Arc::clone(&self.transport),
                    Arc::clone(&self.clock),
                    Arc::clone(connection),
                    self.allowed.clone(),
                );
                let (endpoint, entra) = (client.endpoint(), client.entra());
                let replaces = provance::REPLACES_REFRESH_TOKENS;
                let tokens = self.tokens(endpoint, connection, replaces);
                Ok(Faces::of_issuer(Arc::new(client), tokens, Some(entra)))
            }
            PartnerType::SystemCenterServiceManager => Err(not_yet(connection)),
        }
    }

    fn tokens(
        &self,
        endpoint: TokenEndpoint,
        connection: &Connection,
        replaces: bool,
    ) -> Arc<TokenSource> {
        Arc::new(TokenSource::new(
            endpoint,
            Arc::clone(&self.vault),
            Arc::clone(&self.clock),
            connection,
            format!("itsm-tokens-{}", connection.name),
            replaces,
        ))
    }
}

fn not_yet(connection: &Connection) -> CallFailure {
    CallFailure::new(
        connection.partner_type.product(),
        "open connection",
        Effect::NotSent,
        Kind::Unusable,
        "this version has no client for this product yet; alerts are kept until one comes",
    )
    .with_advice("take a version that has one; alerts wait three days for it")
}

impl ItsmProducts {
    fn client(&self, connection: &Arc<Connection>) -> Result<Faces, CallFailure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = clients.get(&connection.name)
            && Arc::ptr_eq(known, connection)
        {
            return Ok(client.clone());
        }
        let client = self.build(connection)?;
        clients.insert(
            connection.name.clone(),
            (Arc::clone(connection), client.clone()),
        );
        Ok(client)
    }
}

#[async_trait]
impl Products for ItsmProducts {
    async fn product(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn ItsmProduct>, CallFailure> {
        let records = self.client(connection)?.records;
        Ok(records.ok_or_else(|| not_yet(connection))?.0)
    }

    async fn records(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn RecordSource>, CallFailure> {
        let records = self.client(connection)?.records;
        Ok(records.ok_or_else(|| not_yet(connection))?.1)
    }

    fn issuer(&self, connection: &Arc<Connection>) -> Result<Arc<dyn Issuer>, CallFailure> {
        Ok(self.client(connection)?.issuer)
    }

    async fn sign_in(
        &self,
        connection: &Arc<Connection>,
        within: Duration,
    ) -> Result<(), CallFailure> {
        let client = self.client(connection)?;
        match (client.records, client.tokens) {
            (Some((product, _)), _) => product.sign_in(within).await,
            (None, Some(tokens)) => prove(&tokens, &*client.issuer, &*self.clock, within).await,
            (None, None) => Err(not_yet(connection)),
        }
    }

    async fn authority(
        &self,
        connection: &Arc<Connection>,
        within: Duration,
    ) -> Result<Option<Authority>, CallFailure> {
        match self.client(connection)?.entra {
            Some(entra) => Ok(Some(entra.find(within).await?)),
            None => Ok(None),
        }
    }

    fn meter(&self, connection: &ConnectionName) -> Meter {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        meters.entry(connection.clone()).or_default().clone()
    }
}

/// Proves the token that a process would use, and another one while they are refused.
async fn prove(
    tokens: &TokenSource,
    issuer: &dyn Issuer,
    clock: &dyn Clock,
    within: Duration,
) -> Result<(), CallFailure> {
    let ends_at = clock.monotonic().saturating_add(within);
    let left = || ends_at.saturating_sub(clock.monotonic());
    let mut token = tokens.bearer(left()).await?;
    let mut refused = Vec::new();
    loop {
        let proven = issuer.prove(&token, left()).await;
        if !matches!(&proven, Err(failure) if failure.kind == Kind::Unauthorized) {
            return proven;
        }
        refused.push(token);
        match tokens.bearer_instead_of(&refused, left()).await? {
            Some(another) => token = another,
            None => return proven,
        }
    }
}
