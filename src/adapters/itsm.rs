//! From a connection to the client of its product.

pub mod servicenow;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::domain::allowance::Meter;
use crate::domain::connection::{Connection, PartnerType};
use crate::domain::failure::{CallFailure, Effect, Kind};
use crate::domain::name::ConnectionName;
use crate::ports::{Clock, Issuer, ItsmProduct, Products, RecordSource, Transport, Vault};
use servicenow::ServiceNow;

/// A client, and the connection that it was built for.
type Client = (Arc<Connection>, Faces);

/// One client, by what it is asked for.
#[derive(Clone)]
struct Faces {
    product: Arc<dyn ItsmProduct>,
    records: Arc<dyn RecordSource>,
    issuer: Arc<dyn Issuer>,
}

impl<T: ItsmProduct + RecordSource + Issuer + 'static> From<Arc<T>> for Faces {
    fn from(client: Arc<T>) -> Self {
        Self {
            product: Arc::<T>::clone(&client),
            records: Arc::<T>::clone(&client),
            issuer: client,
        }
    }
}

/// The clients of all connections of this process.
pub struct ItsmProducts {
    transport: Arc<dyn Transport>,
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
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
            clients: Mutex::default(),
            meters: Mutex::default(),
        }
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
            other => Err(CallFailure::new(
                other.product(),
                "open connection",
                Effect::NotSent,
                Kind::Unusable,
                "this version has no client for this product yet; alerts are kept until one comes",
            )),
        }
    }
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
        Ok(self.client(connection)?.product)
    }

    async fn records(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn RecordSource>, CallFailure> {
        Ok(self.client(connection)?.records)
    }

    fn issuer(&self, connection: &Arc<Connection>) -> Result<Arc<dyn Issuer>, CallFailure> {
        Ok(self.client(connection)?.issuer)
    }

    fn meter(&self, connection: &ConnectionName) -> Meter {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        meters.entry(connection.clone()).or_default().clone()
    }
}
