//! What was found out about a connection's product, so that nobody has to find it out again.

use serde::{Deserialize, Serialize};

use super::numbered_log::{Append, NumberedLog};
use super::objects::{Objects, StoreFailure};
use crate::domain::name::ConnectionName;
use crate::domain::timestamp::Timestamp;
use crate::domain::work_item::Uniqueness;

/// What is known of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductFacts {
    /// Whether it refuses a second record with the same key.
    pub uniqueness: Uniqueness,
}

/// The facts.
#[derive(Debug, Clone)]
pub struct Facts {
    objects: Objects,
}

impl Facts {
    /// In this store.
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    fn log(&self, connection: &ConnectionName) -> NumberedLog {
        NumberedLog::new(self.objects.clone(), format!("facts/{connection}"))
    }

    /// What is known; nothing is assumed that was not seen.
    pub async fn read(&self, connection: &ConnectionName) -> Result<ProductFacts, StoreFailure> {
        Ok(self
            .log(connection)
            .head::<ProductFacts>()
            .await?
            .map_or_else(ProductFacts::default, |head| head.state))
    }

    /// Remembers what was found out.
    pub async fn remember(
        &self,
        connection: &ConnectionName,
        facts: &ProductFacts,
        writer: &str,
        now: Timestamp,
    ) -> Result<(), StoreFailure> {
        let log = self.log(connection);
        let head = log.head::<ProductFacts>().await?;
        if head.as_ref().is_some_and(|head| head.state == *facts) {
            return Ok(());
        }
        let (Append::Won(_) | Append::Lost(_)) =
            log.append(head.as_ref(), writer, now, facts).await?;
        Ok(())
    }
}
