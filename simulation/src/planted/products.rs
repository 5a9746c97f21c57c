//! Bugs that are planted between the slot's machine and the product's client.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use itsm_connector::domain::allowance::Meter;
use itsm_connector::domain::connection::Connection;
use itsm_connector::domain::failure::{CallFailure, Effect};
use itsm_connector::domain::identity::{CorrelationId, ItemId};
use itsm_connector::domain::name::ConnectionName;
use itsm_connector::domain::work_item::{
    Change, NewWorkItem, Standing, WorkItemRef, WorkItemSeen, WorkItemType,
};
use itsm_connector::ports::{Issuer, ItsmProduct, Products, RecordSource};
use object_store::path::Path;

use super::Planted;
use crate::alerts::folder_of;
use crate::backlog;
use crate::process::Process;

/// True if the bug is planted here.
pub(super) fn concerns(bug: Planted) -> bool {
    matches!(
        bug,
        Planted::SearchThenCreate
            | Planted::ClaimRemovedOnError
            | Planted::RerunWithoutReconciliation
            | Planted::NoAudit
            | Planted::BlindAudit
            | Planted::CorrelationPerSlot
            | Planted::WriteWithoutRead
            | Planted::UnknownIsRefused
            | Planted::NotesTwice
    )
}

/// Clients with the bug.
pub(super) fn worse(
    bug: Planted,
    process: Arc<Process>,
    products: Arc<dyn Products>,
) -> Arc<dyn Products> {
    Arc::new(Worse {
        bug,
        process,
        products,
    })
}

struct Worse {
    bug: Planted,
    process: Arc<Process>,
    products: Arc<dyn Products>,
}

struct WorseProduct {
    bug: Planted,
    process: Arc<Process>,
    product: Arc<dyn ItsmProduct>,
}

#[async_trait]
impl Products for Worse {
    async fn product(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn ItsmProduct>, CallFailure> {
        let product = self.products.product(connection).await?;
        Ok(Arc::new(WorseProduct {
            bug: self.bug,
            process: Arc::clone(&self.process),
            product,
        }))
    }

    async fn records(
        &self,
        connection: &Arc<Connection>,
    ) -> Result<Arc<dyn RecordSource>, CallFailure> {
        self.products.records(connection).await
    }

    fn issuer(&self, connection: &Arc<Connection>) -> Result<Arc<dyn Issuer>, CallFailure> {
        self.products.issuer(connection)
    }

    fn meter(&self, connection: &ConnectionName) -> Meter {
        self.products.meter(connection)
    }
}

impl WorseProduct {
    /// The correlation id that the bug makes of ours.
    fn sent_as(&self, correlation: &CorrelationId) -> CorrelationId {
        match ItemId::from_correlation(correlation.as_str()) {
            Some((slot, _)) if self.bug == Planted::CorrelationPerSlot => {
                ItemId::new(&slot, 0).correlation()
            }
            _ => correlation.clone(),
        }
    }

    /// What was asked for last under the name that is sent: what the core expects to read.
    fn expect(&self, sent: &CorrelationId, asked: &CorrelationId) {
        let mut expected = self.process.scene.expected();
        expected.insert(sent.as_str().to_owned(), asked.as_str().to_owned());
    }

    fn expected(&self, sent: &str) -> Option<String> {
        self.process.scene.expected().get(sent).cloned()
    }

    fn as_asked(&self, mut seen: WorkItemSeen) -> WorkItemSeen {
        if self.bug == Planted::CorrelationPerSlot
            && let Some(sent) = seen.correlation.clone()
        {
            seen.correlation = self.expected(&sent).or(Some(sent));
        }
        seen
    }

    fn forget_slot(&self, correlation: &CorrelationId) {
        let Some((slot, _)) = ItemId::from_correlation(correlation.as_str()) else {
            return;
        };
        let scene = &self.process.scene;
        for name in scene.names(&folder_of(&slot)) {
            backlog::delete(&scene.memory, Path::from(name));
        }
    }
}

#[async_trait]
impl ItsmProduct for WorseProduct {
    async fn create(
        &self,
        item: &NewWorkItem,
        within: Duration,
    ) -> Result<WorkItemSeen, CallFailure> {
        let mut sent = item.clone();
        sent.correlation = self.sent_as(&item.correlation);
        self.expect(&sent.correlation, &item.correlation);
        if self.bug == Planted::CorrelationPerSlot
            && let Some((slot, _)) = ItemId::from_correlation(item.correlation.as_str())
        {
            sent.key = ItemId::new(&slot, 0).record_key();
        }
        if self.bug == Planted::SearchThenCreate {
            let kind = item.work_item_type;
            let found = self.product.find(kind, &item.correlation, within).await?;
            if let Some(oldest) = found.into_iter().next() {
                return Ok(oldest);
            }
        }
        let made = self.product.create(&sent, within).await;
        if let Ok(made) = &made
            && self.bug == Planted::WriteWithoutRead
        {
            let mut expected = self.process.scene.expected();
            expected.insert(made.item.id.clone(), item.correlation.as_str().to_owned());
        }
        made.map_err(|mut failure| {
            let is_unknown = failure.effect == Effect::Unknown;
            match self.bug {
                Planted::UnknownIsRefused if is_unknown => failure.effect = Effect::Refused,
                Planted::ClaimRemovedOnError => {
                    self.forget_slot(&item.correlation);
                    failure.effect = Effect::NotSent;
                }
                _ => {}
            }
            failure
        })
    }

    async fn read(
        &self,
        item: &WorkItemRef,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure> {
        if self.bug == Planted::WriteWithoutRead
            && let Some(correlation) = self.expected(&item.id)
        {
            return Ok(Some(WorkItemSeen {
                item: item.clone(),
                correlation: Some(correlation),
                standing: Standing::Open,
                created_at: None,
            }));
        }
        let seen = self.product.read(item, within).await?;
        Ok(seen.map(|seen| self.as_asked(seen)))
    }

    async fn find(
        &self,
        kind: WorkItemType,
        correlation: &CorrelationId,
        within: Duration,
    ) -> Result<Vec<WorkItemSeen>, CallFailure> {
        if self.bug == Planted::RerunWithoutReconciliation {
            return Ok(Vec::new());
        }
        let sent = self.sent_as(correlation);
        self.expect(&sent, correlation);
        let mut found = self.product.find(kind, &sent, within).await?;
        if matches!(self.bug, Planted::BlindAudit | Planted::NoAudit) {
            found.truncate(1);
        }
        Ok(found.into_iter().map(|seen| self.as_asked(seen)).collect())
    }

    async fn look_up(
        &self,
        kind: WorkItemType,
        number: &str,
        within: Duration,
    ) -> Result<Option<WorkItemSeen>, CallFailure> {
        self.product.look_up(kind, number, within).await
    }

    async fn write(
        &self,
        item: &WorkItemRef,
        change: &Change,
        within: Duration,
    ) -> Result<(), CallFailure> {
        if self.bug == Planted::NoAudit && matches!(change, Change::CloseAsDuplicate { .. }) {
            return Ok(());
        }
        if self.bug == Planted::NotesTwice && matches!(change, Change::Comment { .. }) {
            self.product.write(item, change, within).await?;
        }
        self.product.write(item, change, within).await
    }

    async fn sign_in(&self, within: Duration) -> Result<(), CallFailure> {
        self.product.sign_in(within).await
    }
}
